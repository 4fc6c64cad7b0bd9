from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from train.data.unpickle import UnpickleError, load_plain

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def pickled(folder: Path, content: object, protocol: int = 4) -> Path:
    path = folder / "data.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


class Calls:
    """Calls `function` with `arguments` when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_comes_back(tmp_path, protocol):
    content = [{"path": "ä.jpg", "aus": [0.5, 1, None]}, (True, -3, b"\xff\x00"), OrderedDict(a=1), {2, 3}]
    assert load_plain(pickled(tmp_path, content, protocol)) == content


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(17, dtype=np.float32) / 4,
        np.arange(6, dtype=">i8").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a.jpg", "längere.jpg"]),
        np.array([True, False]),
        np.zeros((0, 17), np.float16),
        np.array(2.5),
    ],
    ids=["floats", "big endian", "columns first", "strings", "booleans", "empty", "no axes"],
)
def test_arrays_come_back(tmp_path, array, protocol):
    (found,) = load_plain(pickled(tmp_path, [array], protocol))
    assert isinstance(found, np.ndarray)
    assert found.dtype == array.dtype and np.array_equal(found, array)


def test_numpys_numbers_and_arrays_of_objects_become_plain(tmp_path):
    content = {"aus": np.array([1.5, "x", None], object), "path": np.str_("a.jpg"), "n": np.float32(0.25)}
    assert load_plain(pickled(tmp_path, content)) == {"aus": [1.5, "x", None], "path": "a.jpg", "n": 0.25}


def test_an_array_that_occurs_twice_is_read_twice(tmp_path):
    array = np.ones(3)
    assert [found.tolist() for found in load_plain(pickled(tmp_path, [array, array]))] == [[1, 1, 1]] * 2


def test_pickles_of_python_2_are_read(tmp_path):
    path = tmp_path / "old.pkl"
    path.write_bytes(b"(dp0\nS'path'\np1\nS'a.jpg'\np2\nsS'aus'\np3\n(lp4\nF1.5\nas.")
    assert load_plain(path) == {"path": "a.jpg", "aus": [1.5]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("function", [os.mkdir, os.system, eval, exec, Path, print, np.save, getattr])
def test_calls_are_refused_before_they_are_made(tmp_path, function, protocol):
    mark = tmp_path / "mark"
    argument = {os.system: f"mkdir {mark}", eval: f"__import__('os').mkdir({str(mark)!r})"}.get(
        function, mark
    )
    path = pickled(tmp_path, [1, Calls(function, str(argument))], protocol)
    with pytest.raises(UnpickleError, match=r"data\.pkl asks for \S+; only containers, numbers"):
        load_plain(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["numpy.ndarray.tofile", "numpy._core.multiarray.fromfile", "builtins.open", "os.system.__call__"]
)
def test_ways_around_are_refused(tmp_path, name):
    module, _, attribute = name.rpartition(".")
    path = tmp_path / "forged.pkl"
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, attribute))
    path.write_bytes(b"\x80\x04" + texts + b"\x93)R.")
    with pytest.raises(UnpickleError, match="asks for"):
        load_plain(path)


def test_a_forged_dtype_makes_no_pointers(tmp_path):
    """An array of objects whose content is bytes: numpy's own functions would take them for addresses."""
    array = np.array([None], object)
    forged = array.__reduce__()
    state = (1, (1,), np.dtype("O"), False, b"\x41" * 8)
    path = pickled(tmp_path, _Forged(forged[0], forged[1], state))
    with pytest.raises(UnpickleError, match="an array that is not one of numbers or strings"):
        load_plain(path)


class _Forged:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def test_an_array_must_have_as_many_bytes_as_it_says(tmp_path):
    state = (1, (1 << 40,), np.dtype("f4"), False, b"\0" * 8)
    reconstruct, arguments, _ = np.zeros(2, np.float32).__reduce__()
    with pytest.raises(UnpickleError, match="is not a pickle that can be read"):
        load_plain(pickled(tmp_path, _Forged(reconstruct, arguments, state)))


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1, 2, 3])[:-4], b"\x80\x04P1\n."])
def test_what_is_no_pickle_is_one_line(tmp_path, content):
    path = tmp_path / "data.pkl"
    path.write_bytes(content)
    with pytest.raises(UnpickleError, match=r"data\.pkl is not a pickle that can be read: .") as caught:
        load_plain(path)
    assert "\n" not in str(caught.value)


def test_a_table_of_pandas_is_refused_by_name(tmp_path):
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"path": ["a.jpg"]}).to_pickle(tmp_path / "data.pkl")
    with pytest.raises(UnpickleError, match=r"asks for pandas\.\S*DataFrame"):
        load_plain(tmp_path / "data.pkl")


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_plain(tmp_path / "none.pkl")
