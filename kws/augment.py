"""What is done to a clip's log-mel frames each time training draws it, so that none is met twice alike.

Everything works on frames, where it is nearly free. B clips, T frames, M mel bands, E events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kws.config import FrontEnd
from kws.examples import Heard
from kws.features import band_centres_hz
from kws.targets import heeded

_NEPERS_PER_DB = math.log(10) / 10
"""Of power."""
_AFTER_S = 0.3
"""Of the clip, kept behind the event that a stretch lies about: its steps answer a little late."""


@dataclass(frozen=True, kw_only=True)
class Variety:
    """What a stretch of a clip is drawn from."""

    focus: float = 0.8
    """Share of stretches that lie about an utterance of the word or, where there is none, about another event."""
    tempo: tuple[float, float] = (0.7, 1.35)
    """Frames of the clip for one of the stretch, log-uniform: time alone is changed."""
    tract: tuple[float, float] = (0.87, 1.15)
    """Factor of all frequencies, log-uniform, as of a longer or shorter vocal tract (N. Jaitly and G. Hinton, 2013)."""
    strange_tract: tuple[float, float] = (0.7, 1.45)
    """Likewise where the word is not said: there a voice may be as odd as it likes, and not wake the machine."""
    backwards: float = 0.2
    """Share of stretches without the word that run backwards: speech in a tongue that nobody has."""
    overlaid: float = 0.4
    """Share of stretches under which another clip's sound without events is laid."""
    overlay_snr_db: tuple[float, float] = (3.0, 30.0)
    """Level of the loud parts of the one over the other's."""
    gain_db: float = 10.0
    """Level change, either way."""
    dynamics: tuple[float, float] = (0.8, 1.7)
    """Power to which the envelope is raised: voices made by machine speak more evenly than people."""
    halting: float = 0.33
    """Share of words with a halt in them, as people make between the words of a phrase and at a stop."""
    halt_s: tuple[float, float] = (0.02, 0.25)
    alone: float = 0.3
    """Share of clips with events of which one is left alone between silences, half the time the word: so people try a
    word out, and so recordings and prompts are cut."""
    alone_db: tuple[float, float] = (30.0, 60.0)
    """How far the sound before and after it is turned down."""
    masked_bands: int = 6
    """Widest run of mel bands blanked (SpecAugment: D. Park et al., 2019)."""


