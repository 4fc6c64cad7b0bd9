"""`python -m calib timeline`: plots time lines and converts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reenact.cli.driving import driver_fps_option, open_timeline
from reenact.cli.errors import Unusable, plain_errors, say, unusable_input
from reenact.cli.grouped import GroupedCommand, GroupedGroup, option
from reenact.cli.parameters import FILE
from reenact.figures.plots import to_picture, to_svg
from reenact.figures.timeline_plot import keyframes_plot, recording_plot
from reenact.media.atomic import replacing
from reenact.media.image_file import Still, save_still
from reenact.programme.au_recording import AURecording
from reenact.programme.keyframes import Keyframes
from reenact.programme.keyframes_file import load_keyframes, to_csv, to_json
from reenact.programme.steps import Steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@click.group(
    cls=GroupedGroup,
    example="preview smile.csv --out smile.png",
    short_help="Plot time lines and convert them.",
    epilog="""\b
    A .csv has a row for each keyframe; kind, easing and face may be left out:
      time,au,value,kind,easing,face
      0.0,AU12,+0,,,
      1.5,AU12,+2,,ease-out,
      3.0,AU45L,5,,hold,0
    A .json may loop and name moments as well:
      {"version": 1, "loop": 4, "markers": [{"time": 1.5, "name": "smile"}],
       "tracks": [{"au": "AU12", "kind": "relative", "face": 0,
                   "keys": [{"time": 0, "value": -0.5},
                            {"time": 1.5, "value": 2}]}]}

    Relative values, -5 to 5, are added to what the face shows; absolute ones, 0 to 5, replace it. A value
    with a sign is relative (+2, or "+2" in JSON), one without is absolute, unless `kind` says otherwise:
    spreadsheets remove plus signs. A number in JSON has the "kind" of its track, or else is absolute.""",
)
def timeline() -> None:
    """Look at time lines and convert them, as `reenact video --timeline` takes them."""


@timeline.command(cls=GroupedCommand, example="smile.csv --out smile.png")
@click.argument("source", metavar="FILE", type=FILE)
@option(
    "--out",
    "-o",
    "output",
    metavar="OUT",
    type=FILE,
    required=True,
    help="The plot to write, a .png or .svg.",
)
@option(
    "--driver-face",
    "face",
    metavar="ID",
    help="Which face to plot, if the table of action units has several.",
)
@driver_fps_option()
def preview(source: Path, output: Path, face: str | None, driver_fps: float | None) -> None:
    """Plot the time line in FILE: a chart for each action unit, with keyframes and markers."""
    with plain_errors():
        if output.suffix.lower() not in (".png", ".svg"):
            raise Unusable(f"{output}: a preview is written as .png or .svg")
        programme = open_timeline(source, face, driver_fps)
        if isinstance(programme, Keyframes):
            figure = keyframes_plot(programme, source.name)
        elif isinstance(programme, Steps):
            raise Unusable(f"{source}: {programme}; only keyframes and tables have curves to plot")
        else:
            assert isinstance(programme.source, AURecording)
            figure = recording_plot(programme.source, source.name)
        with unusable_input():
            _save(figure, output)
        say(str(output))


@timeline.command(cls=GroupedCommand, example="smile.csv smile.json")
@click.argument("source", metavar="IN", type=FILE)
@click.argument("output", metavar="OUT", type=FILE)
def convert(source: Path, output: Path) -> None:
    """Convert the keyframes in IN from .csv to .json, or back."""
    with plain_errors():
        writers = {".csv": to_csv, ".json": to_json}
        if output.suffix.lower() not in writers:
            raise Unusable(f"{output}: a time line is written as .csv or .json")
        with unusable_input():
            text = writers[output.suffix.lower()](load_keyframes(source))
            with replacing(output) as beside:
                beside.write_text(text, encoding="utf-8")
        say(str(output))


def _save(figure: Figure, output: Path) -> None:
    if output.suffix.lower() == ".svg":
        with replacing(output) as beside:
            beside.write_text(f"{to_svg(figure)}\n", encoding="utf-8")
    else:
        save_still(Still(to_picture(figure)), output)
