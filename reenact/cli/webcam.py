"""`reenact webcam`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import chosen, live_editing_options, several
from reenact.cli.errors import Stop, note, say, signals_stop, unusable_input, warn
from reenact.cli.faces import note_hidden_mouths, warn_of_absent, warn_of_left_out
from reenact.cli.parameters import FILE, NumberParameter, json_option, write_json
from reenact.cli.progress import log_times, status_line
from reenact.cli.recording import recorded, recording_options, tell_recordings
from reenact.media.read import CameraOptions
from reenact.media.read.devices import USUAL_RATE, USUAL_SIZE, Size, shown
from reenact.pipeline.meter import LiveStatus, Report
from reenact.programme.live_driver import LivePerformance
from reenact.run.live import LiveOptions, open_live
from reenact.run.read_driver import perform_live
from reenact.track import TrackerOptions

SHOW_S = 0.5
"""Between two looks at how it goes."""


class SizeParameter(click.ParamType):
    name = "WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", value.strip(), re.ASCII)
        if match is None or min(int(match[1]), int(match[2])) < 16:
            self.fail(f"{value!r} is not a size; write {USUAL_SIZE[1]}x{USUAL_SIZE[0]}", param, ctx)
        return int(match[2]), int(match[1])


@click.command(
    epilog="""\b
    Examples:
      reenact webcam --preset smile-soft
      reenact webcam --camera 1 --size 1920x1080 --target-aus AU12=+1,AU4=-1
      reenact webcam --camera film.mp4 --preset smile --no-virtual-camera --duration 10 --json -

    In the program that is to show it, choose the virtual camera. Keys in the preview window change presets,
    strength and more while it runs; n takes the face as it is as your neutral, from which absolute targets
    (AU12=3) count; relative ones (AU12=+2) need none. Ctrl-C or q ends the run, and what it writes is
    complete then. Latency is the time from the camera's delivery of a frame until it has been shown."""
)
@click.option(
    "--camera",
    "where",
    default="0",
    show_default=True,
    metavar="INDEX|PATH|URL",
    help="The camera: 0, /dev/video2 or rtsp://host/stream; or a video file that stands in for one.",
)
@click.option(
    "--size",
    type=SizeParameter(),
    help=f"Ask the camera for this size. [default: {USUAL_SIZE[1]}x{USUAL_SIZE[0]}]",
)
@click.option(
    "--fps",
    type=NumberParameter(1, 240),
    help=f"Ask the camera for so many frames a second. [default: {USUAL_RATE:g}]",
)
@click.option(
    "--mirror/--no-mirror",
    default=LiveOptions.mirror,
    show_default=True,
    help="Exchange left and right. Programs for calls do that by themselves, for your own eyes only.",
)
@live_editing_options
@click.option(
    "--driver-camera",
    metavar="INDEX|PATH|URL",
    help="Take over the expression of the face before a second camera while it acts; --transfer, --regions, "
    "--gain and --driver-profile hold for it as for a --driver.",
)
@click.option(
    "--virtual-camera/--no-virtual-camera",
    default=LiveOptions.virtual_camera,
    show_default=True,
    help="Show the result as a camera to other programs.",
)
@click.option(
    "--device",
    help="Which virtual camera, as /dev/video9 or 'Unity Video Capture'. [default: the first that is free]",
)
@click.option(
    "--preview/--no-preview",
    default=LiveOptions.preview,
    help="Show the result in a window with figures and keys; h lists them. [default: where a window opens]",
)
@click.option(
    "--budget-ms",
    type=NumberParameter(1),
    default=LiveOptions.budget_ms,
    show_default=True,
    help="If the 95th percentile of the latency is over this, the network of --generator live works a frame "
    "behind, then not at all; and more again when there is time.",
)
@recording_options
@click.option(
    "--aus-csv",
    type=FILE,
    help="Write the action units of the whole run, as they are measured and asked for, frame by frame.",
)
@click.option(
    "--save-profile",
    type=FILE,
    metavar="OUT.json",
    help="Write your neutral there when you press n; what the file says of range, gain and limit stays.",
)
@click.option(
    "--with-mouth",
    is_flag=True,
    help="Keep pictures of the inside of your mouth there, too: a mouth that is made to open shows them.",
)
@click.option(
    "--duration", type=NumberParameter(0, min_open=True), metavar="SECONDS", help="End after this time."
)
@json_option
def webcam(
    where: str,
    size: Size | None,
    fps: float | None,
    mirror: bool,
    driver_camera: str | None,
    virtual_camera: bool,
    device: str | None,
    preview: bool | None,
    budget_ms: float,
    record: Path | None,
    audio_device: str | None,
    no_audio: bool,
    audio_delay: float | None,
    aus_csv: Path | None,
    save_profile: Path | None,
    with_mouth: bool,
    duration: float | None,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of a face in a live camera picture, for calls and streams."""
    if with_mouth and save_profile is None:
        raise click.UsageError("--with-mouth needs --save-profile", click.get_current_context())
    with ExitStack() as opened:
        performance = _second_camera(driver_camera, opened, **choices)
        targets, edit = chosen(**choices, live_driver=performance, needed=False)
        options = LiveOptions(
            camera=CameraOptions(size=size, fps=fps),
            mirror=mirror,
            edit=replace(edit, aus_csv=aus_csv),
            virtual_camera=virtual_camera,
            virtual_device=device,
            budget_ms=budget_ms,
            preview=preview,
            record=recorded(record, audio_device, no_audio, audio_delay),
            save_profile=save_profile,
            with_mouth=with_mouth,
        )
        with unusable_input():
            live = opened.enter_context(open_live(where, targets, options))
        for line in live.notes:
            note(line)
        if live.window is not None and str(targets) == "none":
            note("nothing is asked for yet: in the window, keys 1 to 9 choose presets")
        for line in live.warnings:
            warn(line)
        stop = opened.enter_context(signals_stop())
        neutral = live.controls.now.neutral
        with status_line() as show:
            report = live.run(Watch(live.status, show, stop, duration or math.inf))
        last = live.status()
        with unusable_input():
            kept = live.keep_mouth()
        if kept:
            note(f"{save_profile} holds {kept} picture{'s' * (kept > 1)} of the inside of your mouth")
        elif save_profile is not None and live.controls.now.neutral is neutral:
            note(f"{save_profile} was not written: n was not pressed")
    tell(report)
    absent = warn_of_absent(targets) if report.frames_with_face else []
    if several(edit):
        absent += warn_of_left_out(report.faces_left_out, edit.tracker)
    absent += note_hidden_mouths(report.frames_with_hidden_mouth, "frame")
    recordings = tell_recordings(live.recorder)
    document = {
        "camera": shown(where),
        **report.to_json(),
        "last": last.to_json(),
        "recordings": recordings,
        "notes": [*live.notes, *live.warnings, *absent],
    }
    write_json(document, json_path)
    click.get_current_context().exit(stop.exit_code)


def _second_camera(
    where: str | None,
    opened: ExitStack,
    *,
    driver: Path | str | None,
    max_faces: int | None,
    landmarker: Path | None,
    **_: Any,
) -> LivePerformance | None:
    """The driver before it, if there is one."""
    if where is None:
        return None
    if driver is not None:
        raise click.UsageError("give either --driver or --driver-camera", click.get_current_context())
    with unusable_input():
        options = TrackerOptions(max_faces=max_faces, model_path=landmarker)
        return opened.enter_context(perform_live(where, options))


class Watch:
    """Says whether to go on, and now and then shows how it goes."""

    def __init__(
        self,
        status: Callable[[], LiveStatus],
        show: Callable[[str], None],
        stop: Stop,
        duration_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`duration_s`: from now on."""
        self._status = status
        self._show = show
        self._stop = stop
        self._clock = clock
        self._show_s = clock() + SHOW_S
        self._end_s = clock() + duration_s

    def __call__(self) -> bool:
        now_s = self._clock()
        if now_s >= self._show_s:
            self._show(str(self._status()))
            self._show_s = now_s + SHOW_S
        return self._stop.number is None and now_s < self._end_s


def tell(report: Report) -> None:
    """What the run came to, in one line, and what was strange about it."""
    if not report.frames:
        warn("no frame came")
    elif not report.frames_with_face:
        warn("no face was found: the picture was unchanged")
    log_times(report)
    latency = report.latency
    delay = f", latency {latency.p50_ms:.0f} ms (p95 {latency.p95_ms:.0f})" if latency else ""
    say(
        f"{report.frames} frames, {report.frames_with_face} with a face, {report.fps:.1f} fps{delay}, "
        f"{report.dropped} dropped"
    )
