"""Fakes of libraries refuse what the real ones refuse, and are like them where those are installed."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import pytest

from engines import onnx_file
from engines.cuda import call
from tests.support import fake_nvidia
from tests.support.fake_nvidia import ALIGNMENT, Gpu, Misuse, cuda_runtime

VERSIONS = {10: fake_nvidia.OLD, 11: fake_nvidia.NEW}
SQUARES = ("faces", 2, 2)
MODEL = onnx_file.model(
    nodes=[onnx_file.node("Add", ["x", "x"], ["y"])],
    inputs=[onnx_file.value_info("x", SQUARES)],
    outputs=[onnx_file.value_info("y", SQUARES)],
)


@pytest.fixture(params=VERSIONS)
def tensorrt(request: pytest.FixtureRequest) -> Any:
    return fake_nvidia.Tensorrt(Gpu(), VERSIONS[request.param]).module


def logger_of(tensorrt: Any, said: list[str]) -> Any:
    class Logger(tensorrt.ILogger):
        def log(self, severity: Any, message: str) -> None:
            if severity == self.Severity.ERROR:
                said.append(message)

    return Logger()


def built(tensorrt: Any, said: list[str], **shapes: tuple[Any, Any, Any]) -> Any:
    """The plan of MODEL with this profile, or None."""
    logger = logger_of(tensorrt, said)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    assert tensorrt.OnnxParser(network, logger).parse(MODEL)
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for name, shape in shapes.items():
        profile.set_shape(name, *shape)
    assert config.add_optimization_profile(profile) == 0
    return builder.build_serialized_network(network, config)


GOOD = ((1, 2, 2), (1, 2, 2), (4, 2, 2))


def test_enumerations_are_no_integers(tensorrt: Any) -> None:
    flag = tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert 1 << int(flag) == (2 if tensorrt.__version__ == fake_nvidia.OLD else 1)
    for wrong in (
        lambda: 1 << flag,
        lambda: list(tensorrt.DataType),
        lambda: tensorrt.DataType["HALF"],
        lambda: tensorrt.nptype(0),
        lambda: tensorrt.nptype(tensorrt.DataType.BF16),
        lambda: hash(tensorrt.Dims((1, 2))),
        lambda: tensorrt.Dims((1, 2)) + tensorrt.Dims((3,)),
        lambda: tensorrt.Dims((1.5,)),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert tensorrt.DataType.FLOAT != 0
    assert tensorrt.Dims((1, -1)) == (1, -1) and not isinstance(tensorrt.Dims(), tuple)
    assert hasattr(tensorrt.BuilderFlag, "FP16") == (tensorrt.__version__ == fake_nvidia.OLD)


def test_a_builder_refuses_arguments_of_other_kinds(tensorrt: Any) -> None:
    builder = tensorrt.Builder(logger_of(tensorrt, []))
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    for wrong in (
        lambda: tensorrt.Builder(print),
        lambda: tensorrt.OnnxParser(None, logger_of(tensorrt, [])),
        lambda: config.set_flag(6),
        lambda: config.add_optimization_profile(None),
        lambda: profile.set_shape("x", 1, 1, 4),
        lambda: profile.set_shape("x", (None, 2, 2), (1, 2, 2), (4, 2, 2)),
        lambda: builder.build_serialized_network(config, None),
    ):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({}, "no optimization profile"),
        ({"x": GOOD, "z": GOOD}, "no inputs of the network"),
        ({"x": ((1, 2), (1, 2), (4, 2))}, "does not agree"),
        ({"x": ((1, 2, 2), (1, 2, 2), (4, 2, 3))}, "does not agree"),
    ],
)
def test_what_a_profile_gets_wrong_is_found_when_it_is_built(tensorrt: Any, shapes: Any, reason: str) -> None:
    said: list[str] = []
    assert built(tensorrt, said, **shapes) is None
    assert reason in said[0]
    with pytest.raises(ValueError, match="inconsistent"):
        built(tensorrt, said, x=GOOD[::-1])


def test_a_context_says_no_to_names_shapes_and_runs_that_are_wrong(tensorrt: Any) -> None:
    said: list[str] = []
    plan = built(tensorrt, said, x=GOOD)
    for wrong in (lambda: len(plan), lambda: plan[0], lambda: list(plan)):
        with pytest.raises(TypeError):
            wrong()
    runtime = tensorrt.Runtime(logger_of(tensorrt, said))
    assert runtime.deserialize_cuda_engine(bytes(plan)[1:]) is None
    engine = runtime.deserialize_cuda_engine(plan)
    assert engine.get_tensor_name(2) is None
    assert engine.get_tensor_mode("z") == tensorrt.TensorIOMode.NONE
    context = engine.create_execution_context()
    cuda = cuda_runtime(runtime.gpu)
    stream = call(cuda.cudaStreamCreateWithFlags, 1)
    assert context.infer_shapes() == ["x"]
    assert not context.set_input_shape("z", (1, 2, 2)) and not context.set_input_shape("y", (1, 2, 2))
    assert not context.set_input_shape("x", (5, 2, 2)) and not context.set_input_shape("x", (1, 2))
    assert context.set_input_shape("x", [1, 2, 2])
    assert not context.execute_async_v3(int(stream))
    address = call(cuda.cudaMalloc, 64)
    assert address % ALIGNMENT == 0
    assert not context.set_tensor_address("z", address)
    assert context.set_tensor_address("x", address) and not context.execute_async_v3(int(stream))
    for wrong in (
        lambda: context.set_input_shape("x", np.array([1, 2, 2])),
        lambda: context.set_tensor_address("x", None),
        lambda: context.execute_async_v3(stream),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(Misuse, match="multiple of 256"):
        context.set_tensor_address("x", address + 16)


def test_the_cuda_runtime_refuses_other_kinds_and_what_is_closed() -> None:
    cuda = cuda_runtime(Gpu())
    stream, event = call(cuda.cudaStreamCreateWithFlags, 1), call(cuda.cudaEventCreateWithFlags, 3)
    for wrong in (
        lambda: cuda.cudaGraphInstantiate(None),
        lambda: cuda.cudaMalloc("16"),
        lambda: cuda.cudaStreamDestroy(event),
        lambda: cuda.cudaStreamBeginCapture(stream, 1),
        lambda: cuda.cudaMemcpyAsync(0, 0, 1, 1, stream),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert cuda.cudaGetDeviceProperties(1)[1] is None
    call(cuda.cudaStreamDestroy, stream)
    with pytest.raises(Misuse, match="closed"):
        cuda.cudaStreamDestroy(stream)
    with pytest.raises(Misuse, match="closed"):
        cuda.cudaEventRecord(event, stream)


def test_the_fake_tensorrt_is_like_the_real_one() -> None:
    real = pytest.importorskip("tensorrt", exc_type=ImportError)
    major = int(real.__version__.split(".")[0])
    fake = fake_nvidia.Tensorrt(Gpu(), VERSIONS[major]).module
    for name in ("TensorIOMode", "DataType", "LayerType", "BuilderFlag", "NetworkDefinitionCreationFlag"):
        found = {key: int(value) for key, value in getattr(real, name).__members__.items()}
        expected = {key: int(value) for key, value in getattr(fake, name).__members__.items()}
        assert {key: found.get(key) for key in expected} == expected, name
    assert not hasattr(real.BuilderFlag, "FP16") or major == 10
    classes = {
        "Builder": fake_nvidia.Builder,
        "INetworkDefinition": fake_nvidia.Network,
        "ILayer": fake_nvidia.Layer,
        "IBuilderConfig": fake_nvidia.BuilderConfig,
        "IOptimizationProfile": fake_nvidia.Profile,
        "OnnxParser": fake_nvidia.OnnxParser,
        "Runtime": fake_nvidia.Runtime,
        "ICudaEngine": fake_nvidia.CudaEngine,
        "IExecutionContext": fake_nvidia.Context,
    }
    own = {"error", "names", "gpu", "library"}
    for name, kind in classes.items():
        for member, value in vars(kind).items():
            if (
                member.startswith("_")
                or member in own
                or not (callable(value) or isinstance(value, property))
            ):
                continue
            assert hasattr(getattr(real, name), member), f"{name}.{member}"
            told = getattr(real, name).__dict__[member].__doc__ or ""
            if callable(value):
                for argument in list(signature(value).parameters)[1:]:
                    assert f"{argument}: " in told, f"{name}.{member}({argument})"


def test_the_fake_cuda_runtime_is_like_the_real_one() -> None:
    pytest.importorskip("cuda.bindings.runtime", exc_type=ImportError)
    real, fake = import_module("cuda.bindings.runtime"), cuda_runtime(Gpu())
    for name in ("cudaError_t", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        for member in getattr(fake, name):
            assert getattr(getattr(real, name), member.name).value == member.value
    for name in ("cudaStreamNonBlocking", "cudaEventBlockingSync", "cudaEventDisableTiming"):
        assert getattr(real, name) == getattr(fake, name)
    functions = [name for name in vars(fake) if callable(getattr(fake, name)) and "_" not in name[1:]]
    for name in functions:
        if not name.startswith("cuda") or isinstance(getattr(fake, name), type):
            continue
        told = (getattr(real, name).__doc__ or "").splitlines()[0]
        count = len([each for each in told[told.index("(") + 1 : -1].split(",") if each.strip()])
        assert getattr(fake, name).arguments == count, told
