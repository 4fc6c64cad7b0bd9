"""The mouth's network that ships: its files, its cost, and what it may and may not do."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calib.openings import MOUTH
from engines import load_engine
from reenact.generate import open_generator
from reenact.generate.generator import SHIPPED, shipped_models
from reenact.generate.network.contract import model_info
from reenact.generate.network.network_regions import PLANES, REGIONS
from reenact.generate.network.refine import Refinement, moved_crop, region_inputs
from tests.generate.test_refine import ASKED, FLOOR, FRAME, alignment_of, opened
from tests.generate.test_whole_face import asked
from tests.support.faces import change, posed_face, textured_frame

REGION = REGIONS["mouth"]
MODEL = SHIPPED / "mouth.onnx"
LARGEST_BYTES, LARGEST_MACS = 10e6, 0.2e9
"""Budget of all networks of a face."""


@pytest.fixture(scope="module")
def engine():
    with load_engine(MODEL, "onnx", threads=1) as opened_engine:
        yield opened_engine


def smile(frame=FRAME):
    """A face with a warp to an open mouth: skin, in it a band of teeth and below them the dark floor."""
    face, warp = opened(frame=frame, gap_mm=16)
    outline = warp.moved[list(MOUTH.outline), :2] - warp.origin
    image = np.full_like(warp.image, (190, 140, 120))
    cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], FLOOR)
    top = int(outline[:, 1].min())
    teeth = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(teeth, [np.rint(outline).astype(np.int32)], 1)
    teeth[top + 12 :] = 0
    image[teeth == 1] = (150, 140, 125)
    return face, replace(warp, image=image), teeth == 1


def even_frame():
    """A frame of skin, by which the light is judged."""
    return replace(FRAME, image=np.full_like(FRAME.image, (190, 140, 120)))


class Ungated:
    """The same network, told that it may paint wherever the mouth is open."""

    def __init__(self, network):
        self.network = network

    def run(self, inputs):
        inside = inputs["mask"][..., :1]
        return self.network.run({**inputs, "mask": np.repeat(inside, 2, axis=-1)})


def refined(network, frame, face, warp):
    return Refinement({REGION: network})(frame, face, ASKED, warp).image.astype(int)


def test_it_ships_and_says_what_it_is():
    assert MODEL in shipped_models()
    info = model_info(MODEL, "live")
    assert (info.region, info.crop, info.licence) == ("mouth", REGION.crop, "MIT")
    card = (SHIPPED / "MOUTH_MODEL_CARD.md").read_text(encoding="utf-8")
    assert info.weights_sha256 in card


def test_all_networks_of_a_face_together_are_small():
    files = [path.with_suffix(suffix) for path in shipped_models() for suffix in (".onnx", ".safetensors")]
    assert sum(file.stat().st_size for file in files) < LARGEST_BYTES


def test_the_dark_floor_stays_dark(engine):
    face, warp, teeth = smile()
    frame = even_frame()
    before, after = warp.image.astype(int), refined(engine, frame, face, warp)
    floor = (warp.image == FLOOR).all(axis=2)
    # A pixel of the frame beside the teeth may get a little of their paint.
    assert (after - before)[floor].max() <= 0.6 * min(FLOOR)
    far = cv2.erode(floor.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert far.sum() > 200
    assert np.array_equal(after[far], before[far])
    assert np.abs(after - before)[teeth].max() > 3, "the teeth are painted"
    ungated = refined(Ungated(engine), frame, face, warp)
    assert np.abs(ungated - before)[far].max() > 1, "without its mask the network would paint the floor"


def test_lips_and_skin_stay_as_they_are(engine):
    face, warp, _ = smile()
    after = refined(engine, even_frame(), face, warp)
    skin = (warp.image == (190, 140, 120)).all(axis=2)
    # A pixel of the network's crop is as wide as two of the frame.
    away = cv2.erode(skin.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert np.array_equal(after[away], warp.image[away])


def test_a_mouth_that_stays_is_the_warps_to_the_last_bit():
    record = asked(textured_frame(), change(AU01=2, AU04=2), posed_face())
    with open_generator("warp") as warp, open_generator("live", engine="onnx") as live:
        one, other = (generator(record).patches[0] for generator in (warp, live))
    assert np.array_equal(one.image, other.image)


def test_the_network_sees_teeth_where_they_are(engine):
    face, warp, teeth = smile()
    alignment = alignment_of(face, warp)
    seen = region_inputs(even_frame(), face, warp, REGION, MOUTH, alignment)
    nothing = replace(FRAME, image=np.zeros_like(FRAME.image))
    only_teeth = replace(warp, image=np.repeat(teeth[..., None] * np.uint8(255), 3, axis=2))
    there = moved_crop(nothing, only_teeth, alignment)[REGION.rows][..., 0] > 127
    allowed = seen.mask[..., 1] > 127
    assert (allowed & there).sum() > 0.7 * (allowed | there).sum()


def test_onnx_and_the_weights_in_safetensors_are_one_network():
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    from torch.utils.flop_counter import FlopCounterMode

    from train.export import TOLERANCE, Trained, largest_difference
    from train.networks.region_network import LiveGenerator

    network = LiveGenerator().eval()
    weights = load_file(MODEL.with_suffix(".safetensors"))
    network.load_state_dict({name: weight.float() for name, weight in weights.items()})
    trained = Trained(network, "live", REGION.crop, REGION.height_px, "mouth")
    assert largest_difference(trained, MODEL) <= TOLERANCE
    pictures = [torch.zeros(1, planes, REGION.height_px, REGION.width_px) for planes in (3, 2, PLANES)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*pictures)
    assert counter.get_total_flops() / 2 < LARGEST_MACS
