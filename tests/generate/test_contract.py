"""What a model says of itself is read without a runtime, and believed only when it fits."""

from pathlib import Path

import pytest

from engines import EngineError
from engines.description import describe
from engines.onnx_file import metadata
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.contract import ModelError, model_info
from tests.support.tiny_models import blackener, described, info

OTHER_CROP = FaceCrop(128, 180.5, (0.0, 1.25, -3.0))


@pytest.fixture
def write(tmp_path):
    def write(content: bytes) -> Path:
        (tmp_path / "own.onnx").write_bytes(content)
        return tmp_path / "own.onnx"

    return write


def test_a_model_tells_its_crop_its_origin_and_its_licence(write):
    path = write(described(blackener(), "live", OTHER_CROP))
    assert model_info(path, "live") == info("live", OTHER_CROP)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ({"contract": "magic"}, "has no metadata of a contract"),
        ({"contract": "paper"}, "is a model for --generator paper, not live"),
        ({"contract_version": "7"}, "has version 7 of the contract 'live', this reenact needs version 2"),
        ({"action_units": "AU02 AU01"}, "takes the action units AU02 AU01, not AU01 AU02 AU04"),
        ({"graph_sha256": "0" * 64}, "is damaged: the SHA-256 of its graph is .*, not 000000000000…"),
        ({"size": "wide"}, "lacks metadata .*'wide'"),
        ({"crop_centre_mm": "0.0 14.0"}, "lacks metadata"),
        ({"region": "nose"}, "lacks metadata .*'nose'"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(write, lie, message):
    path = write(described(blackener(), "live", **lie))
    with pytest.raises(ModelError, match=message) as caught:
        model_info(path, "live")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_from_elsewhere_is_refused(write):
    with pytest.raises(ModelError, match="has no metadata of a contract"):
        model_info(write(blackener()), "live")


def test_a_weight_that_was_changed_later_is_noticed(write):
    content = bytearray(described(blackener(), "live"))
    content[content.index(b"CastLike")] ^= 1
    with pytest.raises(ModelError, match="is damaged"):
        model_info(write(bytes(content)), "live")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08", blackener()[:-30], b"\x3a\xff"])
def test_what_is_no_model_is_refused_in_one_line(write, content):
    with pytest.raises(EngineError, match=r"own\.onnx is not an ONNX model") as caught:
        model_info(write(content), "live")
    assert "\n" not in str(caught.value)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"cannot read the model .*none\.onnx"):
        model_info(tmp_path / "none.onnx", "live")


def test_metadata_of_any_length_and_script_is_read():
    entries = {"licence": "для " * 100, "empty": ""}
    assert describe(blackener() + metadata(entries)).metadata == entries


def test_the_onnx_package_reads_the_same(tmp_path):
    onnx = pytest.importorskip("onnx")
    content = described(blackener(), "live", OTHER_CROP)
    proto = onnx.load_from_string(content)
    description = describe(content)
    assert {entry.key: entry.value for entry in proto.metadata_props} == description.metadata
    onnx.checker.check_model(proto)
