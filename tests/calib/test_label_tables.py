"""Tables of labels, for fits and for training: every reader obeys the rules of the reader of AU tables."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from calib.au import OPENFACE_CODES, AUVector, au_index
from calib.commands.clips import _frame_labels
from calib.dataset import DatasetError, read_labels
from calib.film_labels import frame_labels, timed_labels
from tests.project.test_architecture import MODULES
from tests.support.media import write_film
from train.data.sources import GivenLabels, open_source
from train.data.table_folder import TableError

ALL = (1.25, *[0.5] * 16)
"""Intensities of a face."""


@dataclass(frozen=True)
class Reader:
    """Something that reads labels, of a picture or film called a."""

    table: str
    """Where its table lies in a folder."""
    read: Callable[[Path], Sequence[AUVector]]
    columns: Mapping[str, str]
    """Those that the table has besides action units, and what they hold in the first row."""
    refusal: type[ValueError]
    fits: bool = True
    """Whether it wants all 17 action units."""


def of_pictures(folder: Path) -> Sequence[AUVector]:
    return [item.aus for item in open_source(folder).items]


def of_clip(folder: Path) -> Sequence[AUVector]:
    write_film(folder / "a.mp4")
    return of_pictures(folder)


READERS = {
    "calib folder": Reader(
        "aus.csv", lambda folder: [each.aus for each in read_labels(folder)], {"file": "a.png"}, DatasetError
    ),
    "calib clips": Reader(
        "labels/a.csv",
        lambda folder: [plain for plain, _ in _frame_labels(folder / "labels/a.csv").values()],
        {"frame": "1"},
        DatasetError,
    ),
    "calib limits": Reader(
        "labels/a.csv",
        lambda folder: timed_labels(folder / "labels/a.csv", DatasetError, plain=True)[1],
        {"timestamp": "0.5"},
        DatasetError,
    ),
    "train folder": Reader("aus.csv", of_pictures, {"file": "a.png"}, TableError, fits=False),
    "train picture": Reader("a.csv", of_pictures, {"face": "0"}, TableError, fits=False),
    "train clip": Reader("labels/a.csv", of_clip, {"frame": "1"}, TableError, fits=False),
}
OPENFACE = [f"{code}_r" for code in OPENFACE_CODES]
PY_FEAT = [code if code != "AU45" else "AU43" for code in OPENFACE_CODES]
LIBREFACE = [f"au_{int(code[2:])}_intensity" for code in OPENFACE_CODES]
FACEREADER = [f"Action Unit {code[2:] if code != 'AU45' else '43'} - Name" for code in OPENFACE_CODES]


@pytest.fixture(params=READERS.values(), ids=list(READERS))
def reader(request: pytest.FixtureRequest) -> Reader:
    return request.param


def write(
    folder: Path,
    reader: Reader,
    cells: Sequence[object] = ALL,
    names: Sequence[str] = OPENFACE,
    more: Mapping[str, str] | None = None,
    separator: str = ",",
    encoding: str = "utf-8",
) -> Path:
    """The folder, with a table of one row. more: columns in front of the reader's own."""
    row = {**(more or {}), **reader.columns, **dict(zip(names, map(str, cells), strict=True))}
    path = folder / reader.table
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("\n".join([separator.join(row), separator.join(row.values()), ""]).encode(encoding))
    return folder


def shown(reader: Reader, folder: Path) -> list[AUVector]:
    """The labels that are there; none where the reader says that there are none."""
    try:
        return [aus for aus in reader.read(folder) if aus is not None]
    except DatasetError as error:
        assert str(error) == f"{folder / reader.table}: no row shows a face with all action units"
        return []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("separator", "point"), [(", ", "."), (";", ","), ("\t", ",")])
def test_spreadsheets_save_tables_in_many_ways(tmp_path, reader, encoding, separator, point):
    cells = [str(value).replace(".", point) for value in ALL]
    (aus,) = reader.read(write(tmp_path, reader, cells, separator=separator, encoding=encoding))
    assert aus.tolist() == list(ALL)


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_does_not_matter(tmp_path, reader, index):
    (aus,) = reader.read(write(tmp_path, reader, more={index: "7"}))
    assert aus.tolist() == list(ALL)


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"train picture"}))  # FaceLandmarkImg is OpenFace's
@pytest.mark.parametrize(
    "names", [PY_FEAT, LIBREFACE, FACEREADER], ids=["py-feat", "LibreFace", "FaceReader"]
)
def test_tables_of_every_program_are_read(tmp_path, name, names):
    reader = READERS[name]
    if "frame" in reader.columns:
        # Others than OpenFace count frames from 0.
        reader = replace(reader, columns={"frame": "0"})
    scale = 1 if names is LIBREFACE else 0.2
    (aus,) = reader.read(write(tmp_path, reader, [value * scale for value in ALL], names))
    assert aus == pytest.approx(np.array(ALL))


@pytest.mark.parametrize("nothing", ["-nan(ind)", "-1.#IND", "NA", "", "#N/A"])
def test_what_programs_write_for_no_value_is_none(tmp_path, reader, nothing):
    write(tmp_path, reader, [nothing, *ALL[1:]])
    if reader.fits:
        assert not shown(reader, tmp_path)
    else:
        found = reader.read(tmp_path)
        assert np.isnan(found[0][0]) and found[0][1:].tolist() == list(ALL[1:])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("much", "line 2, column AU02_r: 'much' is not a number"),
        ("80", "line 2, column AU02_r: 80 is out of range; AU12_r runs from 0 to 5"),
    ],
)
def test_what_is_wrong_is_said_in_the_same_words(tmp_path, reader, cell, message):
    write(tmp_path, reader, [ALL[0], cell, *ALL[2:]])
    with pytest.raises(reader.refusal) as caught:
        reader.read(tmp_path)
    assert str(caught.value) == f"{tmp_path / reader.table}: {message}"


