"""A live run for other programs: a loop over frames, and settings that can be changed meanwhile.

    import reenact

    with reenact.open("film.mp4", targets="smile") as session:
        for frame in session:
            show(frame.image)  # (height, width, 3) RGB uint8
            session.set(targets="AU12=+2,AU4=-1", strength=0.8)

Everything except the loop may be used from any thread at any time, even after the session is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from threading import RLock
from typing import Any, TypeVar

from reenact.pipeline.meter import LiveStatus
from reenact.process.settings import standard_descriptors_held
from reenact.programme import Programme
from reenact.records import Finished
from reenact.retarget.controls import Asked, Settings, as_programme
from reenact.retarget.options import RetargetOptions
from reenact.run.files import EditOptions
from reenact.run.live import LiveEdit, LiveOptions, open_live


class Session:
    """A live run. Its iteration gives the newest frame, edited; frames that arrive while the loop is busy are
    dropped and counted, so that no frame is old.

    A loop may be left and another one started; the frames end after `stop`. While the camera gives no frame,
    the loop waits, and `status()` gives the reason.
    """

    def __init__(self, live: LiveEdit) -> None:
        self._live = live
        self._records = live.records()
        # One thread at a time runs the generator. Reentrant, for a handler of signals that closes.
        self._lock = RLock()
        self._running = False
        self._stopped = False
        self._closed = False

    def __iter__(self) -> Iterator[Finished]:
        """The edited frames: `image` is the output, `frame.image` the camera's picture, both (height, width,
        3) RGB. `faces`, `aus` (measured) and `changes` (applied) have one entry for each face.

        An error that ends the run is raised here; later loops are then empty.
        """
        while (record := self._next()) is not _END:
            if isinstance(record, Finished):
                yield record

    def _next(self) -> object:
        """The next record, None where there is none yet, or _END."""
        with self._lock:
            if self._stopped:
                return _END
            self._running = True
            try:
                record = next(self._records, _END)
            finally:
                self._running = False
            if self._closed:
                self._end()
            return _END if self._closed else record

    def _end(self) -> None:
        """Ends all threads. The caller holds the lock."""
        # If a signal handler or a sink closes the session in the loop's own thread, the generator is running
        # and cannot be closed here; the loop closes it when it continues.
        if not self._running:
            self._records.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """The differences of the run from the request, one line each."""
        return self._live.notes

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._live.controls.now

    @property
    def targets(self) -> Programme:
        """The targets of the faces. They may be set, also as text such as "AU12=+2" or "smile"."""
        return self.settings.targets

    @targets.setter
    def targets(self, targets: Asked) -> None:
        self.set(targets=targets)

    def set(
        self,
        *,
        targets: Asked | None = None,
        strength: float | None = None,
        bypass: bool | None = None,
        mirror: bool | None = None,
    ) -> None:
        """Changes all given settings at once, from the next frame on. None: the setting stays.

        Raises TargetError or ControlError, both ValueErrors, without changing anything.
        """
        wanted = {
            "targets": None if targets is None else as_programme(targets),
            "strength": strength,
            "bypass": bypass,
            "mirror": mirror,
        }
        self._live.controls.set(**{name: value for name, value in wanted.items() if value is not None})

    def take_neutral(self) -> bool:
        """Makes the largest face's action units of the last second its neutral. False: there was no face.

        Absolute targets refer to the neutral.
        """
        return self._live.take_neutral()

    def status(self) -> LiveStatus:
        """The frames, dropped frames, frames per second, latency and camera state of the last seconds."""
        return self._live.status()

    def stop(self) -> None:
        """Ends the loop within a few hundredths of a second."""
        self._stopped = True

    def close(self) -> None:
        """Ends the loop and all threads, as the `with` block does at its end. Any thread may call it.

        It waits for a loop in another thread, which ends within a few hundredths of a second, after its
        current frame. Afterwards everything except the loop can still be used.
        """
        self._stopped = self._closed = True
        with self._lock:
            self._end()


_END = object()
OptionsT = TypeVar("OptionsT", LiveOptions, EditOptions, RetargetOptions)


def live_options(
    options: LiveOptions | None,
    strength: float | None,
    mirror: bool | None,
    virtual_camera: bool | None,
    generator: str | None,
) -> LiveOptions:
    """The options with each argument of reenact.open that is not None in its place.

    options: None stands for the defaults without virtual camera and preview.
    """
    options = LiveOptions(virtual_camera=False, preview=False) if options is None else options
    retarget = _with_given(options.edit.retarget, strength=strength)
    edit = _with_given(options.edit, generator=generator, retarget=retarget)
    return _with_given(options, edit=edit, mirror=mirror, virtual_camera=virtual_camera)


def _with_given(options: OptionsT, **given: Any) -> OptionsT:
    return replace(options, **{name: value for name, value in given.items() if value is not None})


@contextmanager
def open_session(where: int | str, targets: Asked, options: LiveOptions) -> Iterator[Session]:
    """See reenact.open."""
    with (
        standard_descriptors_held,
        open_live(where, as_programme(targets), options) as live,
        closing(Session(live)) as session,
    ):
        yield session
