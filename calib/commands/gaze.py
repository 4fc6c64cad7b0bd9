"""`python -m calib gaze`: fits the gaze estimator to portraits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import GAZE, GAZE_UNIT_DEG, bilateral, neutral_aus
from calib.basis import load_basis
from calib.commands.fitting import held_out_options
from calib.dataset import DatasetError
from calib.features import OrientedGradients
from calib.gaze import EYE_PX, EYES, camera_deg, eye_features, write_gaze_estimator
from calib.gaze_fit import GazeExamples, GazeReport, fit_gaze
from calib.pictures import PICTURE_ENDINGS
from reenact.cli.errors import is_quiet, plain_errors
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, out_option
from reenact.generate.generator import FaceGenerator, MovedFace
from reenact.generate.paste import paste
from reenact.measure.measurer import eye_pictures
from reenact.media.atomic import replacing
from reenact.records import Frame, Retargeted, Tracked
from reenact.track import Tracker, TrackerOptions

TURNS_DEG = np.array([(-22.0, 22.0), (-18.0, 16.0)])
"""The angles to the left and up by which eyes are turned."""
FILM_SCALES = (1.1, 3.2)
"""The sizes of faces in films, in pixels per canonical millimetre; portraits are mostly larger."""
JPEG_QUALITIES = (60, 98)
"""The qualities with which portraits are compressed."""
_AHEAD_RAD = (0.35, 0.35)
"""The pitch and yaw up to which portraits are used."""
_CHUNK = 8

_Example = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Features, gaze and turn of one eye."""


@click.command(
    cls=GroupedCommand,
    example="portraits/ --out fitted/",
    short_help="Fit the gaze estimator to portraits of people who look into the camera.",
)
@click.argument("folders", nargs=-1, required=True, type=FILE, metavar="FOLDER...")
@out_option("gaze.npz")
@option(
    "--turns",
    type=click.IntRange(1, 100),
    default=12,
    show_default=True,
    metavar="NUMBER",
    help="How often the eyes of each portrait are turned, by angles drawn at random.",
)
@option(
    "--processes",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="NUMBER",
    help="Processes that turn eyes at the same time.",
)
@held_out_options(0, 0.2, 0.05, "the fit, for its report and its gain")
def gaze(folders: tuple[Path, ...], out: Path, turns: int, processes: int, seed: int, share: float) -> None:
    """Fit the gaze estimator to the portraits in each FOLDER, and in its images/, of people who look into the
    camera.
    """
    with plain_errors():
        pictures = [path for folder in folders for path in _pictures(folder)]
        if len(pictures) < _LEAST_PICTURES:
            raise DatasetError(f"{len(pictures)} pictures are too few; give at least {_LEAST_PICTURES}")
        examples = _examples(pictures, turns, processes, seed)
        people = np.unique(examples.pictures)
        chosen = np.random.default_rng(seed).permutation(people)[: max(1, round(share * len(people)))]
        estimator, report = fit_gaze(examples, np.isin(examples.pictures, chosen))
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / "gaze.npz") as beside:
            write_gaze_estimator(estimator, beside)
        click.echo(_in_words(report, len(people), len(chosen)))


_LEAST_PICTURES = 20


def _in_words(report: GazeReport, people: int, held_out: int) -> str:
    axes = (
        f"{axis}: slope {slope:.2f}, error {error:.1f} degrees, off the camera {camera:.1f}"
        for axis, slope, error, camera in zip(
            ("to the side", "up"), report.slope, report.error_deg, report.camera_deg, strict=True
        )
    )
    return f"{people} portraits, {held_out} of them held out; {'; '.join(axes)}"


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder and of its images/. Raises DatasetError where it is none."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give one with portraits")
    inside = folder / "images"
    places = [*folder.iterdir(), *(inside.iterdir() if inside.is_dir() else ())]
    return sorted(path for path in places if path.suffix.lower() in PICTURE_ENDINGS)


def _examples(pictures: Sequence[Path], turns: int, processes: int, seed: int) -> GazeExamples:
    jobs = [
        [(number, pictures[number]) for number in range(start, min(start + _CHUNK, len(pictures)))]
        for start in range(0, len(pictures), _CHUNK)
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        answers = pool.map(partial(_turn_all, turns=turns, seed=seed), jobs)
        with click.progressbar(answers, length=len(jobs), label="turning eyes", hidden=is_quiet()) as bar:
            found = [each for answer in bar for each in answer]
    if not found:
        raise DatasetError("no face looks ahead in any of the pictures")
    numbers, features, looks, turned = zip(*found, strict=True)
    return GazeExamples(
        np.array(features, np.float32),
        np.array(looks, np.float32),
        np.array(turned, np.float32),
        np.array(numbers, np.intp),
    )


def _turn_all(
    job: Sequence[tuple[int, Path]], turns: int, seed: int
) -> list[tuple[int, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """The examples of some portraits, in a process of its own."""
    cv2.setNumThreads(1)
    generate = FaceGenerator(MovedFace(load_basis()))
    with Tracker(TrackerOptions(stills=True, smoothing=False, max_faces=1)) as track:
        return [
            (number, *example)
            for number, path in job
            for example in _turned(path, track, generate, turns, np.random.default_rng((seed, number)))
        ]


def _turned(
    path: Path, track: Tracker, generate: FaceGenerator, turns: int, random: np.random.Generator
) -> Iterator[_Example]:
    """The eyes of one portrait as they are, and turned by angles drawn at random.

    The face is as large and as compressed as in films.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    tracked = None if image is None else track(_frame(image))
    if tracked is None or not tracked.faces:
        return
    tracked = track(_frame(_as_in_a_film(image, tracked.faces[0].pose.scale, random)))
    if not tracked.faces:
        return
    pose = tracked.faces[0].pose
    if (np.abs(pose.angles[:2]) > _AHEAD_RAD).any():
        return
    looks = camera_deg(pose.rotation)
    yield from _eyes(tracked, looks, np.zeros(2))
    for _ in range(turns):
        turn = random.uniform(*TURNS_DEG.T)
        change = neutral_aus()
        change[GAZE] = turn / GAZE_UNIT_DEG
        asked = Retargeted(tracked.frame, tracked.faces, aus=(neutral_aus(),), changes=(bilateral(change),))
        again = track(paste(generate(asked)))
        if again.faces:
            yield from _eyes(again, looks + turn, turn)


def _frame(image: NDArray[np.uint8]) -> Frame:
    """The frame of a picture in cv2's order of colours."""
    return Frame(np.ascontiguousarray(image[:, :, ::-1]))


def _as_in_a_film(image: NDArray[np.uint8], scale: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """The picture with a face of a size drawn from FILM_SCALES, and compressed. scale: its own size."""
    share = min(float(random.uniform(*FILM_SCALES)) / scale, 1.0)
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    quality = int(random.integers(*JPEG_QUALITIES))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _eyes(tracked: Tracked, looks: NDArray[np.float64], turn: NDArray[np.float64]) -> Iterator[_Example]:
    face = tracked.faces[0]
    landmarks_mm, gradients = face.pose.to_canonical(face.landmarks), OrientedGradients(EYE_PX)
    pictures = eye_pictures(tracked.frame, face.pose, landmarks_mm)
    for eye, features in zip(EYES, eye_features(pictures, landmarks_mm, gradients), strict=True):
        outwards = np.array([eye.outwards, 1])
        yield features, outwards * looks, outwards * turn
