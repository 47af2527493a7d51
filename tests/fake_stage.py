"""A stage that needs no bank: short tones in noise, and the mishaps that tests ask for."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples
from kws.errors import Failure
from kws.events import Event


@dataclass(frozen=True, kw_only=True)
class FakeScene:
    number: int
    start_s: float
    pitch_hz: float


@dataclass(frozen=True, kw_only=True)
class FakeTake:
    samples: Samples
    events: tuple[Event, ...]
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FakeStage:
    fingerprint: str = "fake"
    seconds: float = 0.5
    slow_s: float = 0.0
    mishap: str = ""
    """failure, bug or kill: what befalls the rendering of a late start."""
    log: Path | None = None
    """Gets a line for every scene rendered."""

    def draw(self, rng: np.random.Generator) -> FakeScene:
        return FakeScene(
            number=int(rng.integers(2**31)),
            start_s=float(rng.uniform(0.05, 0.3)),
            pitch_hz=float(rng.uniform(200, 900)),
        )

    def render(self, scene: FakeScene) -> FakeTake:
        time.sleep(self.slow_s)
        if self.log:
            with self.log.open("a") as log:
                log.write(f"{scene.number}\n")
        if self.mishap and scene.start_s > 0.25:
            self._suffer()
        time_s = np.arange(round(self.seconds * RATE_HZ)) / RATE_HZ
        noise = np.random.default_rng(scene.number).normal(0, 0.01, len(time_s))
        heard = (time_s >= scene.start_s) & (time_s < scene.start_s + 0.1)
        samples = np.sin(2 * np.pi * scene.pitch_hz * time_s) * 0.5 * heard + noise
        return FakeTake(
            samples=samples.astype(np.float32),
            events=(Event(word="activate", start=scene.start_s, end=scene.start_s + 0.1),),
            about={"pitch_hz": scene.pitch_hz},
        )

    def _suffer(self) -> None:
        if self.mishap == "failure":
            raise Failure("the recording cannot be read.")
        if self.mishap == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ZeroDivisionError("a bug in the renderer")
