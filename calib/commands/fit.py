"""`python -m calib fit`: fits the basis and the estimator to labelled pictures of faces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, bilateral, neutral_aus
from calib.basis import AUBasis, write_basis
from calib.basis_fit import SCORES, LabelledShapes, explained_variance, fit_basis
from calib.commands.clips import write_report
from calib.commands.fitting import cache_option, held_out_options
from calib.dataset import DatasetError, FaceTable, Miss, Seen, Sight, held_out, join, read_labels, see_faces
from calib.estimator import CROP, AUEstimator, write_estimator
from calib.estimator_fit import EstimatorFitOptions, evaluate_estimator, fit_estimator, to_design
from calib.gains import Response, correct, measure_response
from calib.pose import fit_pose
from calib.response_gain import to_json as answer_json
from calib.shape import load_shape
from reenact.cli.errors import plain_errors, say, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import FILE, out_option
from reenact.generate import FaceGenerator, MovedFace
from reenact.generate.paste import paste
from reenact.measure.measurer import estimator_crop
from reenact.media.atomic import replacing
from reenact.records import Frame, Retargeted, Tracked
from reenact.track import Tracker, TrackerOptions

_CHUNK = 200
"""The number of pictures of one task of a process; opening a tracker takes as long as about ten of them."""
_DEFAULTS = EstimatorFitOptions()
_AHEAD_RAD = 0.4
"""The largest yaw of the faces that the basis is fitted to: beyond it, depth of the far side is a guess."""


@click.command(cls=GroupedCommand, example="faces/ --out fitted/")
@click.argument("folders", nargs=-1, required=True, type=FILE, metavar="FOLDER...")
@out_option("the fitted files and the report")
@cache_option
@held_out_options(seed=0, share=0.15, least=0.01, kept_from="the first fit")
@option(
    "--ridge",
    default=_DEFAULTS.ridge,
    show_default=True,
    type=click.FloatRange(1e-8, 10),
    metavar="NUMBER",
    help="Strength of the regularisation of the estimator.",
)
@option(
    "--blendshapes",
    type=FILE,
    metavar="TASK",
    help="MediaPipe's face_landmarker.task; the basis is then fitted to its blendshape scores as well.",
    detail="The basis is better than with labels alone.",
)
@option(
    "--gain-faces",
    default=40,
    show_default=True,
    type=click.IntRange(1),
    metavar="COUNT",
    help="Number of faces for the closed loop.",
)
@option(
    "--processes",
    metavar="COUNT",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Number of processes that track faces.",
)
def fit(
    folders: tuple[Path, ...],
    out: Path,
    cache: Path | None,
    seed: int,
    share: float,
    ridge: float,
    blendshapes: Path | None,
    gain_faces: int,
    processes: int,
) -> None:
    """Fit the basis and the estimator to the faces in each FOLDER.

    A FOLDER holds pictures (or a folder images/ of them) and an OpenFace CSV with a column `file`; a column
    `person` keeps the pictures of one person together. The report is about people held out of a first fit;
    the files are then fitted to everybody. The gains of the basis are set in a closed loop on the calmest
    faces of the people held out; response.md is the table of what was asked and what was read.
    """
    with plain_errors():
        if blendshapes is not None and not blendshapes.is_file():
            raise DatasetError(f"no face_landmarker.task at {blendshapes}")
        cache = cache or out / "cache"
        faces = _read_faces(folders, cache, processes)
        out.mkdir(parents=True, exist_ok=True)
        design, unseen = to_design(faces), held_out(faces.persons, seed, share)
        if unseen.all() or not unseen.any():
            raise DatasetError(
                f"{len(faces)} faces are too few to hold people out; give more, or change --held-out"
            )
        first = fit_estimator(design.where(~unseen), EstimatorFitOptions(ridge))
        report = evaluate_estimator(first, design.where(unseen), faces.collections[unseen])
        estimator = fit_estimator(design, EstimatorFitOptions(ridge))
        with replacing(out / "estimator.npz") as beside:
            write_estimator(estimator, beside)
        write_report(report, out)
        scores = _read_scores(faces, blendshapes, cache, processes) if blendshapes else None
        shapes = _to_shapes(faces, scores)
        basis = fit_basis(shapes, load_shape())
        explained = explained_variance(shapes, load_shape())
        basis, response = _close_the_loop(basis, estimator, _calmest(faces.where(unseen), gain_faces))
        with replacing(out / "basis.npz") as beside:
            write_basis(basis, beside)
        (out / "response.md").write_text(response.to_markdown())
        (out / "answer.json").write_text(answer_json(np.diag(response.per_unit)))
        click.echo(report.to_markdown())
        shares = ", ".join(f"{labels} {share:.0%}" for labels, share in explained.items())
        click.echo(f"Of the landmarks' variance within people, explained on the faces of the fit: {shares}")


def _read_faces(folders: Sequence[Path], cache: Path, processes: int) -> FaceTable:
    with unusable_input():
        labels = [read_labels(folder) for folder in folders]
    look = partial(_look, processes=processes)
    seen = [see_faces(pictures, look, f"{CROP} without background", cache) for pictures in labels if pictures]
    faces = join([each.faces for each in seen])
    say(f"{len(faces)} faces of {len(np.unique(faces.persons))} people; {_missed(seen)}")
    return faces


def _missed(seen: Sequence[Seen]) -> str:
    unreadable, faceless = sum(each.unreadable for each in seen), sum(each.faceless for each in seen)
    return f"{unreadable} pictures are missing or corrupt, {faceless} show no face"


def _look(paths: Sequence[Path], processes: int) -> Iterator[Sight | Miss]:
    """The largest face of each picture, in order, found in several processes."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    # Not forked: a tracker's threads do not survive that.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        answers = pool.map(_look_at, chunks)
        label = paths[0].parent.parent.name
        with click.progressbar(answers, length=len(chunks), label=label, hidden=is_quiet()) as bar:
            for sights in bar:
                yield from sights


