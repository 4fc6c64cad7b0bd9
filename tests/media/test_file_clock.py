"""Films whose clock jumps: joined broadcasts, restarted recordings, packets with a wrong time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from reenact.media.read import open_capture
from reenact.media.read.clock import FileClock, PacketTime, clock_of
from reenact.media.write import FileSink
from tests.support.media import Film, picture_times, write_film

FLV = Film(codec="flv1", time_base=Fraction(1, 1000), ticks=range(0, 990, 33))
WRAP_S = 2**33 / 90000


def ts(path: Path, start_s: float = 0.0, sound: str | None = "aac") -> Path:
    """A second of MPEG-TS whose clock begins at `start_s`, or a little later."""
    return write_film(path, Film(sound=sound, options={"output_ts_offset": str(start_s)}))


def joined(path: Path, *pieces: Path) -> Path:
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return path


def pass_through(source: Path, target: Path) -> tuple[str, ...]:
    """Writes the film anew; returns all notes."""
    with open_capture(source) as capture, FileSink(target, capture) as sink:
        for frame in capture:
            sink.write(frame)
    return *capture.notes, *sink.notes


def steps(path: Path) -> list[float]:
    """Seconds from each picture to the next."""
    return [float(after - before) for before, after in pairwise(picture_times(path))]


def sound_span(path: Path) -> tuple[float, float]:
    """When the sound begins and ends; there are no gaps in between."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    lengths = [frame.samples / frame.sample_rate for frame in frames]
    np.testing.assert_allclose(np.diff(times), lengths[:-1], atol=1e-3)
    return times[0], times[-1] + lengths[-1]


@pytest.mark.parametrize("sound", [None, "aac"])
@pytest.mark.parametrize(
    "starts",
    [
        (0, 0),
        (0, 0.3),
        (5, 0),
        (0, 3 * 3600),
        (3 * 3600, 0),
        (0, 0, 0),
        (0, WRAP_S - 0.5),
        (WRAP_S - 30, 0),
    ],
    ids=str,
)
def test_joined_pieces_last_as_long_as_all_of_them(
    tmp_path: Path, starts: Sequence[float], sound: str | None
) -> None:
    pieces = [ts(tmp_path / f"{index}.ts", start_s, sound) for index, start_s in enumerate(starts)]
    notes = pass_through(joined(tmp_path / "a.ts", *pieces), tmp_path / "b.mp4")
    between = steps(tmp_path / "b.mp4")
    assert len(between) == 30 * len(starts) - 1
    assert min(between) == pytest.approx(1 / 30, abs=1e-4)
    assert max(between) < 0.06, "a piece begins when picture and sound of the one before have both ended"
    if sound:
        begin_s, end_s = sound_span(tmp_path / "b.mp4")
        assert end_s - begin_s == pytest.approx(len(starts) * 1.02, abs=0.01)
        assert picture_times(tmp_path / "b.mp4")[0] - Fraction(begin_s) < Fraction(1, 20)
    (note,) = notes
    assert note.startswith("the times in the file jump") and "joined on without a gap" in note


@pytest.mark.parametrize("start_s", [0, 1.4, 3 * 3600, WRAP_S - 0.5, WRAP_S - 30])
def test_a_broadcast_begins_at_0_and_keeps_its_sound_in_step(tmp_path: Path, start_s: float) -> None:
    plain = ts(tmp_path / "plain.ts")
    pass_through(plain, tmp_path / "plain.mp4")
    notes = pass_through(ts(tmp_path / "a.ts", start_s), tmp_path / "b.mp4")
    assert notes == () or start_s == WRAP_S - 0.5, "FFmpeg's muxer leaves a wrap of its own in the middle"
    assert float(picture_times(tmp_path / "b.mp4")[0]) == pytest.approx(0.023, abs=0.001)
    np.testing.assert_allclose(steps(tmp_path / "b.mp4"), 1 / 30, atol=1e-3)
    assert sound_span(tmp_path / "b.mp4") == pytest.approx(sound_span(tmp_path / "plain.mp4"), abs=1e-3)


def test_a_gap_of_hours_between_pictures_of_a_broadcast_is_closed(tmp_path: Path) -> None:
    ticks = [*range(0, 5120, 512), *range(15360 * 3600, 15360 * 3600 + 5120, 512)]
    notes = pass_through(write_film(tmp_path / "a.ts", Film(ticks=ticks)), tmp_path / "b.mp4")
    assert len(notes) == 1
    assert len(steps(tmp_path / "b.mp4")) == 19
    assert min(steps(tmp_path / "b.mp4")) > 0.01 and max(steps(tmp_path / "b.mp4")) < 0.06


def test_a_gap_in_the_picture_alone_stays(tmp_path: Path) -> None:
    ticks = [*range(0, 5120, 512), *range(15360 * 15, 15360 * 15 + 5120, 512)]
    source = write_film(tmp_path / "a.ts", Film(ticks=ticks, sound="aac", sound_s=16))
    assert pass_through(source, tmp_path / "b.mp4") == ()
    assert max(steps(tmp_path / "b.mp4")) == pytest.approx(14.7, abs=0.01)


