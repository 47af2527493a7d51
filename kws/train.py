"""Training: batches of clips, a loss, validation as it goes, and a run folder one can come back to.

A run folder holds `checkpoint.pt` (all that is needed to go on), `average.pt` (the averaged weights as last validated,
with their calibrated rule and DET) and `log.jsonl` (a line a validation). The last weights are kept, not those that did
best on the way: over an hour or two of talk that would be a choice by luck. But more members learn than are kept: they
come out good and bad by what dropout drew, and validation sees which did: not by words missed, which are few of made
voices, but by how far words lie above the thresholds that talk needs.

B clips, T frames, M mel bands, N steps.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from kws.augment import applied, drawn, stretches
from kws.config import Decision, FrontEnd, Shape
from kws.det import Choice, Det, calibrated_threshold, choose_threshold
from kws.errors import Failure, Misuse
from kws.examples import Examples, Heard
from kws.files import append_line, write_whole
from kws.learner import Learner, Lesson
from kws.loss import max_pooling_loss
from kws.means import Means
from kws.model import Net
from kws.ranks import Ranks
from kws.recipe import FITTED, Recipe, Source
from kws.records import LOG, Record
from kws.targets import heeded, regions
from kws.trunk import packed, read_trunk
from kws.validation import Hearing, Score, Validation

CHECKPOINT, AVERAGE = "checkpoint.pt", "average.pt"
_RATES = (0.5, 1.0, 2.0, 4.0)
"""False accepts per hour whose thresholds are averaged."""
_TELL_EVERY = 20
"""Steps from one loss that is told to the next."""
_SAVE_EVERY = 200
"""Steps after which there is a checkpoint to go on from, whatever ends the run."""
_PIECE = 3000
"""Frames of long recordings scored at a time, so that hours of them fit into memory."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What validation said of the weights."""

    shortfall: float = math.inf
    """Of the words, below the mean threshold for several rates of false accepts, as one rate rests on a few of them."""
    frr: float = math.inf
    """At the target's threshold."""
    false_accepts_per_hour: float = math.inf
    """There."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A net, its rule for the target, and what validation said of it."""

    net: Net
    det: Det
    decision: Decision
    choice: Choice
    standing: Standing


