"""What `scripts/reproduce_lecture` is made of: the lecture's scenes, spectrograms, nets and labels, and one trainer.

S samples, B clips, T frames, F bins or bands, N steps, C channels, H hidden units, K thresholds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kws.audio import RATE_HZ, Samples
from kws.config import Decision, FrontEnd
from kws.det import Rule, false_accepts, fire, grid, heard
from kws.evaluate import WINDOW_S
from kws.events import Event
from kws.features import LogMel, hann
from synth.bank import Bank, Clip, starter_bank
from synth.devices import NEUTRAL
from synth.generate import perform
from synth.scene import Ranges
from synth.stage import Stage
from synth.voices import Split

WORD = "activate"
CLIP_S = 10.0
COURSE_HZ = 44_100
RUN_S = 50 * CLIP_S / 1375
"""The lecture's fifty ones after a word, of 1,375 steps in ten seconds: 0.36 s."""
SCENES = Ranges(
    duration_s=CLIP_S, level_db=(-32.0, -22.0), word_level_db=(-3.0, 3.0), no_room=1.0, pace=(1.0, 1.0),
    gap_s=(0.2, 2.0), tight=0.0, positives=(0.2,) * 5, negatives=(0, 2), partial=0.0, swapped=0.0, noises=(0.0, 1.0),
    noise=(("coloured", 0.3), ("babble", 0.3), ("music", 0.2), ("effects", 0.2)), snr_db=(5.0, 25.0), noise_in_room=0.0,
    recorded=0.0, wordless=0.0, device=NEUTRAL,
)  # fmt: skip
"""Up to four positives and two negatives without overlap over one background, close by, as the lecture mixes them."""
RATES = (1.0, 2.0, 4.0, 8.0)
"""False accepts per hour over which misses are averaged."""

Frames = NDArray[np.float32]
Labels = Literal["run", "step", "clip"]


@lru_cache(maxsize=8)
def banks(split: Split, each: int | None = None) -> Bank:
    """The three banks' words: the starter bank's positives and single other words, the first so many of each.

    They are drawn by lot, so the first few come from as many voices.
    """
    whole = starter_bank()
    lots: list[Clip] = []
    for kind in ("positive", "negative"):
        clips = [clip for clip in whole.select(split) if clip.kind == kind]
        order = np.random.default_rng(0).permutation(len(clips))
        lots += [clips[number] for number in order[:each]]
    return replace(whole, clips=tuple(lots))


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Clips by number, of banks with so many distinct recordings."""

    split: Split = "train"
    seed: int = 0
    ranges: Ranges = SCENES
    each: int | None = None
    """Distinct positives, as many distinct negatives and backgrounds; None for all there are."""

    @cached_property
    def stage(self) -> Stage:
        """The stage they are played on."""
        return Stage(WORD, [banks(self.split, self.each)], split=self.split, ranges=self.ranges)

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) and events of a clip; with few backgrounds, one of those."""
        if self.each is None:
            take = perform(self.stage, self.seed, number)
        else:
            scene = self.stage.draw(np.random.default_rng([self.seed, number]))
            other = self.stage.draw(np.random.default_rng([self.seed, number % self.each]))
            take = self.stage.render(replace(scene, noises=other.noises))
        return take.samples, take.events


@dataclass(frozen=True, kw_only=True)
class Front:
    """What turns sound into frames."""

    name: str
    frames: Callable[[Samples], Frames]
    """(T, F) of (S,) at 16 kHz."""
    bins: int
    window_s: float
    hop_s: float


def spectrogram(samples: Samples, *, rate_hz: int, window: int, hop: int) -> Frames:
    """Log power (T, window // 2 + 1) of sound brought to that rate, Hann windows, no padding."""
    import soxr

    at_rate = samples if rate_hz == RATE_HZ else soxr.resample(samples, RATE_HZ, rate_hz)
    windows = np.lib.stride_tricks.sliding_window_view(at_rate.astype(np.float32), window)[::hop]
    spectrum = np.fft.rfft(windows * hann(window))
    return np.log(np.square(np.abs(spectrum)) + 1e-6).astype(np.float32)


