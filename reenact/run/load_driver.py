"""Drivers from files: the expression that a face shows in a film, a picture or a table of action units."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, get_args

from calib.profile import Profile, load_profile, stretch
from reenact.measure.measurements import Progress, reporting
from reenact.measure.read_aus import Watch, is_still
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.media.read.spool import Source, needs_spooling, spooled
from reenact.pipeline.runner import LeftThreads, closed_after_stages
from reenact.process.settings import standard_descriptors_held
from reenact.programme.au_recording import AURecording, AURecordingError
from reenact.programme.au_recording_csv import TABLES, read_au_recording
from reenact.programme.driver import MAX_GAIN, Driver, DriverOptions, Transfer, parse_regions
from reenact.programme.face_choice import track_id_of
from reenact.retarget.controls import ControlError
from reenact.run.read_driver import au_recording_of_film, au_recording_of_still
from reenact.track import TrackerOptions

log = logging.getLogger(__name__)

OpenWatch: TypeAlias = "Callable[[int | None], AbstractContextManager[Watch]]"
"""Opens what watches a film being read, given its number of frames. None: that number is not known."""


def load_driver(
    source: str | Path,
    *,
    face: int | str | None,
    fps: float | None,
    profile: Profile | str | Path | None,
    driven_profile: Profile | str | Path | None,
    transfer: Transfer | None,
    regions: str | Iterable[str] | None,
    gain: float | None,
    start_s: float | None,
    loop: bool | None,
    tracker: TrackerOptions | None,
    progress: Progress | None,
) -> Driver:
    """The driver that reenact.load_driver describes."""
    options = _driver_options(transfer=transfer, regions=regions, gain=gain, start_s=start_s, loop=loop)
    person, driven_person = _profile(profile), _profile(driven_profile)
    with ExitStack() as opened:
        opened.enter_context(standard_descriptors_held)
        kept: Source = opened.enter_context(spooled(source)) if needs_spooling(source) else Path(source)
        name = None if face is None else str(face)
        recording = read_driver(kept, name, fps, tracker or TrackerOptions(), _reported(progress))
    for line in recording.notes:
        log.info("%s: %s", kept, line)
    if person is not None:
        recording = recording.with_neutral(person.neutral)
    return Driver(recording, options, stretch(person, driven_person))


def read_driver(
    source: Source, face: str | None, fps: float | None, options: TrackerOptions, watching: OpenWatch
) -> AURecording:
    """The recording of a face in a table of action units, a picture or a film.

    face: its name in the table or its number in the film or picture. None: the only one in a table, the one
    that a film shows most, or the largest one of a picture. fps: the frame rate of a table without times.
    None: it has times.

    Raises AURecordingError where there is no such face, and StillError or CaptureError for a picture or film
    that cannot be read.
    """
    if source.suffix.lower() in TABLES:
        return read_au_recording(Path(source), face, fps)
    number = _face_number(face)
    if is_still(source):
        return au_recording_of_still(load_still(source), source, options, number)
    left = LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        capture = used.enter_context(open_capture(source))
        watch = opened.enter_context(watching(capture.frame_count))
        return au_recording_of_film(capture, options, number, watch, left)


def _face_number(text: str | None) -> int | None:
    if text is None:
        return None
    number = track_id_of(text)
    if number is None:
        raise AURecordingError(
            f"the driver's face {text!r} is not a number; films and pictures number their faces 0, 1, ..."
        )
    return number


def _reported(progress: Progress | None) -> OpenWatch:
    """An OpenWatch that tells the progress function how many frames are done."""

    @contextmanager
    def opened(total: int | None) -> Iterator[Watch]:
        report, done = reporting(progress, total), 0

        def watch(faces: int) -> None:
            nonlocal done
            done += 1
            report(done)

        yield watch

    return opened


def _driver_options(
    *, regions: str | Iterable[str] | None, gain: float | None, start_s: float | None, **given: Any
) -> DriverOptions:
    """The default options with all that is given in its place. Raises ControlError or RegionError."""
    if given["transfer"] not in (None, *get_args(Transfer)):
        choices = " or ".join(get_args(Transfer))
        raise ControlError(f"transfer {given['transfer']!r} is unknown: choose {choices}")
    if gain is not None and not 0 <= gain <= MAX_GAIN:
        raise ControlError(f"gain {gain:g} is out of range: choose 0 to {MAX_GAIN:g}")
    if start_s is not None and not start_s >= 0:
        raise ControlError(f"start_s {start_s:g} is out of range: choose 0 or more seconds")
    if regions is not None:
        regions = parse_regions(regions if isinstance(regions, str) else ",".join(regions))
    given |= {"regions": regions, "gain": gain, "start_s": start_s}
    return replace(DriverOptions(), **{name: value for name, value in given.items() if value is not None})


def _profile(profile: Profile | str | Path | None) -> Profile | None:
    return load_profile(Path(profile)) if isinstance(profile, str | Path) else profile
