"""Edits and measures pictures for other programs, as arrays or files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reenact.measure.measurements import AUMeasurements, measurements
from reenact.media.image_array import Picture, as_still, warn_of_doubtful_picture
from reenact.process.settings import standard_descriptors_held
from reenact.programme.face_choice import FaceChoiceError
from reenact.records import Measured
from reenact.retarget.controls import Asked, Settings, as_programme
from reenact.run.files import EditOptions, StillEdit, StillEditor, open_still_editor

Faces: TypeAlias = "Literal['largest', 'all'] | Iterable[int]"
"""Which faces change: the largest, all, or those with these ids."""


class ImageEditor:
    """Changes expressions in one picture after another; its models are opened once.

        with reenact.ImageEditor() as editor:
            for image in images:
                edited = editor.edit(image, "smile")

    Any thread may call it; calls from several threads wait for each other. Pictures are independent: a result
    does not depend on the pictures before it.
    """

    def __init__(self, *, generator: str | None = None, options: EditOptions | None = None) -> None:
        """Opens the models.

        generator: the generator, "live" or "warp". None: the one in the options, "live" by default.
        options: all other options; those of films are ignored. None: the defaults.

        Raises TrackerError or EngineError, both RuntimeErrors, where a model cannot be opened.
        """
        self._options = chosen_options(options, generator=generator)
        self._lock = Lock()
        with ExitStack() as opened:
            opened.enter_context(standard_descriptors_held)
            self._open = opened.enter_context(open_still_editor(self._options))
            self._opened = opened.pop_all()
        self._closed = False

    def edit(
        self, image: Picture, targets: Asked, *, strength: float | None = None, faces: Faces | None = None
    ) -> NDArray[np.uint8]:
        """The picture with another expression; see reenact.edit_image."""
        options = chosen_options(self._options, strength=strength, faces=faces)
        programme = as_programme(targets)
        still = as_still(image)
        with self._lock:
            edit = self._of_open()(still)
            _require_faces(edit.measured, options.retarget.faces)
            edited = StillEdit(edit.still, edit.measured, edit.generator, options)(programme)
        warn_of_doubtful_picture(edit.measured, "the picture is unchanged")
        # Where nothing changes, the result is the given array itself, which belongs to the caller.
        return edited.image.copy() if np.shares_memory(edited.image, still.image) else edited.image

    def read(self, image: Picture) -> AUMeasurements:
        """The action units of all faces in the picture; see reenact.read_aus."""
        still = as_still(image)
        with self._lock:
            measured = self._of_open()(still).measured
        warn_of_doubtful_picture(measured, "there is nothing to read")
        return measurements([measured])

    def close(self) -> None:
        """Releases the models, as the `with` block does at its end. A closed editor raises ValueError."""
        with self._lock:
            self._closed = True
            self._opened.close()

    def __enter__(self) -> ImageEditor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of_open(self) -> StillEditor:
        if self._closed:
            raise ValueError("this ImageEditor is closed; make another one")
        return self._open


def chosen_options(
    options: EditOptions | None,
    *,
    strength: float | None = None,
    faces: Faces | None = None,
    generator: str | None = None,
) -> EditOptions:
    """The options with each argument that is not None in its place. Raises ControlError or FaceChoiceError.

    options: None stands for the defaults."""
    options = options or EditOptions()
    retarget = options.retarget
    if strength is not None:
        retarget = replace(retarget, strength=Settings(as_programme("none"), strength).strength)
    if faces is not None:
        retarget = replace(retarget, faces=_face_choice(faces))
    chosen = replace(options, retarget=retarget)
    return chosen if generator is None else replace(chosen, generator=generator)


_CHOICES = "choose 'largest', 'all' or ids such as [0, 2]"


def _face_choice(faces: Faces) -> Literal["largest", "all"] | tuple[int, ...]:
    if isinstance(faces, str):
        if faces == "largest" or faces == "all":
            return faces
        raise FaceChoiceError(f"faces {faces!r} not understood; {_CHOICES}")
    ids = tuple(faces)
    if not all(isinstance(each, int | np.integer) and each >= 0 for each in ids):
        raise FaceChoiceError(f"faces {list(ids)} not understood; {_CHOICES}")
    return tuple(map(int, ids))


def _require_faces(measured: Measured, faces: object) -> None:
    """Raises FaceChoiceError where no face of the picture has one of the ids."""
    there = {face.track_id for face in measured.faces}
    missing = [each for each in faces if each not in there] if isinstance(faces, tuple) else []
    if missing and there:
        raise FaceChoiceError(f"there is no face {missing[0]} in the picture; its faces are {sorted(there)}")
