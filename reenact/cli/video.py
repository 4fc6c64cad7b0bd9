"""`reenact video`: changes the expression in a film."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import editing_options, may_change_several, programme_and_options
from reenact.cli.errors import note, say, unusable_input, warn
from reenact.cli.faces import note_hidden_mouths, warn_of_absent, warn_of_left_out
from reenact.cli.grouped import GroupedCommand, option
from reenact.cli.inputs import INPUT, to_source
from reenact.cli.parameters import FILE, json_option, write_json
from reenact.cli.progress import log_times, progress_bar
from reenact.cli.verifying import find_corrections, open_verification, passes_option, verify_option
from reenact.media.read.spool import Source
from reenact.media.write.encoding import CODECS, CONTAINERS, PRESETS, Encoding
from reenact.pipeline.meter import Report
from reenact.programme import Programme
from reenact.records import Frame, Retargeted
from reenact.retarget.retargeter import Correction, uncorrected
from reenact.run.files import EditOptions, open_edit

DEFAULTS = Encoding()


@click.command(
    cls=GroupedCommand,
    example="in.mp4 out.mp4 --preset smile",
    first=(
        *(
            "preset",
            "target_aus",
            "strength",
            "driver",
            "timeline",
            "faces",
            "requests",
            "profile",
            "compare",
        ),
        "verify_page",
    ),
    epilog=f"""\b
    More examples:
      reenact video in.mp4 out.mp4 --target-aus AU12=+2,AU4=-1
      reenact video in.mp4 out.mp4 --driver me.mp4 --regions mouth
      reenact video in.mp4 out.mp4 --face 0:smile --face anna.png:neutral
      reenact video in.mov both.mp4 --preset surprise --compare --json -

    IN is a film, an animated picture, a pipe, an http address, or - for standard input. Sound, subtitles and
    tags are copied, times are kept, and the metadata of OUT says that it was edited. OUT appears when it is
    complete and then replaces a file of that name. Its ending chooses the container:
    {", ".join(CONTAINERS)}.""",
)
@click.argument("source", metavar="IN", type=INPUT)
@click.argument("output", metavar="OUT", type=FILE)
@editing_options
@option(
    "--codec",
    group="Output file",
    type=click.Choice(list(CODECS)),
    metavar="NAME",
    show_default="h264, in .webm vp9",
    help=f"Compression of the picture: {', '.join(CODECS)}.",
)
@option(
    "--crf",
    group="Output file",
    type=click.IntRange(0, 63),
    metavar="0..63",
    show_default="hard to tell from the input, "
    f"{', '.join(f'{codec.crf} for {name}' for name, codec in CODECS.items())}",
    help="Quality: a lower number is better and makes a larger file.",
)
@option(
    "--encoder-preset",
    group="Output file",
    type=click.Choice(PRESETS),
    metavar="SPEED",
    default=DEFAULTS.preset,
    show_default=True,
    help=f"Speed of the encoder; slower makes smaller files. One of {', '.join(PRESETS)}.",
)
@option(
    "--aus-csv",
    group="Report",
    type=FILE,
    metavar="CSV",
    help="Also write the action units of IN, as `reenact aus` does.",
)
@option(
    "--keep-partial",
    group="Output file",
    is_flag=True,
    help="If the run fails, keep the incomplete file, with .partial in its name.",
)
@passes_option
@verify_option
@json_option
def video(
    source: Path | str,
    output: Path,
    codec: str | None,
    crf: int | None,
    encoder_preset: str,
    aus_csv: Path | None,
    keep_partial: bool,
    passes: int,
    verify_page: Path | None,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Change the expression of faces in the film IN and write it as OUT."""
    targets, options = programme_and_options(**choices)
    verification = open_verification(verify_page, output, options, choices["timeline"])
    encoding = Encoding(codec=codec, crf=crf, preset=encoder_preset)
    options = replace(options, keep_partial=keep_partial, aus_csv=aus_csv, encoding=encoding)
    recorder = verification.recorder if verification else None
    film = to_source(source)
    correction = find_corrections(film, output, targets, options, passes - 1)
    report, notes = edit_with_progress(
        film, output, targets, options, recorder=recorder, correction=correction
    )
    document = {"input": str(film), "output": str(output), **report.to_json(), "notes": notes}
    if verification is not None:
        document["verify"] = verification.report(film, output, targets)
    write_json(document, json_path)


def edit_with_progress(
    source: Source,
    output: Path,
    targets: Programme,
    options: EditOptions,
    finish: Callable[[Frame], Frame] | None = None,
    recorder: Callable[[Retargeted], Retargeted] | None = None,
    correction: Correction = uncorrected,
) -> tuple[Report, list[str]]:
    """Edits the video and shows the progress on standard error; returns the figures and the notes.

    finish, recorder, correction: as `open_edit` takes them.
    """
    with ExitStack() as opened:
        with unusable_input():
            edit = opened.enter_context(
                open_edit(
                    source,
                    output,
                    targets,
                    options,
                    finish=finish,
                    observer=recorder,
                    correction=correction,
                )
            )
        for line in edit.notes:
            note(line)
        advance = opened.enter_context(progress_bar(edit.capture.frame_count))
        report = edit.run(advance)
    notes = list(edit.notes)
    if not report.frames_with_face:
        notes.append("no face was found: the picture is unchanged")
        warn(notes[-1])
    else:
        notes += warn_of_absent(targets)
        if may_change_several(options):
            notes += warn_of_left_out(report.faces_left_out, options.tracker)
        notes += note_hidden_mouths(report.frames_with_hidden_mouth, "frame")
    log_times(report)
    say(f"{output}: {report.frames} frames, {report.frames_with_face} with a face, {report.fps:.1f} fps")
    return report, notes
