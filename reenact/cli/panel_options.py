"""The options of commands that serve the panel, and serving it."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import click

from reenact.cli.errors import note, say, unusable_input, warn
from reenact.cli.grouped import in_order, option
from reenact.cli.parameters import ParsedParameter
from reenact.panel.options import (
    OSC_CONTENTS,
    USUAL_PORT,
    Address,
    OscContent,
    PanelError,
    PanelOptions,
    parse_address,
)
from reenact.panel.switch import Switch
from reenact.panel.token_file import kept_token
from reenact.programme import Programme
from reenact.run.desk import Desk
from reenact.run.live import LiveOptions, settings_at_start

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
        "--new-token",
        group=PANEL,
        is_flag=True,
        help="Make the panel's token anew; addresses with the old one no longer open it.",
    ),
    option(
        "--osc-in",
        group=PANEL,
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help="Take controls by OSC on this UDP port of 127.0.0.1: /reenact/au/12 f, /reenact/preset s ...",
    ),
    option(
        "--osc-out",
        group=PANEL,
        type=ParsedParameter("HOST:PORT", parse_address, PanelError),
        metavar="HOST:PORT",
        help="Send action units by OSC, frame by frame.",
    ),
    option(
        "--osc-names",
        group=PANEL,
        type=click.Choice(OSC_CONTENTS),
        multiple=True,
        show_default="aus",
        help="What is sent: action units, ARKit's blendshapes, or the Virtual Motion Capture protocol.",
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
    desk = Desk(settings_at_start(targets, options))
    return desk, Switch(desk, can_start=can_start)


@dataclass(frozen=True)
class Outside:
    """The ways by which a run is reached from outside."""

    panel: PanelOptions | None
    """Where the panel is served. None: nowhere."""
    browser: bool
    """Whether it is opened in the browser."""
    osc_in: int | None
    """The port of 127.0.0.1 on which OSC is taken. None: it is not."""
    osc_out: Address | None
    """The address to which OSC is sent. None: it is not."""
    osc_names: tuple[OscContent, ...]
    """What is sent."""

    @classmethod
    def taken_from(cls, choices: dict[str, Any], *, panel: bool) -> Outside:
        """What the `panel_options` among `choices` ask for, which are taken out of them.

        panel: whether the panel is served.
        """
        host, port, renew = (choices.pop(name) for name in ("panel_host", "panel_port", "new_token"))
        return cls(
            PanelOptions(host, port, kept_token(renew=renew)) if panel else None,
            choices.pop("browser"),
            choices.pop("osc_in"),
            choices.pop("osc_out"),
            choices.pop("osc_names") or OSC_CONTENTS[:1],
        )

    @property
    def is_any(self) -> bool:
        """Whether there is any."""
        return not (self.panel is None and self.osc_in is None and self.osc_out is None)

    @contextmanager
    def opened(self, desk: Desk, switch: Switch) -> Iterator[None]:
        """Opens all of them until the block ends, and says where they are."""
        with ExitStack() as opened:
            with unusable_input():
                if self.osc_in is not None or self.osc_out is not None:
                    self._open_osc(desk, switch, opened)
                if self.panel is not None:
                    self._open_panel(self.panel, desk, switch, opened)
            yield

    def _open_osc(self, desk: Desk, switch: Switch, opened: ExitStack) -> None:
        from reenact.panel.osc import osc_input, osc_output

        if self.osc_in is not None:
            address = opened.enter_context(osc_input(desk, switch, Address("127.0.0.1", self.osc_in)))
            note(f"OSC is taken at {address}")
        if self.osc_out is not None:
            opened.enter_context(osc_output(desk, self.osc_out, self.osc_names))
            note(f"OSC is sent to {self.osc_out}: {', '.join(self.osc_names)}")

    def _open_panel(self, options: PanelOptions, desk: Desk, switch: Switch, opened: ExitStack) -> None:
        # The server is not imported where there is no panel: it would take a fifth of a second.
        from reenact.panel.server import open_panel

        panel = opened.enter_context(open_panel(desk, switch, options))
        say(f"panel: {panel.url}")
        if options.host not in ("127.0.0.1", "localhost"):
            warn(f"other machines reach the panel at {options.host}; whoever knows its address may use it")
        if self.browser and not webbrowser.open(panel.url):
            note("no browser opened; go to that address yourself")
