"""The options of commands that fit something, where several commands have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from calib.basis import AUBasis, load_basis, read_basis
from reenact.cli.grouped import CommandT, in_order, option
from reenact.cli.parameters import FILE


def cache_option(command: CommandT) -> CommandT:
    """--cache, the folder of tracked faces."""
    return option(
        "--cache",
        type=FILE,
        metavar="DIR",
        show_default="OUT/cache",
        help="The folder in which tracked faces are kept for the next fit.",
    )(command)


def basis_option(command: CommandT) -> CommandT:
    """--basis, the file of the basis that a fit starts from; `basis_to_fit` reads it."""
    return option(
        "--basis",
        "start",
        type=FILE,
        metavar="NPZ",
        show_default="the one that ships",
        help="The basis to start from.",
    )(command)


def basis_to_fit(path: Path | None) -> AUBasis:
    """The basis in the file. None: the one that ships."""
    return load_basis() if path is None else read_basis(path)


def held_out_options(seed: int, share: float, least: float, kept_from: str) -> Callable[[CommandT], CommandT]:
    """--seed and --held-out, which choose the people held out.

    seed, share: the defaults. least: the smallest share that is accepted. kept_from: what people are held out
    of, for help.
    """
    return in_order(
        option(
            "--seed",
            metavar="NUMBER",
            default=seed,
            show_default=True,
            help="Seed of the choice of people held out.",
        ),
        option(
            "--held-out",
            "share",
            type=click.FloatRange(least, 0.9),
            metavar="SHARE",
            default=share,
            show_default=True,
            help=f"Share of the people held out of {kept_from}.",
        ),
    )
