"""Every number of the listening path, each in one place: seconds and Hertz go in, samples and frames come out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from kws.audio import RATE_HZ


class _Record:
    """A frozen dataclass that reads itself from the JSON of a detector file, refusing what it does not know."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build from a parsed JSON object; unknown keys are left out. Raises TypeError if one is missing."""
        known = cls.__dataclass_fields__  # type: ignore[attr-defined]
        return cls(**{key: value for key, value in values.items() if key in known})

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, kw_only=True)
class FrontEnd(_Record):
    """The log-mel front end."""

    rate_hz: int = RATE_HZ
    window_s: float = 0.032
    hop_s: float = 0.010
    bands: int = 40
    low_hz: float = 60.0
    high_hz: float = 7600.0
    floor: float = 1e-6
    """Added to the mel power before the logarithm."""

    @property
    def window(self) -> int:
        """Samples in a window, which is also the length of the Fourier transform."""
        return round(self.window_s * self.rate_hz)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop_s * self.rate_hz)

    def frames(self, samples: int) -> int:
        """Whole frames in so many samples."""
        return max(0, (samples - self.window) // self.hop + 1)


@dataclass(frozen=True, kw_only=True)
class Decision(_Record):
    """The rule that turns scores into detections."""

    threshold: float
    cooldown_s: float = 2.0
    """No second detection sooner than this after one."""
    warm_up_s: float = 0.5
    """Nothing is detected in the first seconds after a reset."""
    smoothing: int = 1
    """Scores averaged (the latest this many) before the comparison."""
    lag_s: float = 0.1
    """Median time from the word's end to the detection, so that `end` can be told from `time`."""


@dataclass(frozen=True, kw_only=True)
class Shape(_Record):
    """The size of the net: Conv1D + BatchNorm + GRU + one sigmoid a step."""

    channels: int = 96
    kernel: int = 9
    """Frames under the convolution."""
    stride: int = 3
    """Frames from one step to the next."""
    hidden: int = 96
    layers: int = 2
    members: int = 2
    """Nets of these sizes that listen side by side; their logits are averaged."""
    floor_db: float = 25.0
    """What lies so far below the loudest frame of late is drowned, as by noise: it differs more between rooms, devices
    and recordings than between words."""
    floor_s: float = 1.5
    """How late."""

    @property
    def floor_share(self) -> float:
        """Power of the floor for one of the loudest frame."""
        return float(10 ** (-self.floor_db / 10))

    def loud_frames(self, front_end: FrontEnd) -> int:
        """Frames among which the loudest is sought."""
        return round(self.floor_s / front_end.hop_s)

    def steps(self, frames: int) -> int:
        """Steps that so many frames give, from an empty state."""
        return max(0, (frames - self.kernel) // self.stride + 1)

    def most_steps(self, frames: int) -> int:
        """Steps that so many more frames give at most, from any state."""
        return -(-frames // self.stride)

    def first_score_s(self, front_end: FrontEnd) -> float:
        """Seconds of sound behind the first score."""
        return front_end.window_s + (self.kernel - 1) * front_end.hop_s

    def step_s(self, front_end: FrontEnd) -> float:
        """Seconds from one score to the next."""
        return self.stride * front_end.hop_s
