"""`reenact panel`: the panel in the browser, which starts the camera when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from calib.profile import ProfileError
from engines.engine import EngineError
from reenact.cli.errors import signals_stop, warn
from reenact.cli.grouped import GroupedCommand
from reenact.cli.panel_options import Outside, open_desk, panel_options
from reenact.cli.recording import print_recordings
from reenact.cli.webcam import live_options, live_request, print_figures
from reenact.media.read.spool import CaptureError, without_password
from reenact.media.write.au_csv import CsvError
from reenact.media.write.encoding import SinkError
from reenact.panel.options import Address, OscContent
from reenact.panel.protocol import Act
from reenact.panel.switch import Switch
from reenact.programme import Programme
from reenact.run.desk import Desk
from reenact.run.live import LiveOptions, open_live
from reenact.track import TrackerError

_CANNOT_START = (CaptureError, SinkError, CsvError, TrackerError, EngineError, ProfileError)


@click.command(
    cls=GroupedCommand,
    example="--preset smile-soft",
    first=("preset", "target_aus", "strength", "where", "panel_port", "browser", "virtual_camera", "record"),
    epilog="""\b
    More examples:
      reenact panel --camera film.mp4 --no-virtual-camera
      reenact panel --record take.mp4 --no-browser

    The panel is a page with sliders, presets and figures. The camera starts when its button is pressed, not
    before. Only this machine reaches the page, and only with the token in its address. Ctrl-C ends it.""",
)
@live_options
@panel_options
def panel(
    where: str,
    preview: bool | None,
    panel_host: str,
    panel_port: int | None,
    browser: bool,
    new_token: bool,
    osc_in: int | None,
    osc_out: Address | None,
    osc_names: tuple[OscContent, ...],
    **choices: Any,
) -> None:
    """Change the expression in a live camera picture, by a page in the browser."""
    with ExitStack() as opened:
        targets, options = live_request(opened, preview=bool(preview), **choices)
        desk, switch = open_desk(targets, options, can_start=True)
        stop = opened.enter_context(signals_stop())
        outside = Outside.of(
            panel=True,
            panel_host=panel_host,
            panel_port=panel_port,
            browser=browser,
            new_token=new_token,
            osc_in=osc_in,
            osc_out=osc_out,
            osc_names=osc_names,
        )
        opened.enter_context(outside.opened(desk, switch))
        while (start := switch.await_start(lambda: stop.number is None)) is not None:
            _run(start, where, targets, options, desk, switch, lambda: stop.number is None)
    click.get_current_context().exit(stop.exit_code)


def _run(
    start: Act,
    where: str,
    targets: Programme,
    options: LiveOptions,
    desk: Desk,
    switch: Switch,
    keep_going: Callable[[], bool],
) -> None:
    """One run, from the start that a page asked for to its end. A camera that cannot start is told to the
    page."""
    where = start.camera or where
    if start.size is not None:
        options = replace(options, camera=replace(options.camera, size=start.size))
    trouble = None
    try:
        with open_live(where, targets, options, desk=desk) as live:
            desk.begin(live, f"camera {without_password(where)}")
            report = live.run(lambda: keep_going() and not switch.stopping)
        print_figures(report)
        print_recordings(live.recorder)
    except _CANNOT_START as error:
        trouble = str(error)
        warn(trouble)
    finally:
        desk.end(trouble)
