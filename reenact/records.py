"""The records that travel down the frame loop, in the order of its stages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from calib.au import AUVector, Change, Sided, apart, bilateral
from calib.pose import Pose

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) pixels of a frame, the last ones not included."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a frame was made of, so that whoever encodes it can keep what nobody has changed."""

    picture: VideoFrame
    """As the decoder gave it: read it, never write to it."""
    changed: tuple[Box, ...] = ()
    """Where the frame differs from it."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video or a camera, or a still."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB. Shared between stages: read it, never write to it."""
    pts: Fraction = Fraction(0)
    """Presentation time in seconds, exactly as the container has it; of a camera, since it is read."""
    index: int = 0
    """Position in the input, from 0."""
    captured_ns: int | None = None
    """When a camera delivered it, on the clock of time.perf_counter_ns; None where no camera did."""
    decoded: Decoded | None = field(default=None, init=False)
    """What `image` was made of, if that is known. dataclasses.replace forgets it, because who puts another
    image in place knows best whether it still holds."""

    def made_of(self, decoded: Decoded | None) -> Frame:
        """The same frame, with what it was made of."""
        frame = replace(self)
        object.__setattr__(frame, "decoded", decoded)
        return frame

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which a decoder's picture cannot go to."""
        return {**vars(self), "decoded": None}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class Sound:
    """A piece of what a microphone hears."""

    samples: NDArray[np.float32]
    """(2, count), -1..1, left and right, at the rate of reenact.media.read.microphone."""
    heard_ns: int
    """When the first of them was heard, on the clock of `Frame.captured_ns`."""


@dataclass(frozen=True)
class Signal:
    """What comes from a camera at a moment."""

    state: Literal["live", "stalled", "lost"]
    """ "stalled": it is there and delivers nothing; "lost": it is gone, and is tried again and again."""
    silent_s: float = 0.0
    """Time since its last picture."""
    reason: str | None = None
    """Why it is lost, one plain line."""


@dataclass(frozen=True, eq=False)
class Face:
    """One tracked face."""

    track_id: int
    """Stable while the person stays in the picture; never reused within a video."""
    landmarks: NDArray[np.float32]
    """(478, 3) pixels in MediaPipe's order: x right, y down, z away from the camera on the scale of x."""
    pose: Pose
    """Where the head is: scale, rotation and translation from the canonical face to the frame."""
    confidence: float
    """0..1; how sure the tracker is that this is a face and well fitted."""


@dataclass(frozen=True, eq=False)
class Patch:
    """New pixels for a rectangle of the frame."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    origin: tuple[int, int]
    """(x, y) of the top left pixel in the frame. The patch lies wholly inside the frame, and its border
    pixels, but for those at the frame's own border, are the frame's, so that it joins without a seam."""

    @property
    def region(self) -> Box:
        """Where it lies in the frame."""
        (x, y), (height, width) = self.origin, self.image.shape[:2]
        return x, y, x + width, y + height


@dataclass(frozen=True, eq=False)
class Tracked:
    """A frame and the faces found in it. Every later record is one of these with more known."""

    frame: Frame
    faces: tuple[Face, ...]
    cut: bool = False
    """True on the first frame of a new scene: what was learned from the frames before no longer holds."""
    left_out: int = field(default=0, kw_only=True)
    """How many more faces were found in this frame than are followed."""

    @property
    def largest(self) -> int | None:
        """Index of the largest face; None where there is none. The pose's scale, unlike a box, does not
        shrink when the head turns away."""
        return max(range(len(self.faces)), key=lambda index: self.faces[index].pose.scale, default=None)


@dataclass(frozen=True, eq=False)
class Measured(Tracked):
    aus: tuple[AUVector, ...] = ()
    """One for each face: the action units that the face shows now, 0..5, the mean of both sides."""
    leans: tuple[AUVector, ...] = field(default=(), kw_only=True)
    """One for each face: how much more of each the person's left shows, and the right less (calib.au.apart).
    Empty where nobody has looked: then both sides count as alike."""
    mouth_hidden: tuple[bool, ...] = field(default=(), kw_only=True)
    """One for each face: whether something in front of it hides its mouth (reenact.occlusion). Empty where
    nobody has looked: then no mouth counts as hidden."""

    @property
    def sided_aus(self) -> tuple[Sided, ...]:
        """One for each face: (2, 17) what each side shows, 0..5."""
        if not self.leans:
            return tuple(bilateral(aus) for aus in self.aus)
        return tuple(apart(aus, lean) for aus, lean in zip(self.aus, self.leans, strict=True))


@dataclass(frozen=True, eq=False)
class Retargeted(Measured):
    changes: tuple[Change, ...] = ()
    """One for each face: the relative action units to write, (2, 17), the person's left and right. All zeros:
    leave the face alone."""
    asked: tuple[Change, ...] = field(default=(), kw_only=True)
    """One for each face: the change that is to be read afterwards. More of it may have to be written."""
    wanted: tuple[Change, ...] = field(default=(), kw_only=True)
    """One for each face: the change that the targets ask for, before limits and fades."""


@dataclass(frozen=True, eq=False)
class Generated(Retargeted):
    patches: tuple[Patch | None, ...] = ()
    """One for each face; None where nothing changes."""


@dataclass(frozen=True, eq=False)
class Finished(Generated):
    """All that is known of a frame at the end of a live run's stages."""

    output: Frame = field(kw_only=True)
    """What is to be shown; the input itself where nothing changes."""
    mirrored: bool = False
    """Left and right are exchanged in `output`; everything else is as the camera saw it."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) RGB: the picture to be shown. Shared: read it, never write to it."""
        return self.output.image
