"""`python -m train transfer`: how well faces take over the expressions of others."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from reenact.cli.driving import open_driver
from reenact.cli.editing import ready_generator_option
from reenact.cli.errors import say, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FILE, FOLDER, json_option, write_json
from reenact.cli.verifying import MOST_PASSES
from reenact.measure.read_aus import is_still
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.track import TrackerOptions
from train.commands.fitting import processes_option
from train.data.workers import Workers, map_chunks
from train.evaluate.result_table import write_tables
from train.evaluate.transfer import Drive, TransferOptions, drive, transfer_tables

DEFAULTS = TransferOptions()


@click.command(
    cls=GroupedCommand,
    example="--driver a.mp4 anna.mp4 bob.mp4",
    epilog="""\b
    More examples:
      python -m train transfer --driver a.mp4 --driver b.mp4 anna.mp4 carla.jpg
      python -m train transfer --driver a.csv --passes 3 anna.mp4 --out report/

    Choose people who are in no training set, and drivers who move much.""",
)
@click.argument("faces", nargs=-1, required=True, type=FILE, metavar="FACE...")
@option(
    "--driver",
    "drivers",
    type=FILE,
    multiple=True,
    required=True,
    metavar="FILE",
    help="A film, or a table by OpenFace, py-feat or `reenact aus`; may be given several times.",
)
@option(
    "--passes",
    type=click.IntRange(1, MOST_PASSES),
    default=DEFAULTS.passes,
    show_default=True,
    metavar="COUNT",
    help="Passes of each edit, as in `reenact video`.",
)
@option(
    "--seconds",
    type=click.FloatRange(1),
    default=DEFAULTS.seconds,
    show_default=True,
    metavar="SECONDS",
    help="Length that is used of each driver, from its beginning.",
)
@ready_generator_option(DEFAULTS.generator)
@option(
    "--out", type=FOLDER, metavar="DIR", help="Also write report.md, report.json and tables to this folder."
)
@processes_option("Number of edits at once.")
@json_option
def transfer(
    faces: tuple[Path, ...],
    drivers: tuple[Path, ...],
    passes: int,
    seconds: float,
    generator: str,
    out: Path | None,
    processes: int,
    json_path: Path | None,
) -> None:
    """Measure how well each FACE takes over the expression of each driver.

    A FACE is a film or a picture. A file that is both FACE and driver does not drive itself. The run-time's
    estimator reads driver and driven face, frame by frame.
    """
    options = TransferOptions(passes, seconds, generator)
    with unusable_input():
        for face in faces:
            _check(face)
    recordings = {path: open_driver(path, None, None, TrackerOptions()) for path in dict.fromkeys(drivers)}
    still = [path for path, recording in recordings.items() if recording.is_still]
    if still:
        raise click.BadParameter(f"{still[0]} does not move; give a film or a table", param_hint="--driver")
    work = [
        Drive(driver.name, recording, face)
        for driver, recording in recordings.items()
        for face in faces
        if face.resolve() != driver.resolve()
    ]
    if not work:
        raise click.UsageError("no FACE is driven by another; give one that is not the driver")
    found = []
    for done in map_chunks(partial(drive, options=options), work, Workers(processes)):
        say(f"{done.driver} on {done.face}: r {done.r:.2f} over {done.frames} frames")
        found.append(done)
    tables = transfer_tables(found, options)
    if str(json_path) != "-":
        click.echo("\n".join(table.to_markdown() for table in tables))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_tables(tables, out, "# Transfer\n")
    write_json({"options": asdict(options), **{table.name: table.to_json() for table in tables}}, json_path)


def _check(face: Path) -> None:
    """Raises now what would be raised after minutes of work."""
    if is_still(face):
        load_still(face)
        return
    with open_capture(face):
        pass
