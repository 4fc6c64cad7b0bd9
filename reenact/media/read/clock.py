"""The clock of a media file: where it jumps, and times that go on evenly all the same."""

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
"""A packet that is due by more than this before the one ahead of it in its stream has another clock."""
LEAP_S = 10.0
"""In formats whose clock may jump, a gap longer than this, in all streams at once, is such a jump."""
LATE_S = 10.0
"""A film that starts later than this on its own clock is moved to 0, so that no player waits for it."""

# What senders lose or restart shows in the times of these, whatever their flags say.
_LEAPING = frozenset({"flv"})
# Their times are sums of durations, which cannot jump; reading all of a file to look for jumps is spared.
_SUMMED = frozenset({"mov", "avi"})


@dataclass(frozen=True)
class Stamp:
    """When one packet is due, by the clock of its file."""

    stream: int
    number: int
    """Position among the packets of its stream, from 0."""
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Move:
    """What is added to the times of a stream's packets, from one of them on."""

    number: int
    """The first packet's position in its stream, from 0."""
    shift_s: float


@dataclass(frozen=True)
class Jump:
    """A place where a file's clock starts anew."""

    from_s: float
    """The time that would have come next."""
    to_s: float
    """The time that came."""


@dataclass(frozen=True)
class FileClock:
    """How the times of a file's packets are moved so that the film goes on evenly."""

    moves: Mapping[int, tuple[Move, ...]] = field(default_factory=dict)
    """For each stream, in order, the first from packet 0 on. Streams that are not in it keep their times."""
    jumps: tuple[Jump, ...] = ()
    strays: int = 0
    """Packets of a time far from those of their neighbours, which are put between them."""
    picture_span_s: tuple[float, float] | None = None
    """Begin and end of the picture on the moved clock; None: the file was not searched for jumps."""
    picture_packets: int = 0

    def shift_s(self, stream: int) -> float:
        """What is added to the times of the stream's first packets."""
        return self.moves[stream][0].shift_s if stream in self.moves else 0.0

    def started_at(self, zero_s: float) -> FileClock:
        """The same clock, but what is due at `zero_s` on it is due at 0."""
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
        """Called with each packet of the stream from its first on, moves it on the clock."""
        moves = self.moves.get(stream.index, ())
        if not any(move.shift_s for move in moves):
            return _stand
        return _Mover(moves, stream.time_base or Fraction(1, 1000))

    def notes(self) -> tuple[str, ...]:
        """One line for each kind of jump."""
        lines = []
        if self.jumps:
            first = self.jumps[0]
            often = "once" if len(self.jumps) == 1 else f"{len(self.jumps)} times, first"
            lines.append(
                f"the times in the file jump {often} from {first.from_s:.2f} s to {first.to_s:.2f} s: "
                "what comes after a jump is joined on without a gap"
            )
        if self.strays:
            packets = "1 packet has a time" if self.strays == 1 else f"{self.strays} packets have times"
            lines.append(f"{packets} far from the neighbours' and is put between them")
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
                # Where pictures are stored in another order than shown, some lie across the jump.
                packet.pts = pts + min(
                    self._shifts.values(), key=lambda shift: abs(pts + shift - dts - self._shift)
                )


def _stand(packet: Packet) -> None:
    """The packet stays where it is."""


def has_own_zero(container: InputContainer) -> bool:
    """Whether the format's clock starts anywhere and may jump, as in broadcasts."""
    return bool(Flags(container.format.flags) & Flags.ts_discont)


def read_clock(container: InputContainer, picture: Stream) -> FileClock:
    """The clock of a file, which is read to its end for that unless its format cannot have jumps."""
    if _SUMMED.intersection(container.format.name.split(",")):
        return FileClock({stream.index: (Move(0, 0.0),) for stream in container.streams})
    leading = {picture.index, *(stream.index for stream in container.streams.audio)}
    may_leap = has_own_zero(container) or bool(_LEAPING.intersection(container.format.name.split(",")))
    clock = clock_of(list(_stamps(container)), leading, picture.index, may_leap)
    unmoved = {stream.index: (Move(0, 0.0),) for stream in container.streams}
    return replace(clock, moves={**unmoved, **clock.moves})


