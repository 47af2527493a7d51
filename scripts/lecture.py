"""What `scripts/reproduce_lecture` trains: the lecture's nets and labels, one trainer, one yardstick.

B clips, T frames, F bins or bands, N steps, C channels, H hidden units, K clips or thresholds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lecture_scenes import CLIP_S, RUN_S, SCENES, Frames, Front, Scenes
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kws.audio import read_audio
from kws.config import Decision
from kws.det import Rule, false_accepts, fire, grid
from kws.events import Event
from kws.validation import Utterance, missed

RATES = (1.0, 2.0, 4.0, 8.0)
"""False accepts per hour over which misses are averaged."""

Labels = Literal["run", "step", "clip"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """A net: an optional convolution that shortens time, optional batch norms, GRU layers, one sigmoid a step."""

    channels: int | None
    """Of the convolution; None for none."""
    kernel: int = 15
    stride: int = 4
    hidden: int = 128
    layers: int = 2
    norm: bool = True
    dropout: float = 0.0

    def steps(self, frames: int) -> int:
        """Steps that so many frames give."""
        return frames if self.channels is None else (frames - self.kernel) // self.stride + 1

    def rule(self, front: Front, decision: Decision) -> Rule:
        """A decision over the scores of such a net."""
        kernel, stride = (1, 1) if self.channels is None else (self.kernel, self.stride)
        first_s = front.window_s + (kernel - 1) * front.hop_s
        return Rule(decision=decision, first_s=first_s, step_s=stride * front.hop_s)

    def work(self, front: Front) -> float:
        """Multiplications per second of sound: convolution, GRU, head; the spectrogram not counted."""
        per_s, inputs, work = 1 / front.hop_s, front.bins, 0.0
        if self.channels is not None:
            per_s /= self.stride
            work += per_s * self.kernel * inputs * self.channels
            inputs = self.channels
        for _ in range(self.layers):
            work += per_s * 3 * self.hidden * (inputs + self.hidden)
            inputs = self.hidden
        return work + per_s * inputs


COURSE_DESIGN = Design(channels=196, kernel=15, stride=4, hidden=128, layers=2, dropout=0.8)
SMALL_DESIGN = Design(channels=96, kernel=9, stride=3, hidden=96, layers=2)
"""The sizes of one net of the product."""


class LectureNet(nn.Module):
    """Frames (B, T, F) in, one logit a step (B, N) out."""

    def __init__(self, front: Front, design: Design) -> None:
        super().__init__()
        self.design = design
        inputs = front.bins
        self.conv: nn.Conv1d | None = None
        if design.channels is not None:
            self.conv = nn.Conv1d(inputs, design.channels, design.kernel, stride=design.stride)
            inputs = design.channels
        self.norm = nn.BatchNorm1d(inputs) if design.norm else nn.Identity()
        layers, norms = [], []
        for _ in range(design.layers):
            layers.append(nn.GRU(inputs, design.hidden, batch_first=True))
            norms.append(nn.BatchNorm1d(design.hidden) if design.norm else nn.Identity())
            inputs = design.hidden
        self.layers, self.norms = nn.ModuleList(layers), nn.ModuleList(norms)
        self.dropout = nn.Dropout(design.dropout)
        self.head = nn.Linear(inputs, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits (B, N)."""
        columns = frames.transpose(1, 2)
        columns = self.norm(columns if self.conv is None else self.conv(columns))
        hidden = (columns if self.conv is None else torch.relu(columns)).transpose(1, 2)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            hidden, _ = layer(self.dropout(hidden))
            hidden = norm(hidden.transpose(1, 2)).transpose(1, 2)
        logits: Tensor = self.head(self.dropout(hidden)).squeeze(-1)
        return logits


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One net to be trained and measured."""

    part: str
    name: str
    front: Front
    design: Design
    scenes: Scenes = Scenes()  # noqa: RUF009 - frozen
    clips: int = 1000
    labels: Labels = "run"
    steps: int = 600
    batch: int = 20
    learning_rate: float = 3e-3
    seed: int = 1

    @property
    def key(self) -> dict[str, Any]:
        """What a line of the results is known by."""
        told = {"part": self.part, "name": self.name, "clips": self.clips, "labels": self.labels, "steps": self.steps}
        told |= {"batch": self.batch, "seed": self.seed, "each": self.scenes.each, "near": self.scenes.near}
        return told | {"design": asdict(self.design)}


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Frames (K, T, F) of clips in half precision, and their events."""

    frames: NDArray[np.float16]
    events: tuple[tuple[Event, ...], ...]

    @property
    def utterances(self) -> list[Utterance]:
        """The first word of each clip that holds any."""
        pairs = zip(self.frames, self.events, strict=True)
        return [Utterance(frames=frames, start_s=said[0].start, end_s=said[0].end) for frames, said in pairs if said]


