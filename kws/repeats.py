"""Recordings that are there more than once: shares over them say less than their number promises.

K recordings, S samples, T frames, B bands. What tells them apart is a small picture of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kws.audio import Samples
from kws.config import FrontEnd
from kws.features import LogMel

_SAME = 0.98
"""Correlation from which two are one recording: copies at other levels reach 0.99, two takes of one speaker 0.97."""
_DEPTH = 9.0
"""Nepers below the loudest that are looked at."""
_POOLED = 2
"""Frames, and bands, taken together."""
_FRAMES = 512
_LONGEST_S = 2.5


Picture = NDArray[np.float32]
"""(T, B): a log-mel made smaller."""


def copies(conditions: Iterable[Sequence[tuple[str, Picture]]]) -> frozenset[str]:
    """The sources, of (source, utterance) pairs by condition, that are copies of others: in one condition, in all."""
    return frozenset(
        said[number][0]
        for said in conditions
        for number, first in enumerate(first_alike([seen for _, seen in said]))
        if first != number
    )


def first_alike(pictures: Sequence[Picture]) -> NDArray[np.int64]:
    """For each of K utterances, the number of the first that is the same recording, at whatever level (K,)."""
    first = np.arange(len(pictures))
    spectra = np.zeros((len(pictures), _FRAMES // 2 + 1, FrontEnd().bands // _POOLED), np.complex64)
    for number, seen in enumerate(pictures):
        norm = float(np.linalg.norm(seen))
        if norm < 1:
            continue
        spectra[number] = np.fft.rfft(seen / norm, _FRAMES, axis=0)
        crossed = np.einsum("ktb,tb->kt", spectra[:number], spectra[number].conj())
        likeness = np.fft.irfft(crossed, _FRAMES, axis=1).max(axis=1, initial=0)
        if number and likeness.max() > _SAME:
            first[number] = first[int(likeness.argmax())]
    return first


def picture(samples: Samples) -> Picture:
    """Of an utterance (S,): its log-mel made smaller, of depth _DEPTH at most and without its mean, so that level does
    not matter.
    """
    frames = _log_mel()(samples[: round(_LONGEST_S * FrontEnd().rate_hz)])
    if len(frames) < _POOLED:
        return np.zeros((1, frames.shape[1] // _POOLED), np.float32)
    whole = frames[: len(frames) // _POOLED * _POOLED]
    small = whole.reshape(-1, _POOLED, whole.shape[1] // _POOLED, _POOLED).mean(axis=(1, 3))
    shallow = np.maximum(small, small.max() - _DEPTH)
    centred: Picture = shallow - shallow.mean()
    return centred


@cache
def _log_mel() -> LogMel:
    return LogMel(FrontEnd())
