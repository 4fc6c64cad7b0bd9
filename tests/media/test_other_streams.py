"""What travels beside the picture: sound, timecodes, labels, and what is said where something is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from reenact.media.read import open_capture
from reenact.media.write import Encoding, FileSink
from tests.support.media import Film, packets_of, picture_times, write_film

MILLISECONDS = Film(time_base=Fraction(1, 1000), ticks=range(0, 990, 33), codec="mpeg4")
AVI = Film(codec="mjpeg", pixel_format="yuvj420p", ticks=range(30), time_base=Fraction(1, 30))
ROUNDED = "times are rounded to whole milliseconds, the finest that Matroska and WebM hold"


def pass_through(source: Path, target: Path, encoding: Encoding | None = None) -> tuple[str, ...]:
    """Writes the film anew; returns the sink's notes."""
    with open_capture(source) as capture, FileSink(target, capture, encoding or Encoding()) as sink:
        for frame in capture:
            sink.write(frame)
    assert len(picture_times(target)) == len(picture_times(source))
    return sink.notes


def sound_of(path: Path) -> tuple[np.ndarray, int]:
    """(channels, samples) -1..1, and the rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", stream.layout, stream.rate)
        pieces = [
            made.to_ndarray().reshape(-1, stream.channels).copy()
            for frame in container.decode(stream)
            for made in resampler.resample(frame)
        ]
        return np.vstack(pieces).T, stream.rate


def pitch_hz(samples: np.ndarray, rate: int) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax() * rate / len(middle))


# Timecodes and labels.


@pytest.mark.parametrize("target", ["b.mov", "b.mp4", "b.mkv"])
@pytest.mark.parametrize("source", ["a.mov", "a.mp4", "a.mkv"])
def test_a_timecode_survives(tmp_path: Path, source: str, target: str) -> None:
    film = replace(MILLISECONDS, labels={"timecode": "01:02:03:04"}, sound="aac")
    write_film(tmp_path / source, film)
    notes = pass_through(tmp_path / source, tmp_path / target)
    assert not [note for note in notes if "stream" in note or "timecode" in note]
    with av.open(str(tmp_path / target)) as container:
        labels = container.streams.video[0].metadata
        assert labels.get("timecode", labels.get("TIMECODE")) == "01:02:03:04"


def test_a_timecode_that_goes_with_no_rate_of_the_container_is_dropped_and_that_is_said(
    tmp_path: Path,
) -> None:
    fast = Film(
        labels={"timecode": "01:00:00:02"}, codec="ffv1", rate=Fraction(2000), time_base=Fraction(1, 2000)
    )
    source = write_film(tmp_path / "a.nut", replace(fast, ticks=range(30)))
    assert pass_through(source, tmp_path / "b.mov") == (
        "the timecode 01:00:00:02 is dropped: mov cannot hold it",
    )


@pytest.mark.parametrize("disposition", [Disposition.default, Disposition.original])
def test_what_is_said_of_the_picture_survives(tmp_path: Path, disposition: Disposition) -> None:
    labels = {"language": "deu", "title": "camera A", "DURATION": "99:00:00", "encoder": "mine"}
    film = replace(MILLISECONDS, labels=labels, disposition=disposition, sound="aac")
    source = write_film(tmp_path / "a.mkv", film)
    pass_through(source, tmp_path / "b.mkv")
    with av.open(str(source)) as before, av.open(str(tmp_path / "b.mkv")) as after:
        assert after.streams.video[0].disposition == before.streams.video[0].disposition
        kept = after.streams.video[0].metadata
    assert (kept["language"], kept["title"]) == ("deu", "camera A")
    assert kept.get("encoder") != "mine" and kept["DURATION"] != "99:00:00"


# Sound.


def test_sound_of_a_camera_whose_channels_have_no_names_is_kept(tmp_path: Path) -> None:
    film = replace(AVI, sound="pcm_s16le", sound_layout="stereo", sound_s=1.2)
    source = write_film(tmp_path / "a.avi", film)
    with av.open(str(source)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    notes = pass_through(source, tmp_path / "b.mp4")
    assert notes == ("audio stream 1 (pcm_s16le) is converted to aac: mp4 cannot hold it as it is",)
    samples, rate = sound_of(tmp_path / "b.mp4")
    assert samples.shape[0] == 2
    assert samples.shape[1] / rate == pytest.approx(1.2, abs=0.05)
    for channel in samples:
        assert pitch_hz(channel, rate) == pytest.approx(440, abs=5)
        assert np.abs(channel[5000:-5000]).max() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("layout", ["2.1", "quad", "5.1(side)", "6.1", "7.1(wide)"])
@pytest.mark.parametrize("target", ["b.mp4", "b.webm"])
def test_sound_of_many_channels_is_kept_whatever_they_are(tmp_path: Path, layout: str, target: str) -> None:
    film = replace(MILLISECONDS, sound="pcm_s24le", sound_layout=layout)
    codec = "vp9" if target == "b.webm" else "h264"
    notes = pass_through(write_film(tmp_path / "a.mkv", film), tmp_path / target, Encoding(codec))
    assert len(notes) == 1 and "is converted to" in notes[0]
    samples, rate = sound_of(tmp_path / target)
    assert len(samples) == av.AudioLayout(layout).nb_channels
    assert samples.shape[1] / rate == pytest.approx(1.0, abs=0.05)


def test_a_rate_that_the_encoder_does_not_know_is_raised(tmp_path: Path) -> None:
    film = replace(AVI, sound="pcm_s16le", sound_layout="stereo", sound_rate=37_800)
    pass_through(write_film(tmp_path / "a.avi", film), tmp_path / "b.mp4")
    samples, rate = sound_of(tmp_path / "b.mp4")
    assert rate == 44_100
    assert pitch_hz(samples[0], rate) == pytest.approx(440, abs=5)


def test_a_dv_tape_is_read_and_written(tmp_path: Path) -> None:
    film = Film(
        size=(576, 720), codec="dvvideo", ticks=range(12), time_base=Fraction(1, 25), sound="pcm_s16le"
    )
    film = replace(film, sound_layout="stereo", sound_rate=48_000, sound_s=0.48, rate=Fraction(25))
    source = write_film(tmp_path / "a.dv", film)
    with open_capture(source) as capture:
        assert capture.rate == 25
    for target in ("b.mp4", "b.mov"):
        assert pass_through(source, tmp_path / target) == ()
        np.testing.assert_allclose(np.diff([float(time) for time in picture_times(tmp_path / target)]), 0.04)
        assert pitch_hz(sound_of(tmp_path / target)[0][0], 48_000) == pytest.approx(440, abs=10)


def _with_sound_times(source: Path, target: Path, change: Callable[[int, int], int]) -> Path:
    """The same film, but its sound's packets have other times: (number, ticks) -> ticks."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams = {stream: after.add_stream_from_template(stream, opaque=True) for stream in before.streams}
        number = 0
        for packet in before.demux():
            if packet.size == 0:
                continue
            if packet.stream.type == "audio":
                packet.pts = packet.dts = change(number, packet.dts)
                number += 1
            packet.stream = streams[packet.stream]
            after.mux(packet)
    return target


