"""What every adapter shares: how it talks to `kws evaluate --adapter`, and how its cost is measured.

An adapter runs in the environment of the engine that it adapts, so this needs numpy and nothing of ours. Its program
takes the name of a model and then answers as the head of kws/adapter.py tells; or, with --cost PCM, feeds itself that
file of 16-bit samples in chunks of 80 ms and prints one line of JSON: processor seconds per second of sound (feeding
alone), seconds from the start of the process until it was ready, peak resident memory, and how often it fired.

An engine whose words share most of the work may be given several models, joined by commas. It answers for the first;
with --kept FOLDER all scores are kept there, and a stream that was heard for one word is not heard again for the next.
N steps, W words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
CHUNK = RATE_HZ * 80 // 1000
BLOCK = CHUNK * 125
"""Samples read at once, between the stretches that are timed."""

Pcm = NDArray[np.int16]


class Engine(Protocol):
    """An engine that listens for one word, or for several."""

    word: str
    threshold: float
    """The score from which its makers take the word as heard."""
    step_s: float
    """Seconds from one score to the next."""
    first_s: float
    """Seconds of sound behind the first."""

    def reset(self) -> None:
        """Forget all sound."""

    def feed(self, pcm: Pcm) -> Sequence[float]:
        """The scores that more samples (S,) give."""


class Stepper:
    """An engine that gives a score for each stretch of one length, whatever lengths samples come in."""

    def __init__(self, length: int) -> None:
        """`length`: of a stretch, in samples."""
        self._length = length
        self.step_s = self.first_s = length / RATE_HZ
        self.reset()

    def begin(self) -> None:
        """Forget all sound that was scored."""
        raise NotImplementedError

    def score(self, stretch: Pcm) -> float | Sequence[float]:
        """The score that one more stretch gives, or those of several words (W,)."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget all sound."""
        self._left = np.zeros(0, np.int16)
        self.begin()

    def feed(self, pcm: Pcm) -> list[Any]:
        """The scores of the stretches that more samples make whole."""
        held = np.concatenate((self._left, pcm))
        past = len(held) // self._length * self._length
        self._left = held[past:]
        return [self.score(stretch) for stretch in held[:past].reshape(-1, self._length)]


class Kept:
    """What an engine said of streams, in a file for each word: what came before in a stream, and the scores it gave."""

    _DIGEST = 8

    def __init__(self, engine: Engine, places: Sequence[Path]) -> None:
        """`places`: a file for each of the engine's words."""
        self._engine = engine
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
        self._known, *_ = [self._read(place) for place in places]
        self._out = [place.open("ab", buffering=0) for place in places]
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._past, self._unheard = b"", list[Pcm]()
        self._engine.reset()

    def feed(self, pcm: Pcm) -> Sequence[float]:
        """The first word's scores (N,) of more samples; the engine hears them only if they are not known."""
        self._past = hashlib.blake2b(self._past + pcm.tobytes(), digest_size=self._DIGEST).digest()
        if self._past in self._known:
            self._unheard.append(pcm)
            return self._known[self._past]
        for before in self._unheard:
            self._engine.feed(before)
        self._unheard = []
        rows = np.asarray(self._engine.feed(pcm), "<f4").reshape(-1, len(self._out))
        for scores, out in zip(rows.T, self._out, strict=True):
            out.write(self._past + struct.pack("<I", len(scores)) + scores.tobytes())
        return [float(score) for score in rows[:, 0]]

    def _read(self, place: Path) -> dict[bytes, list[float]]:
        """What a file holds; what is left of a line that a stop cut off is taken away."""
        data = place.read_bytes() if place.is_file() else b""
        known, at = dict[bytes, list[float]](), 0
        while (begin := at + self._DIGEST + 4) <= len(data):
            (count,) = struct.unpack("<I", data[begin - 4 : begin])
            if begin + 4 * count > len(data):
                break
            known[data[at : at + self._DIGEST]] = np.frombuffer(data, "<f4", count, begin).tolist()
            at = begin + 4 * count
        if at < len(data):
            os.truncate(place, at)
        return known


def answer(engine: Engine, kept: Kept | None = None) -> None:
    """Say who it is, and score all that comes in. What is no number, as some make of silence, is 0."""
    about = {"word": engine.word, "threshold": engine.threshold, "step_s": engine.step_s, "first_s": engine.first_s}
    print(json.dumps(about), flush=True)
    sound, ear = sys.stdin.buffer, kept or engine
    while head := sound.read(4):
        if count := int.from_bytes(head, "little"):
            scores = np.asarray(ear.feed(np.frombuffer(sound.read(2 * count), "<i2")), float)
            firsts = scores[:, 0] if scores.ndim > 1 else scores
            print(json.dumps(np.clip(np.nan_to_num(firsts), 0.0, 1.0).tolist()), flush=True)
        else:
            ear.reset()


def cost(open_engine: Callable[[str], Engine], model: str, pcm: Path, started_s: float) -> dict[str, float]:
    """What listening costs."""
    engine = open_engine(model)
    ready_s, ready_cpu_s = time.time() - started_s, time.process_time()
    fired, cpu_s, fed = 0, 0.0, 0
    with pcm.open("rb") as sound:
        while len(block := np.fromfile(sound, np.int16, BLOCK)):
            chunks = [block[start : start + CHUNK] for start in range(0, len(block), CHUNK)]
            begin_s = time.process_time()
            scores = [engine.feed(chunk) for chunk in chunks]
            cpu_s += time.process_time() - begin_s
            fired += sum(int(np.sum(np.asarray(some) >= engine.threshold)) for some in scores)
            fed += len(block)
    return {
        "cpu_per_s": cpu_s / (fed / RATE_HZ), "ready_s": ready_s, "ready_cpu_s": ready_cpu_s,
        "peak_mib": peak_mib(), "fired": fired,
    }  # fmt: skip


def peak_mib() -> float:
    """Peak resident memory of this process; Linux's own count, since getrusage begins with the parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def main(open_engine: Callable[[str], Engine], usual: Callable[[str], Engine] | None = None) -> None:
    """The program of an adapter. `usual`: as its makers would run it, where scoring takes more than that."""
    parser = argparse.ArgumentParser(description="Score sound for kws evaluate --adapter, or measure what that costs.")
    parser.add_argument("model", help="or several, joined by commas, where the engine takes such")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where scores of streams are kept, word by word")
    parser.add_argument("--cost", type=Path, metavar="PCM")
    parser.add_argument("--started", type=float, default=0.0, help="when the process was started, by time.time()")
    asked = parser.parse_args()
    try:
        if asked.cost:
            print(json.dumps(cost(usual or open_engine, asked.model, asked.cost, asked.started)))
        else:
            engine = open_engine(asked.model)
            names = [Path(model).name for model in asked.model.split(",")]
            answer(engine, Kept(engine, [asked.kept / f"{name}.scores" for name in names]) if asked.kept else None)
    except KeyboardInterrupt:
        sys.exit(130)
