"""`python -m train prepare`: pictures and clips become shards of aligned, labelled faces."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from calib.commands.fitting import held_out_options
from reenact.cli.errors import Failure, note, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import FILE, out_option
from reenact.media.atomic import replacing
from train.commands.fitting import processes_option
from train.data import prepare as preparing
from train.data.picture import LABELS, PrepareOptions, Reason
from train.data.prepare import PrepareReport
from train.data.shards import FolderMeta
from train.data.sources import GivenLabels, PictureSource, check_pictures, open_source, parse_order
from train.data.split import HELD_OUT_LIST, TRAINING_LIST
from train.data.workers import Workers

_DEFAULTS = PrepareOptions()
_META = FolderMeta()


@click.command(cls=GroupedCommand, example="faces/ --out shards/")
@click.argument("places", nargs=-1, required=True, type=FILE, metavar="SOURCE...")
@out_option("the shards")
@option(
    "--labels",
    type=click.Choice(LABELS),
    default=_DEFAULTS.labels,
    show_default=True,
    help="given: labels that come with a picture, and our estimator's for the others. estimated: ours alone.",
)
@option(
    "--aus",
    "order",
    metavar="1,2,4,...",
    show_default="OpenFace's 17",
    help="Action units of lists of numbers without names, in their order; - skips one.",
)
@option(
    "--min-face",
    default=_DEFAULTS.min_face_px,
    show_default=True,
    type=click.FloatRange(8),
    metavar="PX",
    help="Least width of a face in its picture, in pixels.",
)
@option(
    "--min-confidence",
    default=_DEFAULTS.min_confidence,
    show_default=True,
    type=click.FloatRange(0, 1),
    metavar="0..1",
    help="Least confidence of a label.",
)
@option(
    "--max-yaw",
    default=_DEFAULTS.max_yaw_deg,
    show_default=True,
    type=click.FloatRange(0, 90),
    metavar="DEGREES",
    help="Largest turn of a head to the side, in degrees.",
)
@held_out_options(seed=_META.seed, share=_META.share, least=0, kept_from="training")
@option(
    "--people-by-folder",
    is_flag=True,
    help="Pictures without labels in one folder show one person.",
)
@processes_option("Number of processes.")
@option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help='Work on a Ray cluster: that of this machine, that at ADDRESS, or a "local" one.',
)
def prepare(
    places: tuple[Path, ...],
    out: Path,
    labels: str,
    order: str | None,
    min_face: float,
    min_confidence: float,
    max_yaw: float,
    seed: int,
    share: float,
    people_by_folder: bool,
    processes: int,
    ray: str | None,
) -> None:
    """Make shards of the faces in every SOURCE.

    \b
    A SOURCE is one of
      a folder of pictures with a CSV of action units, by OpenFace or py-feat
      a folder of pictures with a CSV each, by OpenFace's FaceLandmarkImg
      a folder of pictures without labels
      a folder of videos, with OpenFace's table of NAME.mp4 in labels/NAME.csv
      aus_dataset.pkl: records with file_path (or path) and aus
      a folder with aus_openface.pkl, {name: 17 numbers}, as GANimation wants it
      a tar, or a folder of tars, of pictures and JSON

    The pictures of a table lie beside it, or in images/ or imgs/ there; file endings, case and the folders of
    another machine may differ. People named in train_ids.csv are for training and those in test_ids.csv are
    held out, whatever --held-out says. Pictures that cannot be used are counted in report.json and named in
    dropped.csv. Run the command again after a stop, or when sources have grown: finished shards are kept.
    """
    with unusable_input():
        given = _given_labels(labels, order)
        sources = [open_source(place, people_by_folder, given) for place in places]
        for source in sources:
            check_pictures(source)
    _tell_splits(sources)
    options = PrepareOptions(labels, min_face, min_confidence, max_yaw)
    total = sum(len(source.items) for source in sources)
    with click.progressbar(
        length=total, label="pictures", show_pos=True, file=sys.stderr, hidden=is_quiet()
    ) as bar:
        report = preparing.prepare(
            sources, out, options, Workers(processes, ray), FolderMeta(seed, share), bar.update
        )
    _write_report(report, out)
    click.echo(_to_table(report))
    _check_samples(report, sources)


def _given_labels(labels: str, order: str | None) -> GivenLabels:
    if order is None:
        return GivenLabels(needed=labels == "given")
    if labels != "given":
        raise click.UsageError(f"--aus names numbers that --labels {labels} does not read; leave one out")
    return GivenLabels(order=parse_order(order))


def _tell_splits(sources: Sequence[PictureSource]) -> None:
    for source in sources:
        training, held_out = len(source.split.training), len(source.split.held_out)
        if training or held_out:
            note(
                f"{source.collection}: {TRAINING_LIST} and {HELD_OUT_LIST} name {training} of its people for "
                f"training and {held_out} to be held out"
            )


def _check_samples(report: PrepareReport, sources: Sequence[PictureSource]) -> None:
    """Raises Failure where none of this run's pictures is a sample, in its own shards or in earlier ones."""
    counts = Counter[str]()
    for name in {source.collection for source in sources}:
        counts.update(report.counts.get(name, {}))
    if counts["samples"] or counts[Reason.DUPLICATE.value]:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
    raise Failure(
        f"no picture became a sample: {reasons or 'the sources name none'}; dropped.csv names them, and "
        "--min-face, --min-confidence and --max-yaw let more of them through"
    )


def _write_report(report: PrepareReport, out: Path) -> None:
    with replacing(out / "report.json") as beside:
        beside.write_text(json.dumps(report.counts, indent=2) + "\n")
    with (
        replacing(out / "dropped.csv") as beside,
        beside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["collection", "name", "reason"])
        writer.writerows((collection, each.name, each.reason) for collection, each in report.dropped)


def _to_table(report: PrepareReport) -> str:
    """Counts by collection; reasons that never came up are left out."""
    reasons = [each.value for each in Reason if any(each.value in count for count in report.counts.values())]
    counted = {
        name: [sum(count.values()), *(count.get(key, 0) for key in ("samples", *reasons))]
        for name, count in report.counts.items()
    }
    counted["all"] = [sum(column) for column in zip(*counted.values(), strict=True)]
    rows = [["", "pictures", "samples", *reasons]]
    rows += [[name, *map(str, counts)] for name, counts in counted.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
