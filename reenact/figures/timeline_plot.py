"""Plots of time lines: the target of each action unit over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calib.au import ACTION_UNITS, au_code
from reenact.figures.plots import SOFT, Chart, ChartSheet, Curve, Key, LegendEntry, draw_sheet
from reenact.programme.au_recording import AURecording
from reenact.programme.keyframes import Keyframes, Marker, Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RELATIVE, ABSOLUTE = "#1f77b4", "#c0392b"
"""The colours of the two kinds of targets."""
_WIDTH_PX = 900
_SAMPLES = 1800
"""The least number of points of a curve, two for each pixel."""
_EASING_SAMPLES = 24
"""The least number of points between two keyframes."""
_MOST_EASED = 2000
"""The largest number of keyframes between which points are added."""
_LOOPS = 2
"""The number of times that a loop is drawn."""
_SHOWN = 0.05
"""The intensity that an action unit of a recording must reach to have a chart."""


def keyframes_plot(keyframes: Keyframes, name: str) -> Figure:
    """A chart for each track of the keyframes."""
    loop_s = keyframes.loop_s
    last_s = max((key.time_s for track in keyframes.tracks for key in track.keys), default=0.0)
    last_s = max([last_s, *(marker.time_s for marker in keyframes.markers)])
    end_s = (last_s if loop_s is None else _LOOPS * loop_s) or 1.0
    # In the order of AUs; within one, the tracks of all faces come before those of single faces.
    tracks = sorted(keyframes.tracks, key=_place)
    again = [] if loop_s is None else [Marker(loop_s * turn, "again") for turn in range(1, _LOOPS)]
    loop = "" if loop_s is None else f", repeats every {loop_s:g} s"
    sheet = ChartSheet(
        [_track_chart(track, end_s, loop_s) for track in tracks],
        0.0,
        end_s,
        _WIDTH_PX,
        _chart_px(len(tracks)),
        title=f"{name}{loop}",
        legend=_legend(tracks),
        markers=[*keyframes.markers, *again],
        empty="No keyframe is set.",
    )
    return draw_sheet(sheet)


def recording_plot(recording: AURecording, name: str) -> Figure:
    """A chart for each action unit that the recording shows; all of them are absolute."""
    times_s = recording.times_s
    charts = [
        Chart(unit.code, unit.name, 0, 5, [Curve(times_s, recording.aus[:, index], ABSOLUTE, filled=True)])
        for index, unit in enumerate(ACTION_UNITS)
        if recording.measured[index] and recording.aus[:, index].max() >= _SHOWN
    ]
    sheet = ChartSheet(
        charts,
        float(times_s[0]),
        max(float(times_s[-1]), float(times_s[0]) + 1e-3),
        _WIDTH_PX,
        _chart_px(len(charts)),
        title=name,
        legend=[_ABSOLUTE_CURVE] if charts else (),
        empty=f"No action unit reaches an intensity of {_SHOWN:g}.",
    )
    return draw_sheet(sheet)


_RELATIVE_ENTRY = LegendEntry("added to what the face shows", RELATIVE, dot=True, hollow=True)
_ABSOLUTE_ENTRY = LegendEntry("replaces what the face shows", ABSOLUTE, dot=True)
_ABSOLUTE_CURVE = LegendEntry("replaces what the face shows", ABSOLUTE)
_MIXED_ENTRY = LegendEntry("changes from one to the other", SOFT, dashed=True)


def _legend(tracks: Sequence[Track]) -> list[LegendEntry]:
    """The kinds of line that these tracks have."""
    kinds = [{key.absolute for key in track.keys} for track in tracks]
    entries = (
        (_RELATIVE_ENTRY, any(False in kind for kind in kinds)),
        (_ABSOLUTE_ENTRY, any(True in kind for kind in kinds)),
        (_MIXED_ENTRY, any(len(kind) == 2 for kind in kinds)),
    )
    return [entry for entry, is_there in entries if is_there]


def _chart_px(count: int) -> int:
    """The height of each of `count` charts in pixels: the more charts, the lower."""
    return 150 if count <= 2 else 96 if count <= 6 else 62


def _place(track: Track) -> tuple[int, int, str]:
    return track.index, -1 if track.face is None else track.face, track.side or ""


def _track_chart(track: Track, end_s: float, loop_s: float | None) -> Chart:
    times_s = _sampled(track, end_s, loop_s)
    values, holds = np.array([track.at(at if loop_s is None else at % loop_s) for at in times_s.tolist()]).T
    whole = np.concatenate([values, [key.value for key in track.keys]])
    face = "" if track.face is None else f", face {track.face}"
    return Chart(
        f"{au_code(track.index, track.side)}{face}",
        ACTION_UNITS[track.index].name,
        min(0, math.floor(whole.min())),
        max(1, math.ceil(whole.max())),
        _curves(times_s, values, holds),
        [
            Key(key.time_s, key.value, ABSOLUTE if key.absolute else RELATIVE, hollow=not key.absolute)
            for key in track.keys
            if loop_s is None or key.time_s <= loop_s
        ],
    )


def _sampled(track: Track, end_s: float, loop_s: float | None) -> NDArray[np.float64]:
    """(n,) the times of a curve's points in seconds: even ones, and more of them between keyframes."""
    keys_s = np.array([key.time_s for key in track.keys])
    if len(keys_s) <= _MOST_EASED:
        share = np.linspace(0, 1, _EASING_SAMPLES, endpoint=False)
        keys_s = np.concatenate([(keys_s[:-1, None] + np.diff(keys_s)[:, None] * share).ravel(), keys_s])
    # A point just before each keyframe shows values that jump there.
    keys_s = np.concatenate([keys_s, keys_s - 1e-6])
    if loop_s is not None:
        keys_s = keys_s[keys_s < loop_s]
        ends_s = np.array([0.0, loop_s - 1e-6])
        keys_s = np.concatenate([turn * loop_s + np.append(keys_s, ends_s) for turn in range(_LOOPS)])
    # The end of a loop is its start.
    even_s = np.linspace(0, end_s, _SAMPLES, endpoint=loop_s is None)
    return np.unique(np.concatenate([even_s, keys_s[(keys_s >= 0) & (keys_s <= end_s)]]))


def _curves(
    times_s: NDArray[np.float64], values: NDArray[np.float64], holds: NDArray[np.float64]
) -> list[Curve]:
    """The curves of each kind, in its colour; a dashed one where one kind changes into the other."""
    kinds = (
        (holds == 0, RELATIVE, False),
        (holds == 1, ABSOLUTE, False),
        ((holds > 0) & (holds < 1), SOFT, True),
    )
    return [
        Curve(times_s, np.where(_widened(chosen), values, np.nan), colour, 1.6, dashed, filled=not dashed)
        for chosen, colour, dashed in kinds
        if chosen.any()
    ]


def _widened(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with the sample after each chosen one as well, so that curves of different colours join."""
    wider = chosen.copy()
    wider[1:] |= chosen[:-1]
    return wider
