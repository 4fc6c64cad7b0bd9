"""Video files as frames: upright RGB pictures with the container's exact times."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import cv2
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engines.threads import codec_threads
from reenact.capture.wholeness import is_cut_short
from reenact.colour import FULL, RGB, Colour
from reenact.types import Decoded, Frame

log = logging.getLogger(__name__)

# Flags of FFmpeg's swscale.h; PyAV names all of them only from version 18 on.
SWS_BILINEAR, SWS_ACCURATE_RND = 0x2, 0x40000

# Headers round durations and count a last frame or not.
_SHORT_S = Fraction(1, 10)

# Formats that FFmpeg reads as pictures besides those named `*_pipe`.
_PICTURE_FORMATS = frozenset({"image2"})
# FFmpeg draws text files as a terminal would: a video, but not one that anybody meant.
_TEXT_FORMATS = frozenset({"tty"})


class CaptureError(OSError):
    """The input cannot be read as a video; the message is one line for the user."""


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become the picture as it is displayed: transpose first, then flip."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: NDArray[np.int32]) -> Orientation:
        """`matrix`: (9,) as in MP4's track header; the nearest quarter turn, mirrored or not, is taken."""
        x_from_x, y_from_x, _, x_from_y, y_from_y = (int(value) for value in matrix[:5])
        if abs(y_from_x) > abs(x_from_x):
            return cls(True, flip_rows=y_from_x < 0, flip_columns=x_from_y < 0)
        return cls(False, flip_rows=y_from_y < 0, flip_columns=x_from_x < 0)

    def size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """(height, width) displayed, from (height, width) stored."""
        height, width = stored
        return (width, height) if self.transpose else (height, width)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.transpose:
            image = cv2.transpose(image)
        if self.flip_rows or self.flip_columns:
            image = cv2.flip(image, -1 if self.flip_rows and self.flip_columns else int(self.flip_columns))
        return image