def stretches(
    clips: Sequence[Heard], length: int, hop_s: float, variety: Variety, rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """A stretch (length, M) of each clip (T, M) at another tempo, and its events (E, 3) on the stretch's own clock.

    The length is cut to what the shortest clip allows.
    """
    clips = [_alone(*_halting(frames, rows, hop_s, variety, rng), hop_s, variety, rng) for frames, rows in clips]
    shortest = min(len(frames) for frames, _ in clips)
    slow, fast = variety.tempo
    length = min(length, int((shortest - 1) / fast) + 1)
    cut, moved = [], []
    for frames, rows in clips:
        tempo = math.exp(rng.uniform(math.log(slow), math.log(fast)))
        last = len(frames) - 1 - (length - 1) * tempo
        begin = rng.uniform(0, max(0.0, last))
        if len(rows) and rng.random() < variety.focus:
            start_s, end_s, _ = _one_of(rows, heeded(rows), rng)
            low, high = (end_s + _AFTER_S) / hop_s - (length - 1) * tempo, start_s / hop_s
            begin = min(max(0.0, rng.uniform(min(low, high), high)), max(0.0, last))
        at = np.minimum(begin + np.arange(length) * tempo, len(frames) - 1)
        below = np.minimum(at.astype(np.int64), len(frames) - 2)
        share = (at - below).astype(np.float32)[:, None]
        cut.append(frames[below] * (1 - share) + frames[below + 1] * share)
        there = rows.copy()
        there[:, :2] = (rows[:, :2] - begin * hop_s) / tempo
        moved.append(there)
    return np.stack(cut).astype(np.float32), moved


def augmented(
    frames: Tensor, eventless: NDArray[np.bool_], front_end: FrontEnd, variety: Variety, rng: np.random.Generator
) -> Tensor:
    """Frames (B, T, M) in other mouths, over other sound, at another level each; some bands blanked to the mean.

    `eventless`: which clips (B,) do not hold the word.
    """
    turned = torch.from_numpy(eventless & (rng.random(len(frames)) < variety.backwards))[:, None, None]
    changed = torch.where(turned, frames.flip(1), frames)
    changed = _tract(_expanded(changed, variety, rng), eventless, front_end, variety, rng)
    changed = _overlaid(changed, eventless, variety, rng)
    gain = _column(rng.uniform(-1, 1, len(frames)) * variety.gain_db * _NEPERS_PER_DB)
    changed = torch.logaddexp(changed + gain, torch.tensor(math.log(front_end.floor)))
    width = rng.integers(0, variety.masked_bands + 1, (len(frames), 1))
    low = rng.integers(0, front_end.bands - width + 1)
    band = np.arange(front_end.bands)
    masked = torch.from_numpy((band >= low) & (band < low + width))[:, None]
    return torch.where(masked, changed.mean(dim=(1, 2), keepdim=True), changed)


def _halting(
    frames: NDArray[np.float16], rows: NDArray[np.float32], hop_s: float, variety: Variety, rng: np.random.Generator
) -> Heard:
    """A clip (T, M) some of whose words halt at one of their quieter frames, and its events (E, 3) moved likewise."""
    index, rows = np.arange(len(frames)), rows.copy()
    for number in np.flatnonzero(rng.random(len(rows)) < variety.halting):
        start_s, end_s, _ = rows[number]
        first, last = (round((start_s + share * (end_s - start_s)) / hop_s) for share in (0.2, 0.8))
        levels = frames[index[first:last]].max(axis=1)
        if not len(levels):
            continue
        spot = first + int(rng.choice(np.argsort(levels)[: len(levels) // 4 + 1]))
        held = round(rng.uniform(*variety.halt_s) / hop_s)
        index = np.insert(index, spot, np.full(held, index[spot]))[: len(frames)]
        rows[:, :2] += held * hop_s * (rows[:, :2] > spot * hop_s)
    return frames[index], rows


def _alone(
    frames: NDArray[np.float16], rows: NDArray[np.float32], hop_s: float, variety: Variety, rng: np.random.Generator
) -> Heard:
    """A clip (T, M), in which sometimes all but one event is turned down, and the events (E, 3) that are left."""
    if not len(rows) or rng.random() >= variety.alone:
        return frames, rows
    chosen = _one_of(rows, heeded(rows) == (rng.random() < 0.5), rng)
    first, last = round(float(chosen[0]) / hop_s), round(float(chosen[1]) / hop_s)
    hushed = frames - np.float16(rng.uniform(*variety.alone_db) * _NEPERS_PER_DB)
    hushed[max(0, first) : last] = frames[max(0, first) : last]
    return hushed, chosen[None]


def _one_of(rows: NDArray[np.float32], first: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """One of those (E, 3) that come first, of any where there are none such."""
    among = rows[first] if first.any() else rows
    chosen: NDArray[np.float32] = among[rng.integers(len(among))]
    return chosen


def _expanded(frames: Tensor, variety: Variety, rng: np.random.Generator) -> Tensor:
    """Frames (B, T, M) whose level below the loud ones is raised to a power: above 1 soft ones become softer still."""
    level = frames.logsumexp(dim=2, keepdim=True)
    loud = torch.quantile(level, 0.97, dim=1, keepdim=True)
    power = _column(rng.uniform(*variety.dynamics, len(frames)))
    return frames + (power - 1) * (level - loud).clamp(max=0)


def _tract(
    frames: Tensor, eventless: NDArray[np.bool_], front_end: FrontEnd, variety: Variety, rng: np.random.Generator
) -> Tensor:
    """Every clip with its frequencies scaled: each band reads, between bands, where its frequency came from."""
    centres_hz = band_centres_hz(front_end)
    long, short = np.where(eventless, np.log(variety.strange_tract)[:, None], np.log(variety.tract)[:, None])
    factor = np.exp(rng.uniform(long, short))[:, None]
    at = np.interp(centres_hz * factor, centres_hz, np.arange(len(centres_hz)))
    distance = np.abs(at[:, None, :] - np.arange(len(centres_hz))[None, :, None])
    return torch.bmm(frames, torch.from_numpy(np.maximum(0, 1 - distance).astype(np.float32)))


def _overlaid(frames: Tensor, eventless: NDArray[np.bool_], variety: Variety, rng: np.random.Generator) -> Tensor:
    """Some clips with another's power added, if that one holds no event."""
    under = np.flatnonzero(eventless)
    if not len(under):
        return frames
    other = torch.from_numpy(rng.choice(under, len(frames)))
    loud = torch.quantile(frames.logsumexp(dim=2), 0.9, dim=1)[:, None, None]
    snr = _column(rng.uniform(*variety.overlay_snr_db, len(frames)) * _NEPERS_PER_DB)
    chosen = torch.from_numpy(rng.random(len(frames)) < variety.overlaid)[:, None, None]
    return torch.where(chosen, torch.logaddexp(frames, frames[other] + (loud - loud[other] - snr)), frames)


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None, None]
