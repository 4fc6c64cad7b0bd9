"""`reenact webcam`: changes the expression in a live camera picture."""

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

from reenact.cli.editing import live_editing_options, may_change_several, programme_and_options
from reenact.cli.errors import Stop, note, say, signals_stop, unusable_input, warn
from reenact.cli.faces import note_hidden_mouths, warn_of_absent, warn_of_left_out
from reenact.cli.grouped import GroupedCommand, in_order, option
from reenact.cli.panel_options import PANEL, Outside, open_desk, panel_options
from reenact.cli.parameters import FILE, NumberParameter, json_option, write_json
from reenact.cli.progress import log_times, status_line
from reenact.cli.recording import print_recordings, record_options, recording_options
from reenact.media.read import CameraOptions
from reenact.media.read.devices import USUAL_RATE, USUAL_SIZE, Size
from reenact.media.read.spool import without_password
from reenact.pipeline.meter import LiveStatus, Report
from reenact.programme import Programme
from reenact.programme.live_driver import LiveDriverSource
from reenact.run.live import LiveOptions, open_live
from reenact.run.read_driver import open_live_driver
from reenact.track import TrackerOptions

SHOW_S = 0.5
"""The time between two updates of the status line."""


class SizeParameter(click.ParamType):
    """A size of a picture as (height, width) in pixels, from text such as 1280x720."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", value.strip(), re.ASCII)
        if match is None or min(int(match[1]), int(match[2])) < 16:
            self.fail(f"{value!r} is not a size; write {USUAL_SIZE[1]}x{USUAL_SIZE[0]}", param, ctx)
        return int(match[2]), int(match[1])


live_options = in_order(
    option(
        "--camera",
        "where",
        group="Camera",
        default="0",
        show_default=True,
        metavar="CAMERA",
        help="The camera: a number, /dev/video2, rtsp://host/stream, or a video file in its place.",
    ),
    option(
        "--size",
        group="Camera",
        type=SizeParameter(),
        metavar="WxH",
        show_default=f"{USUAL_SIZE[1]}x{USUAL_SIZE[0]}",
        help="Picture size to ask the camera for, in pixels.",
    ),
    option(
        "--fps",
        group="Camera",
        type=NumberParameter(1, 240),
        metavar="FPS",
        show_default=f"{USUAL_RATE:g}",
        help="Frame rate to ask the camera for, in frames per second.",
    ),
    option(
        "--mirror/--no-mirror",
        group="Camera",
        default=LiveOptions.mirror,
        show_default=True,
        help="Exchange left and right.",
        detail="Programs for calls already do this in your own view.",
    ),
    live_editing_options,
    option(
        "--driver-camera",
        group="Drivers and time lines",
        metavar="CAMERA",
        help="Take over the expression of the face before a second camera.",
        detail="--transfer, --regions, --gain and --driver-profile apply as they do to a --driver.",
    ),
    option(
        "--virtual-camera/--no-virtual-camera",
        group="Virtual camera and preview",
        default=LiveOptions.virtual_camera,
        show_default=True,
        help="Show the result as a camera to other programs.",
    ),
    option(
        "--device",
        group="Virtual camera and preview",
        metavar="NAME",
        show_default="the first that is free",
        help="The virtual camera: /dev/video9 or 'Unity Video Capture'.",
    ),
    option(
        "--preview/--no-preview",
        group="Virtual camera and preview",
        default=LiveOptions.preview,
        show_default="where a window opens",
        help="Show the result in a window, with figures and keys.",
    ),
    option(
        "--budget-ms",
        group="Virtual camera and preview",
        type=NumberParameter(1),
        metavar="MS",
        default=LiveOptions.budget_ms,
        show_default=True,
        help="Latency that is not exceeded if possible, in milliseconds (95th percentile).",
        detail="Above it, the network of --generator live works at every second frame, then one frame "
        "behind, and then not at all, until the latency is lower again.",
    ),
    recording_options,
    option(
        "--aus-csv",
        group="Recording",
        type=FILE,
        metavar="CSV",
        help="Write the action units measured and asked for, of every frame of the run.",
    ),
    option(
        "--save-profile",
        group="Limits and calibration",
        type=FILE,
        metavar="JSON",
        help="Write your neutral face to this profile when you press n.",
        detail="Range, gain and limit in the file are kept.",
    ),
    option(
        "--with-mouth",
        group="Limits and calibration",
        is_flag=True,
        help="Also keep pictures of the inside of your mouth in the profile, for mouths that are opened.",
    ),
)
"""The options of a live run, which `reenact webcam` and `reenact panel` share."""


@click.command(
    cls=GroupedCommand,
    example="--preset smile-soft",
    first=(
        *("preset", "target_aus", "strength", "where", "size", "mirror", "virtual_camera", "preview"),
        *("record", "profile"),
    ),
    epilog="""\b
    More examples:
      reenact webcam --camera 1 --size 1920x1080 --target-aus AU12=+1,AU4=-1
      reenact webcam --driver-camera 1 --record take.mp4
      reenact webcam --camera film.mp4 --no-virtual-camera --duration 10

    Choose the virtual camera in the program that is to show the result. Keys in the preview window change
    presets, strength and more; h lists them. n takes your present face as your neutral, from which absolute
    intensities (AU12=3) count; relative ones (AU12=+2) need none. Ctrl-C or q ends the run, and all files
    are complete then. Latency is the time from the camera's delivery of a frame until it is shown.""",
)
@live_options
@panel_options
@option(
    "--panel/--no-panel",
    group=PANEL,
    default=False,
    show_default=True,
    help="Serve the panel, a page with sliders, presets and figures, and open it in the browser.",
)
@option(
    "--duration",
    group="Camera",
    type=NumberParameter(0, min_open=True),
    metavar="SECONDS",
    help="End the run after this time.",
)
@json_option
def webcam(
    where: str,
    panel: bool,
    duration: float | None,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of a face in a live camera picture, for calls and streams."""
    with ExitStack() as opened:
        outside = Outside.taken_from(choices, panel=panel)
        targets, options = live_request(opened, **choices)
        stop = opened.enter_context(signals_stop())
        desk = switch = None
        if outside.is_any:
            desk, switch = open_desk(targets, options, can_start=False)
            opened.enter_context(outside.opened(desk, switch))
        with unusable_input():
            live = opened.enter_context(open_live(where, targets, options, desk=desk))
        if desk is not None:
            desk.begin(live, f"camera {without_password(where)}")
        for line in live.notes:
            note(line)
        if live.window is not None and str(targets) == "none":
            note("nothing is asked for yet: in the window, keys 1 to 9 choose presets")
        for line in live.warnings:
            warn(line)
        neutral = live.controls.now.neutral
        with status_line() as show:
            progress = LiveProgress(live.status, show, stop, duration or math.inf)
            report = live.run(lambda: progress() and not (switch and switch.stopping))
        last = live.status()
        save_profile = options.save_profile
        with unusable_input():
            kept = live.keep_mouth()
        if kept:
            note(f"{save_profile} holds {kept} picture{'s' * (kept > 1)} of the inside of your mouth")
        elif save_profile is not None and live.controls.now.neutral is neutral:
            note(f"{save_profile} was not written: n was not pressed")
    print_figures(report)
    absent = warn_of_absent(targets) if report.frames_with_face else []
    if may_change_several(options.edit):
        absent += warn_of_left_out(report.faces_left_out, options.edit.tracker)
    absent += note_hidden_mouths(report.frames_with_hidden_mouth, "frame")
    recordings = print_recordings(live.recorder)
    document = {
        "camera": without_password(where),
        **report.to_json(),
        "last": last.to_json(),
        "recordings": recordings,
        "notes": [*live.notes, *live.warnings, *absent],
    }
    write_json(document, json_path)
    click.get_current_context().exit(stop.exit_code)


def live_request(
    opened: ExitStack,
    *,
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
    **choices: Any,
) -> tuple[Programme, LiveOptions]:
    """What the `live_options` ask for; `opened` closes a second camera."""
    if with_mouth and save_profile is None:
        raise click.UsageError("--with-mouth needs --save-profile", click.get_current_context())
    live_driver = _second_camera(driver_camera, opened, **choices)
    targets, edit = programme_and_options(**choices, live_driver=live_driver, needed=False)
    return targets, LiveOptions(
        camera=CameraOptions(size=size, fps=fps),
        mirror=mirror,
        edit=replace(edit, aus_csv=aus_csv),
        virtual_camera=virtual_camera,
        virtual_device=device,
        budget_ms=budget_ms,
        preview=preview,
        record=record_options(record, audio_device, no_audio, audio_delay),
        save_profile=save_profile,
        with_mouth=with_mouth,
    )


def _second_camera(
    where: str | None,
    opened: ExitStack,
    *,
    driver: Path | str | None,
    max_faces: int | None,
    landmarker: Path | None,
    **_: Any,
) -> LiveDriverSource | None:
    """The driver before the second camera. None: no second camera is asked for."""
    if where is None:
        return None
    if driver is not None:
        raise click.UsageError("give either --driver or --driver-camera", click.get_current_context())
    with unusable_input():
        options = TrackerOptions(max_faces=max_faces, model_path=landmarker)
        return opened.enter_context(open_live_driver(where, options))


class LiveProgress:
    """Shows the status of a live run every SHOW_S, and ends the run at a signal or after its duration."""

    def __init__(
        self,
        status: Callable[[], LiveStatus],
        show: Callable[[str], None],
        stop: Stop,
        duration_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """duration_s: the time from now until the run ends, in seconds."""
        self._status = status
        self._show = show
        self._stop = stop
        self._clock = clock
        self._show_s = clock() + SHOW_S
        self._end_s = clock() + duration_s

    def __call__(self) -> bool:
        """Whether the run continues."""
        now_s = self._clock()
        if now_s >= self._show_s:
            self._show(str(self._status()))
            self._show_s = now_s + SHOW_S
        return self._stop.number is None and now_s < self._end_s


def print_figures(report: Report) -> None:
    """Prints the figures of the run in one line, and warnings about missing frames and faces."""
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
