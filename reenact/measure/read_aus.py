"""Reads action units from films and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from calib.estimator import load_estimator
from calib.profile import Profile
from reenact.measure.measurer import Measurer
from reenact.measure.profiles import beyond_neutral
from reenact.media.image_file import Still, StillError, count_pictures, load_still
from reenact.media.read import FileCapture
from reenact.media.read.spool import Source, Spooled
from reenact.pipeline.meter import Meter, Report
from reenact.pipeline.runner import LeftThreads, Stage, closed_after_stages, run
from reenact.records import Frame, Measured, Tracked
from reenact.track import Tracker, TrackerOptions

PICTURES = frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jfif"),
        *(".heic", ".heif", ".hif"),
    }
)
"""The endings of the names of still pictures."""

Watch = Callable[[int], None]
"""A function that is called after each frame or picture with the number of its faces."""


def unwatched(faces: int) -> None:
    """The Watch that does nothing."""


def tracking(tracker: Tracker, meter: Meter, watch: Watch) -> Stage:
    """The stage that tracks faces, counts the frames that show any, and calls `watch` after each frame."""

    def track(frame: Frame) -> Tracked:
        tracked = meter.count_faces(tracker(frame))
        watch(len(tracked.faces))
        return tracked

    return Stage("track", track)


@dataclass(frozen=True)
class ReadOptions:
    """How faces are tracked and measured."""

    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    """The options of the tracker."""
    profile: Profile | None = None
    """The profile beyond whose neutral intensities count. None: they count from 0."""


def is_still(source: Source) -> bool:
    """Whether a source is a still picture rather than a film.

    The ending of its name decides, except for animated pictures. The content decides for a source that came
    through a pipe, because its name may be anything.
    """
    pictures = count_pictures(source)
    if isinstance(source, Spooled):
        return pictures == 1
    return source.suffix.lower() in PICTURES and pictures <= 1


def read_film(
    capture: FileCapture,
    note: Callable[[Measured], None],
    options: ReadOptions = ReadOptions(),
    watch: Watch = unwatched,
    left: LeftThreads | None = None,
) -> Report:
    """Measures the faces of every frame of a film.

    note: called with every record, in order, in the caller's thread. watch: called after each frame with the
    number of its faces. left: collects threads that still use the capture when the call ends. None: they are
    waited for.
    """
    meter, left = Meter(), left or LeftThreads()
    with closed_after_stages(left) as used:
        tracker = used.enter_context(Tracker(options.tracker))
        stages = tracking(tracker, meter, watch), *_measuring(options.profile)
        run(capture, [stages], note, meter=meter, left=left)
    return meter.report()


def read_pictures(
    paths: Iterable[Source],
    note: Callable[[Measured, str], None],
    options: ReadOptions,
    watch: Watch = unwatched,
    unreadable: Callable[[StillError], None] = lambda error: None,
) -> Report:
    """Finds and reads the faces of every picture; pictures that cannot be read are left out.

    note: called with each record and the picture's name, in order and in the caller's thread. unreadable:
    called with the error of each picture that cannot be read. The frames' indices count the pictures, their
    times are 0, and the faces of each picture have the ids 0, 1, and so on.
    """
    meter, left = Meter(), LeftThreads()
    names: list[str] = []

    def frames() -> Iterator[Frame]:
        for path in paths:
            try:
                image = load_still(path).image
            except StillError as error:
                unreadable(error)
                continue
            names.append(path.name)
            yield Frame(image, index=len(names) - 1)

    with closed_after_stages(left) as used:
        tracker = used.enter_context(Tracker(replace(options.tracker, stills=True)))
        stages = tracking(tracker, meter, watch), Stage("number", numbered), *_measuring(options.profile)

        def note_named(measured: Measured) -> None:
            note(measured, names[measured.frame.index])

        run(frames(), [stages], note_named, meter=meter, left=left)
    return meter.report()


def _measuring(profile: Profile | None) -> tuple[Stage, ...]:
    measure = Stage("measure", Measurer(load_estimator()))
    return (measure,) if profile is None else (measure, Stage("calibrate", beyond_neutral(profile)))


def read_still(still: Still, options: TrackerOptions, profile: Profile | None = None) -> Measured:
    """The faces of one picture with their action units; the ids count from 0. Raises TrackerError.

    profile: None: intensities are what is read; otherwise they are those beyond the person's neutral.
    """
    with open_still_tracker(options) as tracker:
        measured = measured_still(still, tracker)
    return measured if profile is None else beyond_neutral(profile)(measured)


def open_still_tracker(options: TrackerOptions) -> Tracker:
    """Opens a tracker for pictures that are independent of each other."""
    return Tracker(replace(options, stills=True))


def measured_still(still: Still, tracker: Tracker) -> Measured:
    """The same as read_still, with a tracker for stills that is open already."""
    return Measurer(load_estimator())(numbered(tracker(Frame(still.image))))


def numbered(tracked: Tracked) -> Tracked:
    """The record with face ids that count from 0, because separate pictures share no ids."""
    return replace(
        tracked, faces=tuple(replace(face, track_id=index) for index, face in enumerate(tracked.faces))
    )
