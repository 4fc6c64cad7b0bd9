"""`reenact panel`: the panel in the browser, which starts the camera when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from reenact.cli.errors import Failure, signals_stop, unusable_input, warn
from reenact.cli.grouped import GroupedCommand
from reenact.cli.panel_options import Outside, open_desk, panel_options
from reenact.cli.recording import print_recordings
from reenact.cli.webcam import live_options, live_request, print_figures
from reenact.media.read.spool import without_password
from reenact.panel.protocol import Act
from reenact.panel.switch import Switch
from reenact.programme import Programme
from reenact.run.desk import Desk
from reenact.run.live import LiveOptions, open_live


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
    **choices: Any,
) -> None:
    """Change the expression in a live camera picture, by a page in the browser."""
    with ExitStack() as opened:
        outside = Outside.taken_from(choices, panel=True)
        targets, options = live_request(opened, preview=bool(preview), **choices)
        desk, switch = open_desk(targets, options, can_start=True)
        stop = opened.enter_context(signals_stop())
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
        with unusable_input(), open_live(where, targets, options, desk=desk) as live:
            desk.begin(live, f"camera {without_password(where)}")
            report = live.run(lambda: keep_going() and not switch.stopping)
        print_figures(report)
        print_recordings(live.recorder)
    except Failure as error:
        trouble = error.message
        warn(trouble)
    finally:
        desk.end(trouble)
