from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.au import OPENFACE_CODES, OPENFACE_COUNT, UnknownAUError, au_index
from calib.dataset import DatasetError
from tests.support.faces import textured_frame
from tests.support.media import Film, gradient, write_film
from train.data.items import ClipFrame, PictureFile, PictureItem, load_pictures
from train.data.sources import (
    GivenLabels,
    PictureSource,
    SourceError,
    check_pictures,
    open_source,
    parse_order,
)
from train.data.split import Split
from train.data.table_folder import TableError

OPENFACE = ",".join(["file", "person", *(f"{code}_r" for code in OPENFACE_CODES)])
PY_FEAT_AUS = [code for code in OPENFACE_CODES if code != "AU45"] + ["AU43"]
"""py-feat has no AU45."""


def picture(seed: int = 0) -> np.ndarray:
    return textured_frame(24, 32, seed).image


def write_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(seed)[:, :, ::-1])
    return path


def png(seed: int = 0) -> bytes:
    return cv2.imencode(".png", picture(seed)[:, :, ::-1])[1].tobytes()


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def names(source: PictureSource) -> list[str]:
    return [item.name for item in source.items]


def write_py_feat(folder: Path, *rows: Mapping[str, object], name: str = "fex.csv") -> Path:
    columns = ["FaceRectX", "FaceRectWidth", *PY_FEAT_AUS, "input"]
    lines = [",".join(columns), *(",".join(str(row.get(key, 0.0)) for key in columns) for row in rows)]
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


class TestTables:
    def test_openface_labels_are_taken_as_they_are(self, tmp_path):
        write_picture(tmp_path / "set/images/a.png")
        (tmp_path / "set/aus.csv").write_text(f"{OPENFACE}\na.png,Ann,{', '.join(['1.5'] * 17)}\n")
        source = open_source(tmp_path / "set")
        (item,) = source.items
        assert (source.collection, item.name, item.person) == ("set", "a.png", "Ann")
        assert item.aus.tolist() == [1.5] * 17
        assert item.place == PictureFile(tmp_path / "set/images/a.png")

    def test_py_feats_probabilities_become_intensities(self, tmp_path):
        write_picture(tmp_path / "set/a.png")
        write_py_feat(tmp_path / "set", {"input": "a.png", "AU12": 0.5, "AU43": 0.8})
        (item,) = open_source(tmp_path / "set").items
        assert item.aus[au_index("AU12")] == pytest.approx(2.5)
        assert item.aus[au_index("AU45")] == pytest.approx(4.0)
        assert item.aus.sum() == pytest.approx(6.5)
        assert item.person == item.name == "a.png"

    def test_the_largest_of_py_feats_faces_counts(self, tmp_path):
        write_py_feat(
            tmp_path / "set",
            {"input": "a.png", "FaceRectWidth": 30, "AU12": 0.1},
            {"input": "a.png", "FaceRectWidth": 90, "AU12": 1.0},
            {"input": "a.png", "FaceRectWidth": 60, "AU12": 0.2},
        )
        (item,) = open_source(tmp_path / "set").items
        assert item.aus[au_index("AU12")] == 5

    def test_where_py_feat_saw_no_face_there_are_no_labels(self, tmp_path):
        empty = dict.fromkeys([*PY_FEAT_AUS, "FaceRectWidth"], "")
        write_py_feat(tmp_path / "set", {"input": "a.png", **empty})
        (item,) = open_source(tmp_path / "set").items
        assert item.aus is None

    def test_pictures_that_were_moved_are_found_by_their_name(self, tmp_path):
        write_picture(tmp_path / "set/images/a.png")
        write_py_feat(tmp_path / "set", {"input": "/home/ann/pictures/a.png"})
        (item,) = open_source(tmp_path / "set").items
        assert item.name == "a.png" and item.place == PictureFile(tmp_path / "set/images/a.png")

    def test_intensities_are_not_taken_for_probabilities(self, tmp_path):
        write_py_feat(tmp_path / "set", {"input": "a.png", "AU12": 3.2})
        with pytest.raises(
            TableError, match=r"line 2, column AU12: 3\.2 is out of range; AU12 runs from 0 to 1"
        ):
            open_source(tmp_path / "set")

    def test_a_table_without_files_is_one_line(self, tmp_path):
        write_py_feat(tmp_path / "set", {"input": ""})
        with pytest.raises(TableError, match=r"fex\.csv: line 2, column input: there is no file"):
            open_source(tmp_path / "set")

    def test_a_table_of_names_is_enough_where_labels_are_not_needed(self, tmp_path):
        write_picture(tmp_path / "set/a.png")
        (tmp_path / "set/list.csv").write_text("path,person,AU12\na,Ann,much\n")
        (item,) = open_source(tmp_path / "set", labels=GivenLabels(needed=False)).items
        assert (item.name, item.person, item.aus) == ("a.png", "Ann", None)

    def test_two_tables_are_one_too_many(self, tmp_path):
        write_py_feat(tmp_path / "set")
        write_py_feat(tmp_path / "set", name="more.csv")
        with pytest.raises(DatasetError, match="has 2 CSV files"):
            open_source(tmp_path / "set")


