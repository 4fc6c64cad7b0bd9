"""Reads pickles of plain data without executing them."""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np


class UnpickleError(ValueError):
    """A pickle holds, or does, more than plain data; the message is one line for the user."""


def load_plain(path: Path) -> Any:
    """Returns a pickle's content if it is containers, numbers, strings and arrays of numbers.

    A pickle is a program. This reader lets it call only the functions below, which combine plain values;
    numpy's own functions are not among them, because a forged dtype turns bytes into pointers.
    Raises UnpickleError.
    """
    try:
        return _to_plain(_Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load())
    except UnpickleError as error:
        raise UnpickleError(
            f"{path} {error}; only containers, numbers, strings and arrays are read"
        ) from None
    except OSError:
        raise
    except Exception as error:  # A forged pickle can raise any exception.
        reason = " ".join(str(error).split())
        raise UnpickleError(f"{path} is not a pickle that can be read: {reason}") from error


class _Dtype:
    """The description of a pickled numpy.dtype."""

    def __init__(self, code: str, *ignored: object) -> None:
        if not re.fullmatch(r"[?biuf]\d*|[SU]\d+|O8?", code):
            raise UnpickleError(f"holds an array of {code!r}")
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise UnpickleError(f"holds an array with byte order {order!r}")
        self.code = order + self.code


class _Array:
    """The description of a pickled numpy.ndarray."""

    def __init__(self, *ignored: object) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, column_first, content = state
        if isinstance(content, list):
            self.value = content
        else:
            self.value = _read_array(content, dtype, shape, "F" if column_first else "C")


def _read_array(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    if not isinstance(dtype, _Dtype) or "O" in dtype.code:
        raise UnpickleError("holds an array that is not one of numbers or strings")
    content = content.encode("latin1") if isinstance(content, str) else bytes(content)
    return (
        np.frombuffer(content, np.dtype(dtype.code)).reshape(shape, order="F" if order == "F" else "C").copy()
    )


def _reconstruct(*ignored: object) -> _Array:
    return _Array()


def _scalar(dtype: Any, content: Any) -> Any:
    return _read_array(content, dtype, (), "C").item()


def _encode(text: str, encoding: str) -> bytes:
    """Decodes bytes as Python 3 writes them in old protocols."""
    if encoding != "latin1":
        raise UnpickleError(f"encodes with {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Returns empty bytes, which Python 3 writes as a call."""
    return b""


_NUMPY = {"_reconstruct": _reconstruct, "scalar": _scalar, "_frombuffer": _read_array}
_ADMITTED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): OrderedDict,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module in ("multiarray", "numeric")
        for name, stand_in in _NUMPY.items()
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # Old protocols have the name of Python 2.
        known = "builtins" if module == "__builtin__" else module
        if (known, name) not in _ADMITTED:
            raise UnpickleError(f"asks for {module}.{name}")
        return _ADMITTED[known, name]


def _to_plain(value: Any) -> Any:
    """Returns the value with arrays in place of their descriptions."""
    if isinstance(value, _Array):
        return _to_plain(value.value)
    if isinstance(value, dict):
        return {_to_plain(key): _to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_to_plain(each) for each in value)
    return value