class Training:
    """One run: the net, its average, the optimiser and the generator, all of which a checkpoint holds."""

    net_type: type[Net] = Net

    def __init__(
        self, recipe: Recipe, source: Source, folder: Path, ranks: Ranks | None = None, means: Means | None = None
    ) -> None:
        """`ranks`: those that learn together; rank 0 alone validates and writes. Without `means` a processor learns."""
        torch.manual_seed(recipe.seed)
        self.recipe, self.source, self.folder = recipe, source, folder
        self.ranks, self.means = ranks or Ranks(), means or Means()
        self._clips = self.ranks.share(recipe.batch)
        learning = replace(recipe.shape, members=recipe.shape.members + recipe.spares)
        self.net = self.net_type(recipe.front_end, learning, recipe.dropout)
        if recipe.trunk:
            trunk = read_trunk()
            trunk.start(self.net)
            self.source = replace(source, licences=tuple(dict.fromkeys([*source.licences, *trunk.licences])))
        self.average = copy.deepcopy(self.net).eval().to(self.means.on)
        self.net.to(self.means.on)
        pairs = enumerate(zip(self.net.nets, self.average.nets, strict=True))
        self.learners = [
            Learner(member, average, number, recipe, self.ranks, self.means) for number, (member, average) in pairs
        ]
        self._applied = self.means.made(applied)
        self.rng = self._generator(0)
        self.step = 0
        self.standing = Standing()
        self.records: list[Record] = []
        """Who is told beside the log."""
        threads = 1 if self.means.is_gpu else min(len(self.learners), torch.get_num_threads())
        self._executor = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self._under_way: list[Future[Tensor]] = []

    def run(
        self, examples: Examples, fresh: Iterator[list[Heard]] | None, validation: Validation, bar: Any = None
    ) -> None:
        """Train to the last step, validating on the way; Ctrl-C leaves a checkpoint from which the run goes on.

        `bar`: of tqdm, to be shown instead of a plain one.
        """
        quiet = not self.ranks.is_first
        progress = bar or tqdm(
            total=self.recipe.steps, initial=self.step, unit="step", dynamic_ncols=True, disable=quiet
        )
        try:
            while self.step < self.recipe.steps:
                if fresh is not None:
                    examples.add(next(fresh))
                loss = self.begin_step(examples)
                progress.update()
                if self.step % _TELL_EVERY == 0:
                    self._tell({"loss": loss, "learning rate": self._learning_rate(self.step - 1)})
                    progress.set_postfix_str(f"loss {loss:.3f} {self._standing()}")
                if self.step % self.recipe.validate_every == 0 or self.step == self.recipe.steps:
                    self._validate(validation, loss)
                elif self.step % _SAVE_EVERY == 0:
                    self.save()
        finally:
            progress.close()
            for record in self.records:
                record.close()
            if self.ranks.count == 1:  # others that are gone may leave a step that never ends
                self.save()

    def save(self) -> None:
        """Write the checkpoint, if this is rank 0."""
        self.settle()
        if not self.ranks.is_first:
            return
        state = {
            "recipe": asdict(self.recipe), **asdict(self.source), "step": self.step, "standing": asdict(self.standing),
            "net": self.net.state_dict(), "average": self.average.state_dict(),
            "learners": [learner.state() for learner in self.learners], "rng": self.rng.bit_generator.state,
        }  # fmt: skip
        write_whole(self.folder / CHECKPOINT, packed(state))

    def pace_s(self, examples: Examples, steps: int = 4) -> float:
        """Seconds that a step takes, timed on a few: the weights learn from them, so ask a run that is thrown away."""
        self.learn(examples, 1)  # warms up
        begun_s = time.monotonic()
        self.learn(examples, steps)
        return (time.monotonic() - begun_s) / steps

    def resume(self) -> None:
        """Go on from the folder's checkpoint. Raises Misuse if it is of another word or recipe."""
        state = _unpacked(self.folder / CHECKPOINT)
        same = ("word", "made_from", "recipe")
        ours = {**asdict(self.source), "recipe": asdict(self.recipe)}
        if other := [name.replace("_", " ") for name in same if state[name] != ours[name]]:
            raise Misuse(
                f"{self.folder} holds a run of {state['word']!r} with another {' and '.join(other)}: "
                "name another folder with --out, or give the same options to go on with it."
            )
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        for learner, known in zip(self.learners, state["learners"], strict=True):
            learner.restore(known)
        self.step, self.standing = state["step"], Standing(**state["standing"])
        if self.ranks.count == 1:
            self.rng.bit_generator.state = state["rng"]
        else:  # it is rank 0's
            self.rng = self._generator(self.step)

    def learn(self, examples: Examples, steps: int) -> None:
        """So many steps, without a validation."""
        for _ in range(steps):
            self.begin_step(examples)
        self.settle()

    def begin_step(self, examples: Examples) -> float:
        """Begin a step; gives the loss of the one before, which is over then, or of the first."""
        frames, asked = self._batch(examples.draw(self.rng, self._clips))
        clips = len(frames)
        lesson = Lesson(
            frames=self.net.floored(frames, self.net.blank_state(clips).loud)[0], asked=asked, loss=self.loss,
            order=self.rng.permutation(clips), carried=self.rng.random(clips) < self.recipe.carried,
            learning_rate=self._learning_rate(self.step), seed=(self.recipe.seed, self.step),
        )  # fmt: skip
        before, self._under_way = self._under_way, [learner.take(lesson, self._executor) for learner in self.learners]
        self.step += 1
        return _mean(before or self._under_way)

    def settle(self) -> None:
        """Wait until every member has taken its last step."""
        _mean(self._under_way)

    def loss(self, logits: Tensor, asked: Tensor) -> Tensor:
        """What is minimised, of one member's logits (B, N) under `kws.targets.regions` (B, N)."""
        second = round(1 / self.recipe.shape.step_s(self.recipe.front_end))
        return max_pooling_loss(logits, asked, second, self.recipe.negative_weight)

    def _generator(self, step: int) -> np.random.Generator:
        """What the batches of this rank are drawn by, from a step on."""
        alone = self.ranks.count == 1
        return np.random.default_rng(self.recipe.seed if alone else [self.recipe.seed, self.ranks.rank, step])

    def _learning_rate(self, step: int) -> float:
        rise = min(1.0, (step + 1) / self.recipe.warm_up)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.recipe.steps)))
        return self.recipe.learning_rate * rise * max(fall, 0.01)

    def _batch(self, clips: list[Heard]) -> tuple[Tensor, Tensor]:
        """Frames (B, T, M) and what is asked (B, N), of a stretch of each clip."""
        recipe, device = self.recipe, self.means.on
        length = round(recipe.crop_s / recipe.front_end.hop_s)
        cut, events = stretches(clips, length, recipe.front_end.hop_s, recipe.variety, self.rng, device)
        eventless = np.array([not heeded(rows).any() for _, rows in clips])
        draws = drawn(eventless, recipe.front_end, recipe.variety, self.rng, device)
        frames = self._applied(cut, draws, recipe.front_end.floor)
        times_s = self.net.times_s(frames.shape[1])
        asked = np.stack([regions(rows, times_s, recipe.window) for rows in events])
        return frames, torch.from_numpy(asked.astype(np.int64)).to(device)

    def _validate(self, validation: Validation, loss: float) -> None:
        self.settle()
        if not self.ranks.is_first:
            return
        kept, alone = list(range(len(self.average.nets))), []
        if self.recipe.spares:
            alone = [self._judged(self.average.part([number]), validation).standing.shortfall for number in kept]
            kept = sorted(np.argsort(alone, kind="stable")[: self.recipe.shape.members].tolist())
        judged = self._judged(self.average.part(kept), validation)
        self.standing = judged.standing
        self._save_judged(judged, validation)
        line = {
            "step": self.step, "loss": round(loss, 4), **asdict(self.standing), "threshold": judged.choice.threshold,
            "hours": round(validation.hours, 3), "utterances": len(validation.utterances), "alone": alone,
            "kept": kept,
        }  # fmt: skip
        append_line(self.folder / LOG, json.dumps(line))
        named = {name.replace("_", " "): value for name, value in asdict(self.standing).items()}
        self._tell({f"validation/{name}": value for name, value in named.items() if math.isfinite(value)})
        self.save()

    def _tell(self, figures: dict[str, float]) -> None:
        for record in self.records:
            record.tell(self.step, figures)

    def _judged(self, net: Net, validation: Validation) -> Judged:
        hearing = validation.heard_by(scorer(net))
        det, decision, choice = calibrated(hearing, self.recipe)
        standing = Standing(
            shortfall=hearing.shortfall(decision, [choose_threshold(det, rate).threshold for rate in _RATES]),
            frr=_frr(choice), false_accepts_per_hour=choice.false_accepts_per_hour,
        )  # fmt: skip
        return Judged(net=net, det=det, decision=decision, choice=choice, standing=standing)

    def _save_judged(self, judged: Judged, validation: Validation) -> None:
        state = {
            "recipe": asdict(self.recipe), **asdict(self.source), "step": self.step, "net": judged.net.state_dict(),
            "decision": judged.decision.to_json(), "det": judged.det.to_json(), "caveat": judged.choice.caveat,
            "spoken_by_people": validation.spoken_by_people,
        }  # fmt: skip
        write_whole(self.folder / AVERAGE, packed(state))

    def _standing(self) -> str:
        now = self.standing
        if math.isinf(now.frr):
            return ""
        return f"validation FRR {100 * now.frr:.1f} % at {now.false_accepts_per_hour:.2f} false accepts/h"


