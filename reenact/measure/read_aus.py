"""Videos and pictures in, a table of action units out."""

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
"""Endings of names that are taken for still pictures."""

Watch = Callable[[int], None]
"""Told of each frame or picture, once it has been searched, with the number of its faces."""


def unwatched(faces: int) -> None:
    """Nobody wants to know."""


def tracking(tracker: Tracker, meter: Meter, watch: Watch) -> Stage:
    """The stage that finds the faces, counts the frames that have any, and tells of each."""

    def track(frame: Frame) -> Tracked:
        tracked = meter.count_faces(tracker(frame))
        watch(len(tracked.faces))
        return tracked

    return Stage("track", track)


@dataclass(frozen=True)
class ReadOptions:
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    profile: Profile | None = None
    """What is known of the person: intensities are those beyond the neutral."""


def is_still(source: Source) -> bool:
    """Whether it is a picture rather than a film: by its name, but for pictures that move; and what came
    through a pipe, which may have any name, by what is in it."""
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
    """Finds and reads the faces of every frame; `note` gets them in order, in the caller's thread.

    left: learns of threads that the end did not wait for, and that still use the capture.
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

    `note` gets each record and the picture's name in order, in the caller's thread; `unreadable` is told why
    a picture cannot be read. The frames' indices count the pictures, their times are 0, and the faces of each
    picture have the ids 0, 1, ...
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
    """The faces of one picture, with the ids 0, 1, ..., and their action units; with a profile, those beyond
    the person's neutral."""
    with open_still_tracker(options) as tracker:
        measured = measured_still(still, tracker)
    return measured if profile is None else beyond_neutral(profile)(measured)


def open_still_tracker(options: TrackerOptions) -> Tracker:
    """A tracker for pictures that have nothing to do with each other."""
    return Tracker(replace(options, stills=True))


def measured_still(still: Still, tracker: Tracker) -> Measured:
    """The same as read_still, with a tracker for stills that is open already."""
    return Measurer(load_estimator())(numbered(tracker(Frame(still.image))))


def numbered(tracked: Tracked) -> Tracked:
    """The same with the ids 0, 1, ...: in a picture of its own there is nobody to recognise."""
    return replace(
        tracked, faces=tuple(replace(face, track_id=index) for index, face in enumerate(tracked.faces))
    )
