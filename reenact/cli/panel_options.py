"""The options of commands that serve the panel, and serving it."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from reenact.cli.errors import note, say, unusable_input, warn
from reenact.cli.grouped import in_order, option
from reenact.panel.options import USUAL_PORT, PanelOptions, ServedPanel
from reenact.panel.switch import Switch
from reenact.programme import Programme
from reenact.retarget.controls import Settings
from reenact.run.desk import Desk
from reenact.run.live import LiveOptions

PANEL = "Panel"
"""The heading of the panel's options."""

panel_options = in_order(
    option(
        "--panel-host",
        group=PANEL,
        default=PanelOptions.host,
        show_default=True,
        metavar="ADDRESS",
        help="The address on which the panel is served.",
        detail="Any other one lets other machines in, if they know the token in the panel's address.",
    ),
    option(
        "--panel-port",
        group=PANEL,
        type=click.IntRange(1, 65535),
        metavar="PORT",
        show_default=f"{USUAL_PORT}, or the next one that is free",
        help="The port on which the panel is served.",
    ),
    option(
        "--browser/--no-browser",
        group=PANEL,
        default=True,
        show_default=True,
        help="Open the panel in the browser.",
    ),
)


def open_desk(targets: Programme, options: LiveOptions, *, can_start: bool) -> tuple[Desk, Switch]:
    """The desk of a run with these targets and options, and the switch that pages move.

    can_start: whether a page may start the camera.
    """
    retarget = options.edit.retarget
    neutral = None if retarget.profile is None else retarget.profile.neutral
    desk = Desk(Settings(targets, retarget.strength, neutral=neutral, mirror=options.mirror))
    return desk, Switch(desk, can_start=can_start)


@contextmanager
def panel_served(desk: Desk, switch: Switch, options: PanelOptions, browser: bool) -> Iterator[ServedPanel]:
    """Serves the panel, says where, and opens it in the browser if it is wanted."""
    # The server is not imported where there is no panel: it would take a fifth of a second.
    from reenact.panel.server import open_panel

    with ExitStack() as opened:
        with unusable_input():
            panel = opened.enter_context(open_panel(desk, switch, options))
        say(f"panel: {panel.url}")
        if options.host not in ("127.0.0.1", "localhost"):
            warn(f"other machines reach the panel at {options.host}; whoever knows its address may use it")
        if browser and not webbrowser.open(panel.url):
            note("no browser opened; go to that address yourself")
        yield panel
