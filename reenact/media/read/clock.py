"""The clock of a media file: finds jumps of its timestamps and makes the times continuous."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from statistics import median

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Stream

BACK_S = 0.1
"""A step back in a stream's times by more than this, in seconds, is a jump of the clock."""
LEAP_S = 10.0
"""In formats whose clock may jump, a gap in all streams longer than this, in seconds, is such a jump."""
LATE_S = 10.0
"""A film whose first time is later than this, in seconds, is moved to 0, so that players need not wait."""

# In these formats the clock may jump where a stream was interrupted, although their flags deny it.
_LEAPING = frozenset({"flv"})
# Their times are sums of durations, which cannot jump, so that the file need not be searched for jumps.
_SUMMED = frozenset({"mov", "avi"})


@dataclass(frozen=True)
class PacketTime:
    """The time of one packet on the clock of its file."""

    stream: int
    """The index of the packet's stream."""
    number: int
    """The packet's position in its stream, from 0."""
    begin_s: float
    """The time at which the packet begins, in seconds."""
    end_s: float
    """The time at which the packet ends, in seconds; equal to `begin_s` where its duration is unknown."""


@dataclass(frozen=True)
class Move:
    """A shift of the times of a stream's packets, from one packet on until the next move."""

    number: int
    """The position in the stream of the first packet that is shifted, from 0."""
    shift_s: float
    """The seconds that are added to the packets' times."""


@dataclass(frozen=True)
class Jump:
    """A jump of a file's clock."""

    from_s: float
    """The time that was expected next, in seconds."""
    to_s: float
    """The time that was found instead, in seconds."""


@dataclass(frozen=True)
class FileClock:
    """The shifts that make the times of a file's packets continuous."""

    moves: Mapping[int, tuple[Move, ...]] = field(default_factory=dict)
    """The moves of each stream in order, beginning at packet 0. Streams without an entry keep their times."""
    jumps: tuple[Jump, ...] = ()
    """The jumps of the file's clock in order."""
    outliers: int = 0
    """The number of packets whose time is far from their neighbours' and is moved between them."""
    picture_span_s: tuple[float, float] | None = None
    """The begin and end of the video stream on the moved clock, in seconds. None: no jumps were searched."""
    picture_packets: int = 0
    """The number of packets in the video stream; 0 where no jumps were searched."""

    def shift_s(self, stream: int) -> float:
        """The seconds that are added to the times of the stream's first packets."""
        return self.moves[stream][0].shift_s if stream in self.moves else 0.0

    def started_at(self, zero_s: float) -> FileClock:
        """The same clock, shifted so that the time `zero_s` becomes 0."""
        if not zero_s:
            return self
        moves = {
            stream: tuple(Move(move.number, move.shift_s - zero_s) for move in its_moves)
            for stream, its_moves in self.moves.items()
        }
        span = self.picture_span_s
        moved = None if span is None else (span[0] - zero_s, span[1] - zero_s)
        return replace(self, moves=moves, picture_span_s=moved)

    def mover(self, stream: Stream) -> Callable[[Packet], None]:
        """A function that moves the times of a packet in place; it is called with all packets in order."""
        moves = self.moves.get(stream.index, ())
        if not any(move.shift_s for move in moves):
            return _unmoved
        return _Mover(moves, stream.time_base or Fraction(1, 1000))

    def notes(self) -> tuple[str, ...]:
        """The jumps and outliers for the user, one line each."""
        lines = []
        if self.jumps:
            first = self.jumps[0]
            often = "once" if len(self.jumps) == 1 else f"{len(self.jumps)} times, first"
            lines.append(
                f"the times in the file jump {often} from {first.from_s:.2f} s to {first.to_s:.2f} s: "
                "what comes after a jump is joined on without a gap"
            )
        if self.outliers:
            lines.append(
                "1 packet has a time far from its neighbours' and is put between them"
                if self.outliers == 1
                else f"{self.outliers} packets have times far from their neighbours' and are put between them"
            )
        return tuple(lines)


