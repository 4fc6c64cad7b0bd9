from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calib.au import OPENFACE_CODES, au_index, openface
from calib.estimator import load_estimator
from reenact.measure.measurer import Measurer
from reenact.media.image_file import load_still
from reenact.records import Frame, Tracked
from reenact.track import Tracker, TrackerOptions
from tests.support.faces import posed_face, rotation, textured_frame
from train.__main__ import main
from train.data.chunks import Chunk, cut, digest_content, without_duplicates
from train.data.items import PictureFile, PictureItem
from train.data.picture import PrepareOptions, Reason, is_grey, prominence, see, sharpness, unfit
from train.data.prepare import PrepareReport, prepare
from train.data.shards import CROP, FolderMeta, ShardError, open_shards
from train.data.sources import PictureSource, SourceError, open_source
from train.data.workers import Workers, cluster, map_chunks

PORTRAIT = Path(__file__).resolve().parents[2] / "reenact" / "data" / "portrait.jpg"
OPTIONS = PrepareOptions(shard_size=3)
WORKERS = Workers(processes=1)
SMALL = 0.2
"""Of the portrait: small enough to be left out, and large enough for a face to be found."""


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[:, :, ::-1])


def write_sources(folder: Path) -> None:
    """`labelled`: a portrait with labels, and what is of no use; `found`: the portrait again, and another."""
    portrait = load_still(PORTRAIT).image
    labelled, found = folder / "labelled", folder / "found"
    (labelled / "images").mkdir(parents=True)
    found.mkdir()
    shutil.copy(PORTRAIT, labelled / "images/good.jpg")
    shutil.copy(PORTRAIT, labelled / "images/twice.jpg")
    (labelled / "images/broken.jpg").write_bytes(PORTRAIT.read_bytes()[:5000])
    write(labelled / "images/noise.png", textured_frame(200, 200).image)
    write(
        labelled / "images/tiny.png",
        cv2.resize(portrait, None, fx=SMALL, fy=SMALL, interpolation=cv2.INTER_AREA),
    )
    names = ["good.jpg", "twice.jpg", "broken.jpg", "missing.jpg", "noise.png", "tiny.png"]
    rows = [",".join([name, "Ann", *["1.25"] * 17]) for name in names]
    header = ",".join(["file", "person", *(f"{code}_r" for code in OPENFACE_CODES)])
    (labelled / "aus.csv").write_text("\n".join([header, *rows]) + "\n")
    shutil.copy(PORTRAIT, found / "known.jpg")
    write(found / "mirrored.png", portrait[:, ::-1])


def run(
    folder: Path, names: Sequence[str] = ("labelled", "found"), options: PrepareOptions = OPTIONS
) -> PrepareReport:
    return prepare([open_source(folder / name) for name in names], folder / "out", options, WORKERS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PrepareReport]:
    folder = tmp_path_factory.mktemp("prepared")
    write_sources(folder)
    return folder, run(folder)


@pytest.fixture
def folder(prepared: tuple[Path, PrepareReport], tmp_path: Path) -> Path:
    """The same, for a test to change."""
    return Path(shutil.copytree(prepared[0], tmp_path / "copy"))


@pytest.fixture(scope="module")
def portrait() -> Tracked:
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as track:
        return track(Frame(load_still(PORTRAIT).image))


def written(folder: Path) -> dict[str, int]:
    """When each shard was written."""
    return {path.name: path.stat().st_mtime_ns for path in sorted((folder / "out").glob("*.npz"))}


