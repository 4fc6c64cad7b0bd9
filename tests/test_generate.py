from types import SimpleNamespace

import numpy as np
import pytest

import reenact.generate.generator
from calib.au import neutral_aus
from reenact.generate import FaceGenerator, open_generator
from reenact.generate.appearance import Appearance, FaceCrop, opening_mask
from reenact.types import Retargeted
from tests.faces import change, posed_face, textured_frame


def asked(frame, *changes):
    faces = tuple(posed_face(track_id=i, centre=(320.0 + 320 * i, 240.0)) for i in range(len(changes)))
    return Retargeted(frame, faces, False, tuple(neutral_aus() for _ in changes), changes)


class FakeEngine:
    """Alpha and colour as told; remembers what it was given."""

    def __init__(self, alpha, colour=(0, 0, 0), size=256):
        self.alpha, self.colour, self.size, self.seen, self.open = alpha, colour, size, None, True

    def run(self, inputs):
        self.seen = inputs
        shape = (len(inputs["warped"]), self.size, self.size)
        return {
            "alpha": np.full((*shape, 1), self.alpha, np.float32),
            "colour": np.broadcast_to(np.float32(self.colour), (*shape, 3)),
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open = False


def live(engine):
    return FaceGenerator(open_generator("warp")._basis, Appearance(engine))


def test_a_face_that_is_not_asked_to_change_gets_no_patch():
    with open_generator("warp") as generate:
        patches = generate(asked(textured_frame(480, 960), neutral_aus(), change(AU12=1))).patches
    assert patches[0] is None and patches[1] is not None


def test_what_was_known_of_the_faces_is_passed_on():
    record = asked(textured_frame(), change(AU12=1))
    result = open_generator("warp")(record)
    assert (result.frame, result.faces, result.aus, result.changes) == (
        record.frame, record.faces, record.aus, record.changes,
    )  # fmt: skip


def test_an_unknown_generator_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="unknown generator 'gan'; choose from warp, live"):
        open_generator("gan")


def test_live_without_weights_works_as_warp_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(reenact.generate.generator, "LIVE_MODEL", tmp_path / "absent.onnx")
    record = asked(textured_frame(), change(AU12=2))
    fallback, plain = open_generator("live"), open_generator("warp")
    assert plain.notes == ()
    assert len(fallback.notes) == 1 and "warp" in fallback.notes[0]
    np.testing.assert_array_equal(fallback(record).patches[0].image, plain(record).patches[0].image)


def test_alpha_zero_leaves_the_warp_bit_for_bit():
    record = asked(textured_frame(), change(AU12=2, AU25=2))
    np.testing.assert_array_equal(
        live(FakeEngine(alpha=0.0, colour=(255, 0, 0)))(record).patches[0].image,
        open_generator("warp")(record).patches[0].image,
    )


def test_alpha_one_shows_the_networks_colour_and_keeps_the_seam():
    record = asked(textured_frame(), change(AU12=2))
    patch = live(FakeEngine(alpha=1.0, colour=(200, 10, 30)))(record).patches[0]
    height, width = patch.image.shape[:2]
    np.testing.assert_array_equal(patch.image[height // 2, width // 2], [200, 10, 30])
    x, y = patch.origin
    np.testing.assert_array_equal(patch.image[0], record.frame.image[y, x : x + width])


def test_the_network_sees_the_warped_face_the_openings_and_the_change():
    engine = FakeEngine(alpha=0.0)
    record = asked(textured_frame(), change(AU12=2.5))
    patch = live(engine)(record).patches[0]
    assert engine.seen["warped"].shape == (1, 256, 256, 3) and engine.seen["warped"].dtype == np.uint8
    assert engine.seen["mask"].shape == (1, 256, 256, 1)
    assert engine.seen["relative_aus"].dtype == np.float32
    np.testing.assert_allclose(engine.seen["relative_aus"][0], change(AU12=0.5))
    pasted = record.frame.image.copy()
    x, y = patch.origin
    pasted[y : y + patch.image.shape[0], x : x + patch.image.shape[1]] = patch.image
    expected = FaceCrop().align(record.faces[0]).crop(pasted)
    difference = np.abs(engine.seen["warped"][0].astype(int) - expected)
    assert np.percentile(difference, 99) <= 2


def test_the_mask_covers_mouth_and_eyes():
    face = posed_face()
    alignment = FaceCrop().align(face)
    mask = opening_mask(face.landmarks, alignment)
    points = alignment.points(face.landmarks)[:, :2].round().astype(int)
    for inside in (468, 473):  # irises
        assert mask[points[inside, 1], points[inside, 0]] == 255
    for outside in (4, 50, 10, 152):
        assert mask[points[outside, 1], points[outside, 0]] == 0


def test_leaving_the_generator_closes_its_engine():
    engine = FakeEngine(alpha=0.0)
    with live(engine):
        assert engine.open
    assert not engine.open


def test_a_model_file_is_opened_by_an_engine(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(
        "engines.load_engine", lambda model, name: opened.append((model, name)) or SimpleNamespace()
    )
    open_generator("live", model=tmp_path / "own.onnx", engine="onnx")
    assert opened == [(tmp_path / "own.onnx", "onnx")]