def calibrated(hearing: Hearing, recipe: Recipe) -> tuple[Det, Decision, Choice]:
    """The rule for the target: the most scores averaged that do not make it late, and its threshold."""
    counts = recipe.smoothing if hearing.validation.spoken_by_people else recipe.smoothing[-1:]
    for smoothing in counts:  # at a least threshold, each one more that is averaged loses words
        decision = Decision(threshold=0.5, smoothing=smoothing)
        det = hearing.det(decision)
        choice = _chosen(det, recipe.target_per_hour, decision, hearing.validation)
        decision = replace(decision, threshold=choice.threshold)
        decision = replace(decision, lag_s=round(hearing.lag_s(decision), 3))
        if decision.lag_s <= recipe.most_lag_s:
            break
    return det, decision, choice


def _chosen(det: Det, target_per_hour: float, decision: Decision, validation: Validation) -> Choice:
    """The threshold for a target, by what was heard."""
    people = validation.spoken_by_people
    return calibrated_threshold(det, target_per_hour, decision.smoothing, spoken_by_people=people)


def _mean(losses: Sequence[Future[Tensor]]) -> float:
    """Once they are known."""
    return sum(float(loss.result()) for loss in losses) / max(1, len(losses))


def _frr(choice: Choice) -> float:
    """The share missed; all, where there was nothing to hear."""
    return 1.0 if choice.frr is None else choice.frr


