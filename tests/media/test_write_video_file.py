from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from reenact.media.read import CaptureError, open_capture
from reenact.media.write import Encoding, FileSink, SinkError
from reenact.media.write.encoding import CODECS, CONTAINERS, choose, last_packets
from reenact.run.demo import make_clip
from tests.support.media import Film, gradient, packets_of, picture_times, write_film

UNEVEN = Film(
    ticks=(900, 3903, 6906, 6907, 20000, 90001),
    time_base=Fraction(1, 90000),
    sound="aac",
    sound_start_s=Fraction(1, 7),
)
MILLISECONDS = Film(ticks=range(7, 997, 33), time_base=Fraction(1, 1000), sound="aac")
AVI = Film(codec="mpeg4", ticks=range(30), time_base=Fraction(1, 30), sound="mp3")


def _pass_through(source: Path, target: Path, encoding: Encoding | None = None) -> FileSink:
    with open_capture(source) as capture, FileSink(target, capture, encoding or Encoding()) as sink:
        for frame in capture:
            sink.write(frame)
    return sink


@pytest.mark.parametrize(
    ("source", "target", "film"),
    [
        ("a.mp4", "b.mp4", UNEVEN),
        ("a.mov", "b.mp4", UNEVEN),
        ("a.mov", "b.mov", UNEVEN),
        ("a.avi", "b.mp4", AVI),
        ("a.mkv", "b.mkv", MILLISECONDS),
    ],
)
def test_times_and_sound_arrive_exactly(tmp_path: Path, source: str, target: str, film: Film) -> None:
    source_path = write_film(tmp_path / source, film)
    sink = _pass_through(source_path, tmp_path / target)
    assert len(picture_times(source_path)) == len(film.ticks)
    assert picture_times(tmp_path / target) == picture_times(source_path)
    assert packets_of(tmp_path / target, "audio") == packets_of(source_path, "audio")
    assert sink.notes == ()


def test_the_same_pictures_give_the_same_file(tmp_path: Path) -> None:
    """For this one x264's code for AVX-512 gives several, from run to run."""
    source = tmp_path / "in.mp4"
    make_clip(source, (240, 320), seconds=0.3)
    written = set()
    for number in range(6):
        _pass_through(source, tmp_path / f"{number}.mp4")
        written.add((tmp_path / f"{number}.mp4").read_bytes())
    assert len(written) == 1