def log_mel(samples: Samples, *, front_end: FrontEnd) -> Frames:
    """Our front end (T, M) over sound brought to its rate."""
    import soxr

    at_rate = samples if front_end.rate_hz == RATE_HZ else soxr.resample(samples, RATE_HZ, front_end.rate_hz)
    return _tables(front_end)(np.asarray(at_rate, np.float32))


@lru_cache
def _tables(front_end: FrontEnd) -> LogMel:
    return LogMel(front_end)


COURSE = Front(
    name="101 bins x 5511 steps", frames=partial(spectrogram, rate_hz=COURSE_HZ, window=200, hop=80), bins=101,
    window_s=200 / COURSE_HZ, hop_s=80 / COURSE_HZ,
)  # fmt: skip
"""As in the course's assignment: 4.5 ms windows, every 1.8 ms, to 22 kHz."""
COARSER = Front(
    name="101 bins x 998 steps", frames=partial(spectrogram, rate_hz=8_000, window=200, hop=80), bins=101,
    window_s=0.025, hop_s=0.01,
)  # fmt: skip
"""Other Fourier settings: 25 ms windows, every 10 ms, to 4 kHz."""


def mel_front(front_end: FrontEnd) -> Front:
    """Log-mel of a configuration."""
    return Front(
        name=f"{front_end.bands} bands, {front_end.rate_hz / 1000:g} kHz", frames=partial(log_mel, front_end=front_end),
        bins=front_end.bands, window_s=front_end.window_s, hop_s=front_end.hop_s,
    )  # fmt: skip


OURS = mel_front(FrontEnd())


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
    scenes: Scenes = Scenes()
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
        return told | {"batch": self.batch, "seed": self.seed, "each": self.scenes.each, "design": asdict(self.design)}


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Frames (K, T, F) of clips in half precision, and their events."""

    frames: NDArray[np.float16]
    events: tuple[tuple[Event, ...], ...]


@lru_cache(maxsize=2)
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
    talk: tuple[Samples, ...] = ()
    """Recorded human speech."""

    def measure(self, net: LectureNet, front: Front) -> dict[str, Any]:
        """FRR at RATES and their mean; median seconds from a word's end to its detection at 2 an hour."""
        rule, thresholds = net.design.rule(front, Decision(threshold=0.5)), grid()
        said = rendered(front, Scenes(split="validation", ranges=replace(SCENES, positives=(0.0, 1.0))), self.words)
        silent = rendered(
            front, Scenes(split="validation", seed=1, ranges=replace(SCENES, positives=(1.0,))),
            round(3600 * self.hours / CLIP_S),
        )  # fmt: skip
        tracks = [*scored(net, silent.frames), *(scored(net, front.frames(sound)[None])[0] for sound in self.talk)]
        hours = self.hours + sum(len(sound) for sound in self.talk) / RATE_HZ / 3600
        accepts = false_accepts(tracks, rule, thresholds)
        missed, lags = np.zeros(len(thresholds)), []
        scores = scored(net, said.frames)
        at = [int(np.flatnonzero(accepts <= rate * hours)[0]) for rate in RATES]
        for found, events in zip(scores, said.events, strict=True):
            window_s = events[0].start + WINDOW_S[0], events[0].end + WINDOW_S[1]
            missed += ~heard(found, window_s, rule, thresholds)
            times = fire(found, rule.at(thresholds[at[1]]))
            lags += [time_s - events[0].end for time_s in times if window_s[0] <= time_s <= window_s[1]][:1]
        frr = [round(float(missed[place] / self.words), 4) for place in at]
        return {
            "frr": frr, "mean_frr": round(float(np.mean(frr)), 4), "hours": round(hours, 3), "words": self.words,
            "lag_s": round(float(np.median(lags)), 3) if lags else None,
        }  # fmt: skip


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
    begun_s = time.process_time()
    away_s = 0.0

    def told(step: int, loss: float, net: LectureNet) -> None:
        nonlocal away_s
        before_s = time.process_time()
        if curve_every and step < trial.steps:
            curve.append({"step": step, "loss": round(loss, 4), **yardstick.measure(net, trial.front)})
        elif curve_every:
            curve.append({"step": step, "loss": round(loss, 4)})
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
