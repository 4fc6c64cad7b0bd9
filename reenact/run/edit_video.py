"""Edits a video file for other programs, with progress."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from reenact.measure.measurements import Progress, reporting
from reenact.media.read.spool import Source, needs_spooling, spooled
from reenact.pipeline.meter import Report
from reenact.process.settings import standard_descriptors_held
from reenact.programme.per_face import PerFaceProgramme
from reenact.retarget.controls import Asked, as_programme
from reenact.run.files import EditOptions, open_edit
from reenact.run.image_editor import Faces, chosen_options

log = logging.getLogger(__name__)


def edit_video(
    source: str | Path,
    output: str | Path,
    targets: Asked,
    *,
    strength: float | None,
    faces: Faces | None,
    generator: str | None,
    options: EditOptions | None,
    progress: Progress | None,
) -> Report:
    """Edits a video file; see reenact.edit_video."""
    chosen = chosen_options(options, strength=strength, faces=faces, generator=generator)
    programme = as_programme(targets)
    with ExitStack() as opened:
        opened.enter_context(standard_descriptors_held)
        film: Source = opened.enter_context(spooled(source)) if needs_spooling(source) else Path(source)
        edit = opened.enter_context(open_edit(film, Path(output), programme, chosen))
        for line in edit.notes:
            log.info("%s: %s", output, line)
        report = edit.run(written=reporting(progress, edit.capture.frame_count))
    for line in programme.absent() if isinstance(programme, PerFaceProgramme) else ():
        log.warning("%s: %s", output, line)
    return report
