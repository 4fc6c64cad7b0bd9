"""`python -m train`: from labelled faces to a generator that runs.

Starting it is cheap: a command's module is imported when the command is called.
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
    "prepare": "Make shards of aligned, labelled faces from pictures and clips.",
    "creases": "Fit the folds that action units make, which the run-time paints.",
    "teeth": "Cut the rows of teeth that the run-time draws out of chosen portraits.",
    "resemblance": "Fit how a face is picked by a picture, and measure how often that is wrong.",
    "occlusion": "Fit what tells hidden mouths from free ones, and measure how often that is wrong.",
    "fit": "Train networks on shards.",
    "export": "Write a trained generator as ONNX.",
    "evaluate": "Judge trained generators on people they have not seen.",
    "transfer": "Measure how well faces take over the expressions of others.",
    "bench": "Measure how fast this machine trains.",
    "compare": "Measure how fast a network of `live` paints, against the paper's.",
}
"""Each is a click command of its name in the module train.commands of its name."""


@click.group(
    cls=Commands,
    package="train.commands",
    table=COMMANDS,
    advice="pip install 'reenact[train]' brings what training needs",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Train the networks that paint what moving a face cannot make.

    \b
    Examples:
      python -m train prepare faces/ --out shards/
      python -m train fit --preset live --region mouth --data shards/ --out runs/mouth
      torchrun --nproc-per-node 4 -m train fit --preset paper --data shards/ --out runs/paper
      python -m train export runs/mouth mouth.onnx
    """


if __name__ == "__main__":
    main(prog_name="python -m train")
