"""`python -m calib timeline`: time lines, looked at before they are used."""

from __future__ import annotations

from pathlib import Path

import click

from reenact.cli.driving import read_timeline
from reenact.cli.errors import Unusable, plain_errors, say, unusable_input
from reenact.cli.parameters import NumberParameter
from reenact.figures.drawing import Drawing
from reenact.figures.storyboard import keyframes_drawing, performance_drawing
from reenact.media.atomic import replacing
from reenact.media.image_file import Still, save_still
from reenact.programme.au_recording import Performance
from reenact.programme.driver import Driver
from reenact.programme.keyframes import Keyframes
from reenact.programme.keyframes_file import load_keyframes, to_csv, to_json

_FILE = click.Path(path_type=Path)


@click.group(
    epilog="""\b
    A .csv has a row for each keyframe, in any order; kind, easing and face may be left out:
      time,au,value,kind,easing,face
      0.0,AU12,+0,,,
      1.5,AU12,+2,,ease-out,
      3.0,AU45L,5,,hold,0
    A .json may loop and name moments as well:
      {"version": 1, "loop": 4, "markers": [{"time": 1.5, "name": "smile"}],
       "tracks": [{"au": "AU12", "kind": "relative", "face": 0,
                   "keys": [{"time": 0, "value": -0.5}, {"time": 1.5, "value": 2}]}]}

    Relative values, -5 to 5, are added to what the face does; absolute ones, 0 to 5, are what it shall show.
    A text is relative where it has a sign (+2, also "+2" in JSON) and else absolute, unless kind says what
    the number is: spreadsheets take plus signs away. A number in JSON is of the "kind" of its track,
    absolute where the track has none."""
)
def timeline() -> None:
    """Time lines, as `reenact video --timeline` takes them."""


@timeline.command()
@click.argument("source", metavar="FILE", type=_FILE)
@click.option("--out", "-o", "output", metavar="OUT", type=_FILE, required=True, help="A .png or .svg.")
@click.option("--driver-face", "face", metavar="ID", help="Of several faces in a table of action units.")
@click.option(
    "--driver-fps", "fps", type=NumberParameter(0, min_open=True), help="Of such a table without timestamps."
)
def preview(source: Path, output: Path, face: str | None, fps: float | None) -> None:
    """Plot what the time line in FILE asks for: a chart for each action unit, with keyframes and markers."""
    with plain_errors():
        if output.suffix.lower() not in (".png", ".svg"):
            raise Unusable(f"{output}: a preview is written as .png or .svg")
        programme = read_timeline(source, face, fps)
        if isinstance(programme, Keyframes):
            drawing = keyframes_drawing(programme, source.name)
        else:
            assert isinstance(programme, Driver) and isinstance(programme.performance, Performance)
            drawing = performance_drawing(programme.performance, source.name)
        with unusable_input():
            _save(drawing, output)
        say(str(output))


@timeline.command()
@click.argument("source", metavar="IN", type=_FILE)
@click.argument("output", metavar="OUT", type=_FILE)
def convert(source: Path, output: Path) -> None:
    """Write the keyframes in IN, a .csv or .json, as the other of the two."""
    with plain_errors():
        writers = {".csv": to_csv, ".json": to_json}
        if output.suffix.lower() not in writers:
            raise Unusable(f"{output}: a time line is written as .csv or .json")
        with unusable_input():
            text = writers[output.suffix.lower()](load_keyframes(source))
            with replacing(output) as beside:
                beside.write_text(text, encoding="utf-8")
        say(str(output))


def _save(drawing: Drawing, output: Path) -> None:
    if output.suffix.lower() == ".svg":
        with replacing(output) as beside:
            beside.write_text(drawing.to_svg(), encoding="utf-8")
    else:
        save_still(Still(drawing.to_picture()), output)
