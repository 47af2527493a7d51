"""Sounds that are made, not recorded: coloured noise, mains hum, music, and the knocks, clicks and sweeps of a home.

A seed, or a generator, and a length give the same samples wherever they are made. S samples.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, amplitude

_WHITE = 2**22
"""Samples of white noise kept: drawing new ones for each scene would be dearer than its rooms."""
_SCATTER = 2_654_435_761
"""Sends neighbouring seeds to places far apart (multiplicative hashing: D. Knuth)."""
_HUM_TOP_HZ = 2000.0
_CYCLE = 1024
"""Samples of a wavetable."""
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
"""Semitones of major and natural minor."""
_CHORDS = ((0, 3, 4, 0), (0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 1, 4), (0, 6, 5, 4))
"""Degrees that four bars stand on."""


@lru_cache(maxsize=1)
def white_table() -> Samples:
    """White noise of RMS 1, of which `white_noise` gives stretches. Not to be written into."""
    return np.random.default_rng(0).standard_normal(_WHITE, dtype=np.float32)


def white_begin(seed: int, total: int) -> int | None:
    """Where in the table a seed's stretch of so many samples begins; None for one that is too long for it."""
    return None if total > _WHITE // 2 else seed * _SCATTER % (_WHITE - total)


def white_noise(seed: int, total: int) -> Samples:
    """White noise (S,) of RMS 1: a stretch of one long table, begun where the seed says. Not to be written into."""
    begin = white_begin(seed, total)
    if begin is None:
        return np.random.default_rng(seed).standard_normal(total, dtype=np.float32)
    return white_table()[begin : begin + total]


def coloured(white: Samples, colour: float) -> Samples:
    """Shape white noise (S,): power goes with frequency to the `colour`, -1 pink, -2 brown; flat below 20 Hz."""
    import scipy.fft

    spectrum = scipy.fft.rfft(white)
    spectrum *= np.exp(np.float32(colour / 2) * log_hz(len(white)))
    return np.asarray(scipy.fft.irfft(spectrum, len(white)), np.float32)


@lru_cache(maxsize=8)
def log_hz(total: int) -> NDArray[np.float32]:
    """Logarithm of the frequency of each Fourier bin of so many samples, that of 20 Hz for those below."""
    return np.asarray(np.log(np.maximum(np.fft.rfftfreq(total, 1 / RATE_HZ), 20.0)), np.float32)


