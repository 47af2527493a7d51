"""Further speakers made from one: another vocal tract, pitch, intonation, tempo or breath for a spoken clip.

WORLD takes the clip apart into pitch, envelope and breath, each is changed on its own, and WORLD puts it together
again. Source: M. Morise et al., WORLD: a vocoder-based high-quality speech synthesis system, 2016.

S samples, T analysis frames, B frequency bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, active_rms

Range = tuple[float, float]
Reference = Literal["own", "man"]
Grid = NDArray[np.float64]

MAN_HZ = 132.0
"""Median pitch of a grown man. Source of this and the next two: G. Peterson and H. Barney, Control methods used in a
study of the vowels, 1952, means over their ten vowels."""
_WOMAN_HZ = 223.0
_WOMAN_TRACT = 0.864
"""A woman's vocal tract over a man's, by the formants."""

_FRAME_MS = 5.0
_PITCH_HZ = (55.0, 600.0)
"""Where pitch is looked for, and where it stays."""
_FORMANTS = (0.7, 1.6)
"""The most that formants are moved."""
_TOP_HZ = 7600.0
"""Longer tracts bring down what lies above the band: there the envelope goes on as it is here."""
_BREATH_HZ = (500.0, 2500.0)
"""Breath is heard from the first on and is whole from the second."""
_SILENT = 1e-5


@dataclass(frozen=True, kw_only=True)
class Mouth:
    """How a clip is said again; the default changes nothing."""

    reference: Reference = "own"
    """Whose tract and pitch the next two are shares of: the clip's own speaker's, or a grown man's (MAN_HZ)."""
    tract: float = 1.0
    """Length of the vocal tract: the formants go with its inverse."""
    pitch: float = 1.0
    """Median of the pitch."""
    intonation: float = 1.0
    """Semitones away from that median, over the speaker's own: 0 is a monotone."""
    tempo: float = 1.0
    """Over the speaker's own: 2 is twice as fast."""
    breath: float = 0.0
    """Share of the voice above 2.5 kHz that becomes breath, in [0, 1]; less of it below."""


@dataclass(frozen=True, kw_only=True)
class MouthRanges:
    """What a mouth is drawn from.

    The ranges keep the word. Of 50 training clips of "activate", each said by three mouths, pocketsphinx picked the
    word out of 41: untransformed 90 %, adult 92 % (95 % interval 87 to 95), child 63 % (55 to 70); children played
    slower, which gives them a grown speaker's formants, 85 % (79 to 90): it knows grown speakers alone. Of 50 clips of
    the other words: 86, adult 77 (69 to 83), child 45 (37 to 53), played slower 73 % (66 to 80).
    Each change in steps: scripts/lab/intelligible.md, made by scripts/intelligible.
    """

    reference: Reference = "own"
    tract: Range = (0.9, 1.2)
    pitch: Range = (0.7, 1.25)
    intonation: Range = (0.5, 1.6)
    tempo: Range = (0.75, 1.4)
    breath: Range = (0.0, 0.5)

    @classmethod
    def adult(cls) -> MouthRanges:
        """A grown speaker's neighbours."""
        return cls()

    @classmethod
    def child(cls) -> MouthRanges:
        """Children, whoever speaks: 220 to 400 Hz and a tract clearly shorter than a woman's."""
        return cls(
            reference="man", tract=(0.68, 0.82), pitch=(220 / MAN_HZ, 400 / MAN_HZ),
            intonation=(0.8, 1.5), tempo=(0.75, 1.1), breath=(0.0, 0.3),
        )  # fmt: skip


def draw_mouth(rng: np.random.Generator, ranges: MouthRanges) -> Mouth:
    """Draw a mouth; ratios are drawn evenly on a logarithmic scale."""
    ratios = {name: _draw_ratio(rng, getattr(ranges, name)) for name in ("tract", "pitch", "intonation", "tempo")}
    return Mouth(reference=ranges.reference, **ratios, breath=float(rng.uniform(*ranges.breath)))


