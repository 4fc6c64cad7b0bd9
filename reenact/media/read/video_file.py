"""Reads video files as frames: upright RGB pictures with the container's exact times."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engines.threads import codec_threads
from reenact.media.colour import FULL, RGB, Colour
from reenact.media.read.animation import as_film, is_animation
from reenact.media.read.clock import LATE_S, FileClock, has_own_zero, read_clock
from reenact.media.read.spool import CaptureError, Source, needs_spooling, spooled
from reenact.media.read.truncation import is_cut_short
from reenact.records import Decoded, Frame

log = logging.getLogger(__name__)

# Flags of FFmpeg's swscale.h; PyAV names all of them only from version 18 on.
SWS_BILINEAR, SWS_ACCURATE_RND = 0x2, 0x40000

_SHORT_S = Fraction(1, 10)
"""Seconds that may be missing before a film counts as cut short: headers round durations and may leave out
the last frame."""

_MOST_RATE = 1000
"""Frames per second from which a stated rate is implausible."""
_MOST_PENDING = 8
"""Most pictures without a plausible time that wait for the next one with one."""

# Formats that FFmpeg reads as pictures, besides those named `*_pipe`.
_PICTURE_FORMATS = frozenset({"image2"})
# HEIC and AVIF, whose container is that of MP4 films.
_PICTURE_BRANDS = frozenset({"avif", "heic", "heix", "heim", "heis", "mif1"})
# FFmpeg renders text files as a terminal would; such a video is never intended.
_TEXT_FORMATS = frozenset({"tty"})

_SAMPLINGS = {(8, 8): "4:4:4", (4, 8): "4:2:2", (2, 8): "4:1:1", (8, 4): "4:4:0"}
"""The chroma subsampling by the (width, height) of the colour planes of a picture of 8 x 8 pixels."""
_SIDE_DATA = {
    "MASTERING_DISPLAY_METADATA": "HDR mastering display",
    "CONTENT_LIGHT_LEVEL": "HDR content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
    "A53_CC": "closed captions in the picture",
    "STEREO3D": "the arrangement of a 3D picture",
    "SPHERICAL": "the projection of a 360 degree picture",
}
"""The side data of decoded pictures that encoders do not store, and their names for users."""


@dataclass(frozen=True)
class Orientation:
    """The transformation from stored to displayed pictures: first transposed, then flipped."""

    transpose: bool = False
    """Whether rows and columns are exchanged."""
    flip_rows: bool = False
    """Whether the order of the rows is reversed."""
    flip_columns: bool = False
    """Whether the order of the columns is reversed."""

    @classmethod
    def from_display_matrix(cls, matrix: NDArray[np.int32]) -> Orientation:
        """The nearest quarter turn, mirrored or not, to a display matrix (9,) as in MP4's track header."""
        x_from_x, y_from_x, _, x_from_y, y_from_y = (int(value) for value in matrix[:5])
        if abs(y_from_x) > abs(x_from_x):
            return cls(True, flip_rows=y_from_x < 0, flip_columns=x_from_y < 0)
        return cls(False, flip_rows=y_from_y < 0, flip_columns=x_from_x < 0)

    def size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """The displayed (height, width) of a stored (height, width)."""
        height, width = stored
        return (width, height) if self.transpose else (height, width)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The displayed picture of a stored one, (height, width) or (height, width, channels)."""
        if self.transpose:
            image = cv2.transpose(image)
        if self.flip_rows or self.flip_columns:
            image = cv2.flip(image, -1 if self.flip_rows and self.flip_columns else int(self.flip_columns))
        return image


class FileCapture:
    """The frames of a video file in order; every iteration starts at the beginning.

    The properties of the file are known once it is open; opening decodes one frame.
    """

    path: Path
    """The file that is read."""
    name: str
    """The user's name for the input."""
    size: tuple[int, int]
    """The displayed (height, width) in pixels, after the rotation in the file's metadata."""
    rate: Fraction | None
    """The average frames per second. None: the file does not state them."""
    frame_count: int | None
    """The expected number of frames, for a progress bar; it may be inexact. None: it is unknown."""
    duration: Fraction | None
    """The duration in seconds. None: it is unknown."""
    end: Fraction | None
    """The time at which the last frame ends, in seconds on the clock of `pts`. None: it is unknown."""
    time_base: Fraction
    """The time base in seconds: every `pts` is a whole multiple of it."""
    stream_index: int
    """The index of the video stream in its container."""
    pixel_aspect: Fraction
    """The width of one displayed pixel over its height."""
    colour: Colour
    """The colour tags of the video stream."""
    clock: FileClock
    """The shifts of the packets' times."""
    labels: Mapping[str, str]
    """The metadata of the video stream, such as its language and its timecode."""
    disposition: int
    """The flags of the video stream, as in av.stream.Disposition."""
    sound_rates: tuple[int, ...]
    """The samples per second of each sound stream that can be decoded."""
    notes: tuple[str, ...]
    """What is lost or changed when the file is read, one line each."""
    encoding_losses: tuple[str, ...]
    """What is lost when the video is encoded again, one line each."""

    def __init__(self, source: Source) -> None:
        """Opens the video and decodes its first frame. Raises CaptureError."""
        self._source = source
        self.path, self.name = Path(source), str(source)
        self._resources = ExitStack()
        with _open_container(source) as container:
            stream = _picture_stream(container, self.name)
            frame = _first_frame(container, stream, self.name)
            self.stream_index = stream.index
            self._video_index = container.streams.video.index(stream)
            self.time_base = stream.time_base or Fraction(1, 1000)
            self.rate = _rate(stream)
            self.duration = _duration(container, stream)
            self._declared_frames = stream.frames
            self.clock, moved = self._read_clock(stream.index, _zero_s(container, stream, frame))
            self.end = _end(stream, self.clock)
            self.frame_count = _frame_count(stream, self.rate, self.duration)
            self._apply_clock(late=bool(moved))
            self.colour = _colour(frame)
            self.labels = _labels(container, stream)
            self.disposition = int(stream.disposition)
            decodable = [sound for sound in container.streams.audio if sound.codec_context is not None]
            self.sound_rates = tuple(sound.rate for sound in decodable if sound.rate)
            self.notes = (*_notes(frame, stream), *self.clock.notes(), *moved)
            self.encoding_losses = (*_coarser_colour(frame.format), *_dropped_data(frame))
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
        self._resources.close()

    def close_with(self, resources: ExitStack) -> None:
        """Closes the resources when the capture is closed."""
        self._resources.push(resources)

    def __iter__(self) -> Iterator[Frame]:
        container = self._resources.enter_context(_open_container(self._source))
        with closing(container):
            yield from self._frames(container)

    def sampled_frames(self, count: int) -> Iterator[Frame]:
        """At most `count` frames from several parts of the film, four a second in each part.

        The first part is near the middle of the film, the next ones near its quarters, and so on. Each begins
        at a keyframe, from which frames are decoded quickly. The iteration ends early where the file is
        damaged or cannot be searched. `index` counts these frames only.
        """
        with closing(_open_container(self._source)) as container:
            stream = container.streams.video[self._video_index]
            to_rgb = _ToRgb(self._stored_size, self.colour, self._orientation)
            begin, duration = stream.start_time or 0, self.duration or Fraction(0)
            if not stream.time_base or not duration:
                return
            ticks = int(duration / stream.time_base)
            step = int(_SAMPLE_S / stream.time_base)
            try:
                keys = _keyframes(
                    container, stream, [begin + int(share * ticks) for share in _spread(_SEEKS)]
                )
                pictures = _sampled_pictures(container, stream, keys, -(-count // max(len(keys), 1)), step)
                for index, picture in zip(range(count), pictures, strict=False):
                    pts = ((picture.pts or begin) - begin) * stream.time_base
                    yield Frame(to_rgb(picture), pts, index)
            except av.FFmpegError:
                return

    def _read_clock(self, picture: int, zero_s: float) -> tuple[FileClock, tuple[str, ...]]:
        """The file's clock, shifted so that `zero_s` becomes 0, and a line for the user if that is much."""
        with closing(_open_container(self._source)) as container:
            clock = read_clock(container, container.streams[picture])
            if has_own_zero(container) or zero_s < LATE_S:
                return clock.started_at(zero_s), ()
        return clock.started_at(zero_s), (f"the film's clock begins at {zero_s:.2f} s: it is moved to 0",)

    def _apply_clock(self, late: bool) -> None:
        """Corrects the duration and frame count, which headers may guess or not adapt to the moved clock."""
        if self.clock.picture_span_s is None:
            return
        begin_s, end_s = self.clock.picture_span_s
        seen = Fraction(round((end_s - begin_s) / self.time_base)) * self.time_base
        if self.clock.jumps or late or self.duration is None or self.duration < seen:
            self.duration = seen
        self.frame_count = self._declared_frames or self.clock.picture_packets

    def _frames(self, container: InputContainer) -> Iterator[Frame]:
        to_rgb = _ToRgb(self._stored_size, self.colour, self._orientation)
        clock = _Clock(self.time_base, self.rate)
        upright = self._orientation == Orientation()
        for index, (picture, pts) in enumerate(clock(self._pictures(container))):
            frame = Frame(image=to_rgb(picture), pts=pts, index=index)
            yield frame.made_of(Decoded(picture)) if upright else frame

    def _pictures(self, container: InputContainer) -> Iterator[VideoFrame]:
        """The decoded pictures without damaged packets. Raises CaptureError where the file breaks off."""
        stream = container.streams.video[self._video_index]
        # Frames are decoded in parallel: slices, the default, leave the second core idle for most codecs.
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = codec_threads()
        progress, move = _Progress(), self.clock.mover(stream)
        try:
            for packet in container.demux(stream):
                move(packet)
                yield from progress.decode(packet)
        except av.FFmpegError as error:
            raise self._break(progress) from error
        if progress.ends_in_damage or (is_cut_short(self.path) and self._is_short(progress, container)):
            raise self._break(progress)
        if progress.damaged:
            log.warning("%s: %d damaged packets were skipped", self.name, progress.damaged)

    def _is_short(self, progress: _Progress, container: InputContainer) -> bool:
        if "asf" in container.format.name.split(","):
            return True  # FFmpeg guesses a cut file's duration from the part that is left
        late = self.duration is None or progress.end_s < self.duration - _SHORT_S
        return late or progress.packets < self._declared_frames

    def _break(self, progress: _Progress) -> CaptureError:
        whole = ""
        if self.duration is not None and self.duration > progress.end_s:
            whole = f" of {float(self.duration):.2f} s"
        return CaptureError(f"{self.name} breaks off at {float(progress.end_s):.2f} s{whole}")


class _Progress:
    """Counts the packets read from a file, its damaged packets and the time reached."""

    def __init__(self) -> None:
        self.packets = 0
        self.end_s = Fraction(0)
        """The time of the last picture, in seconds."""
        self.damaged = 0
        self._last_damaged: int | None = None

    @property
    def ends_in_damage(self) -> bool:
        """Whether one of the last packets is damaged, as where a file was cut within a packet."""
        # Two, because an error is reported one packet later when frames are decoded in parallel.
        return self._last_damaged is not None and self.packets - self._last_damaged <= 2

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """Decodes a packet and returns the pictures that are ready; none where the packet is damaged."""
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


def open_capture(source: Source | str) -> FileCapture:
    """Opens the video `source`. Raises CaptureError where it cannot be read.

    Pipes, addresses and animated pictures that FFmpeg cannot read are kept in a temporary file as long as the
    capture is open.
    """
    with ExitStack() as opened:
        film: Source
        if isinstance(source, Path | str) and needs_spooling(source):
            film = opened.enter_context(spooled(source))
        else:
            film = Path(source) if isinstance(source, str) else source
        if is_animation(film):
            film = opened.enter_context(as_film(film))
        capture = FileCapture(film)
        capture.close_with(opened.pop_all())
    return capture


_SEEKS = 8
"""Number of places in a film near which keyframes are searched for `sampled_frames`."""
_SAMPLE_S = 0.25
"""Time between two sampled frames of one part, in seconds."""


def _spread(count: int) -> Iterator[Fraction]:
    """`count` shares, 0..1, each as far as possible from those before it: 1/2, 1/4, 3/4, 1/8, ..."""
    level = 1
    while count > 0:
        for odd in range(1, 2**level, 2)[:count]:
            yield Fraction(odd, 2**level)
        count -= 2 ** (level - 1)
        level += 1


def _keyframes(container: InputContainer, stream: VideoStream, wanted: Sequence[int]) -> list[int]:
    """The times of the keyframes before the times `wanted`, each once, in the stream's time base."""
    found: dict[int, None] = {}
    for due in wanted:
        container.seek(due, stream=stream)
        packet = next(iter(container.demux(stream)), None)
        if packet is not None and packet.pts is not None:
            found[packet.pts] = None
    return list(found)


def _sampled_pictures(
    container: InputContainer, stream: VideoStream, keys: Sequence[int], count: int, step: int
) -> Iterator[VideoFrame]:
    """At most `count` pictures from each keyframe on, `step` ticks apart, up to the next of `keys`."""
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
        # Converted to planes with exact rounding: a 720p frame takes 1.8 ms and is unchanged when it is
        # converted back. The direct conversion to rgb24 takes 0.3 ms but truncates, which darkens every frame
        # by 1.1 levels; its exact variant takes 9 ms.
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
    """Gives each picture a time that is later than the one before, as encoders require."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self._tick = time_base
        frame_ticks = round(1 / (rate * time_base)) if rate else 1
        self._frame_s = max(frame_ticks, 1) * time_base
        self._last: Fraction | None = None

    def __call__(self, pictures: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Each picture with its time in seconds. Pictures that are no later than the one before are spread
        evenly up to the next that is."""
        pending: list[VideoFrame] = []
        for picture in pictures:
            pts = self._pts(picture)
            if self._last is not None and pts <= self._last and len(pending) < _MOST_PENDING:
                pending.append(picture)
                continue
            yield from self._spread(pending, pts)
            pending = []
            self._last = pts if self._last is None else max(pts, self._last + self._tick)
            yield picture, self._last
        yield from self._spread(pending, (self._last or Fraction(0)) + (len(pending) + 1) * self._frame_s)

    def _pts(self, picture: VideoFrame) -> Fraction:
        if picture.pts is not None:
            return picture.pts * self._tick
        return Fraction(0) if self._last is None else self._last + self._frame_s

    def _spread(
        self, pictures: Sequence[VideoFrame], until: Fraction
    ) -> Iterator[tuple[VideoFrame, Fraction]]:
        """The pictures at even steps between the last time and `until`, at least one tick apart."""
        if not pictures:
            return
        assert self._last is not None
        ticks = max(Fraction(1), (until - self._last) / self._tick / (len(pictures) + 1))
        begin = self._last
        for position, picture in enumerate(pictures, 1):
            self._last = begin + int(position * ticks) * self._tick
            yield picture, self._last


def pixels(plane: VideoPlane) -> NDArray[np.uint8]:
    """A plane as an array (height, width): a view without the padding of the rows."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
        : plane.height, : plane.width
    ]


def _open_container(source: Source) -> InputContainer:
    path = Path(source)
    if not path.exists():
        raise CaptureError(f"{source}: no such file")
    if path.is_dir():
        raise CaptureError(f"{source} is a folder; a video file is needed")
    if path.is_file() and path.stat().st_size == 0:
        raise CaptureError(f"{source} is empty (0 bytes)")
    try:
        # With an explicit protocol, a colon in a file's name does not begin one.
        return av.open(f"file:{path}", metadata_errors="replace")
    except PermissionError as error:
        raise CaptureError(f"{source} may not be read: {error.strerror}") from error
    except av.FFmpegError as error:
        if is_cut_short(path):
            raise CaptureError(
                f"{source} has lost its end, and with it the index that tells what is in it"
            ) from error
        raise CaptureError(f"{source} is not a video that can be read: {error.strerror}") from error


def _picture_stream(container: InputContainer, name: str) -> VideoStream:
    formats = container.format.name.split(",")
    if any(each.endswith("_pipe") or each in _PICTURE_FORMATS for each in formats):
        raise CaptureError(f"{name} is a still picture; use `reenact image` for stills")
    if container.metadata.get("major_brand", "").strip() in _PICTURE_BRANDS:
        raise CaptureError(f"{name} is a still picture; use `reenact image` for stills")
    if _TEXT_FORMATS.intersection(formats):
        raise CaptureError(f"{name} is a text file; a video file is needed")
    films = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if not films:
        kinds = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise CaptureError(f"{name} has no video in it, only {kinds}")
    if films[0].codec_context is None:
        raise CaptureError(f"{name}: this FFmpeg has no decoder for its video")
    return films[0]


def _first_frame(container: InputContainer, stream: VideoStream, name: str) -> VideoFrame:
    try:
        for frame in container.decode(stream):
            return frame
    except av.FFmpegError as error:
        raise CaptureError(f"{name}: its video cannot be decoded: {error.strerror}") from error
    raise CaptureError(f"{name} has a video stream without a single frame")


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _zero_s(container: InputContainer, stream: VideoStream, frame: VideoFrame) -> float:
    """The time in seconds on the file's clock at which the film begins.

    It is 0 unless the clock starts at an arbitrary time, as in broadcasts, or the first time is negative or
    so late that players would wait for it."""
    if frame.pts is None or not stream.time_base:
        return 0.0
    picture_s = float(frame.pts * stream.time_base)
    sounds_s = [
        float(sound.start_time * sound.time_base)
        for sound in container.streams.audio
        if sound.start_time is not None and sound.time_base
    ]
    begin_s = min([picture_s, *sounds_s])
    if has_own_zero(container) or begin_s > LATE_S:
        return begin_s
    return min(picture_s, 0.0)


def _end(stream: VideoStream, clock: FileClock) -> Fraction | None:
    if not stream.time_base:
        return None
    if clock.jumps and clock.picture_span_s is not None:
        return Fraction(round(clock.picture_span_s[1] / stream.time_base)) * stream.time_base
    if not stream.duration:
        return None
    moved = round(clock.shift_s(stream.index) / stream.time_base)
    return ((stream.start_time or 0) + stream.duration + moved) * stream.time_base


def _rate(stream: VideoStream) -> Fraction | None:
    """The average rate, or FFmpeg's guess where that is only the clock's tick, as in short DV files."""
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if rate < _MOST_RATE), rates[0] if rates else None)


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


def _labels(container: InputContainer, stream: VideoStream) -> dict[str, str]:
    """The metadata of the video stream, with a timecode that may be the file's or a timecode track's."""
    tracks = [other.metadata for other in container.streams if other.type == "data"]
    timecodes = [each["timecode"] for each in (*tracks, container.metadata) if "timecode" in each]
    return {**({"timecode": timecodes[0]} if timecodes else {}), **stream.metadata}


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


def _coarser_colour(pixel_format: VideoFormat) -> tuple[str, ...]:
    """A line for the user where the input's chroma resolution is above 4:2:0."""
    if pixel_format.is_rgb or pixel_format.has_palette:
        return ("RGB colour is stored as YUV 4:2:0, at half the resolution",)
    if len(pixel_format.components) < 3:
        return ()  # grey
    sampling = _SAMPLINGS.get((pixel_format.chroma_width(8), pixel_format.chroma_height(8)))
    return () if sampling is None else (f"{sampling} colour is stored as 4:2:0, at half the resolution",)


def _dropped_data(frame: VideoFrame) -> tuple[str, ...]:
    dropped = dict.fromkeys(name for kind, name in _SIDE_DATA.items() if frame.side_data.get(kind))
    return (f"dropped with the old encoding: {', '.join(dropped)}",) if dropped else ()
