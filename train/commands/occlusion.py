"""`python -m train occlusion`: fits how a hidden mouth is told from a free one."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.errors import unusable_input
from reenact.cli.grouped import GroupedCommand
from reenact.occlusion import OcclusionOptions
from reenact.track import TrackerOptions
from reenact.track.landmarkers import open_landmarker
from train.commands.fitting import fitting_options, output_argument, show_tables
from train.data.shards import open_shards
from train.occlusion_fit import (
    MouthOcclusionOptions,
    describe_mouths,
    fit_mouth_occlusion,
    occlusion_table,
    rounded,
    save_mouth_occlusion,
)


@click.command(cls=GroupedCommand, example="--data shards/ mouth.npz")
@fitting_options(MouthOcclusionOptions.seed)
@output_argument("OUT.npz")
def occlusion(data: Path, seed: int, report: Path | None, output: Path) -> None:
    """Fit how a hidden mouth is told from a free one, and measure the errors on people held out.

    Masks, hands, cups and microphones hide mouths. reenact/occlusion/mouth.npz was made by this command.
    """
    options = MouthOcclusionOptions(seed=seed)
    with unusable_input():
        training, unseen = (open_shards(data, held_out=held_out) for held_out in (False, True))
    with open_landmarker(TrackerOptions.backend, None) as landmarker:
        mouths, unseen_mouths = (
            describe_mouths(shards, landmarker, options) for shards in (training, unseen)
        )
    network = rounded(fit_mouth_occlusion(mouths, options))
    save_mouth_occlusion(network, output)
    table = occlusion_table(network, unseen_mouths, OcclusionOptions.hidden)
    show_tables([table], report, "# How often a mouth is wrongly taken for hidden\n")
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")
