"""`python -m calib`: fitting what ships in calib/data, and judging it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES
from calib.basis_fit import LabelledShapes, fit_basis
from calib.dataset import DatasetError, FaceTable, Miss, Seen, Sight, held_out, join, read_labels, see_faces
from calib.estimator import CROP, load_estimator, write_estimator
from calib.fit import FitOptions, fit_estimator, judge, to_design
from calib.metrics import Agreement, Report, agreement
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.atomic import replacing
from reenact.capture.file import open_capture
from reenact.cli.errors import plain_errors, unusable_input
from reenact.measure import Measurer, estimator_crop
from reenact.track import Tracker, TrackerOptions
from reenact.types import Frame

_CHUNK = 200
"""Pictures that a process looks at before it hands them over; opening a tracker costs about ten of them."""
_FOLDER = click.Path(path_type=Path)
_DEFAULTS = FitOptions()


@click.group()
def main() -> None:
    """Fit the action unit basis and the action unit estimator to labelled faces, and judge them."""


@main.command()
@click.argument("folders", nargs=-1, required=True, type=_FOLDER, metavar="FOLDER...")
@click.option(
    "--out", type=_FOLDER, required=True, metavar="DIR", help="Where the fitted files and the report go."
)
@click.option(
    "--cache", type=_FOLDER, metavar="DIR", help="Tracked faces, for the next fit.  [default: OUT/cache]"
)
@click.option("--seed", default=0, show_default=True, help="Chooses the people who are held out.")
@click.option("--held-out", "share", default=0.15, show_default=True, type=click.FloatRange(0.01, 0.9))
@click.option("--ridge", default=_DEFAULTS.ridge, show_default=True, type=click.FloatRange(1e-8, 10))
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
def fit(
    folders: tuple[Path, ...],
    out: Path,
    cache: Path | None,
    seed: int,
    share: float,
    ridge: float,
    processes: int,
) -> None:
    """Fit the basis and the estimator to the faces in each FOLDER.

    A FOLDER holds pictures (or a folder images/ of them) and an OpenFace CSV with a column `file`; a column
    `person` keeps the pictures of one person together. The report is on people who are held out of a first
    fit; the files are then fitted to everybody.
    """
    with plain_errors():
        faces = _read_faces(folders, cache or out / "cache", processes)
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "basis.npz") as beside:
            basis = fit_basis(_to_shapes(faces), load_shape())
            np.savez_compressed(beside, displacements=basis.displacements.astype(np.float16))
        design, strangers = to_design(faces), held_out(faces.persons, seed, share)
        if strangers.all() or not strangers.any():
            raise DatasetError(
                f"{len(faces)} faces are too few to hold people out; give more, or change --held-out"
            )
        first = fit_estimator(design.where(~strangers), FitOptions(ridge))
        report = judge(first, design.where(strangers), faces.collections[strangers])
        with replacing(out / "estimator.npz") as beside:
            write_estimator(fit_estimator(design, FitOptions(ridge)), beside)
        _write_report(report, out)
        click.echo(report.to_markdown())


@main.command()
@click.argument("folder", type=_FOLDER)
@click.option("--out", type=_FOLDER, metavar="DIR", help="Where report.md and report.json go.")
def clips(folder: Path, out: Path | None) -> None:
    """Judge the estimator that ships on the videos in FOLDER, frame by frame within each.

    FOLDER/labels/NAME.csv is OpenFace's table of the video FOLDER/NAME.*; columns AU01_rs to AU45_rs,
    intensities that are not normalised per person, are preferred to AU01_r to AU45_r.
    """
    with plain_errors():
        with unusable_input():
            pairs = _labelled_videos(folder)
        parts = {video.stem: _judge_video(video, labels) for video, labels in pairs}
        report = Report(_mean_of(parts.values()), parts)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _write_report(report, out)
        click.echo(report.to_markdown())


def _read_faces(folders: Sequence[Path], cache: Path, processes: int) -> FaceTable:
    with unusable_input():
        labels = [read_labels(folder) for folder in folders]
    look = partial(_look, processes=processes)
    seen = [see_faces(pictures, look, f"{CROP} without background", cache) for pictures in labels if pictures]
    faces = join([each.faces for each in seen])
    click.echo(f"{len(faces)} faces of {len(np.unique(faces.persons))} people; {_missed(seen)}", err=True)
    return faces


def _missed(seen: Sequence[Seen]) -> str:
    unreadable, faceless = sum(each.unreadable for each in seen), sum(each.faceless for each in seen)
    return f"{unreadable} pictures are missing or corrupt, {faceless} show no face"


def _look(paths: Sequence[Path], processes: int) -> Iterator[Sight | Miss]:
    """Looks at the pictures in several processes; the answers keep their order."""
    # By its full name: a spawned process does not know what its parent calls `__main__`.
    from calib.__main__ import _look_at

    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    # Not forked: a tracker's threads do not survive that.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        answers = pool.map(_look_at, chunks)
        with click.progressbar(answers, length=len(chunks), label=paths[0].parent.parent.name) as bar:
            for sights in bar:
                yield from sights


def _look_at(paths: Sequence[Path]) -> list[Sight | Miss]:
    cv2.setNumThreads(1)
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as tracker:
        return [_see(path, tracker) for path in paths]


def _see(path: Path, tracker: Tracker) -> Sight | Miss:
    """The largest face of a picture, and the crop of it that the estimator sees."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return Miss.UNREADABLE
    frame = Frame(np.ascontiguousarray(image[:, :, ::-1]))
    faces = tracker(frame).faces
    if not faces:
        return Miss.NO_FACE
    face = max(faces, key=lambda face: face.pose.scale)
    return Sight(face.landmarks, estimator_crop(frame, face, CROP))


