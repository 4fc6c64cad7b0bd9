"""The command line. It starts quickly, because a command's module is imported when the command is called."""

from __future__ import annotations

import click

from reenact.cli.commands import Commands
from reenact.cli.version import print_version

COMMANDS = {
    "video": "Change the expression in a film.",
    "image": "Change the expression in a picture.",
    "webcam": "Change the expression in a live camera picture.",
    "panel": "Change it by a page in the browser: sliders, presets, figures.",
    "aus": "Read action units into an OpenFace table.",
    "demo": "Make a demonstration film; needs no input.",
    "bench": "Measure the speed of this machine.",
    "engines": "List the runtimes of the networks; build and remove models.",
    "doctor": "Check this installation and show how to repair it.",
    "config": "Show the configuration file, or write one.",
    "completion": "Print the script that makes a shell complete commands and options.",
    "calib": "Calibrate to a person, edit time lines, fit the models that ship.",
    "train": "Train the networks; needs the extra `train`.",
}
"""The commands, each with a line of help. A command is in the module of its name here, or in PROGRAMS."""

PROGRAMS = {"calib": "calib.__main__", "train": "train.__main__"}
"""The modules of the command lines that can also be called by `python -m`."""

TASKS = {
    "Change expressions": ("demo", "image", "video", "webcam", "panel"),
    "Read action units": ("aus",),
    "Calibrate and train": ("calib", "train"),
    "This machine": ("doctor", "bench", "engines", "config", "completion"),
}
"""The headings of --help, each with the names of its commands."""


@click.group(
    cls=Commands,
    package="reenact.cli",
    table=COMMANDS,
    tasks=TASKS,
    example="video in.mp4 out.mp4 --preset smile",
    programs=PROGRAMS,
    config=True,
    advice="'reenact doctor' shows what to install",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Show the versions of reenact, Python and the engines, and the models that ship, and exit.",
)
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
