"""Sound files and levels: what is written comes back, what cannot be read is told, word edges are where the word is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import (
    RATE_HZ,
    Samples,
    active_rms,
    amplitude,
    decibels,
    read_audio,
    resample,
    rms,
    word_edges,
    write_audio,
)
from kws.errors import Failure


def tone(seconds: float, rate_hz: int = RATE_HZ, level: float = 0.5) -> Samples:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)


# Writing and reading back


@pytest.mark.parametrize("ending", [".wav", ".flac", ".aiff"])
@given(seed=st.integers(0, 1000), count=st.integers(1, 5000))
@settings(deadline=None, max_examples=25)
def test_audio_comes_back_within_16_bits(
    tmp_path_factory: pytest.TempPathFactory, ending: str, seed: int, count: int
) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)
    path = tmp_path_factory.getbasetemp() / f"written{ending}"
    write_audio(path, samples)
    np.testing.assert_allclose(read_audio(path), samples, rtol=0, atol=2 / 32768)


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_what_was_read_is_written_as_it_was(tmp_path: Path, ending: str) -> None:
    """The second copy is the first: 16-bit values stay what they are, full scale but for one step included."""
    exact = np.array([0, 1, -1, 255, -32767, 32767, 12345], np.int16)
    soundfile.write(tmp_path / f"first{ending}", exact, RATE_HZ)
    for source, target in (("first", "second"), ("second", "third")):
        write_audio(tmp_path / f"{target}{ending}", read_audio(tmp_path / f"{source}{ending}"))
    np.testing.assert_array_equal(read_audio(tmp_path / f"third{ending}"), read_audio(tmp_path / f"second{ending}"))
    np.testing.assert_allclose(read_audio(tmp_path / f"second{ending}"), exact / 32768, rtol=0, atol=1 / 32768)


def test_too_loud_samples_are_clipped_and_not_wrapped(tmp_path: Path) -> None:
    write_audio(tmp_path / "loud.flac", np.array([3, -3, 1, -1], np.float32))
    np.testing.assert_allclose(read_audio(tmp_path / "loud.flac"), [1, -1, 1, -1], atol=1e-4)


def test_nothing_is_left_beside_a_written_file(tmp_path: Path) -> None:
    write_audio(tmp_path / "one.flac", tone(0.1))
    assert [file.name for file in tmp_path.iterdir()] == ["one.flac"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for seconds in (1.0, 0.2):
        write_audio(tmp_path / "one.wav", tone(seconds))
    assert len(read_audio(tmp_path / "one.wav")) == 3200


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cannot write .*one\.wav \(No such file or directory\)"):
        write_audio(tmp_path / "nowhere" / "one.wav", tone(0.1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg"])
def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"one{ending}"
    write_audio(path, tone(0.5))
    before = path.read_bytes()
    (tmp_path / f".one{ending}.part").symlink_to("/dev/full")
    with pytest.raises(Failure, match="No space left on device"):
        write_audio(path, tone(1.0))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


# Other people's files


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_and_channels_are_converted(tmp_path: Path, rate_hz: int, channels: int) -> None:
    sound = np.repeat(tone(1.0, rate_hz)[:, None], channels, axis=1)
    soundfile.write(tmp_path / "other.wav", sound, rate_hz)
    heard = read_audio(tmp_path / "other.wav")
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(RATE_HZ, abs=2)
    middle = slice(RATE_HZ // 10, -RATE_HZ // 10)
    np.testing.assert_allclose(heard[middle], tone(1.0)[: len(heard)][middle], atol=0.02)


def test_channels_are_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "two.wav", np.stack((tone(0.1), -tone(0.1)), axis=1), RATE_HZ)
    assert rms(read_audio(tmp_path / "two.wav")) < 1e-4


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW"])
def test_other_sample_formats_are_converted(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "other.wav", tone(0.1), RATE_HZ, subtype=subtype)
    np.testing.assert_allclose(read_audio(tmp_path / "other.wav"), tone(0.1), atol=0.03)


def test_a_clipped_recording_is_read_as_it_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clipped.wav", np.clip(tone(0.5, level=4), -1, 1), RATE_HZ)
    heard = read_audio(tmp_path / "clipped.wav")
    assert np.abs(heard).max() <= 1
    assert np.mean(np.abs(heard) > 0.99) > 0.5


def test_a_wav_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    """A recording whose program was killed: the header promises more than there is."""
    write_audio(tmp_path / "cut.wav", tone(1.0))
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:16_044])
    assert len(read_audio(tmp_path / "cut.wav")) == 8000


def damaged(kind: str) -> bytes:
    return {
        "missing": b"",
        "empty": b"",
        "no samples": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\0\0\0\0",
        "text": b"This is a letter, not a sound.\n" * 20,
        "zeros": bytes(1000),
        "header alone": b"RIFF\x24\0\0\0WAVE",
    }[kind]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("no samples", "holds no samples"),
        ("text", "not a sound file"),
        ("zeros", "not a sound file"),
        ("header alone", "not a sound file"),
    ],
)
def test_what_is_no_sound_is_told(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "strange.wav"
    if kind != "missing":
        path.write_bytes(damaged(kind))
    with pytest.raises(Failure, match=said) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_told(tmp_path: Path, value: float) -> None:
    sound = tone(0.1)
    sound[100] = value
    soundfile.write(tmp_path / "nan.wav", sound, RATE_HZ, subtype="FLOAT")
    with pytest.raises(Failure, match="not numbers"):
        read_audio(tmp_path / "nan.wav")


@pytest.mark.parametrize("ending", [".wav", ".flac"])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_is_read_or_told_but_never_a_surprise(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{ending}"
    write_audio(path, tone(0.1))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(Failure):
        assert np.isfinite(read_audio(path)).all()


# Levels and edges


@given(level_db=st.floats(-150, 20))
def test_amplitude_and_decibels_undo_each_other(level_db: float) -> None:
    assert decibels(amplitude(level_db)) == pytest.approx(level_db)


def test_silence_and_nothing_have_no_level() -> None:
    assert rms(np.zeros(0, np.float32)) == rms(np.zeros(100, np.float32)) == 0
    assert decibels(0.0) == -200


@given(
    start=st.integers(0, 30_000), length=st.integers(400, 30_000), after=st.integers(0, 30_000),
    pitch_hz=st.floats(100, 4000), level=st.floats(0.01, 1), noise_db=st.floats(-120, -60),
)  # fmt: skip
@settings(deadline=None)
def test_word_edges_lie_within_a_frame_of_the_word(
    start: int, length: int, after: int, pitch_hz: float, level: float, noise_db: float
) -> None:
    """A tone between silences, with noise more than 30 dB below it."""
    sound = np.random.default_rng(length).normal(0, level * amplitude(noise_db), start + length + after)
    sound[start : start + length] += level * np.sin(2 * np.pi * pitch_hz * np.arange(length) / RATE_HZ)
    start_s, end_s = word_edges(sound.astype(np.float32))
    assert start_s == pytest.approx(start / RATE_HZ, abs=0.0101)
    assert end_s == pytest.approx((start + length) / RATE_HZ, abs=0.0101)


@given(sound=st.integers(160, 20_000), gain_db=st.floats(-40, 40), seed=st.integers(0, 99))
@settings(deadline=None)
def test_word_edges_do_not_depend_on_the_level(sound: int, gain_db: float, seed: int) -> None:
    word = np.random.default_rng(seed).normal(0, 0.1, sound) * np.hanning(sound) ** 4
    louder = word * amplitude(gain_db)
    assert word_edges(louder.astype(np.float32)) == pytest.approx(word_edges(word.astype(np.float32)), abs=0.0101)


def test_a_word_shorter_than_a_frame_has_no_edges() -> None:
    with pytest.raises(ValueError, match="at least 160 samples, got 100"):
        word_edges(np.ones(100, np.float32))


def test_the_level_of_speech_leaves_its_pauses_out() -> None:
    spoken, pause = tone(1.0), np.zeros(RATE_HZ * 3, np.float32)
    assert active_rms(np.concatenate((spoken, pause, spoken))) == pytest.approx(rms(spoken), rel=1e-3)


@given(rate_hz=st.sampled_from([8000, 22050, 48000]), count=st.integers(1, 5000))
@settings(deadline=None, max_examples=30)
def test_resampling_keeps_the_duration(rate_hz: int, count: int) -> None:
    converted = resample(np.zeros(count, np.float32), rate_hz)
    assert len(converted) == pytest.approx(count * RATE_HZ / rate_hz, abs=1)