@pytest.mark.parametrize("target", ["b.mp4", "b.mov", "b.mkv"])
def test_two_packets_of_sound_with_one_time_are_both_kept(tmp_path: Path, target: str) -> None:
    whole = write_film(tmp_path / "whole.mkv", replace(MILLISECONDS, sound="aac"))
    times_ms = [round(1000 * time) for time, _ in packets_of(whole, "audio")]
    source = _with_sound_times(
        whole, tmp_path / "a.mkv", lambda number, time_ms: times_ms[9] if 10 <= number < 13 else time_ms
    )
    assert pass_through(source, tmp_path / target) == ()
    before, after = packets_of(whole, "audio"), packets_of(tmp_path / target, "audio")
    assert [content for _, content in after] == [content for _, content in before]
    assert abs(after[-1][0] - before[-1][0]) < Fraction(1, 500)


def test_damaged_sound_that_is_converted_is_passed_over(tmp_path: Path) -> None:
    film = replace(MILLISECONDS, sound="flac", sound_s=2.0)
    source = write_film(tmp_path / "a.mkv", film)
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    content = source.read_bytes()
    for packet in packets[6:8]:
        assert content.count(packet) == 1
        content = content.replace(packet, b"\xff" * len(packet))
    source.write_bytes(content)
    pass_through(source, tmp_path / "b.webm", Encoding("vp9"))
    samples, rate = sound_of(tmp_path / "b.webm")
    assert samples.shape[1] / rate == pytest.approx(2.0, abs=0.15), "silence stands for what is lost"


