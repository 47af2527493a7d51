"""Sounds for tests of what is the same: alike to a codec, each with a shape of its own."""

from __future__ import annotations

import numpy as np

from kws.audio import RATE_HZ, Samples


def murmur(seed: int, seconds: float = 1.5) -> Samples:
    """Something like speech: tones that change every 80 ms, under noise."""
    draw = np.random.default_rng(seed)
    length = RATE_HZ * 8 // 100
    notes = [
        draw.uniform(0.05, 0.3) * np.sin(2 * np.pi * draw.uniform(150, 3500) * np.arange(length) / RATE_HZ)
        for _ in range(round(seconds / 0.08))
    ]
    return (np.concatenate(notes) + 0.01 * draw.standard_normal(len(notes) * length)).astype(np.float32)