def said_by(samples: Samples, mouth: Mouth) -> Samples:
    """Say a clip (S,) with another mouth: (S / tempo,), as loud as before, or a little less where it would clip.

    The same clip and mouth give the same bytes every time. The neutral mouth and a silent clip give the clip itself.
    What comes back carries the vocoder's traces, so negatives must be said by as many other mouths as positives are.
    """
    if mouth == Mouth() or not np.any(np.abs(samples) > _SILENT):
        return samples
    import pyworld

    sound = samples.astype(np.float64)
    rough_hz, time_s = pyworld.dio(sound, RATE_HZ, *_PITCH_HZ, frame_period=_FRAME_MS)
    pitch_hz = pyworld.stonemask(sound, rough_hz, time_s, RATE_HZ)
    envelope = pyworld.cheaptrick(sound, pitch_hz, time_s, RATE_HZ, f0_floor=_PITCH_HZ[0])
    bins = envelope.shape[1]
    # Breath changes slowly and is the dearest to find, so it is looked for in every other frame.
    breath = pyworld.d4c(sound, pitch_hz[::2].copy(), time_s[::2].copy(), RATE_HZ, fft_size=2 * (bins - 1))
    median_hz = float(np.exp(np.median(np.log(pitch_hz[pitch_hz > 0])))) if np.any(pitch_hz) else None
    shift = _formant_shift(mouth, median_hz)
    said = pyworld.synthesize(
        _sung(pitch_hz, mouth, median_hz),
        _moved(envelope, shift),
        _breathed(_moved(np.repeat(breath, 2, axis=0)[: len(pitch_hz)], shift), mouth.breath),
        RATE_HZ, _FRAME_MS / mouth.tempo,
    )  # fmt: skip
    wanted = round(len(samples) / mouth.tempo)
    return _as_loud(np.pad(said, (0, max(0, wanted - len(said))))[:wanted], samples)


def _draw_ratio(rng: np.random.Generator, ratios: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(ratios))))


def _formant_shift(mouth: Mouth, median_hz: float | None) -> float:
    """What formants are multiplied by; whose tract it was is guessed from the pitch, between man and woman."""
    own = 1.0
    if mouth.reference == "man":
        middle_hz = np.sqrt(MAN_HZ * _WOMAN_HZ)
        own = np.interp(np.log(median_hz or middle_hz), np.log([MAN_HZ, _WOMAN_HZ]), [1.0, _WOMAN_TRACT])
    return float(np.clip(own / mouth.tract, *_FORMANTS))


def _sung(pitch_hz: Grid, mouth: Mouth, median_hz: float | None) -> Grid:
    """The pitch (T,) around its new median; 0 where there is no voice."""
    if median_hz is None:
        return pitch_hz
    target_hz = mouth.pitch * (MAN_HZ if mouth.reference == "man" else median_hz)
    voiced = pitch_hz > 0
    sung = np.zeros_like(pitch_hz)
    sung[voiced] = np.clip(target_hz * (pitch_hz[voiced] / median_hz) ** mouth.intonation, *_PITCH_HZ)
    return sung


def _moved(spectrum: Grid, shift: float) -> Grid:
    """A spectrum (T, B) with what was at a frequency at `shift` times that frequency."""
    bins = spectrum.shape[1]
    top = _TOP_HZ / (RATE_HZ / 2) * (bins - 1)
    wanted = np.arange(bins) / shift
    source = np.minimum(wanted, top) if shift < 1 else wanted
    below = np.minimum(source.astype(int), bins - 2)
    share = source - below
    return np.ascontiguousarray(spectrum[:, below] * (1 - share) + spectrum[:, below + 1] * share)


def _breathed(breath: Grid, more: float) -> Grid:
    """The share of breath (T, B) in the voice, raised where breath is heard."""
    frequency_hz = np.linspace(0, RATE_HZ / 2, breath.shape[1])
    return np.asarray(breath + (1 - breath) * more * np.interp(frequency_hz, _BREATH_HZ, (0.0, 1.0)))


def _as_loud(said: Grid, before: Samples) -> Samples:
    gain = active_rms(before) / max(active_rms(said.astype(np.float32)), _SILENT)
    return (said * min(gain, 1 / max(float(np.abs(said).max()), _SILENT))).astype(np.float32)
