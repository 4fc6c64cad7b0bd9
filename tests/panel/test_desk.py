"""The desk: what is seen of a run and done to it from outside."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reenact.panel.protocol import Act, Set
from reenact.panel.switch import Switch
from reenact.programme import parse_targets
from reenact.retarget.controls import Settings
from reenact.run.desk import Desk, RunState


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Recorder:
    recording = False

    def toggle(self) -> str:
        self.recording = not self.recording
        return "toggled"


def a_run(**parts):
    """What the desk uses of a LiveEdit."""
    return SimpleNamespace(
        recorder=None, notes=("a note",), warnings=("a warning",), neutral_key=lambda: "taken", **parts
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(Settings(parse_targets("none")), clock)


def test_a_desk_without_a_run_holds_settings(desk: Desk):
    assert desk.state == RunState() and desk.newest is None and desk.status.frames == 0
    desk.change(Set(strength=0.5))
    assert desk.controls.now.strength == 0.5
    assert desk.take_neutral() == "no camera runs yet"
    assert "nothing to record to" in desk.toggle_recording()


def test_a_run_is_shown_from_its_beginning_to_its_end(desk: Desk):
    heard = []
    desk.listen(lambda: heard.append("change"), lambda: heard.append("frame"))
    desk.begin(a_run(), "camera 0")
    assert desk.state.running and desk.state.camera == "camera 0"
    assert desk.state.notes == ("a note", "a warning")
    frame = object()
    desk.write(frame)
    assert desk.newest is frame
    desk.end("it was unplugged")
    assert not desk.state.running and desk.state.trouble == "it was unplugged" and desk.newest is None
    assert heard == ["change", "frame", "change"]


def test_the_recorder_is_switched_by_the_thread_of_the_run(desk: Desk):
    run = a_run()
    run.recorder = Recorder()
    desk.begin(run, "camera 0")
    assert desk.toggle_recording() == "the recording begins"
    assert not desk.state.recording
    desk.idle()
    assert desk.state.recording and desk.state.can_record
    desk.toggle_recording()
    desk.write(object())
    assert not desk.state.recording


def test_what_the_hand_does_is_recorded_step_by_step(desk: Desk, clock: Clock):
    desk.change(Set(targets=parse_targets("AU12=+1")))
    desk.toggle_hand()
    for elapsed_s, change in (
        (0.5, Set(aus={"AU12": "+2"})),
        (0.75, Set(switches={"mirror": True})),
        (1.0, Set(strength=0.5)),
        (2.0, Set(switches={"bypass": True})),
        (3.0, Set(switches={"bypass": False}, targets=parse_targets("smile"))),
    ):
        clock.now_s = 100 + elapsed_s
        desk.change(change)
    assert desk.state.hand_s == 3 and desk.state.hand_steps == 5
    assert "5 steps" in desk.toggle_hand()
    desk.change(Set(strength=1.0))
    assert [(step.time_s, step.targets, step.strength) for step in desk.steps] == [
        (0, "AU12=+1", 1),
        (0.5, "AU12=+2", 1),
        (1, "AU12=+2", 0.5),
        (2, "none", 0.5),
        (3, str(parse_targets("smile")), 0.5),
    ]


def test_a_new_recording_of_the_hand_forgets_the_last_one(desk: Desk):
    for _ in range(3):
        desk.toggle_hand()
    assert len(desk.steps) == 1 and desk.state.hand_s is not None


def test_the_switch_starts_a_camera_once(desk: Desk):
    switch = Switch(desk, can_start=True)
    start = Act(action="start", camera="1")
    assert switch(start) == "the camera starts"
    assert switch.await_start(lambda: True) is start
    desk.begin(a_run(), "camera 1")
    assert switch(start) == "a camera runs already"
    assert switch(Act(action="stop")) == "the run ends" and switch.stopping
    assert switch.await_start(iter([True, False]).__next__) is None


def test_a_run_that_began_with_the_programme_is_not_started_again(desk: Desk):
    assert "start reenact again" in Switch(desk, can_start=False)(Act(action="start"))


@pytest.mark.parametrize(
    ("action", "line"), [("neutral", "taken"), ("hand", "recorded"), ("record", "nothing")]
)
def test_acts_reach_the_desk(desk: Desk, action, line):
    desk.begin(a_run(), "camera 0")
    assert line in Switch(desk, can_start=False)(Act(action=action))
