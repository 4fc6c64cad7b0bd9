"""A film or a picture in, the performance of one of its faces out."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from calib.au import AUVector
from calib.estimator import load_estimator
from reenact.capture import FileCapture
from reenact.measure import Measurer
from reenact.meter import Meter
from reenact.pipeline import Stage, run
from reenact.read import Watch, read_still, tracking, unwatched
from reenact.retarget.performance import Performance, performance_of
from reenact.retarget.performance_csv import PerformanceError
from reenact.stills import Still
from reenact.track import Tracker, TrackerOptions
from reenact.types import Measured


def perform_film(
    capture: FileCapture, options: TrackerOptions, face: int | None = None, watch: Watch = unwatched
) -> Performance:
    """What one face of a film shows, smoothed. `face`: its track id; None takes the one seen in most frames.

    Raises PerformanceError where there is none.
    """
    meter = Meter()
    readings: dict[int, list[tuple[float, AUVector]]] = defaultdict(list)

    def note(measured: Measured) -> None:
        for each, aus in zip(measured.faces, measured.aus, strict=True):
            readings[each.track_id].append((float(measured.frame.pts), aus))

    with Tracker(options) as tracker:
        stages = tracking(tracker, meter, watch), Stage("measure", Measurer(load_estimator()))
        run(capture, [stages], note, meter=meter)
    if not readings:
        raise PerformanceError(f"{capture.path}: no face was found in it to drive another")
    if face is not None and face not in readings:
        there = ", ".join(map(str, sorted(readings)))
        raise PerformanceError(f"{capture.path}: there is no face {face}; it has {there}")
    chosen = readings[face] if face is not None else max(readings.values(), key=len)
    return performance_of(chosen).smoothed()


def perform_still(still: Still, path: Path, options: TrackerOptions, face: int | None = None) -> Performance:
    """What a face of a picture shows. `face`: its number from 0 on; None takes the largest.

    Raises PerformanceError where there is none.
    """
    measured = read_still(still, options)
    if not measured.faces:
        raise PerformanceError(f"{path}: no face was found in it to drive another")
    if face is None:
        face = max(range(len(measured.faces)), key=lambda index: measured.faces[index].pose.scale)
    if face >= len(measured.faces):
        raise PerformanceError(f"{path}: there is no face {face}; it has {len(measured.faces)}, from 0 on")
    return performance_of([(0.0, measured.aus[face])])
