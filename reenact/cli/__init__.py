"""The command line. Importing it is cheap: a command's module is imported when the command is called."""

from __future__ import annotations

import click

from reenact import __version__
from reenact.cli.commands import Commands

COMMANDS = {
    "video": "Change the expression in a film.",
    "image": "Change the expression in a picture.",
    "webcam": "Change the expression in a live camera picture.",
    "aus": "Read action units into an OpenFace table.",
    "demo": "Make a demonstration film; needs no input.",
    "bench": "Measure the speed of this machine.",
    "engines": "List the runtimes of the networks; build and remove models.",
    "doctor": "Check this installation and say how to repair it.",
}
"""A line about each command. The command is a click command of its name in the module of its name here."""

TASKS = {
    "Change expressions": ("demo", "image", "video", "webcam"),
    "Read action units": ("aus",),
    "This machine": ("doctor", "bench", "engines"),
}
"""The commands by what people want to do, as --help shows them."""


@click.group(
    cls=Commands,
    package="reenact.cli",
    table=COMMANDS,
    tasks=TASKS,
    example="video in.mp4 out.mp4 --preset smile",
    advice="'reenact doctor' says what to install",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="reenact")
def main() -> None:
    """Change the expression of a face in a picture, a film or a live camera picture.

    Expressions are asked for in action units of the Facial Action Coding System (FACS), or by name.
    'reenact COMMAND --help' says more.

    \b
    More examples:
      reenact demo
      reenact video in.mp4 out.mp4 --target-aus AU12=+2,AU4=-1
      reenact image in.jpg out.png --preset surprise
      reenact webcam --preset smile-soft
      reenact aus in.mp4 aus.csv

    Exit codes: 0 done, 1 failed on the way, 2 wrong arguments or unusable input, 130 interrupted.
    """