class TestFolders:
    def test_pictures_without_labels_are_found_at_any_depth(self, tmp_path):
        for name in ("b/2.JPG", "a.png", "b/1.png", "notes.txt"):
            write_picture(tmp_path / name) if name != "notes.txt" else (tmp_path / name).touch()
        source = open_source(tmp_path)
        assert names(source) == ["a.png", "b/1.png", "b/2.JPG"]
        assert [item.person for item in source.items] == names(source)
        assert all(item.aus is None for item in source.items)

    def test_folders_may_be_people(self, tmp_path):
        for name in ("a.png", "Ann/1.png", "Ann/2.png", "Bob/1.png"):
            write_picture(tmp_path / name)
        people = [item.person for item in open_source(tmp_path, people_by_folder=True).items]
        assert people == ["Ann", "Ann", "Bob", "a.png"]

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [("", "has no pictures"), ("none", "none does not exist"), ("a.txt", "is not a source of pictures")],
    )
    def test_where_there_is_nothing_to_read_is_one_line(self, tmp_path, name, wrong):
        (tmp_path / "a.txt").touch()
        with pytest.raises(SourceError, match=wrong):
            open_source(tmp_path / name)


class TestPickles:
    @pytest.mark.parametrize("key", ["file_path", "path"])
    @pytest.mark.parametrize("wrap", [list, lambda records: dict(enumerate(records))], ids=["list", "dict"])
    def test_the_papers_records_are_read(self, tmp_path, key, wrap):
        write_picture(tmp_path / "images/a.png")
        records = [{key: "/data/images/a.png", "aus": np.arange(17) / 4}, {key: "b.png", "aus": [1.0] * 17}]
        (tmp_path / "aus_dataset.pkl").write_bytes(pickle.dumps(wrap(records)))
        source = open_source(tmp_path / "aus_dataset.pkl")
        assert source.collection == "aus_dataset" and names(source) == ["a.png", "b.png"]
        assert source.items[0].aus == pytest.approx(np.arange(17) / 4)
        assert source.items[0].place == PictureFile(tmp_path / "images/a.png")

    @pytest.mark.parametrize("aus", [[1.0] * 16, [9.0] * 17, [float("nan")] * 17, "much", {"AU99": 1.0}])
    def test_labels_that_are_none_are_one_line(self, tmp_path, aus):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "a.png", "aus": aus}]))
        with pytest.raises(SourceError, match=r"a\.png: aus is .*; give 17 numbers from 0 to 5"):
            open_source(tmp_path / "d.pkl")

    @pytest.mark.parametrize("content", [3, ["a.png"], {"path": "a.png"}])
    def test_what_is_no_list_of_records_is_one_line(self, tmp_path, content):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(SourceError, match=r"d\.pkl is not a list of records"):
            open_source(tmp_path / "d.pkl")

    def test_ganimations_numbers_by_name_are_read(self, tmp_path):
        write_picture(tmp_path / "set/imgs/a.JPG")
        numbers = {"a": np.arange(17) / 4, "gone": np.ones(17)}
        (tmp_path / "set/aus_openface.pkl").write_bytes(pickle.dumps(numbers))
        (tmp_path / "set/train_ids.csv").write_text("a.jpg\n")
        (tmp_path / "set/test_ids.csv").write_text("gone\n")
        for source in (open_source(tmp_path / "set"), open_source(tmp_path / "set/aus_openface.pkl")):
            assert names(source) == ["a.JPG", "gone"]
            assert source.items[0].aus == pytest.approx(np.arange(17) / 4)
            assert source.items[0].place == PictureFile(tmp_path / "set/imgs/a.JPG")
            assert source.split == Split(frozenset({"a.JPG"}), frozenset({"gone"}))

    def test_numbers_get_the_names_that_are_given(self, tmp_path):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "a.png", "aus": [1.0, 2.0, 3.0]}]))
        labels = GivenLabels(order=parse_order("AU12,-,4"))
        (item,) = open_source(tmp_path / "d.pkl", labels=labels).items
        assert item.aus[au_index("AU12")] == 1 and item.aus[au_index("AU04")] == 3 and item.aus.sum() == 4

    def test_names_that_do_not_fit_the_numbers_are_one_line(self, tmp_path):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "a.png", "aus": [1.0] * 3}]))
        with pytest.raises(SourceError, match=r"give 2 numbers from 0 to 5; these 3 have no names"):
            open_source(tmp_path / "d.pkl", labels=GivenLabels(order=parse_order("1,2")))
        with pytest.raises(SourceError, match="names AU04 twice"):
            parse_order("1,4,AU04")
        with pytest.raises(UnknownAUError, match="unknown action unit '3'"):
            parse_order("1,3")

    @pytest.mark.parametrize("aus", [[1.0] * 11, "much", {"AU99": 1}, [[1.0], [2.0, 3.0]]])
    def test_numbers_that_are_not_needed_may_be_anything(self, tmp_path, aus):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "a.png", "aus": aus}]))
        (item,) = open_source(tmp_path / "d.pkl", labels=GivenLabels(needed=False)).items
        assert item.aus is None

    def test_a_pickle_of_something_else_does_not_hide_a_folder_of_pictures(self, tmp_path):
        write_picture(tmp_path / "a.png")
        (tmp_path / "cache.pkl").write_bytes(b"cache")
        assert names(open_source(tmp_path)) == ["a.png"]


