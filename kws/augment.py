"""What is done to a clip's log-mel frames each time training draws it, so that none is met twice alike.

Everything works on frames, where it is nearly free. B clips, T frames, M mel bands, E events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    clips: Sequence[Heard], length: int, hop_s: float, variety: Variety, rng: np.random.Generator,
    device: torch.device | None = None,
) -> tuple[Tensor, list[NDArray[np.float32]]]:  # fmt: skip
    """A stretch (B, length, M) of each clip (T, M) at another tempo, and its events (E, 3) on the stretch's own clock.

    The length is cut to what the shortest clip allows. What is read where is found here; it is read on the device.
    """
    readings = [_alone(_halting(frames, rows, hop_s, variety, rng), hop_s, variety, rng) for frames, rows in clips]
    shortest = min(len(reading.order) for reading in readings)
    slow, fast = variety.tempo
    length = min(length, int((shortest - 1) / fast) + 1)
    first, below, above, shares, moved = 0, [], [], [], []
    for (frames, _), reading in zip(clips, readings, strict=True):
        rows, last_frame = reading.rows, len(reading.order) - 1
        tempo = math.exp(rng.uniform(math.log(slow), math.log(fast)))
        last = last_frame - (length - 1) * tempo
        begin = rng.uniform(0, max(0.0, last))
        if len(rows) and rng.random() < variety.focus:
            start_s, end_s, _ = _one_of(rows, heeded(rows), rng)
            low, high = (end_s + _AFTER_S) / hop_s - (length - 1) * tempo, start_s / hop_s
            begin = min(max(0.0, rng.uniform(min(low, high), high)), max(0.0, last))
        at = np.minimum(begin + np.arange(length) * tempo, last_frame)
        lower = np.minimum(at.astype(np.int64), last_frame - 1)
        below.append((first + reading.order[lower], reading.hush[lower]))
        above.append((first + reading.order[lower + 1], reading.hush[lower + 1]))
        shares.append(at - lower)
        there = rows.copy()
        there[:, :2] = (rows[:, :2] - begin * hop_s) / tempo
        moved.append(there)
        first += len(frames)
    flat = torch.from_numpy(np.concatenate([frames for frames, _ in clips])).to(device)

    def read(places: list[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> Tensor:
        index, hush = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*places, strict=True))
        return flat[index].float() - hush[..., None]

    share = torch.from_numpy(np.stack(shares).astype(np.float32)).to(device)
    return torch.lerp(read(below), read(above), share[..., None]), moved


class Draws(NamedTuple):
    """What is drawn for a batch before any of it is applied, on the device of its frames."""

    turned: Tensor
    """Which clips (B, 1, 1) run backwards."""
    power: Tensor
    """To which the envelope is raised (B, 1, 1)."""
    tract: Tensor
    """From bands to bands (B, M, M)."""
    under: Tensor
    """The clip (B,) that is laid under each; itself where there is none to lay."""
    overlaid: Tensor
    """Whether it is (B, 1, 1)."""
    snr: Tensor
    """Of the one over the other (B, 1, 1), in nepers of power."""
    gain: Tensor
    """(B, 1, 1), likewise."""
    masked: Tensor
    """Which bands are blanked (B, 1, M)."""


def drawn(
    eventless: NDArray[np.bool_], front_end: FrontEnd, variety: Variety, rng: np.random.Generator,
    device: torch.device | None = None,
) -> Draws:  # fmt: skip
    """Draw what `applied` does to clips (B,), of which those do not hold the word."""
    clips = len(eventless)

    def column(values: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
        like = values.astype(np.float32) if values.dtype == np.float64 else values
        return torch.from_numpy(like)[:, None, None].to(device)

    turned = eventless & (rng.random(clips) < variety.backwards)
    power = rng.uniform(*variety.dynamics, clips)
    tract = _tract(eventless, front_end, variety, rng)
    others, under, snr, overlaid = np.flatnonzero(eventless), np.arange(clips), np.zeros(clips), np.zeros(clips, bool)
    if len(others):
        under = rng.choice(others, clips)
        snr = rng.uniform(*variety.overlay_snr_db, clips) * _NEPERS_PER_DB
        overlaid = rng.random(clips) < variety.overlaid
    gain = rng.uniform(-1, 1, clips) * variety.gain_db * _NEPERS_PER_DB
    width = rng.integers(0, variety.masked_bands + 1, (clips, 1))
    low = rng.integers(0, front_end.bands - width + 1)
    band = np.arange(front_end.bands)
    return Draws(
        turned=column(turned), power=column(power), tract=torch.from_numpy(tract).to(device),
        under=torch.from_numpy(under).to(device), overlaid=column(overlaid), snr=column(snr), gain=column(gain),
        masked=torch.from_numpy((band >= low) & (band < low + width))[:, None].to(device),
    )  # fmt: skip


def applied(frames: Tensor, draws: Draws, floor: float) -> Tensor:
    """Frames (B, T, M) in other mouths, over other sound, at another level each; some bands blanked to the mean."""
    changed = torch.where(draws.turned, frames.flip(1), frames)
    changed = torch.bmm(_expanded(changed, draws.power), draws.tract)
    changed = torch.where(draws.overlaid, _overlaid(changed, draws), changed)
    changed = torch.logaddexp(changed + draws.gain, changed.new_tensor(math.log(floor)))
    return torch.where(draws.masked, changed.mean(dim=(1, 2), keepdim=True), changed)


def augmented(
    frames: Tensor, eventless: NDArray[np.bool_], front_end: FrontEnd, variety: Variety, rng: np.random.Generator
) -> Tensor:
    """Frames (B, T, M), changed as is drawn for them now; `eventless`: which clips (B,) do not hold the word."""
    return applied(frames, drawn(eventless, front_end, variety, rng, frames.device), front_end.floor)


class _Reading(NamedTuple):
    """How a clip is read."""

    order: NDArray[np.int64]
    """Its frames (T,) in the order in which they are heard."""
    hush: NDArray[np.float32]
    """How far each of those (T,) is turned down, in nepers of power."""
    rows: NDArray[np.float32]
    """Its events (E, 3) then."""


def _halting(
    frames: NDArray[np.float16], rows: NDArray[np.float32], hop_s: float, variety: Variety, rng: np.random.Generator
) -> _Reading:
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
    return _Reading(index, np.zeros(len(index), np.float32), rows)


def _alone(reading: _Reading, hop_s: float, variety: Variety, rng: np.random.Generator) -> _Reading:
    """A clip in which sometimes all but one event is turned down."""
    rows = reading.rows
    if not len(rows) or rng.random() >= variety.alone:
        return reading
    chosen = _one_of(rows, heeded(rows) == (rng.random() < 0.5), rng)
    first, last = round(float(chosen[0]) / hop_s), round(float(chosen[1]) / hop_s)
    hush = np.full(len(reading.order), rng.uniform(*variety.alone_db) * _NEPERS_PER_DB, np.float32)
    hush[max(0, first) : last] = 0
    return reading._replace(hush=hush, rows=chosen[None])


def _one_of(rows: NDArray[np.float32], first: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """One of those (E, 3) that come first, of any where there are none such."""
    among = rows[first] if first.any() else rows
    chosen: NDArray[np.float32] = among[rng.integers(len(among))]
    return chosen


def _expanded(frames: Tensor, power: Tensor) -> Tensor:
    """Frames (B, T, M) whose level below the loud ones is raised to a power: above 1 soft ones become softer still."""
    level = frames.logsumexp(dim=2, keepdim=True)
    loud = torch.quantile(level, 0.97, dim=1, keepdim=True)
    return frames + (power - 1) * (level - loud).clamp(max=0)


def _tract(
    eventless: NDArray[np.bool_], front_end: FrontEnd, variety: Variety, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Of every clip the frequencies scaled (B, M, M): a band reads, between bands, where its frequency came from."""
    centres_hz = band_centres_hz(front_end)
    long, short = np.where(eventless, np.log(variety.strange_tract)[:, None], np.log(variety.tract)[:, None])
    factor = np.exp(rng.uniform(long, short))[:, None]
    at = np.interp(centres_hz * factor, centres_hz, np.arange(len(centres_hz)))
    distance = np.abs(at[:, None, :] - np.arange(len(centres_hz))[None, :, None])
    read: NDArray[np.float32] = np.maximum(0, 1 - distance).astype(np.float32)
    return read


def _overlaid(frames: Tensor, draws: Draws) -> Tensor:
    """Every clip (B, T, M) with another's power added."""
    loud = torch.quantile(frames.logsumexp(dim=2), 0.9, dim=1)[:, None, None]
    return torch.logaddexp(frames, frames[draws.under] + (loud - loud[draws.under] - draws.snr))
