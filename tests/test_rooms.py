"""Rooms: the direct sound comes first, and the sound dies away as fast as was asked."""

from __future__ import annotations

import numpy as np
import pytest

from kws.audio import RATE_HZ
from synth.rooms import convolved, diffuse_response, draw_room, impulse_response


@pytest.mark.parametrize("rt60_s", [0.3, 0.6])
def test_the_decay_is_the_one_asked_for(rt60_s: float) -> None:
    """RT60 from the slope of the backward-integrated energy between -5 and -25 dB (M. Schroeder, 1965)."""
    measured = []
    for seed in range(6):
        room = draw_room(np.random.default_rng(seed), distance_m=(2.0, 3.0), rt60_s=(rt60_s, rt60_s))
        energy = np.cumsum(np.square(impulse_response(room).astype(np.float64))[::-1])[::-1]
        level_db = 10 * np.log10(energy / energy[0])
        span = (level_db < -5) & (level_db > -25)
        slope = np.polyfit(np.flatnonzero(span) / RATE_HZ, level_db[span], 1)[0]
        measured.append(-60 / slope)
    assert np.median(measured) == pytest.approx(rt60_s, rel=0.3)


def test_the_direct_sound_comes_first_and_a_room_makes_nothing_louder() -> None:
    for seed in range(10):
        room = draw_room(np.random.default_rng(seed), distance_m=(0.2, 4.5), rt60_s=(0.15, 0.75))
        response = impulse_response(room)
        assert response[:20].max() == response.max() > 0
        assert np.square(response.astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-4)


def test_the_distance_is_within_the_range() -> None:
    for seed in range(50):
        room = draw_room(np.random.default_rng(seed), distance_m=(0.5, 3.5), rt60_s=(0.2, 0.5))
        assert 0.5 - 1e-9 <= room.distance_m <= 3.5 + 1e-9
        for point in (room.mouth_m, room.microphone_m):
            assert all(0 < place < size for place, size in zip(point, room.size_m, strict=True))


def test_a_far_room_is_more_reverberant_than_a_near_one() -> None:
    def late_share(distance_m: float) -> float:
        shares = []
        for seed in range(5):
            room = draw_room(np.random.default_rng(seed), distance_m=(distance_m, distance_m), rt60_s=(0.5, 0.5))
            energy = np.square(impulse_response(room).astype(np.float64))
            shares.append(energy[RATE_HZ // 20 :].sum() / energy.sum())
        return float(np.mean(shares))

    assert late_share(3.0) > 1.5 * late_share(0.5)


def test_elsewhere_in_the_room_the_decay_is_the_same() -> None:
    """And a distant source is the more reverberant: by 6 dB for twice the distance."""
    room = draw_room(np.random.default_rng(1), distance_m=(1.0, 1.0), rt60_s=(0.5, 0.5))
    energies = []
    for distance_m in (1.0, 2.0):
        response = diffuse_response(room, distance_m, seed=3).astype(np.float64)
        energy = np.cumsum(np.square(response[1:])[::-1])[::-1]
        level_db = 10 * np.log10(energy / energy[0])
        span = (level_db < -5) & (level_db > -25)
        slope = np.polyfit(np.flatnonzero(span) / RATE_HZ, level_db[span], 1)[0]
        assert -60 / slope == pytest.approx(0.5, rel=0.1)
        assert response[0] == 1
        energies.append(energy[0])
    assert 10 * np.log10(energies[1] / energies[0]) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(("samples", "taps"), [(1, 1), (100, 257), (16_000, 257), (160_000, 9_000), (5_000, 5_000)])
def test_convolution_in_blocks_is_scipys(samples: int, taps: int) -> None:
    from scipy.signal import fftconvolve

    rng = np.random.default_rng(1)
    sound, response = (rng.standard_normal(count).astype(np.float32) for count in (samples, taps))
    ours = convolved(sound, response)
    theirs = fftconvolve(sound.astype(np.float64), response.astype(np.float64))[:samples]
    assert ours.shape == (samples,) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max() + 1e-6)
