"""Draws figures, settings, messages, landmarks and bars over the frames of the preview."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.au import MAX_INTENSITY, OPENFACE_CODES, AUVector, Change, both, openface
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
    TextSpan,
    draw_panel,
    status_bar,
    table,
    table_layout,
    text_box,
)

_SMALLEST_PX = 13
"""The smallest font size, in pixels."""
_GAP = TextSpan("    ")
_BAR_ROWS = tuple((TextSpan(code), TextSpan("")) for code in OPENFACE_CODES)
_BAR_FONTS = 7.5
"""The length of a full bar, in font heights."""
_BAR_BACKGROUND = (70, 76, 86)
"""The RGB colour of the empty part of a bar."""


@dataclass(frozen=True)
class OverlayState:
    """The state of the run that the overlay shows."""

    settings: Settings
    """The current settings."""
    status: LiveStatus
    """The figures of the last seconds."""
    message: str | None = None
    """A line that is shown for a short time. None: there is none."""
    recording: bool = False
    """Whether a recording is running."""


def overlaid(finished: Finished, state: OverlayState) -> Pixels:
    """A copy of the frame's output with the overlay, (height, width, 3) RGB."""
    settings = state.settings
    picture = compared(finished) if settings.compare else finished.image.copy()
    font_px = max(_SMALLEST_PX, round(picture.shape[0] / 40))
    if settings.details and not settings.help:  # both are in the same place
        _draw_details(picture, finished, settings, font_px)
    if settings.compare:
        _draw_comparison(picture, font_px)
    _draw_status_bar(picture, state, font_px)
    _draw_chips(picture, state, font_px)
    _draw_messages(picture, state, font_px)
    if settings.help:
        _draw_help(picture, font_px)
    return picture


def compared(finished: Finished) -> Pixels:
    """A copy of the output whose left half is replaced by the camera's picture, (height, width, 3) RGB."""
    before = finished.frame.image
    picture = finished.image.copy()
    middle = picture.shape[1] // 2
    picture[:, :middle] = before[:, : -middle - 1 : -1] if finished.mirrored else before[:, :middle]
    return picture


def figures(status: LiveStatus) -> tuple[TextSpan, ...]:
    """The figures as text, the most important first."""
    parts = [TextSpan(f"{status.fps:.0f}", BRIGHT), TextSpan(" fps")]
    if status.latency is not None:
        parts += [
            _GAP,
            TextSpan(f"{status.latency.p50_ms:.0f}", BRIGHT),
            TextSpan(f" ms (p95 {status.latency.p95_ms:.0f})"),
        ]
    parts += [_GAP, TextSpan(f"{status.dropped}", BRIGHT), TextSpan(" dropped")]
    if status.slowest is not None:
        parts += [_GAP, TextSpan(f"{status.slowest} {status.slowest_ms:.0f} ms")]
    return tuple(parts)


def _draw_status_bar(picture: Pixels, state: OverlayState, font_px: int) -> None:
    settings = state.settings
    left = (
        TextSpan(name_of(settings.targets), SOFT if settings.bypass else BRIGHT),
        TextSpan(f"  {100 * settings.strength:.0f} %"),
        _GAP,
        TextSpan("h", BRIGHT),
        TextSpan(" keys"),
    )
    panel = status_bar(left, figures(state.status), font_px, picture.shape[1])
    draw_panel(panel, picture, 0, picture.shape[0] - panel.size[0])


def _chips(state: OverlayState) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """The active settings, each as (text, colour of its box)."""
    settings = state.settings
    if state.recording:
        yield "REC", RED
    if settings.bypass:
        yield "BYPASS", AMBER
    if settings.mirror:
        yield "MIRROR", SOFT
    if settings.neutral is not None:
        yield "NEUTRAL SET", SOFT


def _draw_chips(picture: Pixels, state: OverlayState, font_px: int) -> None:
    """Draws the active settings in a row above the status bar."""
    x, y = round(0.8 * font_px), picture.shape[0] - round(2.4 * font_px)
    for text, colour in _chips(state):
        panel = text_box((TextSpan(text, DARK),), round(0.8 * font_px), colour)
        draw_panel(panel, picture, x, y - panel.size[0])
        x += panel.size[1] + round(0.4 * font_px)