def test_action_units_that_have_no_column_are_needed_for_fits_alone(tmp_path, reader):
    write(tmp_path, reader, ALL[:-1], OPENFACE[:-1])
    if reader.fits:
        with pytest.raises(
            reader.refusal, match="line 1: no column holds AU45; a fit needs labels of all 17"
        ):
            reader.read(tmp_path)
    else:
        (aus,) = reader.read(tmp_path)
        assert np.isnan(aus[-1]) and aus[:-1].tolist() == list(ALL[:-1])


@pytest.mark.parametrize("failed", ["0", "0.0", "False"])
def test_rows_in_which_no_face_was_found_have_no_labels(tmp_path, reader, failed):
    write(tmp_path, reader, more={"success": failed})
    assert not shown(reader, tmp_path)


class TestFilms:
    def write(self, folder: Path, header: str, *rows: str) -> Path:
        path = folder / "film.csv"
        aus = [",".join(OPENFACE), *(",".join([row.rsplit(",", 1)[1]] * 17) for row in rows)]
        heads = [header, *(row.rsplit(",", 1)[0] for row in rows)]
        path.write_text("\n".join(f"{head},{labels}" for head, labels in zip(heads, aus, strict=True)))
        return path

    def smiles(self, labels: Mapping[int, AUVector]) -> dict[int, float]:
        return {index: float(aus[au_index("AU12")]) for index, aus in labels.items()}

    def test_a_face_whose_name_changes_is_one(self, tmp_path):
        path = self.write(tmp_path, "frame,face_id", "1,0,1", "2,3,2", "3,3.0,3")
        assert self.smiles(frame_labels(path, TableError)) == {0: 1, 1: 2, 2: 3}

    @pytest.mark.parametrize("column", ["face_id", "Identity"])
    def test_of_several_people_the_first_counts_in_any_order_of_rows(self, tmp_path, column):
        names = ("Person_0", "Person_1") if column == "Identity" else ("0", "1")
        rows = [f"1,{names[1]},4", f"1,{names[0]},1", f"2,{names[0]},2", f"3,{names[1]},4"]
        path = self.write(tmp_path, f"frame,{column}", *rows)
        assert self.smiles(frame_labels(path, TableError)) == {0: 1, 1: 2}

    def test_two_rows_of_one_frame_are_refused_unless_they_agree(self, tmp_path):
        assert len(frame_labels(self.write(tmp_path, "frame,x", "1,0,1", "1,0,1"), TableError)) == 1
        with pytest.raises(TableError, match="lines 2 and 3 are of one frame and differ; name the faces in"):
            frame_labels(self.write(tmp_path, "frame,x", "1,0,1", "1,0,2"), TableError)

    @pytest.mark.parametrize(
        ("header", "row", "message"),
        [
            ("x,y", "1,0,1", "line 1: there is no column frame"),
            ("frame,y", "1.5,0,1", "line 2, column frame: 1.5 is not a whole number"),
            ("frame,y", ",0,1", "line 2, column frame: there is no number"),
        ],
    )
    def test_a_frame_without_a_number_is_one_line(self, tmp_path, header, row, message):
        with pytest.raises(TableError) as caught:
            frame_labels(self.write(tmp_path, header, row), TableError)
        assert str(caught.value) == f"{tmp_path / 'film.csv'}: {message}"

    def test_times_may_be_a_clocks_or_milliseconds_and_come_in_any_order(self, tmp_path):
        for header, rows in {
            "Video Time,x": ("00:00:01.500,0,2", "00:00:01.000,0,1"),
            "frame_time_in_ms,x": ("1500,0,2", "1000,0,1"),
        }.items():
            times_s, aus = timed_labels(self.write(tmp_path, header, *rows), TableError)
            assert times_s.tolist() == [1.0, 1.5] and aus[:, 0].tolist() == [1, 2]

    def test_times_that_are_none_are_one_line(self, tmp_path):
        zeros = self.write(tmp_path, "frame,timestamp", "1,0,1", "2,0,2", "3,0,3")
        with pytest.raises(TableError, match="timestamp is 0 in all frames; give a table"):
            timed_labels(zeros, TableError)
        seconds = self.write(tmp_path, "frame,timestamp", "1,0,1", "2,0,2", "3,1,3", "4,1,3")
        with pytest.raises(
            TableError, match="timestamp has 2 times for 4 frames; give one with more decimals"
        ):
            timed_labels(seconds, TableError)
        with pytest.raises(TableError, match="line 1: there is no column timestamp"):
            timed_labels(self.write(tmp_path, "frame,x", "1,0,1"), TableError)


def test_names_of_pictures_are_read_from_any_table(tmp_path):
    (tmp_path / "list.csv").write_bytes(";path;person\n0;a.png;Ann\n".encode("utf-16"))
    (item,) = open_source(tmp_path, labels=GivenLabels(needed=False)).items
    assert (item.name, item.person, item.aus) == ("a.png", "Ann", None)


OWN_TABLES = {
    "calib.table_file",
    "reenact.doctor.machine",  # the RECORD of an installed package
}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - OWN_TABLES))
def test_tables_are_read_in_one_place(module: str):
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call)
    ]
    assert not [each for each in calls if each in ("csv.reader", "csv.DictReader")]