class TestPlaces:
    @pytest.mark.parametrize(
        ("named", "lies"),
        [
            ("imgs/1.jpg", "imgs/1.jpg"),
            ("1.jpg", "imgs/1.jpg"),
            ("1", "imgs/1.JPG"),
            ("1.jpg", "imgs/1.JPEG"),
            ("1.png", "imgs/1.jpg"),
            ("v1.5", "imgs/v1.5.png"),
            ("sub\\1.jpg", "imgs/sub/1.jpg"),
            ("C:\\data\\sub\\1.jpg", "images/sub/1.jpg"),
            ("/data/set/sub/1.jpg", "sub/1.jpg"),
            ("1.jpg", "imgs/Ann/1.jpg"),
            ("./imgs/1.jpg", "imgs/1.jpg"),
            ("1.jpg", "Imgs/1.jpg"),
        ],
    )
    def test_pictures_are_found_under_any_of_their_names(self, tmp_path, named, lies):
        picture = write_picture(tmp_path / lies)
        write_picture(tmp_path / "imgs/other.png", 1)
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": named}]))
        assert open_source(tmp_path / "d.pkl").items[0].place == PictureFile(picture)

    def test_a_longer_name_goes_before_a_shorter_one(self, tmp_path):
        picture = write_picture(tmp_path / "imgs/Ann/1.jpg")
        write_picture(tmp_path / "imgs/1.jpg", 1)
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "/data/Ann/1.jpg"}]))
        assert open_source(tmp_path / "d.pkl").items[0].place == PictureFile(picture)

    def test_a_name_that_two_pictures_have_is_neithers(self, tmp_path):
        for person in ("Ann", "Bob"):
            write_picture(tmp_path / "imgs" / person / "1.jpg")
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "1.jpg"}]))
        source = open_source(tmp_path / "d.pkl")
        with pytest.raises(SourceError, match="d: all 1 of its pictures are missing"):
            check_pictures(source)

    def test_pictures_of_tables_are_found_likewise(self, tmp_path):
        picture = write_picture(tmp_path / "set/imgs/a.PNG")
        (tmp_path / "set/aus.csv").write_text(f"{OPENFACE}\na,Ann,{','.join(['1.5'] * 17)}\n")
        write_py_feat(tmp_path / "feat", {"input": "a"})
        write_picture(tmp_path / "feat/imgs/a.PNG")
        assert open_source(tmp_path / "set").items[0].place == PictureFile(picture)
        assert names(open_source(tmp_path / "feat")) == ["a.PNG"]

    def test_some_pictures_may_be_missing(self, tmp_path):
        write_picture(tmp_path / "imgs/1.jpg")
        (tmp_path / "d.pkl").write_bytes(pickle.dumps([{"path": "1.jpg"}, {"path": "2.jpg"}]))
        check_pictures(open_source(tmp_path / "d.pkl"))


