"""What `scripts/ladder` compares: changes of the recipe, and scenes with an ingredient left out.

B clips, T frames, M mel bands, N steps, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kws.cli.runs import without_neighbours
from kws.cli.scenes import Material
from kws.config import Shape
from kws.examples import Examples, Heard
from kws.model import Member, Net
from kws.recipe import Recipe
from kws.targets import Window, heeded
from kws.train import Training, scorer
from synth.bank import Clip
from synth.devices import NEUTRAL
from synth.scene import Ranges


class EachStep(Training):
    """Judges every step by itself instead of the best or worst of many."""

    def loss(self, logits: Tensor, asked: Tensor) -> Tensor:
        """Cross-entropy over all steps that are asked anything."""
        return functional.binary_cross_entropy_with_logits(logits[asked >= 0], (asked[asked >= 0] > 0).float())


class Mining(Training):
    """From a third of the steps on, a quarter of each batch is sound without the word that the net finds worst."""

    hard: tuple[Heard, ...] = ()

    def begin_step(self, examples: Examples) -> float:
        if self.step >= self.recipe.steps // 3 and self.step % 50 == 0:
            self.settle()
            clips = [clip for clip in examples.draw(self.rng, 800) if not heeded(clip[1]).any()]
            worst = [float(scores.max()) for scores in scorer(self.average)([frames for frames, _ in clips])]
            self.hard = tuple(clips[number] for number in np.argsort(worst)[-48:])
        return super().begin_step(examples)

    def _batch(self, clips: list[Heard]) -> tuple[Tensor, Tensor]:
        if self.hard:
            few = len(clips) // 4
            clips = clips[few:] + [self.hard[int(number)] for number in self.rng.integers(len(self.hard), size=few)]
        return super()._batch(clips)


class Distilled(Training):
    """Learns from the labels, and from three members that were trained so first (G. Hinton et al., 2015)."""

    teacher: Training | None = None
    taught: Tensor

    def begin_step(self, examples: Examples) -> float:
        if self.teacher is None:
            trio = replace(self.recipe, shape=replace(self.recipe.shape, members=3))
            self.teacher = Training(trio, self.source, self.folder)
            self.teacher.learn(examples, self.recipe.steps)
        return super().begin_step(examples)

    def _batch(self, clips: list[Heard]) -> tuple[Tensor, Tensor]:
        self.settle()  # a loss may still be looking at what was taught
        frames, asked = super()._batch(clips)
        assert self.teacher is not None
        with torch.no_grad():
            self.taught = self.teacher.average(frames)[0].mean(dim=0).clamp(-7, 7)
        return frames, asked

    def loss(self, logits: Tensor, asked: Tensor) -> Tensor:
        """The usual loss, and the squared error against the teachers, most of it where either is high."""
        weight = 1 + 4 * torch.sigmoid(torch.maximum(self.taught, logits.detach()) + 2)
        apart = (weight * (logits.clamp(-9, 9) - self.taught) ** 2).sum() / weight.sum()
        return 0.3 * super().loss(logits, asked) + 0.5 * apart


def smoothed(values: Tensor, share: float) -> Tensor:
    """Running mean (B, T, M) of values (B, T, M), each new one with that share, begun at the first."""
    now, means = values[:, 0], []
    for frame in values.unbind(dim=1):
        now = now + share * (frame - now)
        means.append(now)
    return torch.stack(means, dim=1)


class RunningMean(Net):
    """Log-mel less its running mean of about two seconds in each band, instead of the floor."""

    def floored(self, frames: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        return frames - smoothed(frames, 0.005) if frames.shape[1] else frames, loud


class Pcen(Net):
    """Per-channel energy normalisation instead of logarithm and floor (Y. Wang et al., 2017; their constants)."""

    def floored(self, frames: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        if frames.shape[1] == 0:
            return frames, loud
        power = frames.exp()
        return (power / (1e-6 + smoothed(power, 0.025)) ** 0.98 + 2.0).sqrt() - 2.0**0.5, loud


class ResidualMember(Member):
    """A depthwise separable convolution over five steps, added to what goes into the GRU; blank at every stretch."""

    def __init__(self, bands: int, shape: Shape, dropout: float) -> None:
        super().__init__(bands, shape, dropout)
        depthwise = nn.Conv1d(shape.channels, shape.channels, 5, groups=shape.channels, bias=False)
        self.block = nn.Sequential(
            depthwise, nn.Conv1d(shape.channels, shape.channels, 1), nn.BatchNorm1d(shape.channels)
        )

    def forward(self, window: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As of a member."""
        columns = functional.conv1d(window.transpose(1, 2), self.filters, stride=self.stride)
        active = torch.relu(self.norm(columns))
        further = self.block(functional.pad(active, (4, 0)))
        hidden, after = self.gru(self.dropout(torch.relu(active + further).transpose(1, 2)), state)
        return self.head(self.dropout(hidden)).squeeze(-1), after


class ResidualNet(Net):
    """Of such members."""

    member = ResidualMember


