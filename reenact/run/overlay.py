"""What the preview shows on top of the picture: figures, settings, messages, landmarks and bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, MAX_INTENSITY, AUVector, Change, both
from calib.openings import OPENINGS, OUTER_LIPS
from reenact.pipeline.meter import LiveStatus
from reenact.records import Finished
from reenact.retarget.controls import Settings, name_of
from reenact.run.hotkeys import HELP
from reenact.run.text_boxes import (
    AMBER,
    BRIGHT,
    DARK,
    GREEN,
    RED,
    SOFT,
    Pixels,
    Words,
    band,
    box,
    lay,
    table,
    table_layout,
)

_SMALLEST_PX = 13
_GAP = Words("    ")
_BAR_ROWS = tuple((Words(code), Words("")) for code in AU_CODES)
_BAR_FONTS = 7.5
"""Length of a full bar, in font heights."""
_TROUGH = (70, 76, 86)


@dataclass(frozen=True)
class Situation:
    """What is to be said beside what the frame itself shows."""

    settings: Settings
    status: LiveStatus
    message: str | None = None
    """One line for a moment."""
    recording: bool = False


def overlaid(finished: Finished, situation: Situation) -> Pixels:
    """(height, width, 3) RGB: a copy of the frame's output with everything on it; no pixel is shared."""
    settings = situation.settings
    picture = compared(finished) if settings.compare else finished.image.copy()
    font_px = max(_SMALLEST_PX, round(picture.shape[0] / 40))
    if settings.details and not settings.help:  # they would stand in the same place
        _draw_details(picture, finished, settings, font_px)
    if settings.compare:
        _lay_comparison(picture, font_px)
    _lay_band(picture, situation, font_px)
    _lay_chips(picture, situation, font_px)
    _lay_top(picture, situation, font_px)
    if settings.help:
        _lay_help(picture, font_px)
    return picture


def compared(finished: Finished) -> Pixels:
    """A copy of the output whose left half is the camera's picture."""
    before = finished.frame.image
    picture = finished.image.copy()
    middle = picture.shape[1] // 2
    picture[:, :middle] = before[:, : -middle - 1 : -1] if finished.mirrored else before[:, :middle]
    return picture


def figures(status: LiveStatus) -> tuple[Words, ...]:
    """How it goes, the most important first."""
    parts = [Words(f"{status.fps:.0f}", BRIGHT), Words(" fps")]
    if status.latency is not None:
        parts += [
            _GAP,
            Words(f"{status.latency.p50_ms:.0f}", BRIGHT),
            Words(f" ms (p95 {status.latency.p95_ms:.0f})"),
        ]
    parts += [_GAP, Words(f"{status.dropped}", BRIGHT), Words(" dropped")]
    if status.slowest is not None:
        parts += [_GAP, Words(f"{status.slowest} {status.slowest_ms:.0f} ms")]
    return tuple(parts)


def _lay_band(picture: Pixels, situation: Situation, font_px: int) -> None:
    settings = situation.settings
    left = (
        Words(name_of(settings.targets), SOFT if settings.bypass else BRIGHT),
        Words(f"  {100 * settings.strength:.0f} %"),
        _GAP,
        Words("h", BRIGHT),
        Words(" keys"),
    )
    panel = band(left, figures(situation.status), font_px, picture.shape[1])
    lay(panel, picture, 0, picture.shape[0] - panel.size[0])


def _chips(situation: Situation) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """(text, colour of the box)."""
    settings = situation.settings
    if situation.recording:
        yield "REC", RED
    if settings.bypass:
        yield "BYPASS", AMBER
    if settings.mirror:
        yield "MIRROR", SOFT
    if settings.neutral is not None:
        yield "NEUTRAL SET", SOFT


def _lay_chips(picture: Pixels, situation: Situation, font_px: int) -> None:
    """In a row above the band."""
    x, y = round(0.8 * font_px), picture.shape[0] - round(2.4 * font_px)
    for text, colour in _chips(situation):
        panel = box((Words(text, DARK),), round(0.8 * font_px), colour)
        lay(panel, picture, x, y - panel.size[0])
        x += panel.size[1] + round(0.4 * font_px)


