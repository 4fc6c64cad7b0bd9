"""What a model takes and gives, read from its file as ONNX Runtime reads it."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from engines import EngineError
from engines.description import describe, read_signature, title
from engines.onnx_file import FLOAT, HALF, UINT8, model, node, tensor, value_info
from engines.protobuf import field
from tests.support.fake_nvidia import ORT_DTYPES, open_session

INT64, STRING = 7, 8


def copies(kind: int, shape: tuple[int | str, ...] = ("faces", 2, 3)) -> bytes:
    return model(
        nodes=[node("Identity", ["x"], ["y"])],
        inputs=[value_info("x", shape, kind)],
        outputs=[value_info("y", shape, kind)],
    )


def adds_a_weight_that_is_listed_as_an_input() -> bytes:
    return model(
        nodes=[node("Add", ["x", "w"], ["y"])],
        inputs=[value_info("w", (2,)), value_info("x", (1, 2))],
        outputs=[value_info("y", (1, 2))],
        weights=[tensor("w", np.ones(2, np.float32))],
    )


def has_lengths_of_which_nothing_is_said() -> bytes:
    nothing = field(2, field(1, field(1, FLOAT) + field(2, field(1, b"") + field(1, field(1, 3)))))
    return model([node("Identity", ["x"], ["y"])], [field(1, "x") + nothing], [field(1, "y") + nothing])


def spec(argument: onnxruntime.NodeArg) -> tuple[str, tuple[int | None, ...], np.dtype]:
    shape = tuple(length if isinstance(length, int) else None for length in argument.shape)
    return argument.name, shape, np.dtype(ORT_DTYPES[argument.type])


@pytest.mark.parametrize(
    "content",
    [
        *(copies(kind) for kind in (FLOAT, UINT8, HALF, INT64)),
        copies(FLOAT, ()),
        copies(FLOAT, (1, 300, "height", "width")),
        adds_a_weight_that_is_listed_as_an_input(),
        has_lengths_of_which_nothing_is_said(),
    ],
)
def test_inputs_and_outputs_are_those_of_the_runtime(content):
    session, signature = open_session(content), read_signature(content)
    assert [(each.name, each.shape, each.dtype) for each in signature.inputs] == [
        spec(each) for each in session.get_inputs()
    ]
    assert [(each.name, each.shape, each.dtype) for each in signature.outputs] == [
        spec(each) for each in session.get_outputs()
    ]


def test_a_length_of_minus_one_is_any(monkeypatch):
    minus_one = b"\x08" + b"\xff" * 9 + b"\x01"  # field 1 as protobuf writes -1
    shape = field(2, field(1, field(1, FLOAT) + field(2, field(1, minus_one))))
    content = model([node("Identity", ["x"], ["y"])], [field(1, "x") + shape], [field(1, "y") + shape])
    assert read_signature(content).inputs[0].shape == (None,)


def test_a_type_that_no_array_has_is_refused_by_its_name():
    with pytest.raises(
        EngineError, match=r"has a tensor 'x' of a type \(number 8 in ONNX\) other than float32, uint8"
    ):
        read_signature(copies(STRING))


@pytest.mark.parametrize(
    "content", [b"", b"no model", copies(FLOAT)[:-9], field(7, field(11, field(1, "x")))]
)
def test_a_file_that_is_no_model_is_refused(content):
    with pytest.raises(EngineError, match="is not an ONNX model"):
        read_signature(content)


def test_a_tensorflow_lite_file_is_named_for_what_it_is():
    content = b"\x1c\0\0\0TFL3" + bytes(40)
    assert title(content) == "a TensorFlow Lite model"
    for read in (describe, read_signature):
        with pytest.raises(EngineError, match="TensorFlow Lite model, which only OpenVINO reads"):
            read(content)
