"""The desk: what another program or a page in the browser sees of a live run, and does to it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from reenact.pipeline.meter import LiveStatus
from reenact.programme import Targets
from reenact.programme.programme import ByHand
from reenact.programme.steps import Step
from reenact.records import Finished
from reenact.retarget.controls import Controls, Settings

if TYPE_CHECKING:
    from reenact.run.live import LiveEdit

MOST_STEPS = 100_000
"""The largest number of steps that a recording of the hand holds: half an hour of a slider in motion."""


@dataclass(frozen=True)
class RunState:
    """What there is to say of a run besides its settings."""

    running: bool = False
    """Whether frames are being made."""
    camera: str = ""
    """The camera in words."""
    notes: tuple[str, ...] = ()
    """The differences of the run from the request, and sinks that could not be opened, one line each."""
    trouble: str | None = None
    """The reason for which a run could not begin, or has ended. None: there is none."""
    can_record: bool = False
    """Whether there is a file to record to."""
    recording: bool = False
    """Whether a recording is running."""
    hand_s: float | None = None
    """The time since the recording of the hand began, in seconds. None: it does not run."""
    hand_steps: int = 0
    """The number of steps recorded by hand."""


class Desk:
    """Holds the settings of a live run, its newest frame and the hand's steps. Any thread may use it.

    It is there before the run, and after it. Listeners are called, in any thread, after each change and each
    frame; they must return at once.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """settings: those of the run to come. clock: a monotonic clock in seconds."""
        self.controls = Controls(settings)
        self._clock = clock
        self._lock = Lock()
        self._state = RunState()
        self._live: LiveEdit | None = None
        self._newest: Finished | None = None
        self._requests: deque[Callable[[], str]] = deque()
        self._hand_began_s: float | None = None
        self._steps: list[Step] = []
        self._changed: list[Callable[[], None]] = []
        self._framed: list[Callable[[], None]] = []

    def listen(self, changed: Callable[[], None], framed: Callable[[], None]) -> None:
        """Calls `changed` after each change of the settings or of the run, and `framed` after each frame."""
        self._changed.append(changed)
        self._framed.append(framed)

    @property
    def newest(self) -> Finished | None:
        """The newest frame. None: there is none."""
        return self._newest

    @property
    def state(self) -> RunState:
        """The state of the run now."""
        live, began_s = self._live, self._hand_began_s
        recorder = live.recorder if live is not None else None
        return RunState(
            running=live is not None,
            camera=self._state.camera,
            notes=self._state.notes,
            trouble=self._state.trouble,
            can_record=recorder is not None,
            recording=recorder is not None and recorder.recording,
            hand_s=None if began_s is None else self._clock() - began_s,
            hand_steps=len(self._steps),
        )

    @property
    def status(self) -> LiveStatus:
        """The figures of the run; of no run, zeros."""
        return LiveStatus() if self._live is None else self._live.status()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the hand that were recorded last."""
        return tuple(self._steps)

    def change(self, how: Callable[[Settings], Settings]) -> Settings:
        """Replaces the settings by `how(settings)` atomically, and returns the new ones."""
        settings = self.controls.change(how)
        self._note_step(settings)
        self._notify()
        return settings

    def take_neutral(self) -> str:
        """Makes the present face the neutral; returns the result as one line for the user."""
        line = "no camera runs yet" if self._live is None else self._live.neutral_key()
        self._notify()
        return line

    def toggle_recording(self) -> str:
        """Starts or ends a recording; returns one line for the user."""
        live = self._live
        if live is None or live.recorder is None:
            return "there is nothing to record to: start with --record take.mp4"
        # The recorder belongs to the thread of the run.
        self._requests.append(live.recorder.toggle)
        return "the recording ends" if live.recorder.recording else "the recording begins"

    def toggle_hand(self) -> str:
        """Starts or ends the recording of the hand; returns one line for the user."""
        with self._lock:
            if self._hand_began_s is None:
                self._hand_began_s, self._steps = self._clock(), []
                line = "what you set from now on is recorded"
            else:
                self._hand_began_s = None
                line = f"{len(self._steps)} steps were recorded"
        if self._hand_began_s is not None:
            self._note_step(self.controls.now)
        self._notify()
        return line

    def begin(self, live: LiveEdit, camera: str) -> None:
        """Shows this run. camera: the camera in words."""
        self._live = live
        self._state = RunState(camera=camera, notes=(*live.notes, *live.warnings))
        self._notify()

    def end(self, trouble: str | None = None) -> None:
        """Shows that the run has ended, or could not begin. trouble: the reason, one line."""
        self._live, self._newest = None, None
        self._state = RunState(camera=self._state.camera, trouble=trouble)
        self._notify()

    def write(self, record: Finished) -> None:
        """Takes the newest frame; the desk is a sink of the run."""
        self._newest = record
        self._work()
        for framed in self._framed:
            framed()

    def idle(self) -> None:
        """Does what was asked of the thread of the run."""
        self._work()

    def _work(self) -> None:
        if not self._requests:
            return
        while self._requests:
            self._requests.popleft()()
        self._notify()

    def _note_step(self, settings: Settings) -> None:
        """Adds what is asked for now to the steps of the hand, where it differs from the last one."""
        with self._lock:
            if self._hand_began_s is None or len(self._steps) >= MOST_STEPS:
                return
            targets = settings.targets
            hand = targets.hand if isinstance(targets, ByHand) else targets
            shown = str(hand) if isinstance(hand, Targets) and not settings.bypass else "none"
            step = Step(round(self._clock() - self._hand_began_s, 4), shown, settings.strength)
            last = self._steps[-1] if self._steps else None
            if last is None or (last.targets, last.strength) != (step.targets, step.strength):
                self._steps.append(step)

    def _notify(self) -> None:
        for changed in self._changed:
            changed()