def _to_shapes(faces: FaceTable) -> LabelledShapes:
    shape = load_shape()
    landmarks = [fit_pose(points, shape).to_canonical(points) for points in faces.landmarks]
    return LabelledShapes(np.array(landmarks, np.float32), faces.aus, faces.persons, faces.collections)


def _labelled_videos(folder: Path) -> list[tuple[Path, Path]]:
    tables = sorted((folder / "labels").glob("*.csv"))
    videos = (
        {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()} if folder.is_dir() else {}
    )
    pairs = [(videos[table.stem], table) for table in tables if table.stem in videos]
    if not pairs:
        raise DatasetError(f"{folder} has no video NAME.* with a table labels/NAME.csv")
    return pairs


def _judge_video(video: Path, labels: Path) -> Agreement:
    """Agreement over the frames in which both OpenFace and the tracker see a face; the first face counts."""
    known = _frame_labels(labels)
    readings, wanted = [], []
    measure = Measurer(load_estimator())
    with open_capture(video) as capture, Tracker(TrackerOptions(max_faces=1)) as track:
        for frame in capture:
            measured = measure(track(frame))
            if measured.aus and frame.index in known:
                readings.append(measured.aus[0])
                wanted.append(known[frame.index])
    shape = (-1, len(AU_CODES))
    return agreement(np.array(readings).reshape(shape), np.array(wanted).reshape(shape))


def _frame_labels(table: Path) -> dict[int, NDArray[np.float64]]:
    """By frame, from 0. OpenFace counts frames from 1."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    suffix = "_rs" if rows and f"{AU_CODES[0]}_rs" in rows[0] else "_r"
    return {
        int(row["frame"]) - 1: np.array([float(row[code + suffix]) for code in AU_CODES])
        for row in rows
        if int(row["success"]) == 1 and int(row.get("face_id", 0)) == 0
    }


def _mean_of(parts: Iterable[Agreement]) -> Agreement:
    """The mean over clips of what is found within each."""
    known = list(parts)
    r, icc = (np.ma.masked_invalid([getattr(part, name) for part in known]) for name in ("r", "icc"))
    mae = np.mean([part.mae for part in known], axis=0)
    count = sum(part.count for part in known)
    return Agreement(r.mean(axis=0).filled(np.nan), icc.mean(axis=0).filled(np.nan), mae, count)


def _write_report(report: Report, out: Path) -> None:
    with replacing(out / "report.md") as beside:
        beside.write_text(report.to_markdown())
    with replacing(out / "report.json") as beside:
        beside.write_text(json.dumps(report.to_json(), indent=2) + "\n")


if __name__ == "__main__":
    main(prog_name="python -m calib")