@lru_cache(maxsize=4)
def rendered(front: Front, scenes: Scenes, count: int) -> Clips:
    """So many clips of those scenes."""
    from tqdm import tqdm

    frames: NDArray[np.float16] | None = None
    events: list[tuple[Event, ...]] = []
    for number in tqdm(range(count), desc=f"scenes for {front.name}", unit="clip", leave=False):
        samples, said = scenes(number)
        one = front.frames(samples)
        if frames is None:
            frames = np.empty((count, *one.shape), np.float16)
        frames[number] = one
        events.append(tuple(event for event in said if event.kind == "positive"))
    assert frames is not None
    return Clips(frames=frames, events=tuple(events))


def labelled(events: Sequence[Event], times_s: NDArray[np.floating], labels: Labels) -> NDArray[np.float32]:
    """What each step (N,) is asked: ones for 0.36 s after each word, or for one step only.

    A clip's one label is the highest of its steps', so those of "clip" are those of "run".
    """
    asked = np.zeros(len(times_s), np.float32)
    for event in events:
        after = np.flatnonzero((times_s >= event.end) & (times_s < event.end + RUN_S))
        asked[after[:1] if labels == "step" else after] = 1
    return asked


def loss_of(logits: Tensor, asked: Tensor, labels: Labels) -> Tensor:
    """Cross-entropy over all steps, or over each clip's highest step where a clip has one label."""
    if labels == "clip":
        logits, asked = logits.amax(dim=1), asked.amax(dim=1)
    return functional.binary_cross_entropy_with_logits(logits, asked)


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """Scenes with one word each, and hours in which nothing is to be heard."""

    words: int
    hours: float
    talk: tuple[Path, ...] = ()
    """Recordings of human speech without the word."""
    near: bool = False
    """Whether what sounds like the word is said where nothing is to be heard."""

    @property
    def said(self) -> Scenes:
        """Where each clip holds one word."""
        return Scenes(split="validation", ranges=replace(SCENES, positives=(0.0, 1.0)))

    @property
    def silent(self) -> Scenes:
        """Where nothing is to be heard."""
        return Scenes(split="validation", seed=1, ranges=replace(SCENES, positives=(1.0,)), near=self.near)

    @property
    def silent_clips(self) -> int:
        """How many those are."""
        return round(3600 * self.hours / CLIP_S)

    def measure(self, net: LectureNet, front: Front) -> dict[str, Any]:
        """FRR at RATES and their mean; median seconds from a word's end to its detection at 2 an hour."""
        rule, thresholds = net.design.rule(front, Decision(threshold=0.5)), grid()
        said, silent = (rendered(front, self.said, self.words), rendered(front, self.silent, self.silent_clips))
        spoken = talk_frames(front, self.talk)
        tracks = [*scored(net, silent.frames), *(scored(net, frames[None])[0] for frames in spoken)]
        hours = self.hours + sum(map(len, spoken)) * front.hop_s / 3600
        accepts = false_accepts(tracks, rule, thresholds)
        at = [int((accepts > rate * hours).sum()) for rate in RATES]  # counts only fall as thresholds rise
        utterances, scores = said.utterances, scored(net, said.frames)
        # where no threshold is quiet enough, nothing is heard
        misses = np.append(missed(utterances, scores, rule, thresholds), self.words)
        lags: list[float] = []
        for utterance, found in zip(utterances, scores, strict=True):
            first_s, last_s = utterance.window_s
            times = fire(found, rule.at(thresholds[at[1]])) if at[1] < len(thresholds) else []
            lags += [time_s - utterance.end_s for time_s in times if first_s <= time_s <= last_s][:1]
        frr = [round(float(misses[place] / self.words), 4) for place in at]
        return {
            "frr": frr, "mean_frr": round(float(np.mean(frr)), 4), "hours": round(hours, 3), "words": self.words,
            "lag_s": round(float(np.median(lags)), 3) if lags else None,
        }  # fmt: skip


