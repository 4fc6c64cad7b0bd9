"""`reenact aus`: reads action units from films and pictures into a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from calib.profile import Profile
from reenact.cli.editing import tracker_options
from reenact.cli.errors import note, say, unusable_input, warn
from reenact.cli.faces import warn_of_left_out
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.inputs import INPUT, to_source
from reenact.cli.parameters import json_option, write_json
from reenact.cli.people import reading_profile_option
from reenact.cli.progress import progress_bar
from reenact.measure.measurements import pictures_in
from reenact.measure.read_aus import ReadOptions, is_still, read_film, read_pictures
from reenact.media.image_file import load_still
from reenact.media.read import open_capture
from reenact.media.read.spool import Source
from reenact.media.write.au_csv import open_csv
from reenact.pipeline.meter import Report
from reenact.pipeline.runner import LeftThreads, closed_after_stages
from reenact.track import TrackerOptions


@click.command(
    cls=GroupedCommand,
    example="in.mp4 aus.csv",
    epilog="""\b
    More examples:
      reenact aus faces/ aus.csv --landmarks
      reenact aus me.jpg
      reenact aus in.mp4 aus.csv --sides
      cat in.mp4 | reenact aus - aus.csv

    The table has OpenFace's columns: frame (from 1), face_id, timestamp (s), confidence, success,
    gaze_angle (radians), pose_T (mm), pose_R (radians), x and y (pixels), AUxx_r (intensity 0 to 5; with
    --profile, beyond that neutral), AUxx_c (1 from intensity 1 on). AU28_c is left out. Then come the gaze
    of each eye relative to the head (degrees to the person's left and up), lip gap, jaw drop and lid gaps
    (mm), with --sides AU12L, AU12R, ... and with --arkit blendshapes. Frames without a face have success
    0. A table of a folder starts with a column `file`.""",
)
@click.argument("source", metavar="IN", type=INPUT)
@click.argument(
    "output", metavar="[OUT.csv]", required=False, type=click.Path(path_type=Path, allow_dash=True)
)
@option(
    "--landmarks", group="Columns", is_flag=True, help="Also write the 68 landmarks, x_0..x_67 and y_0..y_67."
)
@option(
    "--sides",
    group="Columns",
    is_flag=True,
    help="Also write each side of the face: AU01L, AU01R, ...; AU01_r is their mean.",
)
@option(
    "--arkit",
    group="Columns",
    is_flag=True,
    help="Also write ARKit's 52 blendshapes, 0 to 1: eyeBlinkLeft, jawOpen, ...",
)
@reading_profile_option
@tracker_options
@json_option
def aus(
    source: Path | str,
    output: Path | None,
    landmarks: bool,
    sides: bool,
    arkit: bool,
    profile: Profile | None,
    max_faces: int | None,
    landmarker: Path | None,
    json_path: Path | None,
) -> None:
    """Read the action units of every face in IN: a video, a picture, or a folder of pictures.

    The table goes to OUT.csv, or to standard output.
    """
    table_path = None if output is None or str(output) == "-" else output
    if table_path is None and str(json_path) == "-":
        raise click.UsageError(
            "table and JSON cannot both go to standard output", click.get_current_context()
        )
    options = ReadOptions(TrackerOptions(max_faces=max_faces, model_path=landmarker), profile)
    shown = to_source(source)
    stills = Path(shown).is_dir() or is_still(shown)
    columns = {"landmarks": landmarks, "sides": sides, "arkit": arkit}
    read = _read_pictures if stills else _read_video
    report = read(shown, table_path, options, **columns)
    if not report.frames_with_face:
        warn("no face was found")
    left_out = warn_of_left_out(report.faces_left_out, replace(options.tracker, stills=stills))
    if table_path is not None:
        kind = "pictures" if Path(shown).is_dir() else "frames"
        say(f"{table_path}: {report.frames} {kind}, {report.frames_with_face} with a face")
    document = {"input": str(shown), "output": str(output or "-"), **report.to_json(), "notes": left_out}
    write_json(document, json_path)


def _read_video(source: Source, output: Path | None, options: ReadOptions, **columns: bool) -> Report:
    left = LeftThreads()
    with closed_after_stages(left) as used, ExitStack() as opened:
        with unusable_input():
            capture = used.enter_context(open_capture(source))
            table = opened.enter_context(open_csv(output, **columns))
        for line in capture.notes:
            note(line)
        advance = opened.enter_context(progress_bar(capture.frame_count))
        return read_film(capture, table.write, options, advance, left)


def _read_pictures(source: Source, output: Path | None, options: ReadOptions, **columns: bool) -> Report:
    with ExitStack() as opened:
        with unusable_input():
            pictures = _pictures(source)
            table = opened.enter_context(open_csv(output, **columns, names=Path(source).is_dir()))
        advance = opened.enter_context(progress_bar(len(pictures)))
        return read_pictures(pictures, table.write, options, advance, lambda error: warn(str(error)))


def _pictures(source: Source) -> Sequence[Source]:
    """The pictures of a folder in the order of their names, or the one that `source` is."""
    if Path(source).is_dir():
        return pictures_in(Path(source))
    load_still(source)  # a picture that cannot be read is an error where it is the only one
    return [source]
