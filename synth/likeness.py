"""The same sound found again in other files, by what is heard rather than by its bytes.

A half second of each clip is sought by the shape of its spectrum, and what is likest is then compared wave by wave, so
that a copy is known after another codec, at another level and among other sounds.
T hops, B bands, N frames compared, S samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, read_audio

# What is compared: N frames of B bands, STEP hops apart, about half a second.
HOP, WINDOW, FFT, BANDS, FRAMES, STEP = 320, 640, 1024, 12, 12, 2
PROBE = HOP * ((FRAMES - 1) * STEP + 1)
LONG_S = 10.0
FLOOR = 1e-3
ALIKE, SAME = 0.8, 0.65
"""Least likeness of the bands worth a look, and correlation of the waves at which two sounds are one (measured on
tuxpaint: strangers stay below 0.5, copies through Opus lie above 0.8; 1 in 100 lies between)."""


def bands(samples: Samples) -> NDArray[np.float32]:
    """The logarithmic energy of (S,) samples in bands from 150 Hz to 4 kHz, (T, B)."""
    edges = np.round(np.geomspace(150, 4000, BANDS + 1) * FFT / RATE_HZ).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (0, WINDOW)), WINDOW)[::HOP]
    found = np.empty((len(frames), BANDS), np.float32)
    for start in range(0, len(frames), 10_000):
        power = np.abs(np.fft.rfft(frames[start : start + 10_000] * np.hanning(WINDOW), FFT)) ** 2
        found[start : start + 10_000] = np.log(np.add.reduceat(power, edges, axis=1)[:, :BANDS] + FLOOR)
    return found


def shapes(samples: Samples) -> NDArray[np.float32]:
    """What begins at each hop of the sound, level and scale taken away: (T, B * N), each of length 1."""
    reach = (FRAMES - 1) * STEP + 1
    quiet = np.pad(bands(samples), ((0, reach - 1), (0, 0)), constant_values=np.log(FLOOR))
    found = np.lib.stride_tricks.sliding_window_view(quiet, reach, axis=0)[:, :, ::STEP].reshape(-1, BANDS * FRAMES)
    found = found - found.mean(axis=1, keepdims=True)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), FLOOR), np.float32)


def probes(samples: Samples) -> list[int]:
    """Where a clip is compared: at its loudest half second; a long one also at either end."""
    power = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    if len(samples) <= PROBE:
        return [0]
    loudest = int(np.argmax(power[PROBE:] - power[:-PROBE]))
    return [loudest, 0, len(samples) - PROBE] if len(samples) > LONG_S * RATE_HZ else [loudest]


def find_shared(clips: Sequence[Samples], files: Iterable[Path]) -> list[str | None]:
    """The name of the file that holds each clip, by its content; None for a clip that is in none of them."""
    asked = [(number, start) for number, clip in enumerate(clips) for start in probes(clip)]
    found: list[str | None] = [None] * len(clips)
    best = np.zeros(len(clips))
    if not asked:
        return found
    queries = np.stack([shapes(clips[number][start : start + PROBE])[0] for number, start in asked]).T
    for path in files:
        held = read_audio(path)
        likeness, places = _search(shapes(held), queries)
        for query in np.flatnonzero(likeness > ALIKE):
            number, start = asked[query]
            same = correlation(clips[number][start : start + RATE_HZ], held, int(places[query]) * HOP)
            if same > max(SAME, best[number]):
                best[number], found[number] = same, path.name
    return found


def _search(held: NDArray[np.float32], queries: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How alike the likeliest place of `held` is to each query, and where that is."""
    likeness, places = np.zeros(queries.shape[1], np.float32), np.zeros(queries.shape[1], int)
    for start in range(0, len(held), 2000):
        alike = held[start : start + 2000] @ queries
        where = alike.argmax(axis=0)
        peak = alike[where, np.arange(alike.shape[1])]
        places = np.where(peak > likeness, start + where, places)
        likeness = np.maximum(peak, likeness)
    return likeness, places


def correlation(samples: Samples, held: Samples, place: int) -> float:
    """The greatest correlation of the wave with what `held` has within a hop or so of a place."""
    from scipy.signal import correlate

    first = max(0, place - 2 * HOP)
    beside = held[first : place + len(samples) + 2 * HOP].astype(np.float64)
    beside = np.pad(beside, (0, max(0, len(samples) - len(beside))))
    power = np.concatenate(([0.0], np.cumsum(beside**2)))
    level = np.sqrt(np.maximum(power[len(samples) :] - power[: -len(samples)], 1e-9) * np.sum(samples**2.0))
    return float((correlate(beside, samples.astype(np.float64), mode="valid") / level).max())