def test_matroska_rounds_to_milliseconds_and_says_so(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", replace(UNEVEN, sound=None))
    sink = _pass_through(source, tmp_path / "b.mkv")
    off = [abs(a - b) for a, b in zip(picture_times(source), picture_times(tmp_path / "b.mkv"), strict=True)]
    assert max(off) <= Fraction(1, 1000)
    assert "rounded to whole milliseconds" in sink.notes[0]


def test_what_matroska_cannot_say_before_zero_is_said(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", Film(sound="aac"))
    sink = _pass_through(source, tmp_path / "b.mkv")
    assert sink.notes[-1] == "all times move by 23 ms: matroska holds none before 0"
    assert float(picture_times(tmp_path / "b.mkv")[0]) == pytest.approx(0.023)
    assert packets_of(tmp_path / "b.mkv", "audio")[0][0] == 0


def test_milliseconds_of_sound_are_kept_to_the_sample(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", MILLISECONDS)
    _pass_through(source, tmp_path / "b.mp4")
    assert picture_times(tmp_path / "b.mp4") == picture_times(source)
    for before, after in zip(
        packets_of(source, "audio"), packets_of(tmp_path / "b.mp4", "audio"), strict=True
    ):
        assert before[1] == after[1]
        assert abs(before[0] - after[0]) <= Fraction(1, 44100)


def test_sound_longer_than_the_picture_is_kept_whole(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", Film(sound="aac", sound_s=3.0))
    _pass_through(source, tmp_path / "b.mp4")
    assert packets_of(tmp_path / "b.mp4", "audio") == packets_of(source, "audio")


def test_sound_that_the_container_cannot_hold_is_converted(tmp_path: Path) -> None:
    film = Film(
        codec="wmv2", ticks=range(0, 1000, 33), time_base=Fraction(1, 1000), sound="wmav2", sound_s=1.2
    )
    source = write_film(tmp_path / "a.wmv", film)
    sink = _pass_through(source, tmp_path / "b.mp4")
    assert sink.notes == ("audio stream 1 (wmav2) is converted to aac: mp4 cannot hold it as it is",)
    assert picture_times(tmp_path / "b.mp4") == picture_times(source)
    with av.open(str(tmp_path / "b.mp4")) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert 1.0 < len(sound) / 44100 < 1.3
    middle = sound[10000:30000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 44100 / len(middle) == pytest.approx(440, abs=5)


def test_subtitles_are_copied_or_their_loss_is_said(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=30)
        video.width, video.height = 64, 48
        text = output.add_mux_stream("subrip")
        text.time_base = Fraction(1, 1000)
        line = av.Packet(b"hello")
        line.pts = line.dts = 200
        line.duration, line.time_base, line.stream = 300, Fraction(1, 1000), text
        output.mux(line)
        for index in range(30):
            picture = av.VideoFrame.from_ndarray(gradient(index, (48, 64)), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 30)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    _pass_through(source, tmp_path / "b.mkv")
    assert packets_of(tmp_path / "b.mkv", "subtitle") == packets_of(source, "subtitle")
    sink = _pass_through(source, tmp_path / "b.mp4")
    assert sink.notes == ("subtitle stream 1 (srt) is dropped: mp4 cannot hold it",)


def test_chapters_and_labels_are_kept_and_the_comment_added(tmp_path: Path) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    film = Film(metadata={"title": "Take 3", "comment": "from the archive"}, sound="aac")
    write_film(tmp_path / "plain.mp4", film)
    chapter = {"id": 0, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(source), "w") as output:
        output.metadata.update(plain.metadata)
        output.set_chapters([chapter])
        streams = {stream: output.add_stream_from_template(stream, opaque=True) for stream in plain.streams}
        for packet in plain.demux():
            if packet.size:
                packet.stream = streams[packet.stream]
                output.mux(packet)
    with open_capture(source) as capture, FileSink(target, capture, comment="edited: AU12=+2") as sink:
        for frame in capture:
            sink.write(frame)
    assert sink.notes == ()
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "Take 3"
        assert container.metadata["comment"] == "from the archive; edited: AU12=+2"
        (kept,) = container.chapters()
    assert (kept["end"] * kept["time_base"], kept["metadata"]["title"]) == (Fraction(1, 2), "one")


@pytest.mark.parametrize(
    "tags",
    [
        {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
        {"color_range": 2, "colorspace": 6, "color_primaries": 6, "color_trc": 6},
        {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 14},
        {"color_range": 0, "colorspace": 2, "color_primaries": 2, "color_trc": 2},
    ],
)
def test_colours_and_their_tags_are_kept(tmp_path: Path, tags: dict[str, int]) -> None:
    source = write_film(
        tmp_path / "a.mp4", Film((180, 240), range(0, 2560, 512), tags=tags, pixel_aspect=Fraction(4, 3))
    )
    _pass_through(source, tmp_path / "b.mp4", Encoding(crf=10))
    with open_capture(source) as before, open_capture(tmp_path / "b.mp4") as after:
        pairs = [(a.image.astype(float), b.image) for a, b in zip(before, after, strict=True)]
    assert after.colour == before.colour
    assert after.pixel_aspect == Fraction(4, 3)
    assert max(np.abs(a - b).mean() for a, b in pairs) < 1.5
    assert np.abs(np.mean([(a - b).mean((0, 1)) for a, b in pairs], axis=0)).max() < 0.4


def test_rgb_becomes_what_every_player_knows(tmp_path: Path) -> None:
    film = Film((180, 240), range(0, 99, 33), Fraction(1, 1000), codec="ffv1", pixel_format="bgr0")
    source = write_film(tmp_path / "a.mkv", film)
    _pass_through(source, tmp_path / "b.mp4", Encoding(crf=5))
    with open_capture(source) as before, open_capture(tmp_path / "b.mp4") as after:
        first, second = next(iter(before)).image, next(iter(after)).image
    np.testing.assert_array_equal(first, gradient(0, (180, 240)))
    assert (after.colour.range, after.colour.matrix) == (1, 5)
    assert np.abs((first.astype(float) - second).mean((0, 1))).max() < 0.4


def test_a_turned_film_is_stored_upright(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mov", Film(rotation=90))
    _pass_through(source, tmp_path / "b.mp4", Encoding(crf=10))
    with open_capture(source) as before, open_capture(tmp_path / "b.mp4") as after:
        first, second = next(iter(before)).image, next(iter(after)).image
    assert first.shape == second.shape == (64, 48, 3)
    assert np.abs(first.astype(int) - second).mean() < 2
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize(
    ("name", "codec", "stored"),
    [("b.mp4", "h264", (38, 54)), ("b.webm", "vp9", (37, 53)), ("b.mp4", "vp9", (37, 53))],
)
def test_odd_sizes_lose_nothing(tmp_path: Path, name: str, codec: str, stored: tuple[int, int]) -> None:
    film = Film(
        size=(37, 53),
        codec="ffv1",
        pixel_format="yuv444p",
        ticks=range(0, 330, 33),
        time_base=Fraction(1, 1000),
    )
    source = write_film(tmp_path / "a.mkv", film)
    sink = _pass_through(source, tmp_path / name, Encoding(codec=codec, crf=5))
    with open_capture(source) as before, open_capture(tmp_path / name) as after:
        first, second = next(iter(before)).image, next(iter(after)).image
    assert after.size == stored
    assert np.abs(second[:37, :53].astype(int) - first).mean() < 3
    padded = [note for note in sink.notes if "53x37 is stored as 54x38" in note]
    assert bool(padded) == (stored == (38, 54))


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
def test_every_codec_makes_what_its_name_says(tmp_path: Path, codec: str) -> None:
    source = write_film(tmp_path / "a.mp4", Film(size=(80, 96), ticks=range(0, 5 * 512, 512)))
    _pass_through(source, tmp_path / "b.mp4", Encoding(codec=codec, preset="ultrafast"))
    with av.open(str(tmp_path / "b.mp4")) as container:
        name = container.streams.video[0].codec_context.codec.canonical_name
    assert name == codec
    assert picture_times(tmp_path / "b.mp4") == picture_times(source)


HARDWARE = [name for name, codec in CODECS.items() if codec.needs]


def test_an_encoder_of_a_gpu_is_never_chosen_by_itself():
    assert {"h264_nvenc", "h264_qsv", "h264_videotoolbox", "h264_v4l2m2m"} == set(HARDWARE)
    assert all(choose(Path(f"a{ending}"), Encoding())[1].needs is None for ending in CONTAINERS)


@pytest.mark.parametrize("name", HARDWARE)
def test_an_encoder_whose_hardware_is_missing_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    source = write_film(tmp_path / "a.mp4")
    try:
        _pass_through(source, tmp_path / "b.mp4", Encoding(codec=name))
    except SinkError as error:
        reasons = "does not open on this machine", "is not in this FFmpeg"
        assert any(str(error).startswith(f"the encoder {name} {reason}: it needs a") for reason in reasons)
        assert str(error).endswith("; --codec h264 works everywhere")
        assert list(tmp_path.iterdir()) == [source]
    else:  # This machine has it.
        assert picture_times(tmp_path / "b.mp4") == picture_times(source)


def test_an_encoder_that_takes_interleaved_chroma_gets_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_film(tmp_path / "a.mp4", Film(size=(80, 96)))
    _pass_through(source, tmp_path / "planes.mp4")
    monkeypatch.setitem(CODECS, "h264", replace(CODECS["h264"], pixel_format="nv12"))
    _pass_through(source, tmp_path / "interleaved.mp4")
    with open_capture(tmp_path / "planes.mp4") as planes, open_capture(tmp_path / "interleaved.mp4") as other:
        for one, two in zip(planes, other, strict=True):
            np.testing.assert_array_equal(one.image, two.image)


@pytest.mark.parametrize(
    ("name", "crf", "preset", "expected"),
    [
        ("h264_nvenc", 23, "veryfast", {"rc": "vbr", "cq": "23", "b": "0", "preset": "p3"}),
        ("h264_nvenc", 0, "veryslow", {"rc": "vbr", "cq": "1", "b": "0", "preset": "p7"}),
        ("h264_qsv", 23, "ultrafast", {"global_quality": "23", "preset": "veryfast"}),
        ("h264_videotoolbox", 51, "fast", {"flags": "+qscale", "global_quality": "118"}),
        ("h264_videotoolbox", 0, "fast", {"flags": "+qscale", "global_quality": "11800"}),
        ("h264_v4l2m2m", 23, "fast", {}),
    ],
)
def test_quality_and_speed_are_told_in_the_words_of_each_encoder(
    name: str, crf: int, preset: str, expected: dict[str, str]
) -> None:
    assert CODECS[name].options(Encoding(crf=crf, preset=preset)) == expected


def test_an_encoder_that_knows_no_quality_gets_a_bit_rate() -> None:
    rates = [
        CODECS["h264_v4l2m2m"].bit_rate(Encoding(crf=crf), (720, 1280), Fraction(30)) for crf in (23, 17)
    ]
    assert rates == [2764800, 5529600]
    assert CODECS["h264"].bit_rate(Encoding(), (720, 1280), Fraction(30)) is None


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_films_of_a_picture_or_two_have_times_too(tmp_path: Path, codec: str, count: int) -> None:
    source = write_film(tmp_path / "a.mp4", Film(ticks=range(0, count * 512, 512)))
    _pass_through(source, tmp_path / "b.mp4", Encoding(codec=codec))
    assert picture_times(tmp_path / "b.mp4") == picture_times(source)


@pytest.mark.parametrize(("encoder", "count", "mended"), [("libx265", 2, True), ("libx265", 3, False)])
def test_decoding_times_that_x265_never_sets_are_those_of_showing(
    encoder: str, count: int, mended: bool
) -> None:
    """They lie in memory as they will; an encoder that has set them for real is a stand-in here."""
    packets = [av.Packet() for _ in range(count)]
    for number, packet in enumerate(packets):
        packet.pts, packet.dts = number, -93931477063880 + number
    context = SimpleNamespace(codec=SimpleNamespace(name=encoder))
    stream = SimpleNamespace(encode=lambda picture: packets, codec_context=context)
    assert [packet.dts == packet.pts for packet in last_packets(stream)] == [mended] * count


@pytest.mark.parametrize(
    ("target", "picture", "sound"),
    [("b.webm", "vp9", "opus"), ("b.mp4", "h264", "aac"), ("b.mkv", "h264", "aac")],
)
def test_the_codec_is_one_that_the_kind_of_file_holds(
    tmp_path: Path, target: str, picture: str, sound: str
) -> None:
    source = write_film(tmp_path / "a.mp4", Film(sound="aac"))
    _pass_through(source, tmp_path / target)
    with av.open(str(tmp_path / target)) as container:
        kinds = [stream.codec_context.codec.canonical_name for stream in container.streams]
    assert kinds == [picture, sound]


def test_a_larger_frame_is_written_at_its_own_size(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4")
    with open_capture(source) as capture, FileSink(tmp_path / "b.mp4", capture, size=(48, 128)) as sink:
        for frame in capture:
            sink.write(replace(frame, image=np.hstack([frame.image, frame.image])))
    with open_capture(tmp_path / "b.mp4") as after:
        assert after.size == (48, 128)
        # Players would guess the matrix from the size, so it is named.
        assert after.colour.matrix in (5, 6)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    source = write_film(tmp_path / "a.mp4", Film(sound="aac"))
    (tmp_path / "b.mp4").write_bytes(b"old")
    with pytest.raises(error), open_capture(source) as capture, FileSink(tmp_path / "b.mp4", capture) as sink:
        for frame in capture:
            sink.write(frame)
            if frame.index == 20:
                raise error
    assert (tmp_path / "b.mp4").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_keep_partial_keeps_what_was_made_playable_under_another_name(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", Film(sound="aac"))
    with (
        pytest.raises(ValueError),
        open_capture(source) as capture,
        FileSink(tmp_path / "b.mp4", capture, keep_partial=True) as sink,
    ):
        for frame in capture:
            sink.write(frame)
            if frame.index == 20:
                raise ValueError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.partial.mp4"]
    assert picture_times(tmp_path / "b.partial.mp4") == picture_times(source)[:21]
    assert 0.5 < packets_of(tmp_path / "b.partial.mp4", "audio")[-1][0] <= Fraction(21, 30)


def test_a_broken_input_leaves_nothing_but_a_partial_file_on_request(tmp_path: Path) -> None:
    film = Film(options={"movflags": "faststart"}, sound="aac")
    whole = write_film(tmp_path / "whole.mp4", film).read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) * 7 // 10])
    for keep in (False, True):
        with (
            pytest.raises(CaptureError, match="breaks off"),
            open_capture(source) as capture,
            FileSink(tmp_path / "b.mp4", capture, keep_partial=keep) as sink,
        ):
            for frame in capture:
                sink.write(frame)
        assert not (tmp_path / "b.mp4").exists()
        assert (tmp_path / "b.partial.mp4").exists() == keep
    assert len(picture_times(tmp_path / "b.partial.mp4")) > 5


def test_the_file_obeys_the_umask_and_a_link_stays_a_link(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4")
    (tmp_path / "real.mp4").write_bytes(b"old")
    (tmp_path / "link.mp4").symlink_to("real.mp4")
    umask = os.umask(0o027)
    try:
        _pass_through(source, tmp_path / "link.mp4")
    finally:
        os.umask(umask)
    assert (tmp_path / "link.mp4").is_symlink()
    assert (tmp_path / "real.mp4").stat().st_mode & 0o777 == 0o640
    assert len(picture_times(tmp_path / "real.mp4")) == 30


@pytest.mark.parametrize(
    ("name", "encoding", "words"),
    [
        ("b.xyz", Encoding(), r"choose \.mp4"),
        ("b", Encoding(), r"choose \.mp4"),
        ("b.webm", Encoding(codec="h264"), r"\.webm files do not hold h264; choose vp9"),
        ("b.mp4", Encoding(codec="theora"), "unknown codec 'theora'; choose h264"),
        ("b.mp4", Encoding(preset="warp"), "unknown preset 'warp'; choose ultrafast"),
        ("b.mp4", Encoding(crf=99), "crf 99 is out of range for h264: 0 to 51"),
        ("no/b.mp4", Encoding(), "does not exist"),
        ("folder.mp4", Encoding(), "not a file"),
        ("a.mp4", Encoding(), "input itself"),
        ("symbolic.mp4", Encoding(), "input itself"),
        ("hard.mp4", Encoding(), "input itself"),
    ],
)
def test_bad_outputs_are_refused_before_any_work(
    tmp_path: Path, name: str, encoding: Encoding, words: str
) -> None:
    source = write_film(tmp_path / "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "symbolic.mp4").symlink_to(source)
    (tmp_path / "hard.mp4").hardlink_to(source)
    before = sorted(tmp_path.iterdir())
    with open_capture(source) as capture, pytest.raises(SinkError, match=words) as caught:
        FileSink(tmp_path / name, capture, encoding)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4")
    (tmp_path / "null.mp4").symlink_to("/dev/null")
    with open_capture(source) as capture, pytest.raises(SinkError, match="not a file"):
        FileSink(tmp_path / "null.mp4", capture)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with open_capture(source) as capture, pytest.raises(SinkError, match="read-only for you"):
        FileSink(locked / "b.mp4", capture)


def test_no_frames_make_no_file(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4")
    with (
        open_capture(source) as capture,
        pytest.raises(SinkError, match="no frames"),
        FileSink(tmp_path / "b.mp4", capture),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _noise(path: Path) -> Path:
    """A film that does not compress: two megabytes."""
    random = np.random.default_rng(0)
    film = Film(size=(240, 320), codec="mpeg4", ticks=range(0, 30 * 512, 512))
    pictures = [
        av.VideoFrame.from_ndarray(random.integers(0, 256, (360, 320), np.uint8), "yuv420p")
        for _ in range(30)
    ]
    return write_film(path, film, pictures)


def test_a_full_disk_is_named_and_nothing_stays(tmp_path: Path, tiny_disk: Path) -> None:
    source = _noise(tmp_path / "a.mp4")
    with pytest.raises(SinkError, match=r"b\.mp4 cannot be written: No space left"):
        _pass_through(source, tiny_disk / "b.mp4", Encoding(crf=1))
    assert list(tiny_disk.iterdir()) == []


def test_a_limit_on_file_size_is_named_and_nothing_stays(tmp_path: Path) -> None:
    source = _noise(tmp_path / "a.mp4")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(SinkError, match=r"b\.mp4 cannot be written: File too large"):
            _pass_through(source, tmp_path / "b.mp4", Encoding(crf=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


def test_encoders_are_silent(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", Film(size=(80, 96), ticks=range(0, 5 * 512, 512)))
    script = (
        "from reenact.media.read import open_capture; from reenact.media.write import *; import sys\n"
        "for codec in ('h264', 'hevc', 'vp9'):\n"
        "    with open_capture(sys.argv[1]) as c, FileSink(sys.argv[2], c, Encoding(codec=codec)) as s:\n"
        "        for frame in c: s.write(frame)\n"
    )
    command = [sys.executable, "-c", script, str(source), str(tmp_path / "b.mp4")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("face_then_none.mov", "b.mov"),
        ("single_face.mp4", "b.mp4"),
        ("no_face.mp4", "b.mp4"),
        ("webcam_15fps.wmv", "b.mp4"),
    ],
)
def test_real_clips_arrive_exactly(shared: Path, tmp_path: Path, name: str, target: str) -> None:
    source = shared / "data" / "clips" / name
    sink = _pass_through(source, tmp_path / target, Encoding(preset="ultrafast"))
    assert picture_times(tmp_path / target) == picture_times(source)
    if name.endswith(".wmv"):
        assert sink.notes == ("audio stream 0 (wmav2) is converted to aac: mp4 cannot hold it as it is",)
    else:
        assert packets_of(tmp_path / target, "audio") == packets_of(source, "audio")
