import numpy as np
import pytest

import reenact.generate.generator
from calib.au import neutral_aus
from calib.basis import load_basis
from calib.openings import MOUTH
from reenact.generate import FaceGenerator, MovedFace, open_generator
from reenact.generate.network.refine import Refinement, RefinementOptions
from reenact.records import Retargeted
from tests.support.faces import change, posed_face, textured_frame
from tests.support.tiny_models import MOUTH as REGION
from tests.support.tiny_models import blackener, described


def asked(frame, *changes):
    faces = tuple(posed_face(track_id=i, centre=(320.0 + 320 * i, 240.0)) for i in range(len(changes)))
    return Retargeted(frame, faces, False, tuple(neutral_aus() for _ in changes), changes)


class FakeEngine:
    """Alpha and colour as told; remembers what it was given."""

    def __init__(self, alpha, colour=(0, 0, 0)):
        self.alpha, self.colour, self.seen, self.open = alpha, colour, None, True

    def run(self, inputs):
        self.seen = inputs
        shape = (len(inputs["warped"]), REGION.height_px, REGION.width_px)
        return {
            "alpha": np.full((*shape, 1), self.alpha, np.float32),
            "colour": np.broadcast_to(np.float32(self.colour), (*shape, 3)),
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open = False


def live(engine):
    refinement = Refinement({REGION: engine}, RefinementOptions(strength=1))
    return FaceGenerator(MovedFace(load_basis()), (engine,), paint=refinement)


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


def test_live_without_weights_is_geometry_and_painters_and_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(reenact.generate.generator, "SHIPPED", tmp_path)
    record = asked(textured_frame(), change(AU12=2))
    live, plain = open_generator("live", effort=lambda frame: "whole"), open_generator("warp")
    assert live.notes == plain.notes == ()
    assert live.afterwards is None, "there is nothing that could be done later"
    assert list(live.steps) == ["generate"]
    np.testing.assert_array_equal(live(record).patches[0].image, plain(record).patches[0].image)


def test_live_refines_the_regions_whose_weights_ship(monkeypatch, tmp_path):
    monkeypatch.setattr(reenact.generate.generator, "SHIPPED", tmp_path)
    (tmp_path / "mouth.onnx").write_bytes(described(blackener(), "live"))
    record = asked(textured_frame(), change(AU25=3))
    with open_generator("live", engine="onnx", effort=lambda frame: "late") as generate:
        assert list(generate.steps) == ["generate", "appearance"] and generate.afterwards is not None
        darker = open_generator("warp")(record).patches[0].image - generate(record).patches[0].image.astype(
            int
        )
        assert (darker > 10).all(axis=2).sum() > 200


def test_alpha_zero_leaves_the_warp_bit_for_bit():
    record = asked(textured_frame(), change(AU12=2, AU25=2))
    np.testing.assert_array_equal(
        live(FakeEngine(alpha=0.0, colour=(255, 0, 0)))(record).patches[0].image,
        open_generator("warp")(record).patches[0].image,
    )


def test_alpha_one_shows_the_networks_colour_and_keeps_the_seam():
    record = asked(textured_frame(), change(AU25=3))
    patch = live(FakeEngine(alpha=1.0, colour=(12, 4, 8)))(record).patches[0]
    x, y = patch.origin
    mouth = patch.moved[[13, 14], :2].mean(axis=0).astype(int) - (x, y)
    middle = patch.image[mouth[1] - 4 : mouth[1] + 5, mouth[0] - 4 : mouth[0] + 5]
    # But for what the frame has and the crop is too coarse to show.
    np.testing.assert_allclose(middle.mean(axis=(0, 1)), [12, 4, 8], atol=4)
    width = patch.image.shape[1]
    np.testing.assert_array_equal(patch.image[0], record.frame.image[y, x : x + width])


def test_leaving_the_generator_closes_its_engine():
    engine = FakeEngine(alpha=0.0)
    with live(engine):
        assert engine.open
    assert not engine.open


def test_live_opens_the_model_it_is_given_and_paints_its_region_alone(tmp_path):
    path = tmp_path / "own.onnx"
    path.write_bytes(described(blackener(), "live"))
    record = asked(textured_frame(), change(AU25=3, AU45=-3))
    with open_generator("live", path, "onnx") as generate:
        patch = generate(record).patches[0]
    plain = open_generator("warp")(record).patches[0]
    rows, columns = np.nonzero((patch.image != plain.image).any(axis=2))
    mouth = patch.moved[list(MOUTH.outline), :2] - patch.origin
    assert len(rows) > 200
    assert columns.min() > mouth[:, 0].min() - 4 and columns.max() < mouth[:, 0].max() + 4
    assert rows.min() > mouth[:, 1].min() - 4 and rows.max() < mouth[:, 1].max() + 4