class TestRun:
    def test_every_picture_is_a_sample_or_is_counted_with_its_reason(self, prepared):
        _, report = prepared
        assert report.counts == {
            "found": {"samples": 1, "duplicate": 1},
            "labelled": {
                "samples": 1,
                "duplicate": 1,
                "missing": 1,
                "unreadable": 1,
                "no face": 1,
                "too small": 1,
            },
        }
        assert {(collection, each.name): each.reason for collection, each in report.dropped} == {
            ("labelled", "twice.jpg"): "duplicate",
            ("labelled", "broken.jpg"): "unreadable",
            ("labelled", "missing.jpg"): "missing",
            ("labelled", "noise.png"): "no face",
            ("labelled", "tiny.png"): "too small",
            ("found", "known.jpg"): "duplicate",
        }

    def test_a_sample_is_what_the_run_time_would_see(self, prepared, portrait):
        shards = open_shards(prepared[0] / "out")
        (index,) = np.flatnonzero(shards.names == "good.jpg")
        sample, (face,) = shards[int(index)], portrait.faces
        alignment = CROP.align(face)
        assert np.array_equal(sample.landmarks, alignment.points(face.landmarks))
        assert cv2.PSNR(sample.image, alignment.crop(portrait.frame.image)) > 38
        assert shards.zooms[index] == pytest.approx(alignment.scale)
        assert not shards.grey[index]

    def test_labels_that_are_there_are_kept_and_others_are_read(self, prepared, portrait):
        shards = open_shards(prepared[0] / "out")
        known, read = (int(np.flatnonzero(shards.names == name)[0]) for name in ("good.jpg", "mirrored.png"))
        assert shards.aus[known].tolist() == [1.25] * 17 and shards.labelled[known]
        expected = openface(Measurer(load_estimator())(portrait).aus[0])
        assert not shards.labelled[read]
        assert np.abs(shards.aus[read] - expected).max() < 1
        assert np.corrcoef(shards.aus[read], expected)[0, 1] > 0.9

    def test_labels_can_all_be_read_anew(self, folder, portrait):
        run(folder, ["labelled"], replace(OPTIONS, labels="estimator"))
        shards = open_shards(folder / "out")
        (index,) = np.flatnonzero(shards.names == "good.jpg")
        assert shards.aus[index] == pytest.approx(openface(Measurer(load_estimator())(portrait).aus[0]))
        assert not shards.labelled[index]


class TestResuming:
    def test_what_a_table_does_not_tell_is_read(self, folder, portrait):
        measured = openface(Measurer(load_estimator())(portrait).aus[0])
        (folder / "some/images").mkdir(parents=True)
        shutil.copy(PORTRAIT, folder / "some/images/a.jpg")
        (folder / "some/aus.csv").write_text("file;au_12_intensity;au_25_intensity\na.jpg;3,5;-nan(ind)\n")
        prepare([open_source(folder / "some")], folder / "new", OPTIONS, WORKERS)
        (sample,) = open_shards(folder / "new")
        smile = au_index("AU12")
        assert sample.aus[smile] == 3.5 != measured[smile]
        others = np.arange(len(OPENFACE_CODES)) != smile
        assert sample.aus[others] == pytest.approx(measured[others], abs=1e-3)

    def test_what_is_finished_is_not_done_again(self, folder, prepared):
        before = written(folder)
        assert run(folder) == prepared[1]
        assert written(folder) == before

    def test_what_is_not_finished_is_done(self, folder, prepared):
        before = written(folder)
        (folder / "out/labelled-00001.npz").unlink()
        assert run(folder) == prepared[1]
        assert changed(before, written(folder)) == {"labelled-00001.npz"}

    def test_a_picture_that_changed_is_noticed(self, folder):
        before = written(folder)
        write(folder / "labelled/images/noise.png", textured_frame(200, 200, seed=1).image)
        run(folder)
        assert changed(before, written(folder)) == {"labelled-00001.npz"}

    def test_labels_that_changed_are_noticed(self, folder):
        table = folder / "labelled/aus.csv"
        table.write_text(table.read_text().replace("1.25", "2.5", 1))
        run(folder)
        shards = open_shards(folder / "out")
        assert shards.aus[shards.names == "good.jpg"].max() == 2.5

    def test_a_source_that_moved_is_the_same(self, folder, tmp_path):
        before = written(folder)
        shutil.move(folder / "labelled", tmp_path / "elsewhere" / "labelled")
        prepare([open_source(tmp_path / "elsewhere" / "labelled")], folder / "out", OPTIONS, WORKERS)
        assert written(folder) == before

    def test_shards_of_pictures_that_are_gone_are_removed(self, folder):
        table = folder / "labelled/aus.csv"
        table.write_text("\n".join(table.read_text().splitlines()[:3]) + "\n")
        report = run(folder)
        assert report.counts["labelled"] == {"samples": 1, "duplicate": 1}
        assert not (folder / "out/labelled-00001.tar").exists()

    def test_sources_can_be_added_and_are_held_against_those_before(self, folder):
        shutil.copytree(folder / "found", folder / "more")
        report = run(folder, ["more"])
        assert report.counts["more"] == {"samples": 0, "duplicate": 2}
        assert set(report.counts) == {"labelled", "found", "more"}

    def test_the_progress_counts_every_picture_once(self, folder):
        (folder / "out/labelled-00001.npz").unlink()
        steps: list[int] = []
        sources = [open_source(folder / name) for name in ("labelled", "found")]
        prepare(sources, folder / "out", OPTIONS, WORKERS, advance=steps.append)
        assert steps == [5, 3]


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in after if after[name] != before.get(name)}


