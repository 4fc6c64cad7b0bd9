"""Writes pictures as a film, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.media.atomic import replacing
from reenact.media.write.encoding import (
    Encoding,
    PictureFormat,
    add_picture,
    choose,
    last_packets,
    named_errors,
    open_output,
    require_writable,
)
from reenact.media.write.yuv import ToYuv


def save_slides(
    pictures: Sequence[NDArray[np.uint8]], path: Path, rate: Fraction, encoding: Encoding = Encoding()
) -> None:
    """Writes RGB pictures (height, width, 3) of one size, `rate` a second. Raises SinkError."""
    container, codec = choose(path, encoding)
    require_writable(path)
    size = pictures[0].shape[0], pictures[0].shape[1]
    with (
        named_errors(path),
        replacing(path) as beside,
        open_output(beside, container.format, container.options) as output,
    ):
        like = PictureFormat(size, rate, 1 / rate)
        stream = add_picture(output, like, codec, encoding, size)
        to_yuv = ToYuv(size, stream)
        for index, image in enumerate(pictures):
            picture = to_yuv(image)
            picture.pts, picture.time_base = index, like.time_base
            output.mux(stream.encode(picture))
        output.mux(last_packets(stream))
