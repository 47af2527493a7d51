"""Rooms: a shoebox, a mouth and a microphone, and the impulse response from one to the other.

Early reflections come from the image-source method (pyroomacoustics); the late tail, which by then is diffuse, is
exponentially decaying noise at the room's reverberation time, joined where the images leave off. S samples, R of a
response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kws.audio import RATE_HZ, Samples
from synth.noises import white_noise

_EARLY_ORDER = 8
_JOIN_S = 0.03
_NEAREST_WALL_M = 0.3
_GAP_S = 0.002
"""Between direct sound and first reflection of what is only roughly placed."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where the mouth and the microphone are."""

    size_m: tuple[float, float, float]
    rt60_s: float
    """Time for the sound to fall by 60 dB."""
    mouth_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]
    seed: int
    """Of the tail's noise."""

    @property
    def distance_m(self) -> float:
        """From mouth to microphone."""
        return float(np.linalg.norm(np.subtract(self.mouth_m, self.microphone_m)))


def draw_room(rng: np.random.Generator, *, distance_m: tuple[float, float], rt60_s: tuple[float, float]) -> Room:
    """Draw a room with mouth and microphone at a distance in the range (log-uniform) and an RT60 in its range."""
    wanted = float(np.exp(rng.uniform(*np.log(distance_m))))
    size = np.array([rng.uniform(2.5, 8.0), rng.uniform(2.5, 6.0), rng.uniform(2.3, 3.2)])
    size[0] = max(size[0], wanted + 2 * _NEAREST_WALL_M + 0.2)
    low, high = np.full(3, _NEAREST_WALL_M), size - _NEAREST_WALL_M
    while True:
        mouth = rng.uniform(low, high)
        direction = rng.normal(0, (1, 1, 0.3))
        microphone = mouth + direction / np.linalg.norm(direction) * wanted
        if np.all(microphone >= low) and np.all(microphone <= high):
            break
        if wanted > 2:  # a far pair seldom fits: lay it along the room's length
            mouth = np.array([low[0], *rng.uniform(low[1:], high[1:])])
            microphone = mouth + np.array([wanted, 0.0, 0.0])
            break
    return Room(
        size_m=_triple(size), rt60_s=float(rng.uniform(*rt60_s)), mouth_m=_triple(mouth),
        microphone_m=_triple(microphone), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def impulse_response(room: Room) -> Samples:
    """The response (R,), the direct sound first, scaled to energy 1: a room makes nothing louder."""
    import pyroomacoustics

    pyroomacoustics.constants.set("num_threads", 1)  # the bytes would depend on how many threads share the images
    volume, surface = float(np.prod(room.size_m)), 2 * float(np.sum(np.prod(room.size_m) / np.array(room.size_m)))
    # Sabine's formula; walls cannot absorb more than everything
    absorption = min(0.95, 24 * np.log(10) / 343 * volume / (surface * room.rt60_s))
    box = pyroomacoustics.ShoeBox(
        list(room.size_m), fs=RATE_HZ, materials=pyroomacoustics.Material(absorption), max_order=_EARLY_ORDER
    )
    box.add_source(list(room.mouth_m))
    box.add_microphone(list(room.microphone_m))
    box.compute_rir()
    early = np.asarray(box.rir[0][0], np.float64)
    direct = int(np.argmax(np.abs(early)))
    early = early[max(0, direct - 8) :] / early[direct]
    response = _with_tail(early, room)
    return np.asarray(response / np.sqrt(np.square(response).sum()), np.float32)


def diffuse_response(room: Room, distance_m: float, seed: int) -> Samples:
    """A response (R,) from elsewhere in the room, without images: the direct sound, then noise that dies away.

    How loud the noise is follows from the critical distance, 0.057 sqrt(V / RT60) metres (H. Kuttruff,
    Room Acoustics).
    """
    total = round(0.8 * room.rt60_s * RATE_HZ)
    decay = np.exp(np.arange(total, dtype=np.float32) * np.float32(-3 * np.log(10) / (room.rt60_s * RATE_HZ)))
    decay[: round(_GAP_S * RATE_HZ)] = 0
    critical_m = 0.057 * np.sqrt(np.prod(room.size_m) / room.rt60_s)
    response = white_noise(seed, total) * decay * np.float32(distance_m / critical_m / np.sqrt(np.square(decay).sum()))
    response[0] = 1
    return np.asarray(response, np.float32)


def convolved(samples: Samples, response: Samples) -> Samples:
    """The first S samples of a convolution of (S,) with (R,), in blocks that stay in the processor's cache."""
    import scipy.fft

    size = scipy.fft.next_fast_len(max(3 * len(response), 1024), real=True)
    step = size - len(response) + 1
    count = -(-len(samples) // step)
    blocks = np.zeros((count, step), np.float32)
    blocks.reshape(-1)[: len(samples)] = samples
    spectrum = scipy.fft.rfft(blocks, size)
    spectrum *= scipy.fft.rfft(response, size)
    pieces = scipy.fft.irfft(spectrum, size)
    blocks[:] = pieces[:, :step]
    blocks[1:, : len(response) - 1] += pieces[:-1, step:]
    return blocks.reshape(-1)[: len(samples)]


def _with_tail(early: np.ndarray, room: Room) -> np.ndarray:
    """Fade the images out and the diffuse tail in, at the level the images had around the join."""
    total = max(len(early), round(0.8 * room.rt60_s * RATE_HZ))
    join = round(_JOIN_S * RATE_HZ)
    level = np.sqrt(np.mean(np.square(early[join // 2 : join * 3 // 2]))) if len(early) > join else 0.0
    time_s = np.arange(total) / RATE_HZ
    tail = np.random.default_rng(room.seed).normal(0, level, total) * 10 ** (-3 * (time_s - _JOIN_S) / room.rt60_s)
    fade = np.clip((time_s - _JOIN_S) / _JOIN_S, 0, 1)
    return np.pad(early, (0, total - len(early))) * np.sqrt(1 - fade) + tail * np.sqrt(fade)


def _triple(point: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in point)
    return x, y, z
