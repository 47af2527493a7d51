"""Recordings that are there more than once: shares over them say less than their number promises.

K recordings, S samples, T frames, B bands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def copies(conditions: Iterable[Sequence[tuple[str, Samples]]]) -> frozenset[str]:
    """The sources, of (source, utterance) pairs by condition, that are copies of others: in one condition, in all."""
    return frozenset(
        said[number][0]
        for said in conditions
        for number, first in enumerate(first_alike([samples for _, samples in said]))
        if first != number
    )


def first_alike(words: Sequence[Samples]) -> NDArray[np.int64]:
    """For each of K utterances (S,), the number of the first that is the same recording, at whatever level (K,)."""
    log_mel = LogMel(FrontEnd())
    first = np.arange(len(words))
    spectra = np.zeros((len(words), _FRAMES // 2 + 1, FrontEnd().bands // _POOLED), np.complex64)
    for number, samples in enumerate(words):
        picture = _picture(log_mel(samples[: round(_LONGEST_S * FrontEnd().rate_hz)]))
        norm = float(np.linalg.norm(picture))
        if norm < 1:
            continue
        spectra[number] = np.fft.rfft(picture / norm, _FRAMES, axis=0)
        crossed = np.einsum("ktb,tb->kt", spectra[:number], spectra[number].conj())
        likeness = np.fft.irfft(crossed, _FRAMES, axis=1).max(axis=1, initial=0)
        if number and likeness.max() > _SAME:
            first[number] = first[int(likeness.argmax())]
    return first


def _picture(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (T, B) made smaller, of depth _DEPTH at most and without their mean, so that level does not matter."""
    if len(frames) < _POOLED:
        return np.zeros((1, frames.shape[1] // _POOLED), np.float32)
    whole = frames[: len(frames) // _POOLED * _POOLED]
    small = whole.reshape(-1, _POOLED, whole.shape[1] // _POOLED, _POOLED).mean(axis=(1, 3))
    shallow = np.maximum(small, small.max() - _DEPTH)
    centred: NDArray[np.float32] = shallow - shallow.mean()
    return centred