def scorer(net: Net, batch: int = 64) -> Score:
    """Scores recordings from a blank state, by the net in evaluation mode; those of like length at once."""

    def score(recordings: Sequence[NDArray[np.float16]]) -> list[NDArray[np.float32]]:
        net.eval()
        device = next(net.parameters()).device
        by_length = sorted(range(len(recordings)), key=lambda number: len(recordings[number]))
        scores: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(recordings)
        for first in range(0, len(by_length), batch):
            numbers = by_length[first : first + batch]
            # the net is causal: what pads the end of a shorter recording changes none of its scores
            padded = pad_sequence([torch.from_numpy(recordings[number]) for number in numbers], batch_first=True)
            state, pieces = net.blank_state(len(numbers)), []
            with torch.inference_mode():
                for piece in torch.split(padded, _PIECE, dim=1):
                    scored, state = net.scores(piece.to(device).float(), state)
                    pieces.append(scored)
            for number, row in zip(numbers, torch.cat(pieces, dim=1).cpu().numpy(), strict=True):
                scores[number] = row[: net.shape.steps(len(recordings[number]))]
        return scores

    return score


def begun(folder: Path, recipe: Recipe) -> Recipe | None:
    """The recipe as the run that a folder holds was fitted to its budget; None if it holds none."""
    if not (folder / CHECKPOINT).is_file():
        return None
    theirs = _unpacked(folder / CHECKPOINT)["recipe"]
    fitted = FITTED & theirs.keys()  # an older run lacks some
    return replace(recipe, shape=Shape.from_json(theirs["shape"]), **{name: theirs[name] for name in fitted})


def load_average(folder: Path) -> tuple[Net, dict[str, Any]]:
    """The averaged net of a run and what is known of it. Raises Failure if the folder holds no finished validation."""
    if not (folder / AVERAGE).is_file():
        raise Failure(f"{folder} holds no trained net ({AVERAGE} is missing): train one with kws train --out {folder}.")
    state = _unpacked(folder / AVERAGE)
    front_end = FrontEnd.from_json(state["recipe"]["front_end"])
    net = Net(front_end, Shape.from_json(state["recipe"]["shape"]))
    net.load_state_dict(state["net"])
    return net.eval(), state


def _unpacked(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle or archive fails in many ways
        raise Failure(f"{path} is damaged ({type(error).__name__}): remove it and train again.") from error
    return state
