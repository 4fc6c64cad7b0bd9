"""Nothing asked, nothing changed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calib.au import neutral_aus
from train.evaluate import regions
from train.evaluate.likeness import Likeness, likeness
from train.evaluate.methods import Method
from train.evaluate.statistics import mean
from train.evaluate.subjects import Subject
from train.evaluate.tables import Table


@dataclass(frozen=True)
class Unchanged:
    """Each picture with a change of zero against itself, inside the face."""

    faces: tuple[Likeness, ...]

    @property
    def exact(self) -> int:
        return sum(each.psnr == float("inf") for each in self.faces)


def measure_unchanged(method: Method, subjects: Sequence[Subject]) -> Unchanged:
    found = []
    for subject in subjects:
        image = method(subject.frame, subject.face, neutral_aus(), subject.measured)
        inside = regions.face(subject.face.landmarks, subject.frame.size[0])
        alike = likeness(image, subject.frame.image, inside)
        assert alike is not None
        found.append(alike)
    return Unchanged(tuple(found))


def unchanged_table(results: Mapping[str, Unchanged]) -> Table:
    rows = tuple(
        (
            method,
            len(result.faces),
            result.exact,
            mean([each.psnr for each in result.faces]),
            mean([each.ssim for each in result.faces]),
        )
        for method, result in results.items()
    )
    note = "A change of 0 asked of people held out, against the input, inside the face."
    columns = ("method", "faces", "bit for bit the input", "PSNR dB", "SSIM")
    return Table("unchanged", "Zero change", note, columns, rows)
