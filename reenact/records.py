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
"""(x0, y0, x1, y1) in pixels of a frame; x1 and y1 are exclusive."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The decoded picture behind a frame; an encoder copies from it the parts that have not changed."""

    picture: VideoFrame
    """The picture as the decoder returned it. It is read-only."""
    changed: tuple[Box, ...] = ()
    """The boxes in which the frame differs from the picture."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: of a video, of a camera, or a still."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB. It is shared between stages and read-only."""
    pts: Fraction = Fraction(0)
    """The presentation time in seconds: the container's exact value, or since a camera was opened."""
    index: int = 0
    """The position in the input, from 0."""
    captured_ns: int | None = None
    """The time of its delivery by a camera, on the clock of time.perf_counter_ns. None: it is of a file."""
    decoded: Decoded | None = field(default=None, init=False)
    """The decoded picture behind `image`. None: it is not known. dataclasses.replace drops it, because it may
    not belong to another image; `made_of` sets it again."""

    def made_of(self, decoded: Decoded | None) -> Frame:
        """The same frame with this decoded picture behind it. None: it has none."""
        frame = replace(self)
        object.__setattr__(frame, "decoded", decoded)
        return frame

    def __getstate__(self) -> dict[str, Any]:
        """The state to pickle: without the decoded picture, which cannot be sent to another process."""
        return {**vars(self), "decoded": None}

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) of the image in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class Sound:
    """A block of samples from a microphone."""

    samples: NDArray[np.float32]
    """(2, count) samples, -1..1, of the left and right channel, at the rate of
    reenact.media.read.microphone."""
    heard_ns: int
    """The time of the first sample, in nanoseconds on the clock of `Frame.captured_ns`."""


@dataclass(frozen=True)
class Signal:
    """The state of a camera at one time."""

    state: Literal["live", "stalled", "lost"]
    """live: it delivers pictures; stalled: it is connected and delivers none; lost: it is disconnected, and
    is opened again and again."""
    silent_s: float = 0.0
    """The time in seconds since its last picture."""
    reason: str | None = None
    """The reason why it is lost, in one line. None: it is not lost, or the reason is not known."""


@dataclass(frozen=True, eq=False)
class Face:
    """One tracked face."""

    track_id: int
    """The number of this face, which is the same while the person stays in the picture and is never reused
    within a video."""
    landmarks: NDArray[np.float32]
    """(478, 3) pixels in MediaPipe's order: x right, y down, z away from the camera, scaled as x."""
    pose: Pose
    """The pose of the head: scale, rotation and translation from the canonical face to the frame."""
    confidence: float
    """The tracker's confidence that this is a face and that the landmarks fit it, 0..1."""


@dataclass(frozen=True, eq=False)
class Patch:
    """New pixels for a rectangle of the frame."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB pixels."""
    origin: tuple[int, int]
    """(x, y) of the top left pixel in the frame. The patch lies inside the frame, and its border pixels equal
    the frame's, except at the frame's own border, so that it joins without a seam."""

    @property
    def region(self) -> Box:
        """The box of the patch in the frame."""
        (x, y), (height, width) = self.origin, self.image.shape[:2]
        return x, y, x + width, y + height


@dataclass(frozen=True, eq=False)
class Tracked:
    """A frame and the faces found in it. Every later record extends this one."""

    frame: Frame
    """The frame."""
    faces: tuple[Face, ...]
    """The faces that were found in it."""
    cut: bool = False
    """True on the first frame of a new scene, from which on nothing learned from earlier frames holds."""
    left_out: int = field(default=0, kw_only=True)
    """The number of faces that were found in this frame but exceed the limit and are not tracked."""

    @property
    def largest(self) -> int | None:
        """The index of the largest face. None: the frame has no face.

        The pose's scale is compared because, unlike a box, it does not shrink when the head turns away."""
        return max(range(len(self.faces)), key=lambda index: self.faces[index].pose.scale, default=None)


@dataclass(frozen=True, eq=False)
class Measured(Tracked):
    """A frame with its faces and the action units that each of them shows."""

    aus: tuple[AUVector, ...] = ()
    """For each face, the intensities 0..5 (AU_COUNT,) that it shows, the mean of both sides."""
    leans: tuple[AUVector, ...] = field(default=(), kw_only=True)
    """For each face, the intensity (AU_COUNT,) by which the person's left side shows more than the mean, and
    the right side less (calib.au.apart). Empty: the sides were not measured, and count as equal."""
    mouth_hidden: tuple[bool, ...] = field(default=(), kw_only=True)
    """For each face, whether something in front of it hides its mouth (reenact.occlusion). Empty: occlusion
    was not measured, and no mouth counts as hidden."""

    @property
    def sided_aus(self) -> tuple[Sided, ...]:
        """For each face, the intensities 0..5 (2, AU_COUNT) of the person's left and right side."""
        if not self.leans:
            return tuple(bilateral(aus) for aus in self.aus)
        return tuple(apart(aus, lean) for aus, lean in zip(self.aus, self.leans, strict=True))


@dataclass(frozen=True, eq=False)
class Retargeted(Measured):
    """A frame with its faces and the changes of action units to write into them."""

    changes: tuple[Change, ...] = ()
    """For each face, the relative action units (2, AU_COUNT) to write, of the person's left and right side.
    All zeros leave the face unchanged."""
    asked: tuple[Change, ...] = field(default=(), kw_only=True)
    """For each face, the change (2, AU_COUNT) that should be measured in the output. The change that is
    written may be larger, because faces answer with less than is written."""
    wanted: tuple[Change, ...] = field(default=(), kw_only=True)
    """For each face, the change (2, AU_COUNT) that the targets ask for, before limits and fades."""


@dataclass(frozen=True, eq=False)
class Generated(Retargeted):
    """A frame with the new pixels of its faces, which are not yet pasted."""

    patches: tuple[Patch | None, ...] = ()
    """For each face, its new pixels. None: the face does not change."""


@dataclass(frozen=True, eq=False)
class Finished(Generated):
    """A frame of a live run after its last stage."""

    output: Frame = field(kw_only=True)
    """The frame to show; the input frame itself where nothing changes."""
    mirrored: bool = False
    """Whether left and right are exchanged in `output`; all other fields are as the camera captured them."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) RGB, the picture to show. It is shared and read-only."""
        return self.output.image