class _Mover:
    def __init__(self, moves: Sequence[Move], time_base: Fraction) -> None:
        self._shifts = {move.number: round(move.shift_s / time_base) for move in moves}
        self._far = round(LEAP_S / time_base)
        self._number = 0
        self._shift = 0

    def __call__(self, packet: Packet) -> None:
        self._shift = self._shifts.get(self._number, self._shift)
        self._number += 1
        pts, dts = packet.pts, packet.dts
        if dts is not None:
            packet.dts = dts + self._shift
        if pts is not None:
            packet.pts = pts + self._shift
            if dts is not None and abs(pts - dts) > self._far:
                # Where pictures are stored in another order than shown, a jump may lie between pts and dts.
                packet.pts = pts + min(
                    self._shifts.values(), key=lambda shift: abs(pts + shift - dts - self._shift)
                )


def _unmoved(packet: Packet) -> None:
    """Leaves the packet's times as they are."""


def has_own_zero(container: InputContainer) -> bool:
    """Whether the format's clock starts at an arbitrary time and may jump, as in broadcasts."""
    return bool(Flags(container.format.flags) & Flags.ts_discont)


def read_clock(container: InputContainer, picture: Stream) -> FileClock:
    """Reads the clock of a file: all packets, unless the times of its format cannot jump."""
    if _SUMMED.intersection(container.format.name.split(",")):
        return FileClock({stream.index: (Move(0, 0.0),) for stream in container.streams})
    leading = {picture.index, *(stream.index for stream in container.streams.audio)}
    may_leap = has_own_zero(container) or bool(_LEAPING.intersection(container.format.name.split(",")))
    clock = clock_of(list(_stamps(container)), leading, picture.index, may_leap)
    unmoved = {stream.index: (Move(0, 0.0),) for stream in container.streams}
    return replace(clock, moves={**unmoved, **clock.moves})


