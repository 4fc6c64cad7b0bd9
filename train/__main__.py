"""`python -m train`: from labelled faces to a generator that runs.

A command's module is imported when the command is called, so that --help is quick.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(__file__)):
    # `python -m` looks into the current folder first, where an engines/ of the user's own would hide ours.
    del sys.path[0]

import click

from reenact.cli.commands import Commands

COMMANDS = {
    "prepare": "Make shards of aligned, labelled faces from pictures and films.",
    "fit": "Train networks on shards.",
    "export": "Write a trained generator as ONNX.",
    "evaluate": "Evaluate generators on people held out of training.",
    "transfer": "Measure how well faces take over the expressions of others.",
    "creases": "Fit the creases of the skin that action units make.",
    "teeth": "Cut rows of teeth out of chosen portraits.",
    "resemblance": "Fit how a face is recognised by a picture of the person.",
    "occlusion": "Fit how a hidden mouth is told from a free one.",
    "bench": "Measure how fast this machine trains.",
    "compare": "Measure how fast a network paints, against the paper's.",
}
"""The commands, each with a line of help. A command is in the module of its name in train.commands."""

TASKS = {
    "Train a generator": ("prepare", "fit", "export"),
    "Evaluate it": ("evaluate", "transfer", "compare"),
    "Fit what the run-time ships": ("creases", "teeth", "resemblance", "occlusion"),
    "This machine": ("bench",),
}
"""The headings of --help, each with the names of its commands."""


@click.group(
    cls=Commands,
    package="train.commands",
    table=COMMANDS,
    tasks=TASKS,
    example="fit --preset paper --data shards/ --out runs/paper",
    advice="pip install 'reenact[train]' brings what training needs",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Train the networks that paint what moving a face cannot make.

    \b
    More examples:
      python -m train prepare faces/ --out shards/
      python -m train fit --preset live --region mouth --data shards/ --out mouth/
      torchrun --nproc-per-node 4 -m train fit --data shards/ --out runs/paper
      python -m train export runs/mouth mouth.onnx
    """


if __name__ == "__main__":
    main(prog_name="python -m train")
