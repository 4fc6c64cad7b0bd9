"""Marks of tests that not every machine can run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from engines.providers import PROVIDERS

NVIDIA = {"tensorrt", *(name for name, provider in PROVIDERS.items() if provider.needs_nvidia)}
"""The engines that run on NVIDIA's GPUs alone."""


def engine_params(names: Iterable[str]) -> list[Any]:
    """The names as parameters of a test; those that need a GPU are marked so."""
    return [pytest.param(name, marks=pytest.mark.gpu) if name in NVIDIA else name for name in names]