def _draw_messages(picture: Pixels, state: OverlayState, font_px: int) -> None:
    """Draws the messages, one below the other, warnings first."""
    status = state.status
    lines = ((status.trouble, AMBER), (status.step, AMBER), (state.message, BRIGHT))
    y = round(0.8 * font_px)
    for text, colour in lines:
        if text:
            panel = text_box((TextSpan(text, colour),), font_px)
            draw_panel(panel, picture, (picture.shape[1] - panel.size[1]) // 2, y)
            y += panel.size[0] + round(0.4 * font_px)


def _draw_comparison(picture: Pixels, font_px: int) -> None:
    middle = picture.shape[1] // 2
    cv2.line(picture, (middle, 0), (middle, picture.shape[0]), BRIGHT, max(1, font_px // 10))
    gap, y = round(0.5 * font_px), picture.shape[0] - round(4.2 * font_px)
    before, after = text_box((TextSpan("camera"),), font_px), text_box((TextSpan("reenact", GREEN),), font_px)
    draw_panel(before, picture, middle - gap - before.size[1], y)
    draw_panel(after, picture, middle + gap, y)


def _draw_help(picture: Pixels, font_px: int) -> None:
    """Draws the list of keys on the left, where it seldom covers the face."""
    panel = table(tuple((TextSpan(key, BRIGHT), TextSpan(does)) for key, does in HELP), font_px)
    draw_panel(panel, picture, font_px, (picture.shape[0] - panel.size[0]) // 2)


def _draw_details(picture: Pixels, finished: Finished, settings: Settings, font_px: int) -> None:
    for face in finished.faces:
        points = face.landmarks[:, :2].copy()
        if finished.mirrored:
            points[:, 0] = picture.shape[1] - 1 - points[:, 0]
        _draw_landmarks(picture, points, max(0.5, 0.3 * face.pose.scale))
        _draw_id(picture, face.track_id, points, font_px)
    if (index := finished.largest) is not None:
        on_the_left = finished.faces[index].landmarks[:, 0].mean() < picture.shape[1] / 2
        shown = settings.reading(finished.aus[index])
        # The bars are drawn on the side without the face.
        _draw_bars(picture, shown, finished.changes[index], font_px, right=on_the_left != finished.mirrored)


def _draw_landmarks(picture: Pixels, points: NDArray[np.float32], radius_px: float) -> None:
    """Draws landmarks (478, 2) in pixels of the picture."""
    fine = np.round(points * 16).astype(np.int32)
    for x, y in fine.tolist():
        cv2.circle(picture, (x, y), round(radius_px * 16), SOFT, cv2.FILLED, cv2.LINE_AA, shift=4)
    for outline in (OUTER_LIPS, *(opening.outline for opening in OPENINGS)):
        cv2.polylines(picture, [fine[list(outline)]], True, GREEN, 1, cv2.LINE_AA, shift=4)


def _draw_id(picture: Pixels, track_id: int, points: NDArray[np.float32], font_px: int) -> None:
    """Draws the face's id, which --face takes, at its forehead."""
    panel = text_box((TextSpan(str(track_id), BRIGHT),), font_px)
    x, y = round(float(points[:, 0].mean())), round(float(points[:, 1].min()))
    draw_panel(panel, picture, x - panel.size[1] // 2, y - panel.size[0])


def _draw_bars(picture: Pixels, aus: AUVector, change: Change, font_px: int, *, right: bool) -> None:
    """Draws the measured action units, and in colour the requested change as the mean of both sides.

    right: whether the bars are drawn at the right edge."""
    length, half = round(_BAR_FONTS * font_px), max(2, round(0.2 * font_px))
    panel = table(_BAR_ROWS, font_px, length)
    left = picture.shape[1] - panel.size[1] - font_px if right else font_px
    top = max(0, (picture.shape[0] - panel.size[0]) // 2)
    draw_panel(panel, picture, left, top)
    pad, line = table_layout(font_px)
    start = left + panel.size[1] - pad - length
    for index, (measured, added) in enumerate(zip(openface(aus), openface(both(change)), strict=True)):
        middle = top + pad + round(line * (index + 0.5))
        ends = np.clip((measured, measured + added), 0, MAX_INTENSITY) / MAX_INTENSITY * length
        low, high = start + round(float(ends.min())), start + round(float(ends.max()))
        row = picture[middle - half : middle + half]
        row[:, start : start + length] = _BAR_BACKGROUND
        row[:, start:low] = BRIGHT
        row[:, low:high] = GREEN if added > 0 else AMBER
