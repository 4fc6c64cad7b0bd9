"""`reenact doctor`: checks this machine and this installation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FOLDER, json_option, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from reenact.doctor.diagnose import Finding

COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}
"""The style of each verdict."""


@click.command(cls=GroupedCommand, example="--json -")
@option(
    "--out",
    "folder",
    type=FOLDER,
    metavar="DIR",
    default=".",
    show_default="the current folder",
    help="The folder that output would go to, which is checked as well.",
)
@json_option
def doctor(folder: Path, json_path: Path | None) -> None:
    """Check this installation, and show how to repair what is wrong.

    Cameras are opened for a moment, so their lamps light up. The exit code is 1 if films cannot be edited;
    warnings leave it 0.
    """
    from rich.console import Console

    from reenact.doctor.diagnose import diagnose

    console = Console(quiet=str(json_path) == "-", highlight=False)
    findings = []
    for finding in diagnose(folder):
        show(finding, console)
        findings.append(finding)
    works = all(finding.verdict != "problem" for finding in findings)
    console.print(
        "reenact can work here." if works else "reenact cannot work here; repair the problems above."
    )
    write_json({"works": works, "findings": [asdict(finding) for finding in findings]}, json_path)
    if not works:
        raise click.exceptions.Exit(1)


def show(finding: Finding, console: Console) -> None:
    """Prints a finding, and its fix on an unwrapped line of its own, so that it can be copied."""
    from rich.text import Text

    line = Text.assemble(
        (f"{finding.verdict:9}", COLOURS[finding.verdict]), (f"{finding.check:16}", "bold"), finding.value
    )
    console.print(line, soft_wrap=True)
    if finding.fix is not None:
        console.print(Text(f"{'':9}fix: {finding.fix}"), soft_wrap=True)
