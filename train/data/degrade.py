"""Training pictures with the artefacts of the run-time's move, and the original as the truth.

The run-time's own warp and painters move the face to another expression, and then back to its own landmarks.
The result has stretched lips, painted teeth and pressed lids exactly where they would be if this very
expression were asked for, and the original picture is the truth.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.au import Change
from calib.basis import AUBasis
from calib.pose import fit_pose
from calib.shape import load_shape
from reenact.generate.generator import PAINTERS, KnownFace, look_at_mouth, paint_by_rule
from reenact.generate.geometry.contact import limit_closing
from reenact.generate.geometry.warp import Warp, WarpOptions, move_landmarks, warp_to
from reenact.generate.painters.mouth import MouthShape, MouthViews, likely_teeth, see_mouth
from reenact.generate.painters.mouth.teeth_light import ivory
from reenact.records import Face, Frame

_SHARP = WarpOptions(sharp=True)
"""Options of the first move; at run time nothing is resampled twice."""
KnownTeeth: TypeAlias = Literal["none", "place", "own"]
"""What is known of a person's teeth: nothing, where the upper teeth end, or also how they look, as after a
person was seen before."""
_BOTH_WAYS = tuple(name for name in PAINTERS if name != "creases")
"""The painters of both moves. Creases are not among them: at run time the network sees the drawn folds of the
target expression, while here the picture has its own. If they were smoothed in a move, they would be absent
in the network's input and present in the truth."""
_NEARLY = 0.98
"""Share of an action unit's furthest motion from which the motion no longer tells how much was asked."""


@dataclass(frozen=True, eq=False)
class FaceMove:
    """A face that the run-time's geometry has moved."""

    picture: NDArray[np.uint8]
    """(height, width, 3) RGB, the whole picture with the moved face in it."""
    before: NDArray[np.float32]
    """(478, 3) landmarks before the move."""
    landmarks: NDArray[np.float32]
    """(478, 3) landmarks after the move."""
    change: Change
    """(2, 17) the relative action units of the move."""
    light: NDArray[np.float32]
    """(3,) RGB of white teeth in the light of the face before the move."""


def face_of(landmarks: NDArray[np.float32]) -> Face:
    """Returns the face that a tracker would report for these landmarks (478, 3)."""
    return Face(0, landmarks, fit_pose(landmarks, load_shape()), 1.0)


def move_face(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], change: Change, basis: AUBasis
) -> FaceMove:
    """Moves the face by relative action units, as at run time. The result has no truth."""
    frame = Frame(picture)
    face, mouth = look_at_mouth(frame, face_of(landmarks))
    moved = move_landmarks(face, change, basis)
    picture = _moved(frame, face, mouth, change, moved, WarpOptions(), PAINTERS)
    return FaceMove(picture, landmarks, moved, change, ivory(frame.image, face))


def there_and_back(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    away: Change,
    basis: AUBasis,
    teeth: KnownTeeth = "none",
) -> FaceMove:
    """Moves the face by `away`, and from there back to its own landmarks. The truth is `picture`.

    The change of the result is the opposite of `away`, as far as it could be applied: lips and lids end where
    they meet. The picture's own folds are neither smoothed nor drawn over.
    teeth: what is known, on the way back, of the teeth in `picture`.
    """
    frame = Frame(picture)
    face, mouth = look_at_mouth(frame, face_of(landmarks))
    shown = likely_teeth(face, mouth.seen)
    views = MouthViews().learn(frame, face, mouth.seen)
    away = applied_change(face, away, basis)
    moved = move_landmarks(face, away, basis)
    between = Frame(_moved(frame, face, mouth, away, moved, _SHARP, _BOTH_WAYS))
    # The pose is kept, since a new fit would follow the jaw, and the teeth with it. The lips are kept as they
    # were moved, since a new search would be off by a fraction of a millimetre.
    again = replace(face, landmarks=moved)
    mouth = KnownFace(see_mouth(between, again))
    if teeth != "none":
        known = views if teeth == "own" else MouthViews()
        shape = MouthShape.of(again, face.landmarks)
        placed = replace(known.teeth(again, mouth.seen, shape), upper_edge_mm=shown.upper_edge_mm)
        mouth = replace(mouth, teeth=placed)
    picture = _moved(between, again, mouth, -away, face.landmarks, WarpOptions(), _BOTH_WAYS)
    return FaceMove(picture, moved, face.landmarks, -away, ivory(between.image, again))


def applied_change(face: Face, change: Change, basis: AUBasis) -> Change:
    """Returns the part of `change` that is applied until lips and lids meet; it can be undone
    exactly."""
    amounts = limit_closing(face, basis.amounts(change), basis)
    share = np.clip(amounts / basis.furthest, -_NEARLY, _NEARLY)
    applied = change.astype(np.float32, copy=True)
    applied[:, : len(basis.furthest)] = basis.furthest * np.arctanh(share)
    return applied


def _moved(
    frame: Frame,
    face: Face,
    mouth: KnownFace,
    change: Change,
    moved: NDArray[np.float32],
    options: WarpOptions,
    painters: Collection[str],
) -> NDArray[np.uint8]:
    warp = warp_to(frame, face, moved, options)
    if warp is None:
        return frame.image
    painted = paint_by_rule(frame, face, change, warp, mouth, painters)
    return _pasted(frame.image, painted)


def _pasted(image: NDArray[np.uint8], warp: Warp) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = warp.region
    image = image.copy()
    image[y0:y1, x0:x1] = warp.image
    return image
