"""Augmentation: frames move as asked, and labels move with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kws.augment import Variety, augmented, stretches
from kws.config import FrontEnd
from kws.features import LogMel, band_centres_hz
from kws.targets import NEGATIVE

HOP_S = 0.01
STILL = Variety(
    focus=0,
    tempo=(1, 1),
    tract=(1, 1),
    overlaid=0,
    gain_db=0,
    masked_bands=0,
    dynamics=(1, 1),
    halting=0,
    alone=0,
    strange_tract=(1, 1),
    backwards=0,
)
FRONT_END = FrontEnd()


def clicks(*at_s: float, length: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Quiet frames with three loud ones at each time, and an event (0.5 s before, to it) at each."""
    frames = np.full((length, 40), -9, np.float16)
    for time_s in at_s:
        frames[round(time_s / HOP_S) - 1 :][:3] = 0
    return frames, np.array([[time_s - 0.5, time_s, 1] for time_s in at_s], np.float32).reshape(-1, 3)


@pytest.mark.parametrize("tempo", [0.8, 1.0, 1.25])
def test_events_stay_where_the_sound_is(tempo: float) -> None:
    variety = replace(STILL, focus=1, tempo=(tempo, tempo))
    for seed in range(20):
        frames, rows = stretches([clicks(2.0, 6.0)], 300, HOP_S, variety, np.random.default_rng(seed))
        assert frames.shape == (1, 300, 40)
        loud = np.flatnonzero(frames[0, :, 0] > -5) * HOP_S
        inside = [end_s for _, end_s, _ in rows[0] if 0 < end_s < 3]
        assert inside
        for end_s in inside:
            assert np.abs(loud - end_s).min() < 1.5 * HOP_S
        assert np.diff(rows[0][:, :2]) == pytest.approx(0.5 / tempo, abs=1e-3)


def test_a_focused_stretch_holds_a_whole_event() -> None:
    variety = replace(STILL, focus=1)
    for seed in range(50):
        _, (rows,) = stretches([clicks(1.0, 4.0, 8.5)], 300, HOP_S, variety, np.random.default_rng(seed))
        assert ((rows[:, 0] >= -1e-4) & (rows[:, 1] <= 3.0)).any()


def test_a_word_halts_where_it_is_quiet_and_what_follows_comes_later() -> None:
    """The first word, from 1.5 to 2 s, is quiet for a tenth of a second."""
    frames, rows = clicks(2.0, 6.0)
    frames[145:202] = 0
    frames[176:186] = -6
    variety = replace(STILL, focus=0, halting=1, halt_s=(0.2, 0.2))
    for seed in range(20):
        changed, (moved,) = stretches([(frames, rows)], 900, HOP_S, variety, np.random.default_rng(seed))
        quiet = np.flatnonzero(changed[0, 150:215, 0] < -5) + 150
        assert (quiet[0], quiet[-1], len(quiet)) == (176, 205, 30)
        assert moved[0, :2] == pytest.approx([1.5, 2.2], abs=0.011)
        assert moved[1, 1] == pytest.approx(6.4, abs=0.02)
        assert changed[0, round(moved[1, 1] / HOP_S), 0] == 0


def test_one_word_is_left_alone_between_silences() -> None:
    variety = replace(STILL, alone=1, alone_db=(30, 30))
    chosen = set()
    for seed in range(20):
        frames, rows = clicks(2.0, 6.0)
        frames[590:603] = frames[190:203] = -2
        (changed,), ((row,),) = stretches([(frames, rows)], 900, HOP_S, variety, np.random.default_rng(seed))
        end = round(row[1] / HOP_S)
        chosen.add(end)
        np.testing.assert_allclose(changed[end - 50 : end], frames[end - 50 : end])
        hushed = np.r_[changed[: end - 50], changed[end + 1 :]]
        np.testing.assert_allclose(hushed, np.r_[frames[: end - 50], frames[end + 1 :]] - 3 * np.log(10), atol=0.02)
    assert chosen == {200, 600}
    frames, rows = clicks()
    np.testing.assert_array_equal(
        stretches([(frames, rows)], 900, HOP_S, variety, np.random.default_rng(1))[0][0], frames
    )


def test_half_the_time_the_word_is_left_alone_and_half_the_time_another() -> None:
    frames, rows = clicks(2.0, 6.0, 8.0, 9.0)
    rows[1:, 2] = NEGATIVE
    variety = replace(STILL, alone=1)
    left = [
        stretches([(frames, rows)], 900, HOP_S, variety, np.random.default_rng(seed))[1][0][:, 2] for seed in range(300)
    ]
    assert all(len(codes) == 1 for codes in left)
    assert np.mean([codes[0] == 1 for codes in left]) == pytest.approx(0.5, abs=0.1)


