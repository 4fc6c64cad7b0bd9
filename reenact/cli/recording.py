"""Options of the command that records live pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reenact.cli.editing import NumberParameter
from reenact.cli.errors import say
from reenact.cli.parameters import FILE, CommandT
from reenact.run.recording.recorder import Recorder, RecordOptions

AUTO = "auto"
LONGEST_DELAY_MS = 5000


class DelayParameter(NumberParameter):
    name = f"{AUTO}|MS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value == AUTO else super().convert(value, param, ctx)


def recording_options(command: CommandT) -> CommandT:
    """What to record: --record, --audio-device, --no-audio, --audio-delay; `recorded` understands them."""
    for option in reversed(
        (
            click.option(
                "--record",
                type=FILE,
                metavar="OUT",
                help="Record what is shown, as .mp4, .m4v, .mov or .mkv, with sound, and beside it OUT.csv: "
                "a row for each frame and face, with the frame's number and time in the video, the action "
                "units measured (AUxx_r, as OpenFace writes them) and those asked for (AUxx_asked). No file "
                "is replaced: the next recording is OUT-2.",
            ),
            click.option(
                "--audio-device",
                metavar="NAME",
                help="The microphone to record, by name or number. [default: the system's]",
            ),
            click.option("--no-audio", is_flag=True, help="Record without sound."),
            click.option(
                "--audio-delay",
                type=DelayParameter(0, LONGEST_DELAY_MS),
                default=AUTO,
                show_default=True,
                help="How late the sound is to be, to fit the picture: auto makes it as late as the picture, "
                "frame by frame. Give more where the camera itself is slow.",
            ),
        )
    ):
        command = option(command)
    return command


def recorded(
    record: Path | None, audio_device: str | None, no_audio: bool, audio_delay: float | None
) -> RecordOptions | None:
    """What the values of `recording_options` ask for."""
    if no_audio and audio_device is not None:
        raise click.UsageError(
            "--audio-device and --no-audio exclude each other", click.get_current_context()
        )
    if record is None:
        if audio_device is not None:
            raise click.UsageError("--audio-device needs --record", click.get_current_context())
        return None
    return RecordOptions(record, not no_audio, audio_device, audio_delay)


def tell_recordings(recorder: Recorder | None) -> list[dict[str, Any]]:
    """One line for each recording, and the same for the JSON."""
    recordings = recorder.saved if recorder is not None else ()
    for saved in recordings:
        say(f"{saved.path}: {saved.frames} frames, {saved.duration_s:.1f} s")
    return [
        {"path": str(saved.path), "frames": saved.frames, "duration_s": round(saved.duration_s, 3)}
        for saved in recordings
    ]