def _lay_top(picture: Pixels, situation: Situation, font_px: int) -> None:
    """Messages, one below the other, what is wrong first."""
    status = situation.status
    lines = ((status.trouble, AMBER), (status.step, AMBER), (situation.message, BRIGHT))
    y = round(0.8 * font_px)
    for text, colour in lines:
        if text:
            panel = box((Words(text, colour),), font_px)
            lay(panel, picture, (picture.shape[1] - panel.size[1]) // 2, y)
            y += panel.size[0] + round(0.4 * font_px)


def _lay_comparison(picture: Pixels, font_px: int) -> None:
    middle = picture.shape[1] // 2
    cv2.line(picture, (middle, 0), (middle, picture.shape[0]), BRIGHT, max(1, font_px // 10))
    gap, y = round(0.5 * font_px), picture.shape[0] - round(4.2 * font_px)
    before, after = box((Words("camera"),), font_px), box((Words("reenact", GREEN),), font_px)
    lay(before, picture, middle - gap - before.size[1], y)
    lay(after, picture, middle + gap, y)


def _lay_help(picture: Pixels, font_px: int) -> None:
    """On the left: who tries the keys wants to see the face."""
    panel = table(tuple((Words(key, BRIGHT), Words(does)) for key, does in HELP), font_px)
    lay(panel, picture, font_px, (picture.shape[0] - panel.size[0]) // 2)


def _draw_details(picture: Pixels, finished: Finished, settings: Settings, font_px: int) -> None:
    for face in finished.faces:
        points = face.landmarks[:, :2].copy()
        if finished.mirrored:
            points[:, 0] = picture.shape[1] - 1 - points[:, 0]
        _draw_landmarks(picture, points, max(0.5, 0.3 * face.pose.scale))
        _lay_id(picture, face.track_id, points, font_px)
    if (index := finished.largest) is not None:
        on_the_left = finished.faces[index].landmarks[:, 0].mean() < picture.shape[1] / 2
        shown = settings.reading(finished.aus[index])
        # Where the face is not.
        _draw_bars(picture, shown, finished.changes[index], font_px, right=on_the_left != finished.mirrored)


def _draw_landmarks(picture: Pixels, points: NDArray[np.float32], radius_px: float) -> None:
    """points: (478, 2), where they are in the camera's picture."""
    fine = np.round(points * 16).astype(np.int32)
    for x, y in fine.tolist():
        cv2.circle(picture, (x, y), round(radius_px * 16), SOFT, cv2.FILLED, cv2.LINE_AA, shift=4)
    for outline in (OUTER_LIPS, *(opening.outline for opening in OPENINGS)):
        cv2.polylines(picture, [fine[list(outline)]], True, GREEN, 1, cv2.LINE_AA, shift=4)


def _lay_id(picture: Pixels, track_id: int, points: NDArray[np.float32], font_px: int) -> None:
    """The number by which --face knows the face, on its forehead."""
    panel = box((Words(str(track_id), BRIGHT),), font_px)
    x, y = round(float(points[:, 0].mean())), round(float(points[:, 1].min()))
    lay(panel, picture, x - panel.size[1] // 2, y - panel.size[0])


def _draw_bars(picture: Pixels, aus: AUVector, change: Change, font_px: int, *, right: bool) -> None:
    """What is measured, and in colour what is added to it or taken away, as the mean of both sides."""
    length, half = round(_BAR_FONTS * font_px), max(2, round(0.2 * font_px))
    panel = table(_BAR_ROWS, font_px, length)
    left = picture.shape[1] - panel.size[1] - font_px if right else font_px
    top = max(0, (picture.shape[0] - panel.size[0]) // 2)
    lay(panel, picture, left, top)
    pad, line = table_layout(font_px)
    start = left + panel.size[1] - pad - length
    for index, (measured, added) in enumerate(zip(aus, both(change), strict=True)):
        middle = top + pad + round(line * (index + 0.5))
        ends = np.clip((measured, measured + added), 0, MAX_INTENSITY) / MAX_INTENSITY * length
        low, high = start + round(float(ends.min())), start + round(float(ends.max()))
        row = picture[middle - half : middle + half]
        row[:, start : start + length] = _TROUGH
        row[:, start:low] = BRIGHT
        row[:, low:high] = GREEN if added > 0 else AMBER