class TestFaceLandmarkImg:
    """One CSV for each picture."""

    def write(self, path: Path, *faces: tuple[float, float]) -> None:
        """faces: (width in pixels, intensity of all action units)."""
        columns = [
            "face",
            "confidence",
            *(f"x_{n}" for n in range(68)),
            *(f"{code}_r" for code in OPENFACE_CODES),
        ]
        rows = [
            [number, 0.98, *np.linspace(0, width, 68).tolist(), *[value] * 17]
            for number, (width, value) in enumerate(faces)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(", ".join(map(str, line)) for line in [columns, *rows]) + "\n")

    @pytest.mark.parametrize("tables", ["", "aus", "processed", "imgs"])
    def test_every_table_belongs_to_the_picture_of_its_name(self, tmp_path, tables):
        pictures = [write_picture(tmp_path / f"imgs/{name}", n) for n, name in enumerate(("a.JPG", "b.png"))]
        self.write(tmp_path / tables / "a.csv", (90, 1.5))
        self.write(tmp_path / tables / "b.csv", (30, 1.0), (90, 2.5), (60, 0.5))
        source = open_source(tmp_path)
        assert [item.place for item in source.items] == [PictureFile(picture) for picture in pictures]
        assert [item.aus.tolist() for item in source.items] == [[1.5] * 17, [2.5] * 17]
        assert names(source) == ["a.JPG", "b.png"]

    def test_one_table_alone_is_read_too(self, tmp_path):
        write_picture(tmp_path / "a.png")
        self.write(tmp_path / "a.csv", (90, 1.5))
        (item,) = open_source(tmp_path).items
        assert item.aus.tolist() == [1.5] * 17

    def test_a_picture_without_a_face_has_no_labels(self, tmp_path):
        write_picture(tmp_path / "a.png")
        self.write(tmp_path / "a.csv")
        (item,) = open_source(tmp_path).items
        assert item.aus is None

    def test_the_picture_with_landmarks_drawn_into_it_is_not_taken(self, tmp_path):
        original = write_picture(tmp_path / "imgs/a.jpg")
        write_picture(tmp_path / "processed/a.jpg", 1)
        self.write(tmp_path / "processed/a.csv", (90, 1.5))
        (tmp_path / "processed/a_of_details.txt").write_text("Input:imgs/a.jpg\nOutput image:a.jpg\n")
        for folder in (tmp_path, tmp_path / "processed"):
            assert [item.place for item in open_source(folder).items] == [PictureFile(original)]

    def test_a_table_that_lacks_action_units_tells_the_others(self, tmp_path):
        write_picture(tmp_path / "a.png")
        (tmp_path / "a.csv").write_text("face, AU01_r, AU02_r\n0, 1, 2\n")
        (item,) = open_source(tmp_path).items
        assert item.aus[:2].tolist() == [1, 2] and np.isnan(item.aus[2:]).all()
        (item,) = open_source(tmp_path, labels=GivenLabels(needed=False)).items
        assert item.aus is None


class TestTars:
    def test_pictures_and_labels_belong_together_by_name(self, tmp_path):
        label = {"aus": {"AU12": 2.0, "45": 1.0}, "person": "Ann"}
        members = {
            "x/2.json": json.dumps(label).encode(),
            "x/1.png": png(1),
            "x/2.png": png(2),
            "x/2.cls": b"3",
        }
        source = open_source(write_tar(tmp_path / "set.tar", members))
        first, second = source.items
        assert (first.name, first.person, first.aus) == ("set.tar/x/1", "set.tar/x/1", None)
        assert (second.name, second.person) == ("set.tar/x/2", "Ann")
        assert second.aus[au_index("AU12")] == 2 and second.aus.sum() == 3
        for item, image in zip(source.items, load_pictures(source.items), strict=True):
            assert np.array_equal(image, picture(int(item.name[-1])))

    def test_a_folder_of_tars_is_one_source(self, tmp_path):
        for number in (1, 2):
            write_tar(tmp_path / f"{number}.tar", {"a.png": png(number)})
        source = open_source(tmp_path)
        assert names(source) == ["1.tar/a", "2.tar/a"]
        assert [image[0, 0].tolist() for image in load_pictures(source.items)] == [
            picture(number)[0, 0].tolist() for number in (1, 2)
        ]

    def test_what_is_no_plain_tar_is_one_line(self, tmp_path):
        (tmp_path / "text.tar").write_text("text" * 1000)
        packed = write_tar(tmp_path / "packed.tar", {"a.png": png()}, "w:gz")
        for path in (tmp_path / "text.tar", packed):
            with pytest.raises(SourceError, match="is not a plain tar of pictures and JSON"):
                open_source(path)

    def test_a_table_in_a_tar_is_not_overlooked(self, tmp_path):
        path = write_tar(tmp_path / "set.tar", {"set/images/a.png": png(), "set/aus.csv": b"file\n"})
        with pytest.raises(SourceError, match=r"has a table in it \(set/aus\.csv\); unpack it"):
            open_source(path)