def test_damaged_sound_that_is_copied_is_left_out(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.ts", Film(sound="aac", sound_s=2.0))
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    content = source.read_bytes()
    at = content.index(packets[40][:30])
    source.write_bytes(content[:at] + bytes(30) + content[at + 30 :])
    pass_through(source, tmp_path / "b.mp4")
    kept = packets_of(tmp_path / "b.mp4", "audio")
    assert len(kept) > 0.9 * len(packets)
    assert float(kept[-1][0] - kept[0][0]) == pytest.approx(1.97, abs=0.05)


def test_sound_of_an_unknown_kind_is_copied_or_dropped(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", replace(MILLISECONDS, sound="flac"))
    content = source.read_bytes()
    assert content.count(b"A_FLAC") == 1
    source.write_bytes(content.replace(b"A_FLAC", b"A_XLAC"))
    with open_capture(source) as capture:
        assert capture.sound_rates == ()
    assert pass_through(source, tmp_path / "b.mp4") == (
        "audio stream 1 (unknown) is dropped: mp4 cannot hold it",
    )


def test_sound_that_changes_its_channels_on_the_way_is_converted_to_the_end(tmp_path: Path) -> None:
    film = Film(sound="mp2", sound_rate=48_000)
    mono = write_film(tmp_path / "mono.ts", film)
    stereo = write_film(tmp_path / "stereo.ts", replace(film, sound_layout="stereo"))
    (tmp_path / "a.ts").write_bytes(mono.read_bytes() + stereo.read_bytes())
    pass_through(tmp_path / "a.ts", tmp_path / "b.webm", Encoding("vp9"))
    samples, rate = sound_of(tmp_path / "b.webm")
    assert samples.shape[1] / rate == pytest.approx(1.94, abs=0.1)
    assert pitch_hz(samples[0][-rate:], rate) == pytest.approx(440, abs=5)


def test_sound_that_no_route_leads_to_is_dropped_and_the_film_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reenact.media.write.other_streams._works", lambda *arguments: False)
    source = write_film(tmp_path / "a.mp4", Film(sound="aac"))
    assert pass_through(source, tmp_path / "b.mp4") == (
        "audio stream 1 (aac) is dropped: mp4 cannot hold it",
    )


# What is lost with the old encoding.


@pytest.mark.parametrize(
    ("codec", "pixel_format", "words"),
    [
        ("ffv1", "yuv444p", "4:4:4 colour"),
        ("ffv1", "yuv422p", "4:2:2 colour"),
        ("ffv1", "yuv422p10le", "4:2:2 colour"),
        ("ffv1", "yuv411p", "4:1:1 colour"),
        ("ffv1", "bgr0", "RGB colour"),
        ("ffv1", "gray", None),
        ("ffv1", "yuv420p", None),
        ("mjpeg", "yuvj422p", "4:2:2 colour"),
    ],
)
def test_colour_that_becomes_coarser_is_said(
    tmp_path: Path, codec: str, pixel_format: str, words: str | None
) -> None:
    film = replace(MILLISECONDS, codec=codec, pixel_format=pixel_format)
    notes = pass_through(write_film(tmp_path / "a.mkv", film), tmp_path / "b.mp4")
    if words is None:
        assert notes == ()
    else:
        (note,) = notes
        assert note.startswith(words) and "4:2:0" in note


def test_hdr_side_data_that_is_lost_is_said(tmp_path: Path) -> None:
    hdr = (
        "log-level=none:max-cll=1000,400:master-display="
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    )
    film = Film(codec="libx265", pixel_format="yuv420p10le", codec_options={"x265-params": hdr})
    source = write_film(tmp_path / "a.mp4", film)
    assert pass_through(source, tmp_path / "b.mp4") == (
        "dropped with the old encoding: HDR mastering display, HDR content light level",
    )