class FileCapture:
    """The frames of a video file, in order; every iteration starts at the beginning.

    Facts about the file are known as soon as it is open, which has decoded one frame.
    """

    path: Path
    size: tuple[int, int]
    """(height, width) as displayed: rotation in the file's metadata is honoured."""
    rate: Fraction | None
    """Average frames per second."""
    frame_count: int | None
    """Frames to expect, for a progress bar; may be inexact."""
    duration: Fraction | None
    """Seconds."""
    end: Fraction | None
    """When the last frame goes, in seconds on the clock of `pts`."""
    time_base: Fraction
    """Every `pts` is a whole multiple of it, in seconds."""
    stream_index: int
    """Which stream of the container is the picture."""
    pixel_aspect: Fraction
    """Width over height of one displayed pixel."""
    colour: Colour
    sound_rates: tuple[int, ...]
    """Samples per second of each sound stream."""
    notes: tuple[str, ...]
    """What is lost on the way in, one plain line each."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._open_containers = ExitStack()
        with _open_container(self.path) as container:
            stream = _picture_stream(container, self.path)
            frame = _first_frame(container, stream, self.path)
            self.stream_index = stream.index
            self._video_index = container.streams.video.index(stream)
            self.time_base = stream.time_base or Fraction(1, 1000)
            self.rate = stream.average_rate or stream.guessed_rate or None
            self.duration = _duration(container, stream)
            self._declared_frames = stream.frames
            self.end = _end(stream)
            self.frame_count = _frame_count(stream, self.rate, self.duration)
            self.colour = _colour(frame)
            self.sound_rates = tuple(sound.rate for sound in container.streams.audio)
            self.notes = _notes(frame, stream)
            self._orientation = _orientation(frame)
            self._stored_size = frame.height, frame.width
            self.size = self._orientation.size(self._stored_size)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            self.pixel_aspect = 1 / aspect if self._orientation.transpose else aspect

    def __enter__(self) -> FileCapture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_containers.close()

    def __iter__(self) -> Iterator[Frame]:
        container = self._open_containers.enter_context(_open_container(self.path))
        with closing(container):
            yield from self._frames(container)

    def glances(self, count: int) -> Iterator[Frame]:
        """At most `count` frames of stretches that are spread over the film, first about its middle, then
        about its quarters, and so on, and in each a few frames a second.

        Stretches begin at keyframes, because from there on frames are quick to reach. Ends early where the
        file is damaged or cannot be searched; `index` counts the glances."""
        with closing(_open_container(self.path)) as container:
            stream = container.streams.video[self._video_index]
            to_rgb = _ToRgb(self._stored_size, self.colour, self._orientation)
            begin, duration = stream.start_time or 0, self.duration or Fraction(0)
            if not stream.time_base or not duration:
                return
            ticks = int(duration / stream.time_base)
            step = int(_GLANCE_S / stream.time_base)
            try:
                keys = _keyframes(
                    container, stream, [begin + int(share * ticks) for share in _spread(_SEEKS)]
                )
                pictures = _stretches(container, stream, keys, -(-count // max(len(keys), 1)), step)
                for index, picture in zip(range(count), pictures, strict=False):
                    pts = ((picture.pts or begin) - begin) * stream.time_base
                    yield Frame(to_rgb(picture), pts, index)
            except av.FFmpegError:
                return

    def _frames(self, container: InputContainer) -> Iterator[Frame]:
        to_rgb = _ToRgb(self._stored_size, self.colour, self._orientation)
        clock = _Clock(self.time_base, self.rate)
        upright = self._orientation == Orientation()
        for index, picture in enumerate(self._pictures(container)):
            frame = Frame(image=to_rgb(picture), pts=clock(picture), index=index)
            yield frame.made_of(Decoded(picture)) if upright else frame

    def _pictures(self, container: InputContainer) -> Iterator[VideoFrame]:
        """Decoded pictures; a damaged packet is passed over, the end of a file that breaks off is not."""
        stream = container.streams.video[self._video_index]
        # Whole frames in parallel: slices, the default, leave the second core idle for most codecs.
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = codec_threads()
        progress = _Progress()
        try:
            for packet in container.demux(stream):
                yield from progress.decode(packet)
        except av.FFmpegError as error:
            raise self._break(progress) from error
        if progress.ends_in_damage or (is_cut_short(self.path) and self._is_short(progress, container)):
            raise self._break(progress)
        if progress.damaged:
            log.warning("%s: %d damaged packets were passed over", self.path, progress.damaged)

    def _is_short(self, progress: _Progress, container: InputContainer) -> bool:
        if "asf" in container.format.name.split(","):
            return True  # FFmpeg guesses a cut file's duration from what is left of it
        late = self.duration is None or progress.end_s < self.duration - _SHORT_S
        return late or progress.packets < self._declared_frames

    def _break(self, progress: _Progress) -> CaptureError:
        whole = ""
        if self.duration is not None and self.duration > progress.end_s:
            whole = f" of {float(self.duration):.2f} s"
        return CaptureError(f"{self.path} breaks off at {float(progress.end_s):.2f} s{whole}")


class _Progress:
    """How far the reading of a file has come."""

    def __init__(self) -> None:
        self.packets = 0
        self.end_s = Fraction(0)
        """Time of the last picture."""
        self.damaged = 0
        self._last_damaged: int | None = None

    @property
    def ends_in_damage(self) -> bool:
        """Whether one of the last packets is broken, as where a file was cut through."""
        # Two: with frames decoded in parallel, an error surfaces that much later.
        return self._last_damaged is not None and self.packets - self._last_damaged <= 2

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """The pictures that are ready with this packet; none where the decoder met a broken one."""
        self.packets += packet.size > 0
        if packet.is_corrupt:
            self._last_damaged = self.packets
        try:
            pictures = packet.decode()
        except av.InvalidDataError:
            self.damaged += 1
            self._last_damaged = self.packets
            return []
        for picture in pictures:
            if picture.pts is not None and picture.time_base is not None:
                self.end_s = picture.pts * picture.time_base
        return pictures


def open_capture(path: str | Path) -> FileCapture:
    """The video at `path`; raises CaptureError where there is none to read."""
    return FileCapture(path)


_SEEKS = 8
"""Places of a film from which keyframes are looked for."""
_GLANCE_S = 0.25
"""Seconds between two glances of one stretch."""


def _spread(count: int) -> Iterator[Fraction]:
    """`count` shares of a whole, 0..1, each as far from those before as can be: 1/2, 1/4, 3/4, 1/8, ..."""
    level = 1
    while count > 0:
        for odd in range(1, 2**level, 2)[:count]:
            yield Fraction(odd, 2**level)
        count -= 2 ** (level - 1)
        level += 1


def _keyframes(container: InputContainer, stream: VideoStream, wanted: Sequence[int]) -> list[int]:
    """The keyframes from which the times `wanted` are reached, each once, in the stream's time base."""
    found: dict[int, None] = {}
    for due in wanted:
        container.seek(due, stream=stream)
        packet = next(iter(container.demux(stream)), None)
        if packet is not None and packet.pts is not None:
            found[packet.pts] = None
    return list(found)


def _stretches(
    container: InputContainer, stream: VideoStream, keys: Sequence[int], count: int, step: int
) -> Iterator[VideoFrame]:
    """From each keyframe on at most `count` pictures `step` apart, up to the next of `keys`."""
    for key in keys:
        end = min((other for other in keys if other > key), default=None)
        container.seek(key, stream=stream)
        due, left = key, count
        for picture in container.decode(stream):
            if picture.pts is None or left == 0 or (end is not None and picture.pts >= end):
                break
            if picture.pts >= due:
                due, left = picture.pts + step, left - 1
                yield picture