def clock_of(
    stamps: Sequence[PacketTime], leading: Collection[int], picture: int, may_leap: bool
) -> FileClock:
    """The continuous clock of packets in the order of the file.

    leading: the indices of the streams in which jumps are searched, picture and sound; the packets of other
    streams are shifted like theirs. picture: the index of the video stream.
    may_leap: whether a long gap in all streams is a jump of the clock.
    """
    outliers = _outliers([stamp for stamp in stamps if stamp.stream in leading])
    placed = _lasting([stamp for stamp in stamps if (stamp.stream, stamp.number) not in outliers])
    pieces, jumps = _pieces(placed, leading, may_leap)
    shifts = _shifts(placed, pieces, leading, len(jumps) + 1)
    moves: dict[int, list[Move]] = {}
    for stamp, piece in zip(placed, pieces, strict=True):
        its_moves = moves.setdefault(stamp.stream, [Move(0, shifts[piece])])
        if its_moves[-1].shift_s != shifts[piece]:
            its_moves.append(Move(stamp.number, shifts[piece]))
    spans = [
        (stamp.begin_s + shifts[piece], stamp.end_s + shifts[piece])
        for stamp, piece in zip(placed, pieces, strict=True)
        if stamp.stream == picture
    ]
    return FileClock(
        {stream: _with_outliers(its_moves, outliers, stream) for stream, its_moves in moves.items()},
        jumps,
        len(outliers),
        (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None,
        max((stamp.number + 1 for stamp in stamps if stamp.stream == picture), default=0),
    )


def _stamps(container: InputContainer) -> Iterator[PacketTime]:
    numbers: Counter[int] = Counter()
    try:
        for packet in container.demux():
            index = packet.stream.index
            number = numbers[index]
            numbers[index] += 1
            if packet.dts is not None and packet.time_base:
                begin_s = float(packet.dts * packet.time_base)
                lasts_s = float((packet.duration or 0) * packet.time_base)
                yield PacketTime(index, number, begin_s, begin_s + lasts_s)
    except av.FFmpegError:
        return  # the reader of the pictures reports the error


def _lasting(stamps: Sequence[PacketTime]) -> list[PacketTime]:
    """The same packets; those without a duration get the median step of their stream."""
    steps: dict[int, list[float]] = {}
    last: dict[int, float] = {}
    for stamp in stamps:
        steps.setdefault(stamp.stream, []).append(stamp.begin_s - last.get(stamp.stream, stamp.begin_s))
        last[stamp.stream] = stamp.begin_s
    usual_s = {stream: max(0.0, median(its_steps)) for stream, its_steps in steps.items()}
    return [
        replace(stamp, end_s=stamp.begin_s + usual_s[stamp.stream]) if stamp.end_s <= stamp.begin_s else stamp
        for stamp in stamps
    ]


def _outliers(stamps: Sequence[PacketTime]) -> dict[tuple[int, int], float]:
    """Single packets whose time is not between their neighbours', although the neighbours are continuous.

    The keys are (stream, number); the values are the seconds to add so that the time is between them."""
    streams: dict[int, list[PacketTime]] = {}
    for stamp in stamps:
        streams.setdefault(stamp.stream, []).append(stamp)
    outliers: dict[tuple[int, int], float] = {}
    for first, *rest in streams.values():
        before = first
        for stamp, after in pairwise(rest):
            if _is_outlier(before, stamp, after):
                middle_s = (before.begin_s + after.begin_s) / 2
                outliers[stamp.stream, stamp.number] = middle_s - stamp.begin_s
            else:
                before = stamp
    return outliers


def _is_outlier(before: PacketTime, stamp: PacketTime, after: PacketTime) -> bool:
    follow = -BACK_S <= after.begin_s - before.begin_s <= LEAP_S
    return follow and not before.begin_s - BACK_S <= stamp.begin_s <= after.begin_s + BACK_S


def _pieces(
    stamps: Sequence[PacketTime], leading: Collection[int], may_leap: bool
) -> tuple[list[int], tuple[Jump, ...]]:
    """The piece of the film that each packet is in, from 0, and the jump before each piece but the first.

    The first stream that jumps begins a new piece; when another stream jumps to the same times after it, it
    continues in that piece.
    """
    pieces: list[int] = []
    jumps: list[Jump] = []
    shifts = [0.0]  # of each piece, so that the stream that jumped first is continuous
    own: dict[int, int] = {}
    last: dict[int, PacketTime] = {}
    latest_s = float("-inf")  # end of all leading streams so far, on the moved clock
    for stamp in stamps:
        if stamp.stream not in leading:
            pieces.append(len(shifts) - 1)
            continue
        piece, before = own.get(stamp.stream, len(shifts) - 1), last.get(stamp.stream)
        back = before is not None and stamp.begin_s < before.begin_s - BACK_S
        leap = may_leap and last and stamp.begin_s + shifts[piece] > latest_s + LEAP_S
        if back or leap:
            due_s = before.end_s + shifts[piece] if before is not None else latest_s
            if piece + 1 < len(shifts) and abs(stamp.begin_s + shifts[piece + 1] - due_s) < LEAP_S:
                piece += 1
            else:
                jumps.append(Jump(due_s - shifts[piece], stamp.begin_s))
                shifts.append(due_s - stamp.begin_s)
                piece = len(shifts) - 1
        own[stamp.stream], last[stamp.stream] = piece, stamp
        latest_s = max(latest_s, stamp.end_s + shifts[piece])
        pieces.append(piece)
    return pieces, tuple(jumps)


def _shifts(
    stamps: Sequence[PacketTime], pieces: Sequence[int], leading: Collection[int], count: int
) -> list[float]:
    """The seconds to add to the times of each piece, so that it overlaps the pieces before in no stream."""
    begins: list[dict[int, float]] = [{} for _ in range(count)]
    ends: list[dict[int, float]] = [{} for _ in range(count)]
    for stamp, piece in zip(stamps, pieces, strict=True):
        if stamp.stream in leading:
            begin_s = begins[piece].get(stamp.stream, stamp.begin_s)
            begins[piece][stamp.stream] = min(begin_s, stamp.begin_s)
            ends[piece][stamp.stream] = max(ends[piece].get(stamp.stream, stamp.end_s), stamp.end_s)
    shifts: list[float] = []
    reached: dict[int, float] = {}
    for its_begins, its_ends in zip(begins, ends, strict=True):
        known = [reached[stream] - begin_s for stream, begin_s in its_begins.items() if stream in reached]
        shift_s = max(known, default=0.0 if not shifts else shifts[-1])
        shifts.append(shift_s)
        reached |= {stream: end_s + shift_s for stream, end_s in its_ends.items()}
    return shifts


def _with_outliers(
    moves: Sequence[Move], outliers: Mapping[tuple[int, int], float], stream: int
) -> tuple[Move, ...]:
    """The moves of a stream together with those of its outliers, each of which applies to one packet."""
    whole = {move.number: move.shift_s for move in moves}
    own = {number: extra_s for (of, number), extra_s in outliers.items() if of == stream}
    for number, extra_s in sorted(own.items()):
        present_s = whole[max(start for start in whole if start <= number)]
        whole.setdefault(number + 1, present_s)
        whole[number] = present_s + extra_s
    return tuple(Move(number, whole[number]) for number in sorted(whole))
