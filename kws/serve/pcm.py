"""Sound as clients send it: raw PCM of another rate, width and number of channels, turned into ours as a stream.

S samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples
from kws.errors import Misuse

PIECE_S = 1.0
"""Sound converted and heard at once, so that a client with much of it holds up no other."""

_KINDS = {2: "<i2", 4: "<i4"}
_RATES_HZ = (8_000, 192_000)
_MOST_CHANNELS = 8


@dataclass(frozen=True, kw_only=True)
class Format:
    """What a client's bytes mean: signed, little-endian, channel by channel."""

    rate_hz: int = RATE_HZ
    width: int = 2
    """Bytes of a sample."""
    channels: int = 1

    def __post_init__(self) -> None:
        _check("the rate", self.rate_hz, _RATES_HZ[0] <= self.rate_hz <= _RATES_HZ[1], "from 8000 to 192000 Hz")
        _check("the width", self.width, self.width in _KINDS, "2 or 4 bytes (s16le or s32le)")
        _check("the number of channels", self.channels, 1 <= self.channels <= _MOST_CHANNELS, "from 1 to 8")

    def pieces(self, data: bytes) -> Iterator[memoryview]:
        """The bytes, cut into stretches of PIECE_S. Raises Misuse if they are not a whole number of samples."""
        frame = self.width * self.channels
        if len(data) % frame:
            raise Misuse(f"{len(data)} bytes of sound are not a whole number of samples of {frame} bytes.")
        size = round(PIECE_S * self.rate_hz) * frame
        for start in range(0, len(data), size):
            yield memoryview(data)[start : start + size]


class Converter:
    """Turns the bytes of one stream into samples."""

    def __init__(self, pcm: Format) -> None:
        self._pcm = pcm
        self._resampler: Any = None
        if pcm.rate_hz != RATE_HZ:
            import soxr

            self._resampler = soxr.ResampleStream(pcm.rate_hz, RATE_HZ, 1, dtype="float32")

    def __call__(self, data: memoryview, *, last: bool = False) -> Samples:
        """(S,) more samples at 16 kHz; what the resampler holds back comes with the `last` ones."""
        kind = np.dtype(_KINDS[self._pcm.width])
        values = np.frombuffer(data, kind).reshape(-1, self._pcm.channels)
        mono = values.mean(axis=1, dtype=np.float32) / np.float32(-np.iinfo(kind).min)
        return mono if self._resampler is None else np.asarray(self._resampler.resample_chunk(mono, last=last))


def _check(name: str, value: object, is_right: bool, wanted: str) -> None:
    if not is_right:
        raise Misuse(f"{name} must be {wanted}, got {str(value)[:20]}.")