class _ToRgb:
    """Converts decoded pictures to upright RGB."""

    def __init__(self, stored_size: tuple[int, int], colour: Colour, orientation: Orientation) -> None:
        self._height, self._width = stored_size
        self._matrix = colour.effective_matrix(self._height)
        self._range = colour.effective_range
        self._orientation = orientation
        self._reformatter = VideoReformatter()

    def __call__(self, picture: VideoFrame) -> NDArray[np.uint8]:
        # By way of planes and with exact rounding: a 720p frame takes 1.8 ms and comes back from the trip to
        # RGB as it was. Straight to rgb24 takes 0.3 ms but truncates, which darkens every frame by 1.1
        # levels; its exact variant takes 9 ms.
        planar = self._reformatter.reformat(
            picture,
            width=self._width,
            height=self._height,
            format="gbrp",
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=FULL,
            interpolation=SWS_BILINEAR | SWS_ACCURATE_RND,
            threads=1,
        )
        green, blue, red = (self._orientation(pixels(plane)) for plane in planar.planes)
        return cv2.merge([red, green, blue])


class _Clock:
    """Seconds of each picture, always later than the one before: encoders insist on that."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self._tick = time_base
        frame_ticks = round(1 / (rate * time_base)) if rate else 1
        self._frame_s = max(frame_ticks, 1) * time_base
        self._last: Fraction | None = None

    def __call__(self, picture: VideoFrame) -> Fraction:
        pts = None if picture.pts is None else picture.pts * self._tick
        if self._last is None:
            pts = Fraction(0) if pts is None else pts
        elif pts is None:
            pts = self._last + self._frame_s
        elif pts <= self._last:
            pts = self._last + self._tick
        self._last = pts
        return pts


def pixels(plane: VideoPlane) -> NDArray[np.uint8]:
    """(height, width), a view without the bytes that pad each row."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
        : plane.height, : plane.width
    ]


def _open_container(path: Path) -> InputContainer:
    if not path.exists():
        raise CaptureError(f"{path}: no such file")
    if path.is_dir():
        raise CaptureError(f"{path} is a folder; a video file is needed")
    if path.is_file() and path.stat().st_size == 0:
        raise CaptureError(f"{path} is empty (0 bytes)")
    try:
        # With the protocol in front, a colon in a file's name is not taken for one.
        return av.open(f"file:{path}", metadata_errors="replace")
    except PermissionError as error:
        raise CaptureError(f"{path} may not be read: {error.strerror}") from error
    except av.FFmpegError as error:
        if is_cut_short(path):
            raise CaptureError(
                f"{path} has lost its end, and with it the index that tells what is in it"
            ) from error
        raise CaptureError(f"{path} is not a video that can be read: {error.strerror}") from error


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    formats = container.format.name.split(",")
    if any(name.endswith("_pipe") or name in _PICTURE_FORMATS for name in formats):
        raise CaptureError(f"{path} is a still picture; use `reenact image` for stills")
    if _TEXT_FORMATS.intersection(formats):
        raise CaptureError(f"{path} is a text file; a video file is needed")
    films = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if not films:
        kinds = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise CaptureError(f"{path} has no video in it, only {kinds}")
    if films[0].codec_context is None:
        raise CaptureError(f"{path}: this FFmpeg has no decoder for its video")
    return films[0]


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    try:
        for frame in container.decode(stream):
            return frame
    except av.FFmpegError as error:
        raise CaptureError(f"{path}: its video cannot be decoded: {error.strerror}") from error
    raise CaptureError(f"{path} has a video stream without a single frame")


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _end(stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    return None


def _frame_count(stream: VideoStream, rate: Fraction | None, duration: Fraction | None) -> int | None:
    if stream.frames:
        return stream.frames
    return round(duration * rate) if duration and rate else None


def _colour(frame: VideoFrame) -> Colour:
    full = frame.format.name.startswith("yuvj") or frame.format.is_rgb
    return Colour(
        range=FULL if full else frame.color_range,
        matrix=RGB if frame.format.is_rgb else frame.colorspace,
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
    )


def _orientation(frame: VideoFrame) -> Orientation:
    matrix = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
    if matrix is None:
        return Orientation()
    return Orientation.from_display_matrix(np.frombuffer(bytes(matrix), np.int32))


def _notes(frame: VideoFrame, stream: VideoStream) -> tuple[str, ...]:
    notes = []
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        notes.append(f"{bits}-bit video is processed at 8 bits")
    if (
        any(component.is_alpha for component in frame.format.components)
        or stream.metadata.get("alpha_mode") == "1"
    ):
        notes.append("alpha is dropped")
    if frame.interlaced_frame:
        notes.append("interlaced video is processed as it is, without deinterlacing")
    return tuple(notes)
