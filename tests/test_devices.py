"""Devices: each does to level and spectrum what it says, and none delays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kws.audio import RATE_HZ, Samples, amplitude, decibels, frame_levels, rms
from kws.errors import Failure
from synth.devices import (
    HOME,
    NEUTRAL,
    Codec,
    Device,
    DeviceRanges,
    Levelling,
    coded,
    draw_device,
    gated,
    heard,
    levelled,
    telephoned,
)  # fmt: skip
from synth.noises import coloured, white_noise

TOTAL = 4 * RATE_HZ
LEVELLING = Levelling(target_db=-20, most_db=30, release_db_s=20)


def syllables(level_db: float = -20, seed: int = 1) -> Samples:
    """Noise that comes and goes like slow speech, over a little noise that stays."""
    time_s = np.arange(TOTAL) / RATE_HZ
    swell = np.clip(np.sin(3 * np.pi * time_s), 1e-3, None).astype(np.float32)
    sound = coloured(white_noise(seed, TOTAL), -1) * swell
    return sound * np.float32(amplitude(level_db) / rms(sound))


def tone(pitch_hz: float, level_db: float) -> Samples:
    wave = np.sin(2 * np.pi * pitch_hz * np.arange(TOTAL) / RATE_HZ) * np.sqrt(2) * amplitude(level_db)
    return wave.astype(np.float32)


def band_db(samples: Samples, low_hz: float, high_hz: float) -> float:
    """Level between two frequencies."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return 10 * float(np.log10(max(spectrum[(hz >= low_hz) & (hz < high_hz)].sum() / len(samples) ** 2, 1e-20)))


def delay(before: Samples, after: Samples) -> int:
    """Samples by which one is behind the other, from the peak of their correlation."""
    size = 2 * len(before)
    correlation = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size)), size)
    return int((np.argmax(correlation) + len(before)) % size) - len(before)