def _look_at(paths: Sequence[Path]) -> list[Sight | Miss]:
    cv2.setNumThreads(1)
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as tracker:
        return [_see(path, tracker) for path in paths]


def _see(path: Path, tracker: Tracker) -> Sight | Miss:
    """The largest face of a picture, with the crop that the estimator takes."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return Miss.UNREADABLE
    frame = Frame(np.ascontiguousarray(image[:, :, ::-1]))
    tracked = tracker(frame)
    if tracked.largest is None:
        return Miss.NO_FACE
    face = tracked.faces[tracked.largest]
    return Sight(face.landmarks, estimator_crop(frame, face, CROP))


def _to_shapes(faces: FaceTable, scores: NDArray[np.float32] | None) -> LabelledShapes:
    """The faces that a basis is fitted to: frontal ones, and with scores if there are any."""
    shape = load_shape()
    poses = [fit_pose(points, shape) for points in faces.landmarks]
    ahead = np.array([abs(pose.angles[1]) < _AHEAD_RAD for pose in poses])
    if scores is not None:
        ahead &= np.isfinite(scores).all(axis=1)
    landmarks = np.array(
        [pose.to_canonical(points) for pose, points in zip(poses, faces.landmarks, strict=True)], np.float32
    )
    return LabelledShapes(
        landmarks[ahead],
        faces.aus[ahead],
        faces.persons[ahead],
        faces.collections[ahead],
        None if scores is None else scores[ahead],
    )


def _read_scores(faces: FaceTable, task: Path, cache: Path, processes: int) -> NDArray[np.float32]:
    """(n, 29) blendshape scores of the faces, NaN where MediaPipe finds none; kept in `cache`."""
    key = hashlib.sha256("\n".join([*faces.paths, str(task.stat().st_size)]).encode()).hexdigest()[:16]
    kept = cache / f"scores-{key}.npz"
    if not kept.is_file():
        paths = faces.paths.tolist()
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            answers = pool.map(partial(_score_all, task=task), chunks)
            with click.progressbar(
                answers, length=len(chunks), label="blendshapes", hidden=is_quiet()
            ) as bar:
                found = np.concatenate(list(bar))
        with replacing(kept) as beside:
            np.savez_compressed(beside, scores=found)
    with np.load(kept, allow_pickle=False) as data:
        return data["scores"]


def _score_all(paths: Sequence[str], task: Path) -> NDArray[np.float32]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)), output_face_blendshapes=True
    )
    scores = np.full((len(paths), len(SCORES)), np.nan, np.float32)
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for row, path in zip(scores, paths, strict=True):
            image = np.ascontiguousarray(cv2.imread(path, cv2.IMREAD_COLOR)[:, :, ::-1])
            found = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, image)).face_blendshapes
            if found:
                score = {category.category_name: category.score for category in found[0]}
                row[:] = [_both_sides(score, name) for name in SCORES]
    return scores


def _both_sides(score: Mapping[str, float], name: str) -> float:
    if name in score:
        return score[name]
    return (score[f"{name}Left"] + score[f"{name}Right"]) / 2


def _calmest(faces: FaceTable, count: int) -> FaceTable:
    """The faces with the least expression, of at most one picture a person."""
    order = np.argsort(faces.aus.sum(axis=1), kind="stable")
    _, first = np.unique(faces.persons[order], return_index=True)
    return faces.where(order[np.sort(first)[:count]])


def _close_the_loop(basis: AUBasis, estimator: AUEstimator, faces: FaceTable) -> tuple[AUBasis, Response]:
    """The basis with corrected gains, and the response of the estimator to it."""
    with Tracker(TrackerOptions(stills=True, smoothing=False, max_faces=1)) as track:

        def read(picture: Tracked) -> AUVector | None:
            if not picture.faces:
                return None
            face = picture.faces[0]
            crop = estimator_crop(picture.frame, face, estimator.crop)
            # Not cut off at 0: on a calm face part of the response lies below it.
            return estimator.evidence(crop, face.pose.to_canonical(face.landmarks))

        def writer(basis: AUBasis) -> Callable[[Tracked, AUVector], Tracked]:
            generate = FaceGenerator(MovedFace(basis))
            return lambda picture, change: track(
                paste(
                    generate(
                        Retargeted(
                            picture.frame, picture.faces, aus=(neutral_aus(),), changes=(bilateral(change),)
                        )
                    )
                )
            )

        images = (cv2.imread(path, cv2.IMREAD_COLOR) for path in faces.paths)
        pictures = [track(Frame(np.ascontiguousarray(image[:, :, ::-1]))) for image in images]
        basis = correct(basis, measure_response(pictures, writer(basis), read))
        return basis, measure_response(pictures, writer(basis), read)
