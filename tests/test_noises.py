"""Made sounds: a seed gives the same samples, and each is what its name says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kws.audio import RATE_HZ, Samples, frame_levels, rms
from synth.noises import coloured, effects, hum, music, white_noise

SECONDS = 10
TOTAL = SECONDS * RATE_HZ
MADE: dict[str, Callable[[int, int], Samples]] = {
    "white": white_noise, "music": music, "effects": effects, "hum": lambda seed, total: hum(seed, total, 50),
    "pink": lambda seed, total: coloured(white_noise(seed, total), -1),
}  # fmt: skip


def power(samples: Samples) -> np.ndarray:
    """Power in each Hertz."""
    whole = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    return whole[: len(whole) // SECONDS * SECONDS].reshape(-1, SECONDS).sum(axis=1)


@pytest.mark.parametrize("name", MADE)
def test_a_seed_gives_the_same_sound_and_another_seed_another(name: str) -> None:
    first, again, other = (MADE[name](seed, TOTAL) for seed in (5, 5, 6))
    assert first.shape == (TOTAL,) and first.dtype == np.float32
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.5


@pytest.mark.parametrize("name", MADE)
def test_it_is_heard_and_finite_at_any_length(name: str) -> None:
    for total in (1000, 40_001, 5 * TOTAL):
        made = MADE[name](3, total)
        assert made.shape == (total,) and np.isfinite(made).all() and rms(made) > 1e-3


@pytest.mark.parametrize("colour", [0.0, -1.0, -2.0])
def test_power_goes_with_frequency_to_the_colour(colour: float) -> None:
    spectrum = power(coloured(white_noise(1, TOTAL), colour))
    octaves = [spectrum[low : 2 * low].mean() for low in (125, 250, 500, 1000, 2000)]
    slope = np.polyfit(np.log([125, 250, 500, 1000, 2000]), np.log(octaves), 1)[0]
    assert slope == pytest.approx(colour, abs=0.1)


def test_white_noise_longer_than_the_table_does_not_repeat() -> None:
    long = white_noise(1, 2**22)
    assert np.unique(long[:1000]).size > 990
    assert abs(np.corrcoef(long[: 2**21], long[2**21 :])[0, 1]) < 0.01


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_stands_on_the_harmonics_of_the_mains_alone(mains_hz: int) -> None:
    for seed in range(5):
        spectrum = power(hum(seed, TOTAL, mains_hz))
        harmonics = spectrum[mains_hz::mains_hz].sum() + spectrum[mains_hz - 1 :: mains_hz].sum()
        assert harmonics > 0.999 * spectrum.sum()
        assert spectrum[2100:].sum() < 1e-6 * spectrum.sum()


def test_music_is_tonal_and_goes_on() -> None:
    """A few frequencies hold most of its power, unlike noise, and no second is silent."""
    for seed in range(6):
        tune = music(seed, TOTAL)
        spectrum = np.sort(np.abs(np.fft.rfft(tune)) ** 2)[::-1]
        assert spectrum[: len(spectrum) // 50].sum() > 0.7 * spectrum.sum()
        assert all(rms(second) > 0.03 * rms(tune) for second in np.split(tune, SECONDS))


def test_effects_are_short_with_silence_between() -> None:
    """Loud frames stand far above the middle one, as they do not in music or noise."""
    for seed in range(6):
        levels = frame_levels(effects(seed, TOTAL))
        assert levels.max() > 10 * np.median(levels)
