"""*The* log-mel: one formula for listening, training and measuring, and its stream.

S samples, T frames, M mel bands, F Fourier bins. A frame depends on its own window only: no centring, no padding, no
mean over the clip, so that offline and streaming cannot differ.
"""

from __future__ import annotations

import contextlib
import importlib

import numpy as np
from numpy.typing import NDArray

from kws.audio import Samples
from kws.config import FrontEnd

Frames = NDArray[np.float32]

_BLOCK = 48
"""Frames transformed at once: so few that what they need stays in the processor's cache, and that no library splits
their sums among threads: the last bits would depend on how many there are, and a busy machine would wait for them.
"""


def hann(window: int) -> NDArray[np.float32]:
    """Periodic Hann window (W,), as scipy.signal.get_window("hann")."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


def mel_filters(front_end: FrontEnd) -> NDArray[np.float32]:
    """Triangular filters (F, M) of peak 1, equally spaced on the HTK mel scale, m = 2595 log10(1 + f / 700).

    Equal to librosa.filters.mel(htk=True, norm=None), transposed. Source: S. Young et al., The HTK Book, section 5.4.
    """
    corners_hz = _corners_hz(front_end)
    bins_hz = np.fft.rfftfreq(front_end.window, 1 / front_end.rate_hz)
    rising = (bins_hz[:, None] - corners_hz[None, :-2]) / np.diff(corners_hz)[None, :-1]
    falling = (corners_hz[None, 2:] - bins_hz[:, None]) / np.diff(corners_hz)[None, 1:]
    filters: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return filters


def band_centres_hz(front_end: FrontEnd) -> NDArray[np.float64]:
    """Where each band's filter (M,) peaks."""
    return _corners_hz(front_end)[1:-1]


def _corners_hz(front_end: FrontEnd) -> NDArray[np.float64]:
    """Feet and peaks (M + 2,) of the filters: each begins at its neighbour's peak and ends at the next one's."""
    edges_mel = 2595 * np.log10(1 + np.array([front_end.low_hz, front_end.high_hz]) / 700)
    corners_hz: NDArray[np.float64] = 700 * (
        10 ** (np.linspace(edges_mel[0], edges_mel[1], front_end.bands + 2) / 2595) - 1
    )
    return corners_hz


class LogMel:
    """The front end of one configuration: tables made once, shared by every stream."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self._window = hann(front_end.window)
        self._filters = mel_filters(front_end)
        self._floor = np.float32(front_end.floor)

    @property
    def digest(self) -> str:
        """A fingerprint of the tables, kept in a detector so that a changed front end is noticed."""
        rounded = [np.round(table, 5).tobytes() for table in (self._window, self._filters)]
        return _sha256(b"".join(rounded))[:16]

    def __call__(self, samples: Samples) -> Frames:
        """Log-mel (T, M) of (S,) samples: the whole windows in them, none padded."""
        count = self.front_end.frames(len(samples))
        if count == 0:
            return np.zeros((0, self.front_end.bands), np.float32)
        windows = self._windows(samples, count)
        power = np.empty((count, self.front_end.bands), np.float32)
        for first in range(0, count, _BLOCK):
            block = slice(first, min(first + _BLOCK, count))
            spectrum = np.fft.rfft(windows[block] * self._window)
            power[block] = (np.square(spectrum.real) + np.square(spectrum.imag)) @ self._filters
        mel: Frames = np.log(power + self._floor)
        return mel

    def _windows(self, samples: Samples, count: int) -> Samples:
        """The first windows (T, W) of (S,) samples, as a view: for a hop's few, numpy's own takes longer to make one
        than to transform them.
        """
        step = samples.itemsize
        strides = (self.front_end.hop * step, step)
        return np.ndarray((count, self.front_end.window), np.float32, np.ascontiguousarray(samples), 0, strides)


class LogMelStream:
    """The same log-mel for sound that comes in chunks; keeps the samples that still belong to a coming window."""

    def __init__(self, log_mel: LogMel) -> None:
        self._log_mel = log_mel
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._held = np.zeros(0, np.float32)

    def feed(self, chunk: NDArray[np.float32] | NDArray[np.int16]) -> Frames:
        """The frames (T, M) that (S,) more samples complete. Raises ValueError for any other type or shape."""
        self.hold(chunk)
        frames = self._log_mel(self._held)
        self._held = self._held[len(frames) * self._log_mel.front_end.hop :]
        return frames

    def hold(self, chunk: NDArray[np.float32] | NDArray[np.int16]) -> None:
        """Keep (S,) more samples for the next feed. Raises ValueError as feed does."""
        self._held = np.concatenate((self._held, as_samples(chunk)))

    def frames_with(self, samples: int) -> int:
        """How many frames so many more samples would complete."""
        return self._log_mel.front_end.frames(len(self._held) + samples)


def as_samples(chunk: NDArray[np.float32] | NDArray[np.int16]) -> Samples:
    """Float32 samples in [-1, 1] from float32 or int16 ones. Raises ValueError for any other type or shape."""
    if chunk.ndim != 1:
        raise ValueError(f"expected mono samples of shape (S,), got {chunk.shape}: average the channels first")
    if chunk.dtype == np.int16:
        return np.asarray(chunk / np.float32(32768), np.float32)
    if chunk.dtype != np.float32:
        raise ValueError(f"expected float32 in [-1, 1] or int16 samples, got {chunk.dtype}: convert them first")
    if not np.isfinite(chunk).all():
        raise ValueError("the samples hold NaN or infinity: replace them, with zeros say, before feeding them")
    return np.asarray(chunk, np.float32)


def _sha256(data: bytes) -> str:
    """Python's own SHA-256 where it has one, as in `random`: hashlib loads OpenSSL, 3 MiB, for this one digest."""
    for own in ("_sha2", "_sha256"):  # since 3.12, and before
        with contextlib.suppress(ImportError):
            return str(importlib.import_module(own).sha256(data).hexdigest())
    import hashlib

    return hashlib.sha256(data).hexdigest()
