"""Reads the action units of a driver's face from a film, a picture or a camera."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager

from calib.au import LID_GAP, neutral_aus
from calib.estimator import load_estimator
from calib.gaze import camera_deg
from reenact.measure.measurer import Measurer
from reenact.measure.read_aus import ReadOptions, Watch, read_film, read_still, unwatched
from reenact.media.image_file import Still
from reenact.media.read import Camera, FileCapture, open_camera
from reenact.media.read.spool import Source
from reenact.pipeline.channel import Ended, NothingYet
from reenact.pipeline.meter import Meter
from reenact.pipeline.runner import LeftThreads, Stage, closed_after_stages, in_background, live_records
from reenact.programme.au_recording import AURecording, au_recording_of
from reenact.programme.au_recording_csv import AURecordingError
from reenact.programme.face_choice import FaceChoiceOptions, LargestFace
from reenact.programme.live_driver import DriverReading, LiveDriverSource
from reenact.records import Measured
from reenact.track import Tracker, TrackerOptions


def au_recording_of_film(
    capture: FileCapture,
    options: TrackerOptions,
    face: int | None = None,
    watch: Watch = unwatched,
    left: LeftThreads | None = None,
) -> AURecording:
    """The recording of one face of a film, smoothed.

    face: its track id. None: the face seen in most frames. watch: called in the caller's thread after each
    frame with the number of its faces. left: as read_film takes it.

    Raises AURecordingError where there is no such face.
    """
    readings: dict[int, list[DriverReading]] = defaultdict(list)

    def note(measured: Measured) -> None:
        for index, each in enumerate(measured.faces):
            readings[each.track_id].append(_reading(measured, index))
        watch(len(measured.faces))

    read_film(capture, note, ReadOptions(options), left=left)
    if not readings:
        raise AURecordingError(f"{capture.name}: no face was found in it to drive another")
    if face is not None and face not in readings:
        there = ", ".join(map(str, sorted(readings)))
        raise AURecordingError(f"{capture.name}: there is no face {face}; it has {there}")
    chosen = readings[face] if face is not None else max(readings.values(), key=len)
    return _recording(chosen).smoothed()


def au_recording_of_still(
    still: Still, path: Source, options: TrackerOptions, face: int | None = None
) -> AURecording:
    """The recording of one face of a picture. face: its number from 0 on. None: the largest face.

    Raises AURecordingError where there is no such face.
    """
    measured = read_still(still, options)
    face = measured.largest if face is None else face
    if face is None or not measured.faces:
        raise AURecordingError(f"{path}: no face was found in it to drive another")
    if face >= len(measured.faces):
        raise AURecordingError(f"{path}: there is no face {face}; it has {len(measured.faces)}, from 0 on")
    return _recording([_reading(measured, face)])


def _reading(measured: Measured, index: int) -> DriverReading:
    """The reading of one face, with both lids; other action units are followed on both sides alike."""
    lids = neutral_aus()
    lids[LID_GAP] = measured.leans[index][LID_GAP]
    camera = camera_deg(measured.faces[index].pose.rotation)
    return DriverReading(float(measured.frame.pts), measured.aus[index], lids, camera)


def _recording(readings: Sequence[DriverReading]) -> AURecording:
    shown = [(each.time_s, each.aus, each.lean) for each in readings if each.aus is not None]
    leans = [neutral_aus() if lean is None else lean for _, _, lean in shown]
    return au_recording_of([(time_s, aus) for time_s, aus, _ in shown], leans)


@contextmanager
def open_live_driver(where: int | str, options: TrackerOptions) -> Iterator[LiveDriverSource]:
    """Opens a camera as a live driver for the duration of the block; the driver is its largest face.

    where: as `open_camera` takes it. While the camera is lost, the face is absent. Raises CaptureError or
    TrackerError where something cannot be opened.
    """
    left = LeftThreads()
    with closed_after_stages(left) as used:
        camera = used.enter_context(open_camera(where))
        tracker = used.enter_context(Tracker(options))
        readings = live_readings(camera, tracker, left)
        with in_background(readings, "driver's camera", capacity=4, left=left) as channel:

            def arrived() -> Iterator[DriverReading]:
                try:
                    while True:
                        yield channel.get(timeout_s=0)
                except (NothingYet, Ended):
                    return

            yield LiveDriverSource(arrived)


def live_readings(
    camera: Camera, tracker: Tracker, left: LeftThreads | None = None
) -> Generator[DriverReading | None, None, None]:
    """The readings of the largest face in the newest frames; None where there is no new frame.

    left: collects the threads that are still running at the end. None: the end waits for them.
    """
    largest = LargestFace(FaceChoiceOptions.larger, FaceChoiceOptions.patience_s)
    stages = Stage("track", tracker), Stage("measure", Measurer(load_estimator()))
    with closing(live_records(camera, [stages], [], meter=Meter(), left=left)) as records:
        for measured in records:
            yield None if measured is None else reading_of(measured, largest)


def reading_of(measured: Measured, largest: LargestFace) -> DriverReading:
    """The reading of the face that `largest` chooses."""
    chosen = largest(measured)
    for index, face in enumerate(measured.faces):
        if face.track_id == chosen:
            return _reading(measured, index)
    return DriverReading(float(measured.frame.pts), None)