def of_net(kind: type[Net]) -> type[Training]:
    """Training of another kind of net."""
    return type(kind.__name__, (Training,), {"net_type": kind})


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One change of the recipe."""

    what: str
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe
    training: type[Training] = Training


def changed(**values: Any) -> Callable[[Recipe], Recipe]:
    """Another recipe."""
    return lambda recipe: replace(recipe, **values)


def varied(**values: Any) -> Callable[[Recipe], Recipe]:
    """Another variety."""
    return lambda recipe: replace(recipe, variety=replace(recipe.variety, **values))


def shaped(**sizes: Any) -> Callable[[Recipe], Recipe]:
    """Another shape; from scratch, as the trunk has but one."""
    return lambda recipe: replace(recipe, trunk=False, shape=replace(recipe.shape, **sizes))


def membered(count: int) -> Callable[[Recipe], Recipe]:
    """So many members, from the trunk."""
    return lambda recipe: replace(recipe, shape=replace(recipe.shape, members=count))


RUNGS = {
    "recipe": Rung(what="as it is"),
    "each-step": Rung(what="per-step cross-entropy", training=EachStep),
    "free-max": Rung(
        what="best step from 0.5 s before the word's end to 0.9 s after it",
        change=changed(window=Window(before_s=0.5, after_s=0.9)),
    ),
    "mining": Rung(what="a quarter of each batch mined with the half-trained net", training=Mining),
    "even-weights": Rung(what="a second of negatives weighs as much as a word", change=changed(negative_weight=1.0)),
    "light-negatives": Rung(what="a second of negatives weighs 0.15 of a word", change=changed(negative_weight=0.15)),
    "blank-states": Rung(what="every stretch from a blank state", change=changed(carried=0.0)),
    "carried-states": Rung(what="every stretch from a carried one", change=changed(carried=1.0)),
    "even": Rung(what="no halts, envelopes as they are", change=varied(halting=0.0, dynamics=(1.0, 1.0))),
    "in-company": Rung(what="no word left alone between silences", change=varied(alone=0.0)),
    "no-mask": Rung(what="no masked bands", change=varied(masked_bands=0)),
    "no-overlay": Rung(what="nothing laid under", change=varied(overlaid=0.0)),
    "no-tract": Rung(what="no other vocal tracts", change=varied(tract=(1.0, 1.0))),
    "plain-voices": Rung(
        what="no odd voices and nothing backwards where the word is not said",
        change=varied(strange_tract=Recipe().variety.tract, backwards=0.0),
    ),
    "slow": Rung(what="half the learning rate", change=changed(learning_rate=4e-3)),
    "no-average": Rung(what="weights not averaged", change=changed(average=0.0)),
    "long-average": Rung(what="weights averaged over 300 steps", change=changed(average=0.997)),
    "distilled": Rung(what="taught by three members trained first", change=changed(carried=0.0), training=Distilled),
    "pair": Rung(what="two members", change=membered(2)),
    "trio": Rung(what="three members", change=membered(3)),
    "mining-pair": Rung(what="two members, a quarter mined", change=membered(2), training=Mining),
    "mining-trio": Rung(what="three members, a quarter mined", change=membered(3), training=Mining),
    "scratch": Rung(what="without the trunk", change=changed(trunk=False)),
    "no-floor": Rung(what="from scratch, fixed normalisation: no floor", change=shaped(floor_db=80.0)),
    "floor-15": Rung(what="from scratch, the floor 15 dB down", change=shaped(floor_db=15.0)),
    "running-mean": Rung(what="from scratch, running normalisation", change=shaped(), training=of_net(RunningMean)),
    "pcen": Rung(what="from scratch, PCEN", change=shaped(), training=of_net(Pcen)),
    "small": Rung(what="from scratch, 64 and 64", change=shaped(channels=64, hidden=64)),
    "wide": Rung(what="from scratch, 128 and 160", change=shaped(channels=128, hidden=160)),
    "one-layer": Rung(what="from scratch, one GRU layer", change=shaped(layers=1)),
    "stride-4": Rung(what="from scratch, kernel 12, stride 4", change=shaped(kernel=12, stride=4)),
    "residual": Rung(what="from scratch, a residual convolution", change=shaped(), training=of_net(ResidualNet)),
}


def noiseless(ranges: Ranges, *kinds: str) -> Ranges:
    """Without those kinds of noise; the others take their share."""
    left = [(kind, chance) for kind, chance in ranges.noise if kind not in kinds]
    whole = sum(chance for _, chance in left)
    return replace(ranges, noise=tuple((kind, chance / whole) for kind, chance in left))


LEFT_OUT: dict[str, Callable[[Ranges], Ranges]] = {
    "rooms": lambda ranges: replace(ranges, no_room=1.0),
    "babble": lambda ranges: noiseless(ranges, "babble", "talk", "television"),
    "music": lambda ranges: noiseless(ranges, "music", "television"),
    "device": lambda ranges: replace(ranges, device=NEUTRAL),
    "parts": lambda ranges: replace(ranges, partial=0.0, swapped=0.0),
    "long": lambda ranges: replace(ranges, recorded=0.0),
    "raised": lambda ranges: replace(ranges, raised=0.0),
    "mouths": lambda ranges: ranges,
    "near-misses": lambda ranges: replace(ranges, partial=0.0, swapped=0.0),
}
"""Ingredients. "long": stretches of nothing but recorded talk, music and effects; "raised": such talk in raised voices.
"""


def material_without(material: Material, left_out: str | None, voices: int | None = None) -> Material:
    """The material without an ingredient; the word said by so many of the training voices alone."""
    if left_out == "near-misses":
        material = without_neighbours(material)

    def said(clip: Clip) -> bool:
        if left_out == "mouths" and clip.voice.endswith("~"):
            return False
        return not _teaches(clip) or voices is None or clip.voice.removesuffix("~") in kept

    everyone = {clip.voice.removesuffix("~") for bank in material.banks for clip in bank.clips if _teaches(clip)}
    kept = np.random.default_rng(1).permutation(sorted(everyone))[:voices]
    banks = [replace(bank, clips=tuple(clip for clip in bank.clips if said(clip))) for bank in material.banks]
    return replace(material, banks=tuple(banks))


def _teaches(clip: Clip) -> bool:
    return clip.kind == "positive" and clip.split == "train"
