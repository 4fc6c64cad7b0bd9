"""Exports a trained generator to files that the frame loop opens: ONNX for its engines, and safetensors."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from calib.au import OPENFACE_COUNT
from engines import load_engine
from engines.description import describe
from reenact import __version__
from reenact.generate.geometry.face_crop import FaceCrop
from reenact.generate.network.contract import WHOLE_FACE, ModelInfo, to_metadata
from reenact.generate.network.network_regions import PLANES, REGIONS
from reenact.media.atomic import replacing
from train.graphs import GRAPHS
from train.recipes import open_recipe
from train.training_options import TrainingOptions, load_options

OPSET = 18
Precision = Literal["fp32", "fp16-weights", "fp16"]
"""The precision of weights and of computation. `fp16-weights` stores float16 and computes in float32: half
the file at equal speed, since runtimes convert the weights on loading. `fp16` computes in float16."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
LICENCE = "research and other non-commercial use"
"""The licence of weights trained with labels of OpenFace, which is for academic use."""
TOLERANCE = 1e-4
"""The largest difference between torch and ONNX Runtime in float32, as a share of an output's range."""


class ExportError(ValueError):
    """A run cannot be exported."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A generator with its weights and their origin."""

    network: nn.Module
    """The generator."""
    preset: str
    """The preset that it was trained with."""
    crop: FaceCrop
    """The crop that it sees."""
    height_px: int
    """The height of its pictures, which are as wide as the crop."""
    region: str = WHOLE_FACE
    """The region that it paints (reenact.generate.network.contract.ModelInfo.region)."""
    images: int | None = None
    """The pictures seen in training up to these weights. None: unknown."""

    @property
    def contract(self) -> str:
        """The contract of the exported graph (reenact.generate.network.contract)."""
        return self.preset.removesuffix("-film")

    def rounded(self) -> Trained:
        """Returns a copy whose weights are rounded to float16."""
        return replace(self, network=deepcopy(self.network).half().float())


# ---- Reading -----------------------------------------------------------------------------------------------


def load_run(run: Path, *, newest: bool = False) -> tuple[Trained, TrainingOptions]:
    """Loads the averaged weights of a run and its options; newest: not those of the best validation.

    Raises ExportError or OptionsError, in one line, for a folder without such a run.
    """
    if not (run / "options.json").is_file():
        raise ExportError(f"{run} has no options.json; give a folder that `python -m train fit` made")
    options = load_options(run / "options.json")
    recipe = open_recipe(options.preset, options.recipe)
    best = run / "best.safetensors"
    weights = run / "generator.safetensors" if newest or not best.is_file() else best
    images = _load_weights(recipe.generator, weights)
    network = recipe.generator.eval()
    if options.preset == "live":
        region = REGIONS[str(options.recipe["region"])]
        trained = Trained(network, options.preset, region.crop, region.height_px, region.name, images)
    else:
        size = int(options.recipe["size"])
        trained = Trained(network, options.preset, FaceCrop(size=size), size, images=images)
    return trained, options


def _load_weights(network: nn.Module, weights: Path) -> int | None:
    """Loads the weights and returns the images seen up to then. None: the file does not say."""
    if not weights.is_file():
        raise ExportError(f"{weights} does not exist; run `python -m train fit` until its first checkpoint")
    try:
        network.load_state_dict(load_file(weights))
        with safe_open(weights, "pt") as content:
            images = (content.metadata() or {}).get("images")
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ExportError(f"{weights} is damaged or not of this run's options: {reason}") from error
    return None if images is None else int(images)


# ---- Writing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exported:
    """The written files and their agreement with torch."""

    info: ModelInfo
    """The description in the file."""
    files: Mapping[str, int]
    """The sizes of the files in bytes, by name."""
    difference: float
    """The difference from torch with the same weights; see `largest_difference`."""


