import numpy as np
import pytest

import reenact.generate.generator
from calib.au import neutral_aus
from calib.basis import load_basis
from reenact.generate import FaceGenerator, MovedFace, open_generator
from reenact.generate.appearance import Appearance, FaceCrop, opening_mask
from reenact.types import Retargeted
from tests.faces import change, posed_face, shows, textured_frame
from tests.tiny_models import blackener, described


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
    return FaceGenerator(MovedFace(load_basis()), engine, paint=Appearance(engine))


def test_a_face_that_is_not_asked_to_change_gets_no_patch():
    with open_generator("warp") as generate:
        patches = generate(asked(textured_frame(480, 960), change(), change(AU12=1))).patches
    assert patches[0] is None and patches[1] is not None


def test_what_was_known_of_the_faces_is_passed_on():
    record = asked(textured_frame(), change(AU12=1))
    result = open_generator("warp")(record)
    assert (result.frame, result.faces, result.aus, result.changes) == (
        record.frame, record.faces, record.aus, record.changes,
    )  # fmt: skip


def test_an_unknown_generator_is_refused_with_the_choices():
    with pytest.raises(
        ValueError, match="unknown generator 'gan'; choose from warp, live, paper, ganimation"
    ):
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
    centre = patch.image[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5]
    # But for what the frame has and the crop is too coarse to show.
    np.testing.assert_allclose(centre.mean(axis=(0, 1)), [200, 10, 30], atol=3)
    x, y = patch.origin
    np.testing.assert_array_equal(patch.image[0], record.frame.image[y, x : x + width])


def test_the_network_sees_the_warped_face_the_openings_and_the_change():
    engine = FakeEngine(alpha=0.0)
    record = asked(textured_frame(), change(AU12=2.5))
    patch = live(engine)(record).patches[0]
    assert engine.seen["warped"].shape == (1, 256, 256, 3) and engine.seen["warped"].dtype == np.uint8
    assert engine.seen["mask"].shape == (1, 256, 256, 2) and engine.seen["mask"].dtype == np.uint8
    assert engine.seen["relative_aus"].dtype == np.float32
    np.testing.assert_allclose(engine.seen["relative_aus"][0], shows(AU12=0.5))
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


def test_live_opens_the_model_it_is_given_with_the_crop_that_the_model_states(tmp_path):
    path = tmp_path / "own.onnx"
    record = asked(textured_frame(), change(AU25=3))
    black = []
    for crop in (FaceCrop(), FaceCrop(width_mm=400.0)):
        path.write_bytes(described(blackener(), "live", crop))
        with open_generator("live", path, "onnx") as generate:
            image = generate(record).patches[0].image
        black.append(np.flatnonzero((image < 10).all(axis=2).any(axis=1)))
    # The mouth, wherever the crop has it.
    for narrow, wide in zip(*((rows[0], rows[-1]) for rows in black), strict=True):
        assert abs(int(narrow) - int(wide)) <= 3
    assert len(black[0]) > 20


def test_the_gate_keeps_the_network_to_what_changes(tmp_path):
    (tmp_path / "gated.onnx").write_bytes(described(blackener(gate=1), "live"))
    record = asked(textured_frame(), change(AU45=-3))
    with open_generator("live", tmp_path / "gated.onnx", "onnx") as generate:
        patch = generate(record).patches[0]
    plain = open_generator("warp")(record).patches[0]
    painted = (patch.image != plain.image).any(axis=2)
    x, y = patch.origin
    chin = record.faces[0].landmarks[152, :2].astype(int) - (x, y)
    eye = record.faces[0].landmarks[159, :2].astype(int) - (x, y)
    assert painted[eye[1], eye[0]]
    assert chin[1] >= painted.shape[0] or not painted[chin[1], chin[0]]
