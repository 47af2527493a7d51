"""Sound as numbers: the one sample rate, reading and writing files, level and word edges.

S samples. Audio inside the project is float32 in [-1, 1], mono, 16 kHz.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.errors import Failure
from kws.files import write_whole

RATE_HZ = 16_000
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"})
"""File endings that a folder of recordings is searched for."""

MARGIN_S = 0.05
"""Kept on either side of a word that is cut out."""

EDGE_FRAME = RATE_HZ // 100
EDGE_RANGE_DB = 30.0
_OPUS_PACKING = 0.982
"""libsndfile's compression level for Opus, 256 - 250 x level kbit/s: 10.5 asked for, about 13 got."""

Samples = NDArray[np.float32]


def read_audio(path: Path) -> Samples:
    """Read a whole file as (S,) float32 at 16 kHz, channels averaged and other rates converted.

    Raises Failure with one sentence if the file is missing, empty, not audio, damaged or holds NaN.
    """
    import soundfile

    if not path.is_file():
        raise Failure(f"{path} does not exist: name an audio file ({', '.join(sorted(SUFFIXES))}).")
    if path.stat().st_size == 0:
        raise Failure(f"{path} is empty: record or export it again.")
    try:
        samples, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Failure(
            f"{path} cannot be read as audio ({_reason(error)}): it is damaged or not a sound file; "
            "convert it with: ffmpeg -i INPUT -ar 16000 -ac 1 OUTPUT.wav"
        ) from error
    mono = samples.mean(axis=1, dtype=np.float32)
    if len(mono) == 0:
        raise Failure(f"{path} holds no samples: record or export it again.")
    if not np.isfinite(mono).all():
        raise Failure(f"{path} holds values that are not numbers (NaN or infinity): export it again.")
    return resample(mono, rate_hz)


def pcm16(samples: Samples) -> NDArray[np.int16]:
    """(S,) samples as 16-bit ones, what lies beyond -1 and 1 clipped."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")


def resample(samples: Samples, rate_hz: int) -> Samples:
    """Convert (S,) samples at `rate_hz` to 16 kHz."""
    if rate_hz == RATE_HZ:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)


def write_audio(path: Path, samples: Samples) -> None:
    """Write 16-bit audio (the format follows the file's ending) aside, then rename it into place.

    It is encoded in memory first, since libsndfile does not notice a disk that is full. Raises Failure if the folder is
    missing, read-only or full; a half-written file is never left at `path`.
    """
    write_whole(path, encoded(samples, path.suffix))


def encoded(samples: Samples, suffix: str) -> bytes:
    """The content of a file of that ending that holds (S,) samples in 16 bits, what lies beyond -1 and 1 clipped."""
    import soundfile

    kind = {".ogg": "OGG", ".opus": "OGG"}.get(suffix.lower(), suffix[1:].upper())
    content = io.BytesIO()
    subtype = "OPUS" if kind == "OGG" else "PCM_16"
    packing = _OPUS_PACKING if subtype == "OPUS" else None
    soundfile.write(content, np.clip(samples, -1, 1), RATE_HZ, format=kind, subtype=subtype, compression_level=packing)
    return content.getvalue()


def rms(samples: Samples) -> float:
    """Root mean square of (S,) samples; 0 for none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def decibels(ratio: float) -> float:
    """20 log10 of an amplitude ratio, not below -200."""
    return 20 * float(np.log10(max(ratio, 1e-10)))


def amplitude(level_db: float) -> float:
    """The amplitude ratio of a level in decibels."""
    return float(10 ** (level_db / 20))


def word_edges(samples: Samples) -> tuple[float, float]:
    """Start and end in seconds of the word in a clip: the first and last 10 ms frame within 30 dB of the loudest.

    Raises ValueError if the clip is shorter than one frame.
    """
    levels = frame_levels(samples)
    if len(levels) == 0:
        raise ValueError(f"a word needs at least {EDGE_FRAME} samples, got {len(samples)}")
    loud = np.flatnonzero(levels >= levels.max() * amplitude(-EDGE_RANGE_DB))
    return float(loud[0] * EDGE_FRAME / RATE_HZ), float((loud[-1] + 1) * EDGE_FRAME / RATE_HZ)


def around(start_s: float, end_s: float) -> slice:
    """The samples of a word from start to end, and MARGIN_S on either side."""
    return slice(max(0, round((start_s - MARGIN_S) * RATE_HZ)), round((end_s + MARGIN_S) * RATE_HZ))


def frame_levels(samples: Samples) -> NDArray[np.float64]:
    """RMS of each whole 10 ms frame."""
    whole = samples[: len(samples) // EDGE_FRAME * EDGE_FRAME].reshape(-1, EDGE_FRAME)
    return np.asarray(np.sqrt(np.mean(np.square(whole, dtype=np.float64), axis=1)))


def active_rms(samples: Samples) -> float:
    """RMS over the frames within 30 dB of the loudest: the level of the speech, not of its pauses."""
    levels = frame_levels(samples)
    if len(levels) == 0:
        return rms(samples)
    active = levels[levels >= levels.max() * amplitude(-EDGE_RANGE_DB)]
    return float(np.sqrt(np.mean(np.square(active))))


def duration_s(path: Path) -> float:
    """Seconds of sound that a file's header promises; 0 if it cannot be read."""
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError):
        return 0.0


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
