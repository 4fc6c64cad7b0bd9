"""`reenact demo`: makes a demonstration film."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from PIL import Image

from reenact.cli.errors import say, unusable_input
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.parameters import FOLDER, json_option, landmarker_option, write_json
from reenact.cli.video import edit_with_progress
from reenact.figures.captions import Captions, contact_sheet
from reenact.media.atomic import replacing
from reenact.run.demo import CREDIT, PROGRAMME, make_clip
from reenact.run.files import EditOptions
from reenact.track import TrackerOptions

SIZE = 720, 640
"""The (height, width) of the film in pixels; input and output side by side are 720p."""


@click.command(cls=GroupedCommand, example="--out demo/")
@option(
    "--out",
    "folder",
    type=FOLDER,
    default=Path("."),
    show_default="the current folder",
    metavar="DIR",
    help="The folder for demo.mp4 and demo.png.",
)
@landmarker_option()
@json_option
def demo(folder: Path, landmarker: Path | None, json_path: Path | None) -> None:
    """Make a demonstration film; this needs no input.

    A short film is made from a public-domain portrait (Eileen Collins, NASA) and shows one expression after
    the other: demo.mp4, with a contact sheet, demo.png.
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
        options = EditOptions(compare=True, tracker=TrackerOptions(model_path=landmarker))
        report, _ = edit_with_progress(clip, film, PROGRAMME, options, finish=captions)
    with replacing(sheet) as beside:
        Image.fromarray(contact_sheet(captions.kept, PROGRAMME.scenes, CREDIT)).save(beside)
    say(f"{sheet}: {len(PROGRAMME.scenes)} expressions, labelled with their action units")
    write_json({"output": str(film), "sheet": str(sheet), **report.to_json()}, json_path)
