"""Videos and pictures in, a table of action units out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from calib.estimator import load_estimator
from reenact.capture import FileCapture
from reenact.measure import Measurer
from reenact.meter import Meter, Report
from reenact.pipeline import Stage, run
from reenact.sinks.csv import AUCsvSink
from reenact.stills import Still, StillError, load_still
from reenact.track import Tracker, TrackerOptions
from reenact.types import Frame, Tracked

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jfif"})
"""Endings of names that are taken for still pictures."""

Watch = Callable[[int], None]
"""Told of each frame or picture, once it has been read, with the number of its faces."""


def read_video(
    capture: FileCapture, table: AUCsvSink, options: TrackerOptions, watch: Watch = lambda faces: None
) -> Report:
    """Writes the action units of every frame into the table."""
    meter = Meter()
    with Tracker(options) as tracker:

        def track(frame: Frame) -> Tracked:
            tracked = meter.count_faces(tracker(frame))
            watch(len(tracked.faces))
            return tracked

        run(
            capture,
            [[Stage("track", track), Stage("measure", Measurer(load_estimator()))]],
            table.write,
            meter=meter,
        )
    return meter.report()


def read_pictures(
    paths: Iterable[Path],
    table: AUCsvSink,
    options: TrackerOptions,
    watch: Watch = lambda faces: None,
    unreadable: Callable[[StillError], None] = lambda error: None,
) -> Report:
    """Writes the action units of every picture into the table; those that cannot be read are left out.

    `unreadable` is told why. `frame` counts the pictures, `timestamp` is 0, the faces of each have the ids
    0, 1, ...
    """
    meter = Meter()
    measure = Measurer(load_estimator())
    with Tracker(replace(options, stills=True)) as tracker:
        for index, (path, still) in enumerate(_readable(paths, unreadable)):
            with meter.time("track"):
                tracked = meter.count_faces(numbered(tracker(Frame(still.image, index=index))))
            with meter.time("measure"):
                measured = measure(tracked)
            table.write(measured, path.name)
            meter.count_frame()
            watch(len(tracked.faces))
    return meter.report()


def _readable(
    paths: Iterable[Path], unreadable: Callable[[StillError], None]
) -> Iterator[tuple[Path, Still]]:
    for path in paths:
        try:
            yield path, load_still(path)
        except StillError as error:
            unreadable(error)


def numbered(tracked: Tracked) -> Tracked:
    """The same with the ids 0, 1, ...: in a picture of its own there is nobody to recognise."""
    return replace(
        tracked, faces=tuple(replace(face, track_id=index) for index, face in enumerate(tracked.faces))
    )