def test_a_film_that_starts_late_is_moved_to_0_and_that_is_said(tmp_path: Path) -> None:
    film = replace(FLV, codec="mpeg4", options={"output_ts_offset": "9000"}, sound="aac")
    notes = pass_through(write_film(tmp_path / "a.mkv", film), tmp_path / "b.mp4")
    assert notes == ("the film's clock begins at 9000.00 s: it is moved to 0",)
    assert picture_times(tmp_path / "b.mp4")[0] < 0.1
    assert sound_span(tmp_path / "b.mp4")[0] < 0.1


def test_recordings_that_were_appended_last_as_long_as_both(tmp_path: Path) -> None:
    piece = write_film(tmp_path / "piece.flv", FLV).read_bytes()
    (tmp_path / "a.flv").write_bytes(piece + piece[13:])  # the file's own header is not repeated
    notes = pass_through(tmp_path / "a.flv", tmp_path / "b.mp4")
    assert len(notes) == 1 and "jump once" in notes[0]
    np.testing.assert_allclose(steps(tmp_path / "b.mp4"), 0.033, atol=1e-3)


def _with_times(path: Path, change: Callable[[int, int], int]) -> Path:
    """An FLV whose pictures have other milliseconds: (number, present ones) -> ones."""
    content = bytearray(write_film(path, FLV).read_bytes())
    at, number = 13, 0
    while at < len(content):
        if content[at] == 9:
            time_ms = change(number, int.from_bytes(content[at + 4 : at + 7], "big"))
            content[at + 4 : at + 7] = time_ms.to_bytes(3, "big")
            number += 1
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("wrong_ms", [100, 2000, 100_000])
def test_a_single_wrong_time_is_put_between_its_neighbours(tmp_path: Path, wrong_ms: int) -> None:
    source = _with_times(tmp_path / "a.flv", lambda number, time_ms: wrong_ms if number == 20 else time_ms)
    (note,) = pass_through(source, tmp_path / "b.mp4")
    assert note == "1 packet has a time far from its neighbours' and is put between them"
    np.testing.assert_allclose(steps(tmp_path / "b.mp4"), 0.033, atol=2e-3)


def test_several_wrong_times_are_reported_in_the_plural() -> None:
    (note,) = FileClock(outliers=3).notes()
    assert note == "3 packets have times far from their neighbours' and are put between them"


def test_pictures_of_one_time_are_spread_up_to_the_next(tmp_path: Path) -> None:
    source = _with_times(tmp_path / "a.flv", lambda number, ms: 330 if 10 <= number < 14 else ms)
    assert pass_through(source, tmp_path / "b.mp4") == ()
    np.testing.assert_allclose(steps(tmp_path / "b.mp4"), 0.033, atol=2e-3)


def test_the_length_of_a_joined_film_is_known_beforehand(tmp_path: Path) -> None:
    piece = ts(tmp_path / "piece.ts", sound=None)
    with open_capture(joined(tmp_path / "a.ts", piece, piece)) as capture:
        assert capture.frame_count == 60
        assert capture.duration == 2


def stamps(*pieces: tuple[int, float, float]) -> list[PacketTime]:
    """(stream, begin, end) in seconds: packets of a tenth of a second."""
    made: list[PacketTime] = []
    for stream, begin_s, end_s in pieces:
        for begin in np.arange(begin_s, end_s - 1e-9, 0.1):
            number = sum(stamp.stream == stream for stamp in made)
            made.append(PacketTime(stream, number, float(begin), float(begin) + 0.1))
    return made


def shifts(clock: FileClock, stream: int) -> list[float]:
    return [round(move.shift_s, 3) for move in clock.moves[stream]]


def test_streams_that_jump_at_different_places_in_the_file_stay_in_step() -> None:
    # The sound's first packets of the second piece come ahead of the picture's last of the first.
    mixed = stamps((0, 0, 0.8), (1, 0, 1.0), (1, 0.05, 0.35), (0, 0.8, 1.0), (0, 0.0, 1.0), (1, 0.35, 1.0))
    clock = clock_of(mixed, {0, 1}, 0, may_leap=True)
    assert shifts(clock, 0) == shifts(clock, 1) == [0, 1.0]
    assert [move.number for move in clock.moves[1]] == [0, 10]


def test_the_longer_stream_of_a_piece_decides_when_the_next_begins() -> None:
    clock = clock_of(stamps((0, 0, 1.0), (1, 0, 1.4), (0, 0, 1.0), (1, 0, 1.4)), {0, 1}, 0, may_leap=True)
    assert shifts(clock, 0) == shifts(clock, 1) == [0, 1.4]


def test_others_go_along_and_do_not_count() -> None:
    subtitles = PacketTime(2, 0, 0.5, 0.5), PacketTime(2, 1, 0.2, 0.2)
    first, second = stamps((0, 0, 1.0)), stamps((0, 0, 2.0))[10:]
    second = [replace(stamp, begin_s=stamp.begin_s - 1, end_s=stamp.end_s - 1) for stamp in second]
    clock = clock_of([*first, subtitles[0], *second, subtitles[1]], {0}, 0, may_leap=True)
    assert shifts(clock, 2) == [0, 1.0]


def test_without_leaps_a_long_gap_stays() -> None:
    gap = stamps((0, 0, 1.0), (0, 3600, 3601))
    assert clock_of(gap, {0}, 0, may_leap=False).jumps == ()
    assert len(clock_of(gap, {0}, 0, may_leap=True).jumps) == 1
