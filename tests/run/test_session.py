"""The live run as other programs use it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reenact
from reenact.media.read import CaptureError, open_capture
from reenact.programme import TargetError
from reenact.records import Finished
from reenact.retarget.controls import ControlError
from reenact.retarget.options import RetargetOptions
from reenact.run.demo import make_clip
from reenact.run.files import EditOptions
from reenact.run.live import LiveOptions
from reenact.run.session import Session, live_options
from tests.cli.test_cli_video import SIZE
from tests.pipeline.test_pipeline import LIMIT_S, Broken, leaked
from tests.project.test_architecture import ROOT


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    make_clip(path, SIZE, seconds=1)
    return path


FREE = LiveOptions(
    edit=EditOptions(generator="warp", retarget=RetargetOptions(safe=False)),
    virtual_camera=False,
    preview=False,
)
"""Changes show whole on the next frame, however fast that is for a face."""


@pytest.fixture(scope="module")
def originals(face: Path) -> set[bytes]:
    with open_capture(face) as capture:
        return {frame.image.tobytes() for frame in capture}


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    assert leaked() == []


def first(session: Session, count: int = 1) -> Finished:
    return list(islice(session, count))[-1]


def is_edited(frame: Finished) -> bool:
    return bool((frame.image != frame.frame.image).any())


def until(session: Session, holds: object) -> Finished:
    """The first frame of which it holds."""
    deadline = time.monotonic() + LIMIT_S
    for frame in session:
        if holds(frame):
            return frame
        assert time.monotonic() < deadline
    raise AssertionError("no more frames")


def test_frames_are_rgb_pictures_with_their_faces_changed(face: Path) -> None:
    with reenact.open(face, targets="surprise", generator="warp") as session:
        frame = first(session, 3)
    assert frame.image.shape == (*SIZE, 3) and frame.image.dtype == np.uint8
    assert is_edited(frame)
    assert len(frame.faces) == len(frame.aus) == len(frame.changes) == 1


def test_without_targets_the_pictures_are_the_cameras_bit_for_bit(face: Path, originals: set[bytes]) -> None:
    with reenact.open(face) as session:
        frame = first(session)
    assert frame.output is frame.frame
    assert frame.image.tobytes() in originals


def test_a_change_is_in_the_next_frame_that_is_generated(face: Path) -> None:
    with reenact.open(face, options=FREE) as session:
        before = first(session)
        session.targets = "AU12=+2"
        changed = until(session, is_edited)
        session.set(targets="AU04=+3,AU12=+2", strength=0.5)
        frowning = until(session, lambda frame: frame.changes[0][0, 2] > 0)
    # One frame may have been generated already, and one be under way.
    assert changed.frame.index - before.frame.index <= 3 + session.status().dropped
    assert (changed.changes[0][:, [2, 8]] == (0, 2)).all()
    assert (frowning.changes[0][:, [2, 8]] == (1.5, 1)).all(), "all at once"


def test_a_side_can_be_asked_for(face: Path) -> None:
    with reenact.open(face, targets="wink", generator="warp") as session:
        change = first(session).changes[0]
    assert change[0, 16] > 2 and change[1, 16] == 0


def test_a_bypass_ends_at_the_cameras_own_frame(face: Path, originals: set[bytes]) -> None:
    with reenact.open(face, targets="smile", generator="warp") as session:
        assert is_edited(first(session))
        session.set(bypass=True)
        frame = until(session, lambda frame: frame.output is frame.frame)
        assert frame.image.tobytes() in originals
        session.set(bypass=False)
        until(session, is_edited)


def test_a_mirror_exchanges_left_and_right_and_the_face_is_not_lost(face: Path) -> None:
    with reenact.open(face, generator="warp") as session:
        first(session)
        session.set(mirror=True)
        frame = until(session, lambda frame: frame.mirrored)
    np.testing.assert_array_equal(frame.image, frame.frame.image[:, ::-1])
    assert len(frame.faces) == 1


def test_a_loop_that_is_left_can_be_taken_up_again_and_leaves_no_thread(face: Path) -> None:
    with reenact.open(face) as session:
        assert first(session).frame.index < first(session).frame.index
        assert leaked() != []


def test_a_session_without_a_loop_leaves_nothing(face: Path) -> None:
    with reenact.open(face) as session:
        assert session.status().frames == 0


def test_an_error_in_the_loop_comes_out_as_itself(face: Path) -> None:
    with pytest.raises(Broken), reenact.open(face) as session:
        for _ in session:
            raise Broken


def test_the_loop_ends_when_another_thread_says_so(face: Path) -> None:
    with reenact.open(face) as session:

        def stop() -> None:
            deadline = time.monotonic() + LIMIT_S
            while not session.status().frames and time.monotonic() < deadline:
                time.sleep(0.01)
            session.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        assert len(list(session)) > 0
        assert list(session) == []
        stopper.join()


def test_another_thread_may_close_while_the_loop_runs(face: Path) -> None:
    """It raised "generator already executing" once, and left all threads."""
    raised: list[BaseException] = []
    with reenact.open(face, generator="warp") as session:
        first(session)

        def close() -> None:
            try:
                time.sleep(0.1)
                session.close()
                assert leaked() == [], "it waits for the end"
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=close)
        thread.start()
        list(session)
        thread.join(LIMIT_S)
        assert list(session) == []
        assert leaked() == []
    assert raised == []


def test_many_threads_may_close_at_once_and_again(face: Path) -> None:
    with reenact.open(face, generator="warp") as session:
        first(session)
        threads = [threading.Thread(target=session.close) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        session.close()
        assert leaked() == []


def test_a_handler_of_signals_may_close_in_the_thread_of_the_loop(face: Path) -> None:
    with reenact.open(face, generator="warp") as session:
        before = signal.signal(signal.SIGALRM, lambda number, frame: session.close())
        try:
            first(session)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            list(session)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert leaked() == []


def test_a_body_of_the_loop_may_close(face: Path) -> None:
    with reenact.open(face, generator="warp") as session:
        for seen, _ in enumerate(session):
            if seen == 2:
                session.close()
        assert seen == 2 and leaked() == []


def test_a_session_may_end_while_another_thread_loops(face: Path) -> None:
    seen: list[Finished] = []
    with reenact.open(face, generator="warp") as session:
        thread = threading.Thread(target=lambda: seen.extend(session))
        thread.start()
        deadline = time.monotonic() + LIMIT_S
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
    thread.join(LIMIT_S)
    assert seen and not thread.is_alive()


def test_a_closed_session_still_answers(face: Path) -> None:
    with reenact.open(face, targets="AU12=0", generator="warp") as session:
        first(session, 5)
    frames = session.status().frames
    assert frames >= 5 and session.status().frames == frames
    assert session.take_neutral(), "of the last second that it saw"
    session.set(strength=0.5, mirror=True)
    session.stop()
    session.close()
    assert session.settings.strength == 0.5
    assert list(session) == []
    assert session.notes is not None and str(session.targets) == "AU12=0"


@pytest.mark.parametrize(
    ("given", "strength", "mirror", "virtual_camera", "generator"),
    [
        ({}, 0.5, True, True, "paper"),
        ({"strength": 1.0}, 1.0, True, True, "paper"),
        ({"mirror": False}, 0.5, False, True, "paper"),
        ({"virtual_camera": False, "generator": "warp"}, 0.5, True, False, "warp"),
    ],
)
def test_an_argument_that_is_given_replaces_what_the_options_say(
    given: dict[str, Any], strength: float, mirror: bool, virtual_camera: bool, generator: str
) -> None:
    edit = EditOptions(generator="paper", retarget=RetargetOptions(strength=0.5, fade_s=0.7))
    options = LiveOptions(edit=edit, mirror=True, virtual_camera=True, budget_ms=70)
    names = ("strength", "mirror", "virtual_camera", "generator")
    chosen = live_options(options, **{name: given.get(name) for name in names})
    assert chosen.edit.retarget.strength == strength
    assert (chosen.mirror, chosen.virtual_camera, chosen.edit.generator) == (
        mirror,
        virtual_camera,
        generator,
    )
    assert (chosen.budget_ms, chosen.edit.retarget.fade_s) == (70, 0.7), "all else is the options'"


def test_without_options_nothing_is_shown_but_in_the_frames() -> None:
    chosen = live_options(None, None, None, None, None)
    assert (chosen.preview, chosen.virtual_camera, chosen.mirror) == (False, False, False)
    assert (chosen.edit.generator, chosen.edit.retarget.strength) == ("live", 1.0)


def test_options_and_arguments_go_together(face: Path) -> None:
    with reenact.open(face, targets="AU04=+2", options=FREE, strength=0.5, mirror=True) as session:
        frame = first(session)
        assert session.settings.strength == 0.5
    assert frame.mirrored and frame.changes[0][0, 2] == 1


def test_other_threads_change_settings_while_the_loop_runs(face: Path) -> None:
    strengths = np.linspace(0.1, 1.5, 50)
    at_once = replace(FREE.edit.retarget, fade_s=0, confidence_in=0, confidence_out=0)
    options = replace(FREE, edit=replace(FREE.edit, retarget=at_once))
    with reenact.open(face, targets="AU04=+2", options=options) as session:
        first(session)

        def steer() -> None:
            for strength in strengths:
                session.set(strength=float(strength))
                session.status()
                time.sleep(0.002)
            session.stop()

        thread = threading.Thread(target=steer)
        thread.start()
        seen = [float(frame.changes[0][0, 2]) for frame in session if frame.faces]
        thread.join()
    allowed = {float(np.float32(2 * strength)) for strength in (*strengths, 1.0)}
    assert len(seen) > 0 and seen[1:] == sorted(seen[1:])
    assert all(min(abs(one - other) for other in allowed) < 1e-5 for one in seen)


def test_the_neutral_is_taken_from_a_face_and_only_from_one(face: Path) -> None:
    with reenact.open(face, targets="AU12=0", generator="warp") as session:
        assert not session.take_neutral()
        until(session, lambda frame: frame.faces and frame.changes[0][0, 8] < -0.5)  # the portrait smiles
        assert session.take_neutral()
        # And that is its face at rest now.
        until(session, lambda frame: frame.faces and abs(frame.changes[0][0, 8]) < 0.2)
        assert session.settings.neutral is not None


def test_what_cannot_be_set_changes_nothing(face: Path) -> None:
    with reenact.open(face, targets="smile") as session:
        before = session.settings
        with pytest.raises(TargetError):
            session.set(targets="AU99=1", strength=0.5)
        with pytest.raises(ControlError):
            session.set(strength=9)
        assert session.settings is before


def test_a_camera_that_is_not_there_says_so() -> None:
    with pytest.raises(CaptureError, match=r"nowhere\.mp4"), reenact.open("nowhere.mp4"):
        pass


def test_importing_the_package_loads_nothing() -> None:
    program = "import sys, reenact; sys.exit('numpy' in sys.modules or not callable(reenact.open))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
