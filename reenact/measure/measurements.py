"""Action units measured in pictures and films, as arrays with names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import (
    GAZE,
    GAZE_UNIT_DEG,
    OPENFACE_CODES,
    OPENFACE_COUNT,
    OPENING_PLACES,
    OPENINGS,
    au_index,
    openface,
)
from reenact.measure.read_aus import PICTURES, ReadOptions, is_still, read_film, read_pictures, read_still
from reenact.media.image_array import Picture, as_still, warn_of_doubtful_picture
from reenact.media.image_file import StillError, load_still
from reenact.media.read import open_capture
from reenact.media.read.spool import Source, needs_spooling, spooled
from reenact.media.write.au_csv import open_csv
from reenact.pipeline.runner import LeftThreads, closed_after_stages
from reenact.records import Measured

Progress: TypeAlias = "Callable[[int, int | None], object]"
"""Called with the number of frames that are done and of all frames, None where that is not known; a return
value of False stops the run."""


class Stopped(RuntimeError):
    """A run that its progress function has stopped; nothing was written."""


@dataclass(frozen=True, eq=False, repr=False)
class AUMeasurements:
    """The action units of all faces in a picture, a film or a folder of pictures; one row for each face of
    each frame, in the order of the frames. Frames without a face have no row."""

    values: NDArray[np.float32]
    """(rows, 17) intensities 0..5, the mean of both sides of the face; the columns are `names`."""
    sides: NDArray[np.float32]
    """(rows, 2, 17) intensities 0..5 of the person's own left and right."""
    gaze_deg: NDArray[np.float32]
    """(rows, 2, 2) for the person's own left and right eye, the angles to the person's left and up, degrees,
    without the head's pose (calib.gaze)."""
    openings_mm: NDArray[np.float32]
    """(rows, 2, 3) for the person's own left and right, the lip gap, the jaw drop and the lid gap, canonical
    millimetres (calib.opening_sizes)."""
    times_s: NDArray[np.float64]
    """(rows,) presentation times of the frames, seconds; 0 for pictures."""
    frame_numbers: NDArray[np.int64]
    """(rows,) position of the frame in the film, or of the picture in the folder, counted from 1."""
    face_ids: NDArray[np.int64]
    """(rows,) the face's id: stable through a film; 0, 1, ... in each picture."""
    confidence: NDArray[np.float32]
    """(rows,) 0..1, how sure the tracker is that this is a face and well fitted."""
    boxes: NDArray[np.float32]
    """(rows, 4) left, top, right and bottom of the face's landmarks, pixels."""
    files: tuple[str, ...] | None
    """One for each row: the name of the picture, of those in a folder. None: it was no folder."""
    frames: tuple[Measured, ...]
    """The frames as they were measured, without their pixels; those without a face are among them."""
    frame_files: tuple[str, ...] | None
    """One for each frame: the name of the picture, of those in a folder. None: it was no folder."""

    @property
    def names(self) -> tuple[str, ...]:
        """(17,) the columns of `values`, as OpenFace names them: AU01_r, AU02_r, ..."""
        return tuple(f"{code}_r" for code in OPENFACE_CODES)

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """(rows, 478, 3) pixels in MediaPipe's order: x right, y down, z away from the camera."""
        return _stacked([face.landmarks for frame in self.frames for face in frame.faces], (478, 3))

    @property
    def frame_count(self) -> int:
        """How many frames or pictures were read, those without a face included."""
        return len(self.frames)

    def __repr__(self) -> str:
        faces = ", ".join(map(str, sorted(set(self.face_ids.tolist())))) or "none"
        return f"<AUMeasurements: {len(self)} rows of {self.frame_count} frames, faces {faces}>"

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.values)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """(rows,) the intensities of one action unit: AU12, AU12_r or AU4. Raises UnknownAUError."""
        return self.values[:, au_index(name.removesuffix("_r"))]

    def to_csv(self, path: str | Path, *, landmarks: bool = False, sides: bool = False) -> None:
        """Writes the table that `reenact aus` writes, in OpenFace's layout; frames without a face have a row
        with success 0. landmarks: also the 68 landmarks. sides: also AU01L, AU01R, ...

        Raises CsvError where it cannot be written.
        """
        names = self.frame_files
        columns = {"landmarks": landmarks, "sides": sides, "names": names is not None}
        with open_csv(Path(path), **columns) as table:
            for index, frame in enumerate(self.frames):
                table.write(frame, names[index] if names is not None else "")

    def to_pandas(self) -> Any:
        """The rows as a pandas.DataFrame with OpenFace's names: frame, face_id, timestamp, confidence and
        AUxx_r; for a folder with a first column `file`. Raises ImportError where pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        columns: dict[str, Any] = {} if self.files is None else {"file": list(self.files)}
        columns |= {
            "frame": self.frame_numbers,
            "face_id": self.face_ids,
            "timestamp": self.times_s,
            "confidence": self.confidence,
        }
        columns |= {name: self.values[:, index] for index, name in enumerate(self.names)}
        return pandas.DataFrame(columns)


def read_aus(
    source: Picture,
    *,
    max_faces: int | None = None,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> AUMeasurements:
    """What reenact.read_aus describes."""
    options = options or ReadOptions()
    if max_faces is not None:
        options = replace(options, tracker=replace(options.tracker, max_faces=max_faces))
    if not isinstance(source, str | Path):
        measured = read_still(as_still(source), options.tracker, options.profile)
        warn_of_doubtful_picture(measured, "there is nothing to read")
        return measurements([measured])
    with ExitStack() as opened:
        kept: Source = opened.enter_context(spooled(source)) if needs_spooling(source) else Path(source)
        if Path(kept).is_dir():
            return _of_pictures(pictures_in(Path(kept)), options, progress, names=True)
        if is_still(kept):
            load_still(kept)  # a picture that cannot be read is an error where it is the only one
            return _of_pictures([kept], options, progress, names=False)
        return _of_film(kept, options, progress)


def measurements(frames: Sequence[Measured], files: Sequence[str] | None = None) -> AUMeasurements:
    """The records as arrays, without their pixels. files: the names of the pictures of a folder."""
    rows = [
        (number, frame, index) for number, frame in enumerate(frames) for index in range(len(frame.faces))
    ]
    faces = [frame.faces[index] for _, frame, index in rows]
    points = [face.landmarks[:, :2] for face in faces]
    sided = [frame.sided_aus[index] for _, frame, index in rows]
    return AUMeasurements(
        values=_stacked([openface(frame.aus[index]) for _, frame, index in rows], (OPENFACE_COUNT,)),
        sides=_stacked([openface(each) for each in sided], (2, OPENFACE_COUNT)),
        gaze_deg=GAZE_UNIT_DEG * _stacked([each[:, GAZE] for each in sided], (2, 2)),
        openings_mm=_stacked([each[:, OPENING_PLACES] for each in sided], (2, len(OPENINGS))),
        times_s=np.array([float(frame.frame.pts) for _, frame, _ in rows], np.float64),
        frame_numbers=np.array([frame.frame.index + 1 for _, frame, _ in rows], np.int64),
        face_ids=np.array([face.track_id for face in faces], np.int64),
        confidence=np.array([face.confidence for face in faces], np.float32),
        boxes=_stacked([(*each.min(axis=0), *each.max(axis=0)) for each in points], (4,)),
        files=None if files is None else tuple(files[number] for number, _, _ in rows),
        frames=tuple(map(without_pixels, frames)),
        frame_files=None if files is None else tuple(files),
    )


def without_pixels(measured: Measured) -> Measured:
    """The same record with a black frame of the same size that takes no memory."""
    black = np.broadcast_to(np.uint8(0), measured.frame.image.shape)
    return replace(measured, frame=replace(measured.frame, image=black))


def reporting(progress: Progress | None, total: int | None) -> Callable[[int], None]:
    """What tells the progress function how many frames are done; it raises Stopped where that says False."""

    def report(done: int) -> None:
        if progress is not None and progress(done, total) is False:
            raise Stopped(f"stopped by the progress function after {done} frames")

    return report


def _of_film(source: Source, options: ReadOptions, progress: Progress | None) -> AUMeasurements:
    frames: list[Measured] = []
    left = LeftThreads()
    with closed_after_stages(left) as used:
        capture = used.enter_context(open_capture(source))
        report = reporting(progress, capture.frame_count)

        def note(measured: Measured) -> None:
            frames.append(without_pixels(measured))
            report(len(frames))

        read_film(capture, note, options, left=left)
    return measurements(frames)


def _of_pictures(
    paths: Sequence[Source], options: ReadOptions, progress: Progress | None, *, names: bool
) -> AUMeasurements:
    frames: list[Measured] = []
    files: list[str] = []
    report = reporting(progress, len(paths))

    def note(measured: Measured, name: str) -> None:
        frames.append(without_pixels(measured))
        files.append(name)
        report(len(frames))

    read_pictures(paths, note, options)
    return measurements(frames, files if names else None)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names. Raises StillError where there are none."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not pictures:
        raise StillError(f"{folder}: the folder has no pictures in it ({', '.join(sorted(PICTURES))})")
    return pictures


def _stacked(arrays: Sequence[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(rows, *shape), also where there are no rows."""
    return np.array(arrays, np.float32).reshape(-1, *shape)