def clock_of(stamps: Sequence[Stamp], leading: Collection[int], picture: int, may_leap: bool) -> FileClock:
    """The even clock of packets that are given in the order of the file.

    `leading`: the streams whose packets follow each other closely; others go along with them.
    `may_leap`: whether a long gap in all streams is a jump of the clock.
    """
    strays = _strays([stamp for stamp in stamps if stamp.stream in leading])
    placed = _lasting([stamp for stamp in stamps if (stamp.stream, stamp.number) not in strays])
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
        {stream: _with_strays(its_moves, strays, stream) for stream, its_moves in moves.items()},
        jumps,
        len(strays),
        (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None,
        max((stamp.number + 1 for stamp in stamps if stamp.stream == picture), default=0),
    )


def _stamps(container: InputContainer) -> Iterator[Stamp]:
    numbers: Counter[int] = Counter()
    try:
        for packet in container.demux():
            index = packet.stream.index
            number = numbers[index]
            numbers[index] += 1
            if packet.dts is not None and packet.time_base:
                begin_s = float(packet.dts * packet.time_base)
                lasts_s = float((packet.duration or 0) * packet.time_base)
                yield Stamp(index, number, begin_s, begin_s + lasts_s)
    except av.FFmpegError:
        return  # whoever reads the pictures will meet the break and report it


def _lasting(stamps: Sequence[Stamp]) -> list[Stamp]:
    """The same, but packets without a duration last as long as it usually takes to the next of the stream."""
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


def _strays(stamps: Sequence[Stamp]) -> dict[tuple[int, int], float]:
    """(stream, number) of single packets that lie outside of their neighbours, although these follow each
    other, and by how much each has to be moved to lie between them."""
    streams: dict[int, list[Stamp]] = {}
    for stamp in stamps:
        streams.setdefault(stamp.stream, []).append(stamp)
    strays: dict[tuple[int, int], float] = {}
    for first, *rest in streams.values():
        before = first
        for stamp, after in pairwise(rest):
            if _is_stray(before, stamp, after):
                middle_s = (before.begin_s + after.begin_s) / 2
                strays[stamp.stream, stamp.number] = middle_s - stamp.begin_s
            else:
                before = stamp
    return strays


def _is_stray(before: Stamp, stamp: Stamp, after: Stamp) -> bool:
    follow = -BACK_S <= after.begin_s - before.begin_s <= LEAP_S
    return follow and not before.begin_s - BACK_S <= stamp.begin_s <= after.begin_s + BACK_S


def _pieces(
    stamps: Sequence[Stamp], leading: Collection[int], may_leap: bool
) -> tuple[list[int], tuple[Jump, ...]]:
    """Which piece of the film each packet belongs to, from 0, and the jump ahead of each piece but the first.

    A stream that jumps follows another that has done so before it in the file; the first of them makes a new
    piece.
    """
    pieces: list[int] = []
    jumps: list[Jump] = []
    shifts = [0.0]  # of each piece, as the stream that jumped first would go on
    own: dict[int, int] = {}
    last: dict[int, Stamp] = {}
    latest_s = float("-inf")  # of all leading streams, moved
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
    stamps: Sequence[Stamp], pieces: Sequence[int], leading: Collection[int], count: int
) -> list[float]:
    """For each piece, what is added to its times so that in no stream it overlaps the pieces before."""
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


def _with_strays(
    moves: Sequence[Move], strays: Mapping[tuple[int, int], float], stream: int
) -> tuple[Move, ...]:
    """The moves of a stream with those of its strays, each of which holds for one packet."""
    whole = {move.number: move.shift_s for move in moves}
    own = {number: extra_s for (of, number), extra_s in strays.items() if of == stream}
    for number, extra_s in sorted(own.items()):
        present_s = whole[max(start for start in whole if start <= number)]
        whole.setdefault(number + 1, present_s)
        whole[number] = present_s + extra_s
    return tuple(Move(number, whole[number]) for number in sorted(whole))
