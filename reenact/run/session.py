"""A live run for other programs: frames to loop over, and a face that can be steered meanwhile.

    import reenact

    with reenact.open("film.mp4", targets="smile") as session:
        for frame in session:
            show(frame.image)  # (height, width, 3) RGB uint8
            session.set(targets="AU12=+2,AU4=-1", strength=0.8)

Everything but the loop may be used from any thread, at any time, also when the session has been closed.
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
    """A live run. Iterating it gives the newest frame, edited, again and again: those that come while the
    loop is busy are dropped and counted, so that no frame is old.

    A loop may be left and another go on; the frames end after `stop`. While the camera gives nothing, the
    loop waits, and `status()` says why.
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
        """Frames with all that is known of them: `image` is what to show, `frame.image` what the camera saw,
        `faces`, `aus` (measured) and `changes` (written) have one entry for each face.

        Raises what ended the run early: every later loop is empty then.
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
        """Ends all threads; in the thread that has the lock."""
        # It runs where a handler of signals, or a sink, closes the session in the loop's own thread: then the
        # loop ends it, which is about to go on.
        if not self._running:
            self._records.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as it was asked for, one plain line each."""
        return self._live.notes

    @property
    def settings(self) -> Settings:
        """How it stands now."""
        return self._live.controls.now

    @property
    def targets(self) -> Programme:
        """What faces are to show; may be set, also to text as in "AU12=+2" or "smile"."""
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
        """Changes what is given, all at once, from the next frame on.

        Raises TargetError or ControlError, both ValueErrors, and then changes nothing.
        """
        wanted = {
            "targets": None if targets is None else as_programme(targets),
            "strength": strength,
            "bypass": bypass,
            "mirror": mirror,
        }
        self._live.controls.set(**{name: value for name, value in wanted.items() if value is not None})

    def take_neutral(self) -> bool:
        """What the largest face has shown in the last second is its neutral from now on, from which absolute
        targets count; False: no face was there."""
        return self._live.take_neutral()

    def status(self) -> LiveStatus:
        """Frames, drops, frames per second, latency and the camera's state, of the last seconds."""
        return self._live.status()

    def stop(self) -> None:
        """Ends the loop, at once or within a few hundredths of a second."""
        self._stopped = True

    def close(self) -> None:
        """Ends the loop and all threads, from any thread; the `with` block does it.

        A loop in another thread ends within a few hundredths of a second, once the frame that it is about has
        been written, and this waits for it. Afterwards everything but the loop still answers.
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
    """What reenact.open's arguments ask for: the options, with what is given of the others in its place."""
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