@lru_cache(maxsize=1)
def talk_frames(front: Front, paths: tuple[Path, ...]) -> tuple[NDArray[np.float16], ...]:
    """Frames (T, F) of recordings."""
    return tuple(front.frames(read_audio(path)).astype(np.float16) for path in paths)


def scored(net: LectureNet, frames: NDArray[Any], batch: int = 16) -> list[Frames]:
    """Scores (N,) of each clip of (K, T, F) frames."""
    net.eval()
    scores: list[Frames] = []
    with torch.inference_mode():
        for first in range(0, len(frames), batch):
            part = torch.from_numpy(np.asarray(frames[first : first + batch], np.float32))
            scores += list(torch.sigmoid(net(part)).numpy())
    return scores


def trained(trial: Trial, each: int, told: Callable[[int, float, LectureNet], None]) -> LectureNet:
    """Train a trial's net on its clips by Adam, telling after each so many steps: the step, the mean loss, the net."""
    torch.manual_seed(trial.seed)
    net = LectureNet(trial.front, trial.design)
    optimiser = torch.optim.Adam(net.parameters(), lr=trial.learning_rate)
    clips = rendered(trial.front, trial.scenes, trial.clips)
    rule = trial.design.rule(trial.front, Decision(threshold=0.5))
    times_s = rule.first_s + rule.step_s * np.arange(trial.design.steps(clips.frames.shape[1]))
    asked = torch.from_numpy(np.stack([labelled(events, times_s, trial.labels) for events in clips.events]))
    losses: list[float] = []
    for step, numbers in enumerate(_batches(trial), 1):
        net.train()
        logits = net(torch.from_numpy(clips.frames[numbers].astype(np.float32)))
        loss = loss_of(logits, asked[torch.from_numpy(numbers)], trial.labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if step % each == 0 or step == trial.steps:
            told(step, float(np.mean(losses[-each:])), net)
    return net


def _batches(trial: Trial) -> Iterator[NDArray[np.int64]]:
    """Numbers of clips, in an order drawn anew each time all were seen."""
    rng = np.random.default_rng(trial.seed)
    waiting = np.zeros(0, np.int64)
    for _ in range(trial.steps):
        while len(waiting) < trial.batch:
            waiting = np.concatenate((waiting, rng.permutation(trial.clips)))
        yield waiting[: trial.batch]
        waiting = waiting[trial.batch :]


def climbed(trial: Trial, yardstick: Yardstick, curve_every: int | None = None) -> tuple[dict[str, Any], LectureNet]:
    """A line of the results, with a learning curve if one is asked for, and the net."""
    curve: list[dict[str, Any]] = []
    away_s = 0.0

    def told(step: int, loss: float, net: LectureNet) -> None:
        nonlocal away_s
        if curve_every:
            before_s = time.process_time()
            measured = yardstick.measure(net, trial.front) if step < trial.steps else {}
            curve.append({"step": step, "loss": round(loss, 4), **measured})
            away_s += time.process_time() - before_s

    rendered(trial.front, trial.scenes, trial.clips)
    begun_s = time.process_time()
    net = trained(trial, curve_every or trial.steps, told)
    training_cpu_s = time.process_time() - begun_s - away_s
    measured = yardstick.measure(net, trial.front)
    if curve:
        curve[-1] |= measured
    line = {
        **trial.key, **measured, "front": trial.front.name, "training_cpu_s": round(training_cpu_s, 1),
        "work_per_s": round(trial.design.work(trial.front)), "weights": sum(each.numel() for each in net.parameters()),
        "curve": curve,
    }  # fmt: skip
    return line, net
