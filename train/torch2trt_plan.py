"""Builds a TensorRT plan of a trained generator with torch2trt, for the engines, which have no torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial

import torch

from engines import torch2trt
from engines.cache import Loaded, PlanCache
from train.export import OPSET, Trained, example
from train.graphs import GRAPHS


def build_plan(
    trained: Trained, model: bytes, device: str = "cuda", cache: PlanCache | None = None
) -> Loaded:
    """Builds the plan and caches it beside those of the engines, for this GPU and this TensorRT.

    model: the content of the ONNX file that `trained` was written to. Raises engines.EngineError.
    """
    graph = GRAPHS[trained.contract](deepcopy(trained.network), torch.float32).eval().to(device)
    arrays = example(graph.inputs, trained, faces=1)
    examples = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
    with _older_exporter():
        return torch2trt.build(model, graph, examples, graph.outputs, OPSET, cache)


@contextmanager
def _older_exporter() -> Iterator[None]:
    """Selects torch's older ONNX exporter, which torch2trt expects but does not ask for."""
    before = torch.onnx.export
    torch.onnx.export = partial(before, dynamo=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The warning is that this exporter is the older one.
            yield
    finally:
        torch.onnx.export = before
