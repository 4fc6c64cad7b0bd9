"""`python -m calib clips`: evaluates the estimator on labelled films, before and after calibration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_COUNT, AUVector, as_vector
from calib.dataset import DatasetError
from calib.estimator import load_estimator
from calib.features import face_features
from calib.film_labels import frame_labels
from calib.half_faces import measure_asymmetry_reading
from calib.metrics import Agreement, MetricsReport, ReadingComparison, agreement, mean_of
from calib.neutral import NeutralEstimator
from calib.picture_labels import tables_in
from reenact.cli.errors import plain_errors, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, FOLDER
from reenact.measure.measurer import estimator_crop
from reenact.media.atomic import replacing
from reenact.media.read.video_file import open_capture
from reenact.records import Face, Frame
from reenact.track import Tracker, TrackerOptions


@dataclass(frozen=True, eq=False)
class LabelledReadings:
    """The frames of a video in which both OpenFace and the tracker see a face; the first face counts."""

    times_s: NDArray[np.float64]
    readings: NDArray[np.float32]
    """(n, 17) ours."""
    labels: NDArray[np.float32]
    """(n, 17) OpenFace's, not normalised per person where the table has such columns."""
    normalised: NDArray[np.float32]
    """(n, 17) OpenFace's, normalised per person."""

    @property
    def calibrated(self) -> NDArray[np.float32]:
        """(n, 17) our readings beyond the neutral that they tell; the readings where they tell none."""
        estimator = NeutralEstimator()
        for time_s, aus in zip(self.times_s.tolist(), self.readings, strict=True):
            estimator.update(time_s, as_vector(aus))
        if estimator.rest is None:
            return self.readings
        return np.clip(self.readings - estimator.rest.neutral[:OPENFACE_COUNT], 0, MAX_INTENSITY)


@click.command(
    cls=GroupedCommand,
    example="clips/ --out report/",
    short_help="Evaluate the estimator on labelled films, frame by frame.",
)
@click.argument("folder", type=FILE)
@option("--out", type=FOLDER, metavar="DIR", help="The folder for report.md and report.json.")
@option(
    "--sides",
    is_flag=True,
    help="Evaluate how well left and right are told apart, on faces joined from halves of two frames.",
)
def clips(folder: Path, out: Path | None, sides: bool) -> None:
    """Evaluate the estimator that ships on the films in FOLDER, frame by frame.

    FOLDER/labels/NAME.csv is OpenFace's table of the film FOLDER/NAME.*. Columns AU01_rs to AU45_rs
    (intensities that are not normalised per person) are preferred to AU01_r to AU45_r. If a table has both, a
    second part compares our readings, as they are and beyond each person's neutral, with AU01_r to AU45_r.
    """
    with plain_errors():
        with unusable_input():
            pairs = _labelled_videos(folder)
        if sides:
            parts, comparison = {video.stem: measure_sides(video, labels) for video, labels in pairs}, None
        else:
            seen = {video.stem: labelled_readings(video, labels) for video, labels in pairs}
            parts = {name: agreement(each.readings, each.labels) for name, each in seen.items()}
            comparison = compare(list(seen.values()))
        report = MetricsReport(mean_of(parts.values()), parts)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_report(report, out, comparison)
        click.echo("\n".join(part.to_markdown() for part in (report, comparison) if part is not None))


def write_report(report: MetricsReport, out: Path, comparison: ReadingComparison | None = None) -> None:
    """report.md and report.json in the folder `out`."""
    texts, document = [report.to_markdown()], report.to_json()
    if comparison is not None:
        texts.append(comparison.to_markdown())
        document["calibration"] = comparison.to_json()
    with replacing(out / "report.md") as beside:
        beside.write_text("\n".join(texts))
    with replacing(out / "report.json") as beside:
        beside.write_text(json.dumps(document, indent=2) + "\n")


def compare(people: Sequence[LabelledReadings]) -> ReadingComparison:
    """Of all people together: what is read too high in one face and too low in another counts as an error."""
    normalised = np.concatenate([each.normalised for each in people])
    compared = partial(agreement, labels=normalised)
    return ReadingComparison(
        before=compared(np.concatenate([each.readings for each in people])),
        after=compared(np.concatenate([each.calibrated for each in people])),
    )


def labelled_readings(video: Path, labels: Path) -> LabelledReadings:
    estimator = load_estimator()
    times_s: list[float] = []
    rows: list[tuple[AUVector, AUVector, AUVector]] = []
    for frame, face, known in _labelled_faces(video, labels):
        crop = estimator_crop(frame, face, estimator.crop)
        times_s.append(float(frame.pts))
        rows.append((estimator(crop, face.pose.to_canonical(face.landmarks)), *known))
    if not rows:
        raise DatasetError(f"{video} has no frame with both a label and a face")
    readings, plain, normalised = np.array(rows, np.float32).swapaxes(0, 1)
    return LabelledReadings(np.array(times_s), readings, plain, normalised)


def measure_sides(video: Path, labels: Path) -> Agreement:
    """Returns how well left and right are told apart, over pairs of the frames."""
    estimator = load_estimator()
    features, wanted, angles = [], [], []
    for frame, face, (plain, _) in _labelled_faces(video, labels):
        crop = estimator_crop(frame, face, estimator.crop)
        features.append(face_features(crop, face.pose.to_canonical(face.landmarks), estimator.gradients))
        wanted.append(plain)
        angles.append(face.pose.angles)
    if not features:
        raise DatasetError(f"{video} has no frame with both a label and a face")
    return measure_asymmetry_reading(estimator, np.array(features), np.array(wanted), np.array(angles))


def _labelled_faces(video: Path, labels: Path) -> Iterator[tuple[Frame, Face, tuple[AUVector, AUVector]]]:
    """The frames that have labels, with the tracker's first face in each and the labels."""
    known = _frame_labels(labels)
    with open_capture(video) as capture, Tracker(TrackerOptions(max_faces=1)) as track:
        for frame in capture:
            faces = track(frame).faces
            if faces and frame.index in known:
                yield frame, faces[0], known[frame.index]


def _labelled_videos(folder: Path) -> list[tuple[Path, Path]]:
    tables = tables_in(folder / "labels")
    videos = (
        {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()} if folder.is_dir() else {}
    )
    pairs = [(videos[table.stem], table) for table in tables if table.stem in videos]
    if not pairs:
        raise DatasetError(f"{folder} has no video NAME.* with a table labels/NAME.csv")
    return pairs


def _frame_labels(table: Path) -> dict[int, tuple[AUVector, AUVector]]:
    """(not normalised, normalised) by frame, from 0."""
    plain = frame_labels(table, DatasetError, plain=True, complete=True)
    normalised = frame_labels(table, DatasetError, complete=True)
    return {index: (aus, normalised[index]) for index, aus in plain.items() if index in normalised}