def hum(seed: int, total: int, mains_hz: int) -> Samples:
    """The hum (S,) of mains and what hangs on them: harmonics that fall off, odd ones the louder."""
    rng = np.random.default_rng(seed)
    order = np.arange(1, int(_HUM_TOP_HZ / mains_hz) + 1)
    fall_db = rng.uniform(2, 12) * np.log2(order) + rng.normal(0, 5, len(order)) - 6 * (order % 2 == 0)
    spectrum = np.zeros(RATE_HZ // 2 + 1, np.complex64)
    spectrum[order * mains_hz] = 10 ** (-fall_db / 20) * np.exp(2j * np.pi * rng.random(len(order)))
    second = np.fft.irfft(spectrum).astype(np.float32)  # whole periods, as the mains run at whole Hertz
    return np.resize(second / np.sqrt(np.mean(np.square(second))), total)


def music(seed: int, total: int) -> Samples:
    """A tune (S,) over chords, bass and drums, in a tempo, key and timbres of its own."""
    rng = np.random.default_rng(seed)
    beat_s = 60 / rng.uniform(70, 150)
    scale = np.array(_SCALES[int(rng.integers(2))]) + int(rng.integers(36, 48))
    chords = _CHORDS[int(rng.integers(len(_CHORDS)))]
    layers = rng.random(4) < (0.8, 0.85, 0.75, 0.7)
    layers[1] |= not layers[:3].any()
    sound = np.zeros(total, np.float32)
    tables = [_timbre(rng) for _ in range(3)]
    fades = [amplitude(rng.uniform(-9, 0)) for _ in range(4)]
    degree = int(rng.integers(14, 22))
    beats = int(total / RATE_HZ / beat_s) + 1
    for beat in range(beats):
        root, at_s = chords[beat // 4 % 4], beat * beat_s
        if layers[0] and beat % 2 == 0:
            _note(sound, at_s, _pitch_hz(scale, root), 2 * beat_s, fades[0] * tables[0])
        if layers[1] and beat % 4 == 0:
            for step in (7, 9, 11):
                _note(sound, at_s, _pitch_hz(scale, root + step), 4 * beat_s, 0.5 * fades[1] * tables[1])
        if layers[2] and rng.random() < 0.8:
            degree = int(np.clip(degree + rng.integers(-2, 3), 12, 24))
            _note(sound, at_s, _pitch_hz(scale, degree), rng.uniform(0.5, 1.5) * beat_s, fades[2] * tables[2])
        if layers[3]:
            _drums(sound, at_s, beat, beat_s, fades[3])
    return sound


def _timbre(rng: np.random.Generator) -> NDArray[np.float32]:
    """One cycle of a tone with a few harmonics."""
    harmonics = np.zeros(_CYCLE // 2 + 1, np.complex64)
    order = np.arange(1, int(rng.integers(3, 9)))
    harmonics[order] = rng.uniform(0.3, 1, len(order)) / order ** rng.uniform(0.7, 2.5) * -1j
    cycle = np.fft.irfft(harmonics)
    return np.asarray(cycle / np.abs(cycle).max(), np.float32)


def _pitch_hz(scale: NDArray[np.int64], degree: int) -> float:
    octave, step = divmod(degree, len(scale))
    return float(440 * 2 ** ((scale[step] + 12 * octave - 69) / 12))


def _note(sound: Samples, at_s: float, pitch_hz: float, seconds: float, cycle: NDArray[np.float32]) -> None:
    """Add a plucked note."""
    at = round(at_s * RATE_HZ)
    time = np.arange(max(0, min(round(seconds * RATE_HZ), len(sound) - at)), dtype=np.float32)
    tone = cycle[(time * np.float32(pitch_hz * _CYCLE / RATE_HZ)).astype(np.int32) & (_CYCLE - 1)]
    attack = np.minimum(1, time / np.float32(0.01 * RATE_HZ))
    sound[at : at + len(time)] += tone * attack * _dying(len(time), seconds / 2.5)


def _drums(sound: Samples, at_s: float, beat: int, beat_s: float, level: float) -> None:
    """Add a bass drum or a snare, and two strokes on the hat."""
    if beat % 2 == 0:
        _thump(sound, at_s, 65.0, 0.08, 1.2 * level)
    else:
        _burst(sound, at_s, 0.06, 0.6 * level, beat)
    for half in (0.0, 0.5):
        _burst(sound, at_s + half * beat_s, 0.015, 0.25 * level, beat)


def effects(seed: int, total: int) -> Samples:
    """Things (S,) that are knocked, dropped, clicked and beeping, a few in each ten seconds."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(total, np.float32)
    seconds = total / RATE_HZ
    for _ in range(max(2, round(rng.uniform(0.5, 1.6) * seconds))):
        at_s, level = rng.uniform(0, seconds), amplitude(rng.uniform(-14, 0))
        kind = int(rng.integers(4))
        if kind == 0:
            _knocks(sound, rng, at_s, level)
        elif kind == 1:
            _sweep(sound, rng, at_s, level)
        else:
            strokes = int(rng.integers(1, 5)) if kind == 2 else int(rng.integers(4, 20))
            for stroke in range(strokes):
                later_s = at_s + stroke * rng.uniform(0.02, 0.12)
                _burst(sound, later_s, 10 ** rng.uniform(-3.2, -1.6), level, int(rng.integers(2**31)))
    return sound


def _knocks(sound: Samples, rng: np.random.Generator, at_s: float, level: float) -> None:
    """Add one to four knocks on the same thing."""
    pitches_hz, apart_s = rng.uniform(80, 900, 3), rng.uniform(0.12, 0.4)
    for knock in range(int(rng.integers(1, 5))):
        for pitch_hz in pitches_hz:
            _thump(sound, at_s + knock * apart_s, float(pitch_hz), rng.uniform(0.01, 0.06), level)


def _sweep(sound: Samples, rng: np.random.Generator, at_s: float, level: float) -> None:
    """Add a tone that glides, or a beep that stays."""
    at = round(at_s * RATE_HZ)
    total = max(0, min(round(rng.uniform(0.1, 0.9) * RATE_HZ), len(sound) - at))
    first_hz, last_hz = np.exp(rng.uniform(np.log(200), np.log(4000), 2))
    pitch_hz = np.linspace(first_hz, last_hz if rng.random() < 0.5 else first_hz, total)
    tone = np.sin(2 * np.pi / RATE_HZ * np.cumsum(pitch_hz))
    sound[at : at + total] += (level * tone * np.hanning(total) ** 0.25).astype(np.float32)


def _thump(sound: Samples, at_s: float, pitch_hz: float, dying_s: float, level: float) -> None:
    """Add a tone that dies away."""
    at = round(at_s * RATE_HZ)
    total = max(0, min(round(6 * dying_s * RATE_HZ), len(sound) - at))
    tone = np.sin(np.arange(total, dtype=np.float32) * np.float32(2 * np.pi * pitch_hz / RATE_HZ))
    sound[at : at + total] += np.float32(level) * tone * _dying(total, dying_s)


def _burst(sound: Samples, at_s: float, dying_s: float, level: float, seed: int) -> None:
    """Add noise that dies away."""
    at = round(at_s * RATE_HZ)
    total = max(0, min(round(6 * dying_s * RATE_HZ), len(sound) - at))
    sound[at : at + total] += np.float32(0.4 * level) * white_noise(seed, total) * _dying(total, dying_s)


def _dying(total: int, time_s: float) -> NDArray[np.float32]:
    return np.asarray(np.exp(np.arange(total, dtype=np.float32) * np.float32(-1 / (time_s * RATE_HZ))))