def write_model(
    trained: Trained, output: Path, precision: Precision = "fp32", licence: str = LICENCE
) -> Exported:
    """Writes `output` and, beside it, the same weights as .safetensors, both with the model's description.

    Raises ExportError, and writes nothing, where ONNX Runtime and torch disagree.
    """
    if precision != "fp32":
        trained = trained.rounded()
    weights = {
        name: tensor if precision == "fp32" else tensor.half()
        for name, tensor in trained.network.state_dict().items()
    }
    info = ModelInfo(
        trained.contract,
        trained.crop,
        trained.preset,
        licence,
        __version__,
        weights_sha256(weights),
        trained.region,
    )
    model = to_onnx(trained, torch.float16 if precision == "fp16" else torch.float32)
    if precision == "fp16-weights":
        store_halves(model)
    metadata = to_metadata(info, describe(model.SerializeToString()).graph_sha256)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)

    with replacing(output) as beside:
        beside.write_bytes(model.SerializeToString())
        difference = largest_difference(trained, beside)
        if precision != "fp16" and difference > TOLERANCE:
            raise ExportError(
                f"{output} would differ from torch by {difference:.1e}; at most {TOLERANCE:g} is allowed"
            )
    tensors = output.with_suffix(".safetensors")
    with replacing(tensors) as beside:
        beside.write_bytes(save(weights, metadata))
    return Exported(info, {path.name: path.stat().st_size for path in (output, tensors)}, difference)


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of names, types, shapes and values, independent of the file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name].contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def to_onnx(trained: Trained, dtype: torch.dtype = torch.float32) -> ModelProto:
    """Builds the contract's graph for any number of faces, computed in `dtype`."""
    graph = GRAPHS[trained.contract](deepcopy(trained.network).to(dtype), dtype)
    arguments = example(graph.inputs, trained, faces=2)
    written = io.BytesIO()
    with warnings.catch_warnings():
        # The warnings are that this exporter is the older one (the newer needs another package, and its graph
        # is no faster), and that instance norms have no running averages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            tuple(map(torch.from_numpy, arguments.values())),
            written,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_axes={name: {0: "faces"} for name in (*graph.inputs, *graph.outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(written.getvalue())


def store_halves(model: ModelProto) -> None:
    """Stores each float32 weight that float16 holds exactly as float16, with a cast where it is used."""
    casts = []
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        half = value.astype(np.float16)
        if tensor.data_type == TensorProto.FLOAT and np.array_equal(half.astype(np.float32), value):
            name, stored = tensor.name, f"{tensor.name}.half"
            casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(half, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


# ---- Checking ----------------------------------------------------------------------------------------------


def largest_difference(trained: Trained, model: Path, faces: int = 2) -> float:
    """Returns the largest difference of torch in float32 and ONNX Runtime on the same noise, as a share of an
    output's range."""
    graph = GRAPHS[trained.contract](trained.network, torch.float32)
    inputs = example(graph.inputs, trained, faces)
    with torch.no_grad():
        outputs = graph(*map(torch.from_numpy, inputs.values()))
    expected = outputs if isinstance(outputs, tuple) else (outputs,)
    with load_engine(model, "onnx") as engine:
        found = engine.run(inputs)
    return max(
        float(np.abs(found[name] - tensor.numpy()).max()) / (1 if name == "alpha" else 255)
        for name, tensor in zip(graph.outputs, expected, strict=True)
    )


def example(inputs: Sequence[str], trained: Trained, faces: int) -> dict[str, NDArray]:
    """Returns noise for every input of a contract, the same each time."""
    random = np.random.default_rng(0)
    channels = {"warped": 3, "image": 3, "mask": 2}
    shape = faces, trained.height_px, trained.crop.size

    def noise(name: str) -> NDArray:
        if name in channels:
            return random.integers(0, 256, (*shape, channels[name]), np.uint8)
        if name == "geometry":
            return random.uniform(0, 10, (*shape, PLANES)).astype(np.float32)
        return random.random((faces, OPENFACE_COUNT), np.float32)

    return {name: noise(name) for name in inputs}
