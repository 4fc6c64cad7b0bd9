"""A time line as a picture: what is asked of each action unit, and when."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calib.au import AU_CODES, au_code
from reenact.figures.chart import INK, SOFT, Chart, Curve, Key, stacked
from reenact.figures.drawing import Dot, Drawing, Line, Shape, Words
from reenact.programme.au_recording import AURecording
from reenact.programme.keyframes import Keyframes, Marker, Track

RELATIVE, ABSOLUTE = "#1f77b4", "#c0392b"
_CHART_PX = 900, 130
_HEAD_PX = 46
_SAMPLES = 1800
"""Along a chart: two for each pixel."""
_LOOPS = 2
"""So many rounds of a loop are drawn."""
_SHOWN = 0.05
"""Intensity: what a recording never shows more of has no chart."""


def keyframes_drawing(keyframes: Keyframes, name: str) -> Drawing:
    """A chart for each track."""
    last_s = max(key.time_s for track in keyframes.tracks for key in track.keys)
    last_s = max([last_s, *(marker.time_s for marker in keyframes.markers)])
    end_s = last_s if keyframes.loop_s is None else _LOOPS * keyframes.loop_s
    # Not the very end of a loop, which is its beginning.
    times_s = np.linspace(0, end_s or 1.0, _SAMPLES, endpoint=keyframes.loop_s is None)
    # The order of AUs, within one those said to all faces before those said to single ones.
    tracks = sorted(keyframes.tracks, key=_place)
    charts = [_track_chart(track, times_s, keyframes) for track in tracks]
    loop = "" if keyframes.loop_s is None else f", begins anew every {keyframes.loop_s:g} s"
    return stacked(charts, *_CHART_PX, head=_head(f"{name}{loop}"), head_height=_HEAD_PX)


def _place(track: Track) -> tuple[int, int, str]:
    return track.index, -1 if track.face is None else track.face, track.side or ""


def recording_drawing(recording: AURecording, name: str) -> Drawing:
    """A chart for each action unit that the recording shows; all of them are absolute."""
    times_s = recording.times_s
    span = float(times_s[0]), max(float(times_s[-1]), float(times_s[0]) + 1e-3)
    charts = [
        Chart(code, *span, 0, 5, [Curve(times_s, recording.aus[:, index], ABSOLUTE)])
        for index, code in enumerate(AU_CODES)
        if recording.measured[index] and recording.aus[:, index].max() >= _SHOWN
    ]
    return stacked(charts, *_CHART_PX, head=_head(name), head_height=_HEAD_PX)


def _track_chart(track: Track, times_s: NDArray[np.float64], keyframes: Keyframes) -> Chart:
    loop_s = keyframes.loop_s
    values, holds = np.array([track.at(at if loop_s is None else at % loop_s) for at in times_s.tolist()]).T
    whole = np.concatenate([values, [key.value for key in track.keys]])
    face = "" if track.face is None else f", face {track.face}"
    again = [] if loop_s is None else [Marker(loop_s * turn, "again") for turn in range(1, _LOOPS)]
    return Chart(
        f"{au_code(track.index, track.side)}{face}",
        0.0,
        float(times_s[-1]),
        min(0, math.floor(whole.min())),
        max(1, math.ceil(whole.max())),
        _curves(times_s, values, holds),
        [
            Key(key.time_s, key.value, ABSOLUTE if key.absolute else RELATIVE, hollow=not key.absolute)
            for key in track.keys
            if loop_s is None or key.time_s <= loop_s
        ],
        [*keyframes.markers, *again],
    )


def _curves(
    times_s: NDArray[np.float64], values: NDArray[np.float64], holds: NDArray[np.float64]
) -> list[Curve]:
    """In the colour of what they are; dashed on the way from one kind to the other."""
    kinds = (
        (holds == 0, RELATIVE, False),
        (holds == 1, ABSOLUTE, False),
        ((holds > 0) & (holds < 1), SOFT, True),
    )
    return [
        Curve(times_s, np.where(_widened(chosen), values, np.nan), colour, 1.6, dashed)
        for chosen, colour, dashed in kinds
        if chosen.any()
    ]


def _widened(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One sample further, so that curves of different colours join."""
    wider = chosen.copy()
    wider[1:] |= chosen[:-1]
    return wider


def _head(title: str) -> list[Shape]:
    """The title, and what the colours mean."""
    left = 30.0
    return [
        Words((left, 18), title, INK, 13),
        Line(((left, 34), (left + 22, 34)), RELATIVE, 1.6),
        Dot((left + 11, 34), 2.8, RELATIVE, hollow=True),
        Words((left + 28, 38), "added to what the face does", SOFT, 10),
        Line(((left + 200, 34), (left + 222, 34)), ABSOLUTE, 1.6),
        Dot((left + 211, 34), 2.8, ABSOLUTE),
        Words((left + 228, 38), "shown whatever the face does", SOFT, 10),
        Line(((left + 400, 34), (left + 422, 34)), SOFT, 1.6, dashed=True),
        Words((left + 428, 38), "on the way from one to the other", SOFT, 10),
    ]
