"""The options of `reenact webcam` about recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reenact.cli.errors import say
from reenact.cli.grouped import in_order, option
from reenact.cli.parameters import FILE, NumberParameter
from reenact.run.recording.recorder import Recorder, RecordOptions

AUTO = "auto"
"""The value of --audio-delay that delays the sound as much as the picture."""
LONGEST_DELAY_MS = 5000


class DelayParameter(NumberParameter):
    """A delay in milliseconds, or AUTO, which is None."""

    name = f"{AUTO}|MS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value == AUTO else super().convert(value, param, ctx)


recording_options = in_order(
    option(
        "--record",
        group="Recording",
        type=FILE,
        metavar="OUT",
        help="Record what is shown, with sound, as .mp4, .m4v, .mov or .mkv.",
        detail="OUT.csv beside it has a row for each frame and face: frame number and time in the video, "
        "action units measured (AUxx_r, as OpenFace writes them) and asked for (AUxx_asked). No file is "
        "overwritten: the next recording is OUT-2.",
    ),
    option(
        "--audio-device",
        group="Recording",
        metavar="NAME",
        show_default="the system's",
        help="The microphone, by name or number.",
    ),
    option("--no-audio", group="Recording", is_flag=True, help="Record without sound."),
    option(
        "--audio-delay",
        group="Recording",
        type=DelayParameter(0, LONGEST_DELAY_MS),
        metavar=f"{AUTO}|MS",
        default=AUTO,
        show_default=True,
        help="Delay of the sound in milliseconds; auto delays it as much as the picture.",
        detail="Give more where the camera itself is slow.",
    ),
)
"""The options about recording; `record_options` takes their values."""


def record_options(
    record: Path | None, audio_device: str | None, no_audio: bool, audio_delay: float | None
) -> RecordOptions | None:
    """The options of the recording that the values of `recording_options` ask for. None: nothing is
    recorded."""
    if no_audio and audio_device is not None:
        raise click.UsageError(
            "--audio-device and --no-audio exclude each other", click.get_current_context()
        )
    if record is None:
        if audio_device is not None:
            raise click.UsageError("--audio-device needs --record", click.get_current_context())
        return None
    return RecordOptions(record, not no_audio, audio_device, audio_delay)


def print_recordings(recorder: Recorder | None) -> list[dict[str, Any]]:
    """Prints a line for each recording; returns the same figures for --json."""
    recordings = recorder.saved if recorder is not None else ()
    for saved in recordings:
        say(f"{saved.path}: {saved.frames} frames, {saved.duration_s:.1f} s")
    return [
        {"path": str(saved.path), "frames": saved.frames, "duration_s": round(saved.duration_s, 3)}
        for saved in recordings
    ]
