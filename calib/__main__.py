"""`python -m calib`: calibrates to a person, plots time lines, fits and evaluates the files of calib/data."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(__file__)):
    # `python -m` looks into the current folder first, where an engines/ of the user's own would hide ours.
    del sys.path[0]

import click

from calib.commands.bounds import bounds
from calib.commands.clips import clips
from calib.commands.expressions import expressions
from calib.commands.fit import fit
from calib.commands.gaze import gaze
from calib.commands.limits import limits
from calib.commands.neutral import neutral
from calib.commands.range import expressive_range
from calib.commands.scans import scans
from calib.commands.timeline import timeline
from reenact.cli.commands import Program

TASKS = {
    "Calibrate to a person": ("neutral", "range"),
    "Time lines": ("timeline",),
    "Fit what the run-time ships": ("fit", "expressions", "scans", "bounds", "limits", "gaze"),
    "Evaluate it": ("clips",),
}
"""The headings of --help, each with the names of its commands."""


class CalibrationProgram(Program):
    """A command line whose help shows the commands under the headings of TASKS."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in TASKS.items():
            lines = [(name, self.commands[name].get_short_help_str(70)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(lines)


@click.group(
    cls=CalibrationProgram,
    example="neutral --camera 0 -o me.json",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Calibrate reenact to a person; plot time lines; fit and evaluate the models that ship."""


for command in (bounds, clips, expressions, fit, gaze, neutral, expressive_range, limits, scans, timeline):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m calib")