class TestClips:
    def labels(self, frames: Mapping[int, float], ending: str = "_r", **more: int) -> str:
        columns = ["frame", *more, "success", *(f"{code}{ending}" for code in OPENFACE_CODES)]
        rows = [
            [frame, *more.values(), int(value >= 0), *[max(value, 0)] * OPENFACE_COUNT]
            for frame, value in frames.items()
        ]
        return "\n".join(", ".join(map(str, row)) for row in [columns, *rows]) + "\n"

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        (tmp_path / "labels").mkdir()
        return write_film(tmp_path / "Ann.mp4")

    def test_three_frames_a_second_are_taken_with_their_labels(self, tmp_path, clip):
        frames = {frame: frame / 10 for frame in range(1, 31)}
        (tmp_path / "labels/Ann.csv").write_text(self.labels(frames, face_id=0))
        source = open_source(tmp_path)
        assert names(source) == ["Ann.mp4#000000", "Ann.mp4#000010", "Ann.mp4#000020"]
        assert {item.person for item in source.items} == {"Ann"}
        # OpenFace counts from 1.
        assert [item.aus[0] for item in source.items] == pytest.approx([0.1, 1.1, 2.1])

    def test_a_frame_is_the_one_that_its_label_is_of(self, tmp_path, clip):
        (tmp_path / "labels/Ann.csv").write_text(self.labels(dict.fromkeys(range(1, 31), 1.0)))
        for item, image in zip(
            open_source(tmp_path).items, load_pictures(open_source(tmp_path).items), strict=True
        ):
            assert np.abs(image.astype(int) - gradient(item.place.index, image.shape[:2])).mean() < 3

    def test_frames_without_a_face_are_left_out(self, tmp_path, clip):
        (tmp_path / "labels/Ann.csv").write_text(self.labels({1: 1.0, 11: -1, 21: 2.0}))
        assert [item.place.index for item in open_source(tmp_path).items] == [0, 20]

    def test_labels_that_are_not_normalised_per_person_are_preferred(self, tmp_path, clip):
        smooth, plain = self.labels({1: 1.0}).splitlines(), self.labels({1: 2.0}, "_rs").splitlines()
        both = [f"{one}, {','.join(other.split(',')[2:])}" for one, other in zip(smooth, plain, strict=True)]
        (tmp_path / "labels/Ann.csv").write_text("\n".join(both))
        (item,) = open_source(tmp_path).items
        assert item.aus[0] == 2

    def test_a_clip_without_a_table_has_no_labels(self, tmp_path, clip):
        items = open_source(tmp_path).items
        assert [item.place for item in items] == [ClipFrame(clip, index) for index in (0, 10, 20)]
        assert all(item.aus is None for item in items)

    def test_a_table_that_is_not_openfaces_is_one_line(self, tmp_path, clip):
        (tmp_path / "labels/Ann.csv").write_text("frame,smile\n1,2\n")
        with pytest.raises(TableError, match=r"Ann\.csv: line 1: no column holds an action unit"):
            open_source(tmp_path)


class TestLoading:
    def test_what_cannot_be_read_is_none_and_the_others_come(self, tmp_path):
        write_picture(tmp_path / "1.png", 1)
        (tmp_path / "2.png").write_bytes(png()[:300])
        (tmp_path / "3.png").write_bytes(b"text")
        (tmp_path / "4.png").write_bytes(b"")
        write_picture(tmp_path / "5.png", 5)
        items = open_source(tmp_path).items
        (tmp_path / "1.png").unlink()
        *broken, last = load_pictures(items)
        assert broken == [None] * 4 and np.array_equal(last, picture(5))

    def test_a_clip_that_cannot_be_read_counts_as_one_picture(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"no film")
        items = open_source(tmp_path).items
        assert names(open_source(tmp_path)) == ["a.mp4#000000"]
        assert list(load_pictures(items)) == [None]

    def test_frames_that_are_not_there_are_none(self, tmp_path):
        clip = write_film(tmp_path / "a.mp4", Film(ticks=range(0, 3 * 512, 512)))
        items = [PictureItem("", "", None, ClipFrame(clip, index)) for index in (0, 2, 5, 9)]
        assert [image is None for image in load_pictures(items)] == [False, False, True, True]

    def test_pictures_are_turned_upright(self, tmp_path):
        from PIL import Image

        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
        (image,) = load_pictures(open_source(tmp_path).items)
        assert image.shape == (32, 24, 3)
