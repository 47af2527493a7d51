"""The lecture's scenes, and what turns them into frames.

S samples, T frames, F bins or bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples
from kws.config import FrontEnd
from kws.events import Event
from kws.features import LogMel, hann
from synth.bank import Bank, Clip, starter_bank
from synth.devices import NEUTRAL
from synth.scene import Noise, Ranges, Scene
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
Frames = NDArray[np.float32]


@lru_cache(maxsize=8)
def banks(split: Split, each: int | None = None, *, near: bool = False) -> Bank:
    """The three banks' words: the starter bank's positives and single other words, the first so many of each.

    They are drawn by lot, so the first few come from as many voices. `near`: what sounds like the word, too.
    """
    whole = starter_bank()
    lots: list[Clip] = []
    for kind in ("positive", "negative", *(["near-miss"] if near else [])):
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
    near: bool = False
    """Whether what sounds like the word is among the negatives."""

    @cached_property
    def stage(self) -> Stage:
        """The stage they are played on."""
        return Stage(WORD, [banks(self.split, self.each, near=self.near)], split=self.split, ranges=self.ranges)

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) and events of a clip."""
        take = self.stage.render(self.scene(number))
        return take.samples, take.events

    def scene(self, number: int) -> Scene:
        """What is drawn for a clip; with few backgrounds, over one of those."""
        scene = self.stage.draw(np.random.default_rng([self.seed, number]))
        return scene if self.each is None else replace(scene, noises=self._noises(number % self.each))

    def _noises(self, number: int) -> tuple[Noise, ...]:
        return self.stage.draw(np.random.default_rng([self.seed, number])).noises


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
