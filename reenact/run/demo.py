"""The clip of `reenact demo` and of the benchmark, made from one portrait, and the demo's programme."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engines.threads import codec_threads
from reenact.media.write.encoding import CODECS, Encoding
from reenact.programme.timeline import Scene, Timeline

PORTRAIT = Path(__file__).parents[1] / "data" / "portrait.jpg"
"""The portrait, a picture of 512x512 pixels."""
CREDIT = "Portrait of Eileen Collins: NASA, public domain. Expressions written by reenact."
_FACE_PX = (225.0, 133.0)
"""The centre of the face in the portrait, (x, y) in pixels."""
_ENLARGED = 3
"""The factor by which the portrait is enlarged before it is sampled."""
_RATE = 30
"""Frames per second of the clip."""
_SAMPLE_RATE = 48_000
"""Samples per second of the clip's sound."""

PROGRAMME = Timeline(
    (
        Scene("as filmed", "none", 0.9),
        Scene("brows up", "AU01=+2.5,AU02=+2.5"),
        Scene("surprise", "surprise"),
        Scene("eyes closed", "blink"),
        Scene("smile gone", "serious"),
        Scene("sad", "sad"),
        Scene("anger", "anger"),
        Scene("laugh", "laugh"),
    )
)
"""The expressions of the demo in order; those without a smile stand out, because the portrait smiles."""


def make_clip(path: Path, size: tuple[int, int] = (720, 1280), seconds: float = 8.0, faces: int = 1) -> None:
    """Writes an MP4 film with sound at 30 fps: a camera pans, zooms and rolls over a portrait.

    size: the (height, width) in pixels, both even. faces: the number of portraits side by side, each with
    its own camera motion.
    """
    portrait = _enlarged_portrait()
    height, width = size
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as output:
        picture = output.add_stream("libx264", rate=_RATE, options=CODECS["h264"].options(Encoding(crf=16)))
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        picture.codec_context.thread_type = "AUTO"
        picture.codec_context.thread_count = codec_threads()
        sound = output.add_stream("aac", rate=_SAMPLE_RATE, layout="stereo")
        for index in range(round(seconds * _RATE)):
            image = _view(portrait, size, index / _RATE, faces)
            output.mux(picture.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")))
        output.mux(picture.encode(None))
        for packet in sound.encode(_sound_frame(seconds)):
            output.mux(packet)
        output.mux(sound.encode(None))


def _enlarged_portrait() -> NDArray[np.uint8]:
    """The portrait enlarged by Lanczos interpolation, so that frames can be sampled linearly."""
    portrait = cv2.cvtColor(cv2.imread(str(PORTRAIT)), cv2.COLOR_BGR2RGB)
    return cv2.resize(portrait, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_LANCZOS4)


def _view(portrait: NDArray[np.uint8], size: tuple[int, int], time_s: float, faces: int) -> NDArray[np.uint8]:
    """The frame at a time, (height, width, 3) RGB."""
    height, width = size
    edges = np.linspace(0, width, faces + 1).round().astype(int)
    panels = [
        cv2.warpAffine(
            portrait,
            _camera((height, right - left), time_s, phase=index * 2.1),
            (right - left, height),
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for index, (left, right) in enumerate(pairwise(edges))
    ]
    return np.hstack(panels)


def _camera(size: tuple[int, int], time_s: float, phase: float) -> NDArray[np.float64]:
    """The matrix (2, 3) from pixels of the enlarged portrait to those of the frame.

    phase: the phase of the motion in radians; with 0 the camera begins upright."""
    height, width = size
    zoom = height / (235 - 25 * np.sin(0.9 * time_s + phase))
    roll_degrees = 7 * np.sin(1.3 * time_s + phase)
    x = _ENLARGED * (_FACE_PX[0] + 9 * np.sin(1.1 * time_s + phase))
    y = _ENLARGED * (_FACE_PX[1] + 4 * np.sin(1.7 * time_s + 2 * phase))
    matrix = cv2.getRotationMatrix2D((x, y), roll_degrees, zoom / _ENLARGED)
    matrix[:, 2] += (width / 2 - x, height / 2 - y)
    return matrix


def _sound_frame(seconds: float) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(_music(seconds), "fltp", "stereo")
    frame.sample_rate = _SAMPLE_RATE
    return frame


def _music(seconds: float) -> NDArray[np.float32]:
    """Soft chords of two seconds each, plucked from low to high: (2, samples) in -1..1."""
    chords = (
        (130.8, 196.0, 261.6, 329.6, 392.0),
        (110.0, 164.8, 220.0, 261.6, 329.6),
        (87.3, 174.6, 220.0, 261.6, 349.2),
        (98.0, 146.8, 196.0, 246.9, 293.7),
    )
    time_s = np.arange(round(seconds * _SAMPLE_RATE)) / _SAMPLE_RATE
    mix = np.zeros((2, len(time_s)), np.float32)
    for start_s in range(0, int(np.ceil(seconds)), 2):
        for step, pitch_hz in enumerate(chords[start_s // 2 % len(chords)]):
            start = round((start_s + 0.18 * step) * _SAMPLE_RATE)
            note = _pluck(pitch_hz)[: max(0, len(time_s) - start)]
            side = 0.5 + 0.3 * np.cos(2.4 * step)
            mix[:, start : start + len(note)] += np.outer((side, 1 - side), note)
    ends = np.clip(np.minimum(time_s / 0.05, (seconds - time_s) / 0.8), 0, 1)
    return np.ascontiguousarray(0.25 * ends * mix, dtype=np.float32)


@lru_cache(maxsize=32)
def _pluck(pitch_hz: float) -> NDArray[np.float32]:
    """One note, (samples,): it starts fast and fades slowly, the upper partials first."""
    time_s = np.arange(3 * _SAMPLE_RATE) / _SAMPLE_RATE
    turns = 2 * np.pi * pitch_hz * time_s
    tone = sum(np.sin(n * turns) * np.exp(-(0.8 + 0.9 * n) * time_s) / n**1.6 for n in (1, 2, 3))
    return np.asarray(tone * np.clip(np.minimum(time_s / 0.01, 3 - time_s), 0, 1), np.float32)