ALL = {
    "colour": Device(tilt_db=6.0, band_hz=(100.0, 5000.0)),
    "overload": Device(overload_db=10.0),
    "levelling": Device(levelling=LEVELLING),
    "gate": Device(gate_db=40.0),
    "telephone": Device(telephone=True),
    "opus": Device(codec=Codec(name="opus", packing=0.95)),
    "mp3": Device(codec=Codec(name="mp3", packing=0.9)),
    "offset": Device(offset=0.01),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_no_device_delays(name: str) -> None:
    """Less than three milliseconds, so that labels stay true, with the length as it was."""
    before = syllables()
    after = heard(before, ALL[name])
    assert after.shape == before.shape and after.dtype == np.float32
    assert abs(delay(before, after)) < 0.003 * RATE_HZ


@pytest.mark.parametrize("name", ALL)
def test_every_device_changes_the_sound_the_same_way_twice(name: str) -> None:
    before = syllables()
    kept = before.copy()
    first, second = heard(before, ALL[name]), heard(before, ALL[name])
    assert np.array_equal(first, second)
    assert not np.array_equal(first, before)
    assert np.array_equal(before, kept), "what goes in is left as it was"


def test_a_neutral_device_changes_nothing() -> None:
    assert np.array_equal(heard(syllables(), Device()), syllables())


def test_the_tilt_is_the_slope_from_100_hz_to_8_khz() -> None:
    noise = white_noise(2, TOTAL) * np.float32(0.05)
    for tilt_db in (-9.0, 9.0):
        after = heard(noise, Device(tilt_db=tilt_db))
        low, high = (band_db(after, *band) - band_db(noise, *band) for band in ((190, 210), (7000, 7100)))
        assert high - low == pytest.approx(tilt_db * np.log2(7050 / 200) / 6.3, abs=1.0)
        assert band_db(after, 850, 950) == pytest.approx(band_db(noise, 850, 950), abs=0.5)


def test_beyond_its_band_a_device_is_deaf() -> None:
    noise = white_noise(2, TOTAL) * np.float32(0.05)
    after = heard(noise, Device(band_hz=(300.0, 4000.0)))
    assert band_db(after, 500, 3800) == pytest.approx(band_db(noise, 500, 3800), abs=0.3)
    assert band_db(after, 4300, 8000) < band_db(noise, 4300, 8000) - 40
    assert band_db(after, 20, 150) < band_db(noise, 20, 150) - 40


def test_the_floor_is_at_its_level_and_without_one_there_are_zeros() -> None:
    silence = np.zeros(TOTAL, np.float32)
    assert decibels(rms(heard(silence, Device(floor_db=-66.0, seed=4)))) == pytest.approx(-66, abs=0.2)
    assert not heard(silence, Device()).any()


@pytest.mark.parametrize("level_db", [-45.0, -12.0])
def test_an_overload_cuts_the_peaks_by_so_much_and_makes_overtones(level_db: float) -> None:
    before = tone(500, level_db)
    after = heard(before, Device(overload_db=9.0))
    assert decibels(np.abs(after).max() / np.abs(before).max()) == pytest.approx(-9, abs=0.01)
    assert band_db(after, 1490, 1510) > band_db(after, 490, 510) - 15
    assert band_db(before, 1490, 1510) < band_db(before, 490, 510) - 60


def test_a_gain_control_brings_soft_and_loud_to_its_target() -> None:
    for level_db in (-45.0, -30.0, -6.0):
        after = levelled(tone(500, level_db), LEVELLING)
        assert decibels(rms(after[RATE_HZ:])) == pytest.approx(-20, abs=0.5)
    assert decibels(rms(levelled(tone(500, -60), LEVELLING))) == pytest.approx(-30, abs=0.5), "by most_db and no more"


def test_a_gain_control_falls_at_once_and_recovers_at_its_release() -> None:
    before = tone(500, -40)
    before[RATE_HZ : 2 * RATE_HZ] *= np.float32(amplitude(30))
    gain_db = [decibels(ratio) for ratio in frame_levels(levelled(before, LEVELLING)) / frame_levels(before)]
    assert gain_db[90] == pytest.approx(20, abs=0.5)
    assert gain_db[101] == pytest.approx(-10, abs=0.5)
    assert gain_db[250] - gain_db[220] == pytest.approx(0.3 * LEVELLING.release_db_s, abs=0.3)


def test_a_gate_leaves_zeros_between_words_and_the_words_whole() -> None:
    sound = white_noise(3, TOTAL) * np.float32(amplitude(-70))
    word = slice(RATE_HZ * 2 // 3, RATE_HZ)
    sound[word] += syllables()[word]
    after = gated(sound, 40)
    assert np.array_equal(after[word], sound[word])
    assert not after[: word.start - RATE_HZ // 10].any()
    assert not after[word.stop + RATE_HZ // 3 :].any()
    assert not gated(np.zeros(TOTAL, np.float32), 40).any()


def test_a_telephone_has_its_band_and_the_grain_of_mu_law() -> None:
    """Eight bits of mu-law carry a tone at about 38 dB over their noise, soft or loud (ITU-T G.711)."""
    after = telephoned(white_noise(2, TOTAL) * np.float32(0.05))
    assert band_db(after, 4000, 8000) < band_db(after, 500, 3300) - 35
    assert band_db(after, 20, 150) < band_db(after, 500, 3300) - 35
    for level_db in (-30.0, -10.0):
        before = tone(1003, level_db)
        after = telephoned(before)
        inner = slice(RATE_HZ // 2, -RATE_HZ // 2)
        signal_db = decibels(rms(before[inner]) / rms((after - before)[inner]))
        assert 30 < signal_db < 45
        assert decibels(rms(after) / rms(before)) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("name", ["opus", "mp3"])
def test_a_codec_keeps_the_level_and_loses_detail(name: str) -> None:
    before = syllables()
    fine, coarse = (coded(before, Codec(name=name, packing=packing)) for packing in (0.0, 0.98))  # type: ignore[arg-type]
    assert decibels(rms(coarse) / rms(before)) == pytest.approx(0, abs=2)
    assert rms(coarse - before) > rms(fine - before) > 0


def test_a_codec_that_libsndfile_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("synth.devices").devices._FORMATS, "mp3", ("MP3", "NOTHING"))
    with pytest.raises(Failure, match=r"cannot code mp3 .*pip install --upgrade soundfile"):
        coded(syllables(), Codec(name="mp3", packing=0.9))


def test_every_share_is_drawn_as_often_as_asked() -> None:
    devices = [draw_device(np.random.default_rng(seed), HOME) for seed in range(4000)]
    counted = {
        "band_limited": [device.band_hz != Device.band_hz for device in devices],
        "overloaded": [device.overload_db > 0 for device in devices],
        "levelled": [device.levelling is not None for device in devices],
        "gated": [device.gate_db is not None for device in devices],
        "telephone": [device.telephone for device in devices],
        "no_floor": [device.floor_db is None for device in devices],
        "offset": [device.offset != 0 for device in devices],
    }  # fmt: skip
    for share, seen in counted.items():
        assert np.mean(seen) == pytest.approx(getattr(HOME, share), abs=0.02), share
    for name, share in HOME.coded:
        coding = [device.codec is not None and device.codec.name == name for device in devices]
        assert np.mean(coding) == pytest.approx(share, abs=0.01)


def test_neutral_devices_only_listen() -> None:
    for seed in range(50):
        device = draw_device(np.random.default_rng(seed), NEUTRAL)
        assert device == Device(floor_db=device.floor_db, seed=device.seed)


def test_a_manifest_says_all_that_a_device_does_and_nothing_else() -> None:
    assert Device().about() == {"floor_db": None}
    everything = DeviceRanges(
        no_floor=0, band_limited=1, overloaded=1, levelled=1, gated=1, telephone=1, coded=(("opus", 1.0),), offset=1
    )
    assert set(draw_device(np.random.default_rng(1), everything).about()) == {
        "floor_db", "tilt_db", "band_hz", "overload_db", "levelled_to_db", "gate_db", "telephone", "codec", "packing",
        "offset",
    }  # fmt: skip
    assert replace(Device(), telephone=True).about() == {"floor_db": None, "telephone": True}
