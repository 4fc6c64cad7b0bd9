from __future__ import annotations

import mmap
import pickle
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.au import OPENFACE_COUNT
from tests.support.faces import textured_frame
from train.data.shards import (
    CROP,
    Dropped,
    FaceSample,
    FolderMeta,
    PreparedFace,
    ShardError,
    open_shards,
    read_meta,
    read_reports,
    write_meta,
    write_shard,
)


def face(number: int, person: str | None = None, collection: str = "set") -> PreparedFace:
    sample = FaceSample(
        image=textured_frame(CROP.size, CROP.size, seed=number).image,
        landmarks=np.random.default_rng(number).uniform(0, 320, (478, 3)).astype(np.float32),
        aus=np.full(OPENFACE_COUNT, number / 4, np.float32),
        person=person or f"person {number}",
        collection=collection,
        name=f"{number}.png",
    )
    return PreparedFace(sample, number % 2 == 0, number / 10, 1.5, 0.25, number == 3, f"digest {number}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards with faces 0 to 4."""
    write_meta(tmp_path, FolderMeta(seed=3, share=0.5))
    write_shard(
        tmp_path, "set-00000", [face(0), Dropped("broken.png", "unreadable"), face(1), face(2)], "one"
    )
    write_shard(tmp_path, "set-00001", [face(3), face(4, collection="other")], "two")
    return tmp_path


def test_samples_come_back_as_they_were(folder):
    shards = open_shards(folder)
    assert len(shards) == 5
    for number, sample in enumerate(shards):
        wanted = face(number).sample
        assert cv2.PSNR(sample.image, wanted.image) > 38
        assert np.array_equal(sample.landmarks, wanted.landmarks)
        assert np.array_equal(sample.aus, wanted.aus)
        assert (sample.person, sample.name) == (wanted.person, wanted.name)
    assert shards[4].collection == "other" and shards[-1].name == "4.png"


def test_colours_are_not_halved_in_resolution(folder, tmp_path):
    stripes = face(0)
    stripes.sample.image[:] = 0
    stripes.sample.image[:, ::2, 0] = stripes.sample.image[:, 1::2, 2] = 255
    write_shard(tmp_path, "set-00000", [stripes], "stripes")
    assert np.abs(open_shards(tmp_path)[0].image.astype(int) - stripes.sample.image).mean() < 5


def test_what_is_known_of_samples_is_there_without_their_pictures(folder):
    for tar in folder.glob("*.tar"):
        tar.write_bytes(b"")
    shards = open_shards(folder)
    assert shards.names.tolist() == [f"{number}.png" for number in range(5)]
    assert shards.labelled.tolist() == [True, False, True, False, True]
    assert shards.grey.tolist() == [False, False, False, True, False]
    assert shards.aus[:, 0] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert shards.yaws == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert shards.landmarks.shape == (5, 478, 3)


def test_some_samples_can_be_chosen(folder):
    shards = open_shards(folder)
    assert shards.where(shards.collections == "other").names.tolist() == ["4.png"]
    two = shards.where(np.array([3, 1]))
    assert [sample.name for sample in two] == ["3.png", "1.png"]
    assert np.array_equal(two[0].image, shards[3].image)


def test_people_are_held_out_whole(tmp_path):
    write_meta(tmp_path, FolderMeta(seed=1, share=0.4))
    faces = [face(number, f"person {number % 10}") for number in range(20)]
    write_shard(tmp_path, "set-00000", faces, "x")
    strangers, others = open_shards(tmp_path, held_out=True), open_shards(tmp_path, held_out=False)
    assert 0 < len(strangers) < 20 and len(strangers) + len(others) == 20
    assert not set(strangers.persons) & set(others.persons)


def test_who_is_held_out_does_not_depend_on_who_else_is_there(tmp_path):
    write_meta(tmp_path, FolderMeta(seed=1, share=0.4))
    write_shard(tmp_path, "set-00000", [face(number) for number in range(10)], "x")
    before = set(open_shards(tmp_path, held_out=True).persons)
    write_shard(tmp_path, "set-00001", [face(number) for number in range(10, 20)], "y")
    after = set(open_shards(tmp_path, held_out=True).persons)
    assert {name for name in after if int(name.split()[1]) < 10} == before


def test_shards_can_be_sent_to_another_process(folder):
    sent = pickle.loads(pickle.dumps(open_shards(folder)))
    assert np.array_equal(sent[3].image, open_shards(folder)[3].image)


def test_what_is_sent_does_not_grow_with_what_is_known_of_samples(folder):
    """Once 6 kB a sample, whole columns of which may have been looked at."""
    shards = open_shards(folder)
    assert len(shards.aus) == len(shards.names) == 5
    assert len(pickle.dumps(shards)) < 2000
    many = shards.where(np.arange(1000) % 5)
    assert len(pickle.dumps(many)) < 2000 + 12 * 1000


def test_a_choice_is_sent_as_it_is(folder):
    chosen = open_shards(folder).where(np.array([4, 1, 3]))
    sent = pickle.loads(pickle.dumps(chosen))
    assert sent.names.tolist() == ["4.png", "1.png", "3.png"]
    assert np.array_equal(sent[1].landmarks, chosen[1].landmarks)
    assert sent[1].aus.tolist() == chosen[1].aus.tolist()


def test_tables_are_mapped_and_not_read(folder):
    shards = open_shards(folder)
    base = shards.value("landmarks", 0)
    while not isinstance(base, mmap.mmap):
        base = base.base
    assert not shards.value("landmarks", 0).flags.writeable


def test_shards_that_were_made_again_meanwhile_are_refused(folder):
    sent = pickle.dumps(open_shards(folder))
    write_shard(folder, "set-00001", [face(7)], "other")
    with pytest.raises(ShardError, match=r"set-00001\.npz was made again while it was in use; start again"):
        pickle.loads(sent)


def test_a_table_that_is_cut_off_or_compressed_is_one_line(folder):
    table = folder / "set-00000.npz"
    with np.load(table) as data:
        np.savez_compressed(table, **dict(data))
    with pytest.raises(ShardError, match=r"cannot be read \(.* in it is compressed\)"):
        open_shards(folder)


def test_pictures_can_be_read_by_any_tar_program(folder):
    with tarfile.open(folder / "set-00000.tar") as tar:
        assert tar.getnames() == ["00000.jpg", "00001.jpg", "00002.jpg"]
        encoded = np.frombuffer(tar.extractfile("00001.jpg").read(), np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.array_equal(image, open_shards(folder)[1].image)


def test_reports_tell_what_became_of_every_picture(folder):
    one, two = read_reports(folder)
    assert (one.name, one.collection, one.fingerprint) == ("set-00000", "set", "one")
    assert one.digests == ("digest 0", "digest 1", "digest 2")
    assert one.dropped == (Dropped("broken.png", "unreadable"),)
    assert two.dropped == ()


def test_a_shard_without_samples_is_a_shard(folder):
    write_shard(folder, "none-00000", [Dropped("a.png", "no face")], "three")
    assert len(open_shards(folder)) == 5
    assert read_reports(folder)[0].dropped == (Dropped("a.png", "no face"),)


def test_an_interrupted_shard_leaves_nothing_that_looks_finished(folder):
    def faces():
        yield face(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(folder, "set-00001", faces(), "again")
    assert [report.name for report in read_reports(folder)] == ["set-00000"]
    assert len(open_shards(folder)) == 3
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_what_a_killed_process_left_is_removed_when_its_shard_is_made(folder):
    left, other = folder / f".set-00001.{'0' * 8}.tar", folder / f".set-00002.{'0' * 8}.tar"
    left.write_bytes(b"half")
    other.write_bytes(b"half")
    write_shard(folder, "set-00001", [face(3)], "again")
    assert not left.exists() and other.exists()


def test_a_table_that_is_being_written_is_not_read(folder):
    (folder / ".set-00002.1234.npz").write_bytes(b"half")
    (folder / ".set-00002.1234.tar").write_bytes(b"half")
    assert len(open_shards(folder)) == 5


def test_the_split_is_the_folders_own(folder):
    assert read_meta(folder) == FolderMeta(seed=3, share=0.5)


def test_a_folder_without_shards_is_one_line(tmp_path):
    with pytest.raises(ShardError, match=r"has no meta\.json; make shards with `python -m train prepare`"):
        open_shards(tmp_path)
    write_meta(tmp_path, FolderMeta())
    with pytest.raises(ShardError, match="has no finished shard"):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{", "cannot be read"),
        ('{"seed": 1}', "cannot be read"),
        (
            '{"seed":0,"share":0.1,"format":0,"crop":{"size":320,"width_mm":237.5,"centre_mm":[0,14,0]}}',
            "another",
        ),
        (
            '{"seed":0,"share":0.1,"format":1,"crop":{"size":64,"width_mm":237.5,"centre_mm":[0,14,0]}}',
            "another",
        ),
    ],
)
def test_a_folder_of_another_version_is_one_line(folder, text, wrong):
    (folder / "meta.json").write_text(text)
    with pytest.raises(ShardError, match=wrong):
        open_shards(folder)


def test_damage_is_one_line(folder):
    table = folder / "set-00000.npz"
    table.write_bytes(table.read_bytes()[:1000])
    with pytest.raises(ShardError, match=r"set-00000\.npz cannot be read"):
        open_shards(folder)


def test_a_damaged_picture_is_one_line(folder):
    shards = open_shards(folder)
    shards.files[0].write_bytes(b"")
    with pytest.raises(ShardError, match=r"set-00000\.tar is damaged"):
        shards[0]
