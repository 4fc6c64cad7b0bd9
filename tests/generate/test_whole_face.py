"""Generators that paint the whole crop."""

import numpy as np
import pytest

from calib.au import neutral_aus, openface
from reenact.generate import FaceGenerator, open_generator
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.contract import ModelError
from reenact.generate.network.whole_face import RepaintedFace, feather
from reenact.generate.paste import paste
from reenact.records import Retargeted
from tests.support.faces import change, posed_face, rotation, shows, textured_frame
from tests.support.tiny_models import described, inverter

CROP = FaceCrop(size=64)


class Painter:
    """An engine that paints one colour; remembers what it was given."""

    def __init__(self, colour=(200, 10, 30), alpha=None):
        self.colour, self.alpha, self.seen = np.float32(colour), alpha, None

    def run(self, inputs):
        self.seen = inputs
        painted = np.broadcast_to(self.colour, inputs["image"].shape)
        if self.alpha is None:
            return {"edited": painted}
        return {"alpha": np.full_like(painted[..., :1], self.alpha), "colour": painted}


def asked(frame, amounts, face=None, shown=None):
    return Retargeted(
        frame, (face or posed_face(),), False, (neutral_aus() if shown is None else shown,), (amounts,)
    )


def test_a_face_that_is_not_asked_to_change_gets_no_patch():
    generate = FaceGenerator(RepaintedFace(Painter(), CROP))
    assert generate(asked(textured_frame(), change())).patches == (None,)


def test_the_middle_of_the_face_is_the_networks_and_the_border_the_frames():
    frame = textured_frame()
    patch = FaceGenerator(RepaintedFace(Painter(), CROP))(asked(frame, change(AU12=2))).patches[0]
    x, y = patch.origin
    height, width = patch.image.shape[:2]
    np.testing.assert_array_equal(patch.image[240 - y, 320 - x], [200, 10, 30])
    under = frame.image[y : y + height, x : x + width]
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_array_equal(patch.image[border], under[border])


def test_nothing_pops_at_the_onset_of_a_change():
    frame = textured_frame()
    generate = FaceGenerator(RepaintedFace(Painter(), CROP))
    images = [paste(generate(asked(frame, change(AU12=amount)))).image for amount in (0.001, 0.1, 0.25, 3.0)]
    distance = [float(np.abs(image.astype(int) - frame.image).mean()) for image in images]
    assert distance[0] < 0.01
    assert distance[0] < distance[1] < distance[2] == distance[3]


@pytest.mark.parametrize("centre", [(10.0, 240.0), (630.0, 470.0), (-60.0, -60.0)])
def test_a_face_at_the_edge_of_the_picture_stays_inside_it(centre):
    frame = textured_frame()
    face = posed_face(centre=centre, turn=rotation(roll=0.5))
    patch = FaceGenerator(RepaintedFace(Painter(), CROP))(asked(frame, change(AU12=2), face)).patches[0]
    x, y = patch.origin
    assert x >= 0 and y >= 0
    assert x + patch.image.shape[1] <= 640 and y + patch.image.shape[0] <= 480


def test_a_network_that_gives_the_crop_back_leaves_the_face_in_place():
    class Copy:
        def run(self, inputs):
            return {"edited": inputs["image"].astype(np.float32)}

    frame = textured_frame()
    face = posed_face(turn=rotation(roll=0.4))
    repaint = RepaintedFace(Copy(), FaceCrop(size=380))  # as fine as the frame
    patch = FaceGenerator(repaint)(asked(frame, change(AU12=2), face)).patches[0]
    x, y = patch.origin
    under = frame.image[y : y + patch.image.shape[0], x : x + patch.image.shape[1]]
    assert np.abs(patch.image.astype(int) - under).mean() < 1.5


def test_relative_action_units_are_given_as_fifths():
    painter = Painter()
    FaceGenerator(RepaintedFace(painter, CROP))(asked(textured_frame(), change(AU12=2.5, AU04=-1)))
    assert painter.seen["relative_aus"].dtype == np.float32
    np.testing.assert_allclose(painter.seen["relative_aus"], [openface(shows(AU12=0.5, AU04=-0.2))])
    assert painter.seen["image"].shape == (1, 64, 64, 3) and painter.seen["image"].dtype == np.uint8


def test_absolute_action_units_are_what_the_face_is_to_show_within_the_scale():
    painter = Painter(alpha=0.5)
    generate = FaceGenerator(RepaintedFace(painter, CROP, absolute=True))
    generate(asked(textured_frame(), change(AU12=3, AU04=-2), shown=shows(AU12=4, AU04=1, AU25=1)))
    np.testing.assert_allclose(painter.seen["aus"], [openface(shows(AU12=1, AU25=0.2))], atol=1e-6)


def test_alpha_says_where_a_network_paints():
    record = asked(textured_frame(), change(AU12=2))
    untouched = FaceGenerator(RepaintedFace(Painter(alpha=0.0), CROP))(record)
    np.testing.assert_array_equal(paste(untouched).image, record.frame.image)
    half = FaceGenerator(RepaintedFace(Painter(alpha=0.5), CROP))(record).patches[0]
    x, y = half.origin
    expected = (record.frame.image[240, 320] + np.float32([200, 10, 30])) / 2
    assert np.abs(half.image[240 - y, 320 - x] - expected).max() <= 0.5


def test_the_feather_is_whole_inside_and_nothing_at_the_border():
    weight = feather(64)[..., 0]
    assert weight[16:48, 16:48].min() == 1
    assert weight[0].max() == weight[-1].max() == weight[:, 0].max() == weight[:, -1].max() == 0
    assert (np.diff(weight[32, :32]) >= 0).all() and np.abs(np.diff(weight[32])).max() < 0.2


def test_paper_opens_the_model_it_is_given(tmp_path):
    path = tmp_path / "paper.onnx"
    path.write_bytes(described(inverter(64), "paper", CROP))
    frame = textured_frame()
    with open_generator("paper", path, "onnx") as generate:
        patch = generate(asked(frame, change(AU12=2))).patches[0]
    x, y = patch.origin
    seen = CROP.align(posed_face()).crop(frame.image)
    # The face's centre lies 14 mm above that of the crop.
    middle = np.rint(CROP.align(posed_face()).points(np.float32([[320, 240]])))[0].astype(int)
    assert np.abs(patch.image[240 - y, 320 - x].astype(int) - (255 - seen[middle[1], middle[0]])).max() < 40


@pytest.mark.parametrize("name", ["paper", "ganimation"])
def test_those_that_ship_no_weights_ask_for_a_model(name):
    with pytest.raises(ModelError, match=f"{name}.*--model {name}.onnx"):
        open_generator(name)


def test_another_generators_model_is_refused(tmp_path):
    path = tmp_path / "paper.onnx"
    path.write_bytes(described(inverter(64), "paper", CROP))
    with pytest.raises(ModelError, match="is a model for --generator paper, not ganimation"):
        open_generator("ganimation", path)