class TestRefusals:
    def test_two_sources_of_one_name(self, tmp_path):
        with pytest.raises(SourceError, match="2 sources are called 'set'"):
            prepare([PictureSource("set", ()), PictureSource("set", ())], tmp_path)

    def test_another_split_than_the_folder_has(self, tmp_path):
        prepare([], tmp_path, meta=FolderMeta(seed=1, share=0.2))
        with pytest.raises(
            ShardError, match=r"holds out 0\.2 of the people with seed 1, not 0\.1 with seed 0"
        ):
            prepare([], tmp_path)


class TestPicture:
    SIZE = (480, 640)

    def test_a_good_face_is_taken(self):
        assert unfit(posed_face(), self.SIZE, PrepareOptions()) is None

    @pytest.mark.parametrize(
        ("face", "reason"),
        [
            (posed_face(scale=0.3), Reason.TOO_SMALL),
            (posed_face(centre=(600, 240)), Reason.CUT_OFF),
            (posed_face(turn=rotation(yaw=1.0)), Reason.TURNED),
            (posed_face(turn=rotation(yaw=-1.0)), Reason.TURNED),
            (replace(posed_face(), confidence=0.4), Reason.UNSURE),
        ],
    )
    def test_others_are_not(self, face, reason):
        assert unfit(face, self.SIZE, PrepareOptions()) is reason

    def test_the_face_that_the_picture_is_about_is_the_one(self):
        large, central = posed_face(scale=1.2, centre=(520, 380)), posed_face(centre=(320, 240), scale=1.1)
        small = posed_face(scale=0.6)
        image = np.zeros((*self.SIZE, 3), np.uint8)
        seen = see(image, lambda frame: Tracked(frame, (small, large, central)), PrepareOptions())
        assert isinstance(seen, Tracked) and seen.faces == (central,)
        assert prominence(replace(large, pose=posed_face(scale=3).pose), self.SIZE) > prominence(
            central, self.SIZE
        )

    def test_a_picture_that_could_not_be_read_or_has_no_face_tells_so(self):
        assert see(None, lambda frame: Tracked(frame, ()), PrepareOptions()) is Reason.UNREADABLE
        image = np.zeros((9, 9, 3), np.uint8)
        assert see(image, lambda frame: Tracked(frame, ()), PrepareOptions()) is Reason.NO_FACE

    def test_blur_takes_sharpness_away_and_contrast_does_not(self):
        image = load_still(PORTRAIT).image
        assert sharpness(cv2.GaussianBlur(image, (0, 0), 3)) < 0.5 * sharpness(image)
        assert sharpness(image // 2 + 60) == pytest.approx(sharpness(image), rel=0.1)

    def test_grey_is_told_from_colour(self):
        image = textured_frame(320, 320).image
        grey = np.repeat(image[:, :, :1], 3, axis=2)
        assert is_grey(grey) and not is_grey(image)
        _, encoded = cv2.imencode(".jpg", grey)
        assert is_grey(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


class TestChunks:
    def chunks(self, folder: Path, contents: Sequence[str], size: int = 2) -> list[Chunk]:
        items = []
        for index, content in enumerate(contents):
            (folder / str(index)).write_text(content)
            items.append(PictureItem(f"{index}", "Ann", None, PictureFile(folder / str(index))))
        return [digest_content(chunk) for chunk in cut(PictureSource("set", tuple(items)), size)]

    def test_a_duplicate_does_not_move_other_pictures_to_other_chunks(self, tmp_path):
        first, second, third = without_duplicates(self.chunks(tmp_path, "abacd"))
        assert [[item.name for item in chunk.items] for chunk in (first, second, third)] == [
            ["0", "1"],
            ["3"],
            ["4"],
        ]
        assert second.duplicates == ("2",) and second.pictures == 2
        assert third.name == "set-00002"

    def test_files_that_cannot_be_read_are_no_duplicates(self, tmp_path):
        chunk = self.chunks(tmp_path, "ab")[0]
        for item in chunk.items:
            item.place.path.unlink()
        (kept,) = without_duplicates([digest_content(chunk)])
        assert len(kept.items) == 2 and kept.duplicates == ()

    def test_names_of_any_bytes_have_a_fingerprint(self):
        item = PictureItem("\udcff.png", "Ann", None, PictureFile(Path("a")))
        assert Chunk("set-00000", "set", (item,), ("",)).fingerprint(OPTIONS)


class TestCommand:
    def test_it_prints_and_keeps_the_counts(self, folder):
        places = [str(folder / name) for name in ("labelled", "found")]
        done = CliRunner().invoke(
            main, ["prepare", *places, "--out", str(folder / "new"), "--processes", "1"]
        )
        assert done.exit_code == 0, done.output
        assert [line.split() for line in done.stdout.splitlines()[1:]] == [
            ["found", "2", "1", "1", "0", "0", "0", "0"],
            ["labelled", "6", "1", "1", "1", "1", "1", "1"],
            ["all", "8", "2", "2", "1", "1", "1", "1"],
        ]
        counts = json.loads((folder / "new/report.json").read_text())
        assert counts["labelled"]["unreadable"] == counts["labelled"]["missing"] == 1
        assert "labelled,noise.png,no face" in (folder / "new/dropped.csv").read_text()
        assert len(open_shards(folder / "new")) == 2

    def test_a_source_that_is_not_there_is_one_line(self, tmp_path):
        done = CliRunner().invoke(main, ["prepare", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert "does not exist; give a folder" in done.stderr and not (tmp_path / "out").exists()

    @pytest.fixture
    def command(self, tmp_path):
        def call(*arguments):
            return CliRunner().invoke(
                main, ["prepare", *map(str, arguments), "--out", str(tmp_path / "out"), "--processes", "1"]
            )

        return call

    def write_eleven(self, folder: Path) -> Path:
        (folder / "imgs").mkdir(parents=True)
        shutil.copy(PORTRAIT, folder / "imgs/1.jpg")
        table = folder / "aus_dataset.pkl"
        table.write_bytes(pickle.dumps([{"path": "imgs/1.jpg", "aus": np.arange(11.0) / 4}]))
        return table

    def test_numbers_that_are_not_needed_need_no_names(self, tmp_path, command):
        done = command(self.write_eleven(tmp_path), "--labels", "estimator")
        assert done.exit_code == 0, done.output
        (sample,) = open_shards(tmp_path / "out")
        assert sample.name == "1.jpg"

    def test_eleven_numbers_are_refused_until_they_have_names(self, tmp_path, command):
        table = self.write_eleven(tmp_path)
        done = command(table)
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert "these 11 have no names" in done.stderr and "--aus 1,2,4,..." in done.stderr
        assert not (tmp_path / "out").exists()
        done = command(table, "--aus", "1,2,4,5,6,9,12,17,20,25,26")
        assert done.exit_code == 0, done.output
        (sample,) = open_shards(tmp_path / "out")
        assert sample.aus[au_index("AU26")] == 2.5 and sample.aus[au_index("AU45")] == 0

    def test_names_of_numbers_that_nobody_reads_are_refused(self, tmp_path, command):
        done = command(self.write_eleven(tmp_path), "--labels", "estimator", "--aus", "1,2")
        assert done.exit_code == 2 and "does not read; leave one out" in done.stderr

    def test_a_source_whose_pictures_are_all_missing_is_one_line_that_names_them(self, tmp_path, command):
        table = self.write_eleven(tmp_path)
        (tmp_path / "imgs/1.jpg").unlink()
        done = command(table, "--labels", "estimator")
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert f"all 1 of its pictures are missing: {tmp_path / 'imgs/1.jpg'}; put" in done.stderr
        assert not (tmp_path / "out").exists()

    def test_a_run_without_a_sample_does_not_succeed(self, tmp_path, command):
        write(tmp_path / "noise/a.png", textured_frame(200, 200).image)
        done = command(tmp_path / "noise")
        assert done.exit_code == 1
        assert "no picture became a sample: 1 no face" in done.stderr.splitlines()[-1]

    def test_ganimations_folder_becomes_samples(self, tmp_path, command):
        (tmp_path / "gan/imgs").mkdir(parents=True)
        shutil.copy(PORTRAIT, tmp_path / "gan/imgs/N_0001_00190.JPG")
        (tmp_path / "gan/train_ids.csv").write_text("N_0001_00190.jpg\n")
        (tmp_path / "gan/test_ids.csv").write_text("")
        numbers = {"N_0001_00190": np.arange(17) / 4}
        (tmp_path / "gan/aus_openface.pkl").write_bytes(pickle.dumps(numbers))
        done = command(tmp_path / "gan")
        assert done.exit_code == 0, done.output
        (sample,) = open_shards(tmp_path / "out")
        assert (sample.name, sample.collection) == ("N_0001_00190.JPG", "gan")
        assert sample.aus == pytest.approx(np.arange(17) / 4)

    def write_lists(self, folder: Path, training: str, held_out: str) -> Path:
        """Two pictures by GANimation, of different content."""
        (folder / "imgs").mkdir(parents=True)
        portrait = load_still(PORTRAIT).image
        write(folder / "imgs/a.png", portrait)
        write(folder / "imgs/b.png", portrait[:, ::-1])
        numbers = {"a": np.ones(17), "b": np.ones(17)}
        (folder / "aus_openface.pkl").write_bytes(pickle.dumps(numbers))
        (folder / "train_ids.csv").write_text(training)
        (folder / "test_ids.csv").write_text(held_out)
        return folder

    @pytest.mark.parametrize(("training", "held_out"), [("a", "b"), ("b", "a")])
    @pytest.mark.parametrize("share", ["0", "0.9"])
    def test_ganimations_lists_tell_who_is_held_out(self, tmp_path, command, training, held_out, share):
        folder = self.write_lists(tmp_path / "gan", f"{training}.jpg\n", f"{held_out}.jpg\n")
        done = command(folder, "--held-out", share)
        assert done.exit_code == 0, done.output
        assert (
            "gan: train_ids.csv and test_ids.csv name 1 of its people for training and 1 to be" in done.stderr
        )
        for name, side in ((training, False), (held_out, True)):
            (sample,) = open_shards(tmp_path / "out", held_out=side)
            assert sample.name == f"{name}.png"
        self.change_lists(folder, held_out, training)
        assert command(folder, "--held-out", share).exit_code == 0
        (sample,) = open_shards(tmp_path / "out", held_out=True)
        assert sample.name == f"{training}.png"

    def change_lists(self, folder: Path, training: str, held_out: str) -> None:
        (folder / "train_ids.csv").write_text(f"{training}\n")
        (folder / "test_ids.csv").write_text(f"{held_out}\n")

    def test_a_person_in_both_lists_is_one_line(self, tmp_path, command):
        done = command(self.write_lists(tmp_path / "gan", "a.png\nb.png\n", "b.png\n"))
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert "train_ids.csv and test_ids.csv both name pictures of 'b.png'; a person's" in done.stderr
        assert not (tmp_path / "out").exists()

    def test_a_person_on_two_sides_in_two_sources_is_one_line(self, tmp_path, command):
        for name, side in (("one", "test"), ("two", "train")):
            write(tmp_path / name / "imgs/a.png", textured_frame(200, 200, len(name)).image)
            records = [{"path": "a.png", "aus": np.ones(17), "person": "Ann"}]
            (tmp_path / name / "aus_dataset.pkl").write_bytes(pickle.dumps(records))
            (tmp_path / name / f"{side}_ids.csv").write_text("a.png\n")
        done = command(tmp_path / "one", tmp_path / "two")
        assert done.exit_code == 2
        assert "'Ann' is for training in two and held out in one; a person must be" in done.stderr
        assert not (tmp_path / "out").exists()


def process_of(number: int) -> int:
    time.sleep(0.3)
    return os.getpid()


def test_two_ray_workers_make_the_same_shards(prepared, tmp_path, monkeypatch):
    """Starts a Ray cluster on this machine: about ten seconds."""
    pytest.importorskip("ray")
    # Ray's workers give way to all others (niceness 15): on a busy machine this would take minutes.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    folder, report = prepared
    sources = [open_source(folder / name) for name in ("labelled", "found")]
    two = Workers(2, ray="local")
    with cluster(two):
        assert len(set(map_chunks(process_of, range(4), two)) - {os.getpid()}) == 2
        assert prepare(sources, tmp_path, OPTIONS, two) == report
    for path in (folder / "out").glob("*.tar"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
