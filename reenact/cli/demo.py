"""`reenact demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from PIL import Image

from reenact.cli.errors import say, unusable_input
from reenact.cli.parameters import FILE, json_option, write_json
from reenact.cli.video import edit_with_progress
from reenact.figures.captions import Captions, contact_sheet
from reenact.media.atomic import replacing
from reenact.run.demo import CREDIT, PROGRAMME, make_clip
from reenact.run.files import EditOptions

SIZE = 720, 640
"""Of the film, (height, width); two side by side are 720p."""


@click.command()
@click.option(
    "--out",
    "folder",
    type=FILE,
    default=Path("."),
    show_default="the current folder",
    metavar="DIR",
    help="Where to write demo.mp4 and demo.png.",
)
@json_option
def demo(folder: Path, json_path: Path | None) -> None:
    """Make a demonstration film; needs no input and no network.

    A short film is made from a public-domain portrait (Eileen Collins, NASA), a programme of expressions is
    written into it, and the result lies in demo.mp4, with a contact sheet in demo.png.
    """
    with unusable_input():
        folder.mkdir(parents=True, exist_ok=True)
    film, sheet = folder / "demo.mp4", folder / "demo.png"
    say("Making a short film from the portrait ...")
    captions = Captions(PROGRAMME)
    with tempfile.TemporaryDirectory() as workshop:
        clip = Path(workshop) / "portrait.mp4"
        make_clip(clip, SIZE, PROGRAMME.seconds)
        say("Writing expressions into it ...")
        report, _ = edit_with_progress(clip, film, PROGRAMME, EditOptions(compare=True), finish=captions)
    with replacing(sheet) as beside:
        Image.fromarray(contact_sheet(captions.kept, PROGRAMME.scenes, CREDIT)).save(beside)
    say(f"{sheet}: {len(PROGRAMME.scenes)} expressions, labelled with their action units")
    write_json({"output": str(film), "sheet": str(sheet), **report.to_json()}, json_path)