def test_a_stretch_lies_about_the_word_rather_than_another() -> None:
    frames, rows = clicks(1.0, 4.0, 8.5)
    rows[[0, 2], 2] = NEGATIVE
    for seed in range(30):
        _, (moved,) = stretches([(frames, rows)], 300, HOP_S, replace(STILL, focus=1), np.random.default_rng(seed))
        start_s, end_s, _ = moved[1]
        assert start_s >= -1e-4
        assert end_s <= 3.0


def test_an_envelope_raised_to_a_power_leaves_the_loud_and_lowers_the_soft() -> None:
    frames = torch.full((1, 100, 40), -4.0)
    frames[:, 50:] = 0.0
    changed = augmented(
        frames, np.zeros(1, bool), FRONT_END, replace(STILL, dynamics=(1.5, 1.5)), np.random.default_rng(0)
    )
    torch.testing.assert_close(changed[:, 50:], frames[:, 50:], atol=0.01, rtol=0)
    torch.testing.assert_close(changed[:, :50], frames[:, :50] * 1.5, atol=0.01, rtol=0)


def test_a_stretch_is_no_longer_than_the_shortest_clip_allows() -> None:
    frames, _ = stretches([clicks(length=900), clicks(length=200)], 500, HOP_S, STILL, np.random.default_rng(0))
    assert frames.shape == (2, 200, 40)


def tone(frequency_hz: float) -> torch.Tensor:
    time_s = np.arange(16000) / 16000
    return torch.from_numpy(LogMel(FRONT_END)(np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)))[None]


def test_without_the_word_sound_may_run_backwards_and_voices_be_odd() -> None:
    frames = tone(2000).clamp(min=-9).repeat(2, 1, 1)
    frames[:, :30] = -9
    variety, without = replace(STILL, backwards=1), np.array([True, False])
    turned = augmented(frames, without, FRONT_END, variety, np.random.default_rng(0))
    torch.testing.assert_close(turned[0], frames[0].flip(0), atol=0.01, rtol=0)
    torch.testing.assert_close(turned[1], frames[1], atol=0.01, rtol=0)
    odd = augmented(frames, without, FRONT_END, replace(STILL, strange_tract=(0.7, 0.7)), np.random.default_rng(0))
    assert odd[0, 50].argmax() > frames[0, 50].argmax() + 2
    torch.testing.assert_close(odd[1], frames[1], atol=0.01, rtol=0)


@pytest.mark.parametrize("factor", [0.87, 1.0, 1.15])
def test_a_shorter_tract_moves_a_tone_down_the_bands(factor: float) -> None:
    """A band reads the frequency `factor` times its own, so a tone comes to lie that much lower."""
    moved = augmented(
        tone(2000), np.zeros(1, bool), FRONT_END, replace(STILL, tract=(factor, factor)), np.random.default_rng(0)
    )
    peak_hz = band_centres_hz(FRONT_END)[int(moved[0].mean(dim=0).argmax())]
    assert peak_hz == pytest.approx(2000 / factor, rel=0.06)


def test_only_sound_without_events_is_laid_under_at_its_level() -> None:
    frames = torch.full((2, 50, 40), -9.0)
    frames[0, :, :20], frames[1, :, 20:] = 0.0, -3.0
    variety = replace(STILL, overlaid=1, overlay_snr_db=(10, 10))
    mixed = augmented(frames, np.array([False, True]), FRONT_END, variety, np.random.default_rng(0))
    assert float(mixed[0, :, 30].mean()) == pytest.approx(-np.log(10), abs=0.01)
    assert float(mixed[0, :, 10].mean()) == pytest.approx(0, abs=0.01)
    unmixed = augmented(frames, np.zeros(2, bool), FRONT_END, variety, np.random.default_rng(0))
    torch.testing.assert_close(unmixed, frames, atol=0.01, rtol=0)


def test_bands_are_masked_and_levels_moved() -> None:
    frames = torch.linspace(-6, 0, 40).expand(8, 50, 40).contiguous()
    changed = augmented(
        frames, np.zeros(8, bool), FRONT_END, replace(STILL, gain_db=10, masked_bands=6), np.random.default_rng(1)
    )
    gains = (changed - frames).median(dim=2).values.median(dim=1).values
    assert float(gains.abs().max()) < 2.4
    assert float(gains.std()) > 0.3
    blank = ((changed - frames - gains[:, None, None]).abs() > 0.05).any(dim=1)
    assert 0 < int(blank.sum(dim=1).max()) <= 6
