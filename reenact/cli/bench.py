"""`reenact bench`: measures how fast this machine edits a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich import box
from rich.console import Console
from rich.table import Table

from reenact.cli.editing import ready_generator_option
from reenact.cli.errors import Failure, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.inputs import INPUT, to_source
from reenact.cli.log_output import is_quiet
from reenact.cli.parameters import FILE, json_option, landmarker_option, write_json
from reenact.media.read import open_capture
from reenact.media.read.spool import Source
from reenact.run.benchmark import (
    FACES,
    SIZES,
    BenchmarkOptions,
    Case,
    Measurement,
    built_in_cases,
    measure,
    this_machine,
    to_json,
)
from reenact.run.benchmark_baseline import TOLERANCE, Baseline, load_baseline, share_of, stages_of

DEFAULTS = BenchmarkOptions()


@click.command(
    cls=GroupedCommand,
    example="--size 1080p",
    epilog="""\b
    More examples:
      reenact bench --size all --faces all
      reenact bench in.mp4 --json -
      reenact bench --json before.json
      reenact bench --check before.json

    Each clip is edited, and it is also decoded and encoded without any edit: no edit on this machine can be
    faster than that. Close other programs first.""",
)
@click.argument("clip", required=False, type=INPUT)
@option(
    "--size",
    type=click.Choice([*SIZES, "all"]),
    default="720p",
    show_default=True,
    help="Picture size of the built-in clip.",
)
@option(
    "--faces",
    type=click.Choice([*map(str, FACES), "all"]),
    default=str(FACES[0]),
    show_default=True,
    help="Number of faces in the built-in clip.",
)
@ready_generator_option(DEFAULTS.generator)
@option(
    "--rounds",
    type=click.IntRange(1, 100),
    metavar="COUNT",
    default=DEFAULTS.rounds,
    show_default=True,
    help="Number of runs of each clip; the figures are medians.",
)
@option(
    "--seconds",
    type=click.FloatRange(0.5, 600),
    metavar="SECONDS",
    default=DEFAULTS.seconds,
    show_default=True,
    help="Length of the built-in clip.",
)
@option(
    "--check",
    "baseline",
    type=FILE,
    metavar="JSON",
    help="Compare with what --json wrote earlier on this machine; exit code 1 if an edit has become slower.",
    detail="Only ratios are compared: the speed of an edit as a share of decoding and encoding alone.",
)
@option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    metavar="0..1",
    default=TOLERANCE,
    show_default=True,
    help="The share of its earlier speed that an edit may lose before --check fails.",
)
@landmarker_option()
@json_option
def bench(
    clip: Path | str | None,
    size: str,
    faces: str,
    generator: str,
    rounds: int,
    seconds: float,
    baseline: Path | None,
    tolerance: float,
    landmarker: Path | None,
    json_path: Path | None,
) -> None:
    """Measure how fast this machine edits CLIP, or a built-in clip."""
    refuse_options_of_the_built_in_clip(clip)
    machine = this_machine()
    options = BenchmarkOptions(rounds, seconds, generator, landmarker)
    with unusable_input():
        earlier = load_baseline(baseline) if baseline else None
    sizes = list(SIZES) if size == "all" else [size]
    counts = list(FACES) if faces == "all" else [int(faces)]
    with ExitStack() as opened:
        status = opened.enter_context(Console(stderr=True, quiet=is_quiet()).status("starting"))
        if clip is None:
            cases = opened.enter_context(built_in_cases(sizes, counts, seconds, status.update))
        else:
            cases = [user_case(to_source(clip))]
        if earlier is not None:
            with unusable_input():
                earlier.require_kind(machine, generator, [case.name for case in cases])
        measurements = [measure(case, options, status.update) for case in cases]
    output = Console(highlight=False, stderr=str(json_path) == "-")
    if str(json_path) != "-":
        show(machine, measurements, output)
    write_json(to_json(machine, generator, measurements), json_path)
    if earlier is not None:
        check(earlier, measurements, tolerance, output)


def check(
    baseline: Baseline, measurements: Sequence[Measurement], tolerance: float, console: Console
) -> None:
    """Prints the ratios beside the baseline's. Raises Failure if a share fell by more than the tolerance."""
    table = Table("clip", "ratio", title="against the baseline", title_justify="left", box=box.SIMPLE)
    for column in ("before", "now", "change"):
        table.add_column(column, justify="right")
    slower = []
    for each in measurements:
        share = share_of(baseline, each)
        if share.change < -tolerance:
            slower.append(f"{each.name} by {-share.change:.0%}")
        for ratio in (replace(share, name="speed / ceiling"), *stages_of(baseline, each)):
            table.add_row(
                each.name, ratio.name, f"{ratio.before:.2f}", f"{ratio.now:.2f}", f"{ratio.change:+.0%}"
            )
        table.add_section()
    console.print(table)
    if slower:
        raise Failure(f"slower than the baseline: {', '.join(slower)}; {tolerance:.0%} is allowed")


def refuse_options_of_the_built_in_clip(clip: Path | str | None) -> None:
    """Raises a usage error if options of the built-in clip are given with a clip of the user."""
    context = click.get_current_context()
    for name in ("size", "faces", "seconds"):
        if clip is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is for the built-in clip; leave it out with {clip}", context)


def user_case(clip: Source) -> Case:
    """The case of the user's own video. Raises Unusable for a file that is no video."""
    with unusable_input(), open_capture(clip):
        return Case(clip.name, Path(clip))


def show(machine: Mapping[str, Any], measurements: Sequence[Measurement], console: Console) -> None:
    """Prints a table of the runs and a table of their stages."""
    console.print(f"{machine['processor'] or machine['system']}, {machine['cores']} cores")
    whole = Table("clip", title="end to end", title_justify="left", box=box.SIMPLE)
    for column in ("frames", "with face", "fps", "ceiling fps", "share", "first frame s", "peak MB"):
        whole.add_column(column, justify="right")
    stages = Table(
        "clip",
        "stage",
        title="ms a frame, while all stages work at once",
        title_justify="left",
        box=box.SIMPLE,
    )
    for column in ("p50", "p95", "p99"):
        stages.add_column(column, justify="right")
    for each in measurements:
        whole.add_row(
            each.name,
            str(each.frames),
            str(each.frames_with_face),
            f"{each.fps:.1f}",
            f"{each.ceiling_fps:.1f}",
            f"{each.share:.0%}",
            f"{each.first_frame_s:.2f}",
            "" if each.peak_rss_mb is None else f"{each.peak_rss_mb:.0f}",
        )
        for stage, times in each.stages.items():
            stages.add_row(
                each.name, stage, f"{times.p50_ms:.2f}", f"{times.p95_ms:.2f}", f"{times.p99_ms:.2f}"
            )
        stages.add_section()
    console.print(whole)
    console.print(stages)
