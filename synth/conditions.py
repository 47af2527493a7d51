"""The four conditions a detector is measured in: clean, six talkers, music, and a far room with steady noise.

A setting is drawn first, then applied; the same setting and clip give the same samples. S samples, 16 kHz.
SNR is active-speech RMS over noise RMS across the word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples, active_rms, amplitude, decibels, read_audio, rms, word_edges
from kws.errors import Failure
from synth.noises import coloured
from synth.rooms import Room, draw_room, impulse_response

CONDITIONS: dict[str, tuple[str, float | None]] = {
    "clean": ("none", None),
    "babble_10db": ("babble", 10.0),
    "music_5db": ("music", 5.0),
    "far": ("stationary", 15.0),
}
"""Name: what is heard beside the word, and at what SNR in decibels."""

TALKERS = 6
MARGIN_S = 1.5
"""Noise before and after the clip, so that the word does not come with its onset."""
NEAR_M, NEAR_RT60_S, NEAR_SHARE = (0.3, 1.5), (0.15, 0.4), 0.7
"""Distance and reverberation of the small rooms, and the share of clips that get one."""
FAR_M, FAR_RT60_S = (3.0, 3.0), (0.4, 0.7)
_FADE_S = 0.05
_PEAK = 0.99
_AUDIBLE = 0.3
"""A stretch of noise is taken if its RMS across the word is at least this part of its file's."""
_SILENT = 1e-5
"""RMS below which a file holds no sound."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What surrounds a word; a value, drawn apart from applying it."""

    condition: str
    noise: str
    """none, babble, music or stationary."""
    snr_db: float | None
    level_db: float | None
    """Active-speech RMS in dB of full scale; None leaves it as recorded."""
    room: Room | None
    pieces: tuple[tuple[int, float], ...] = ()
    """Which sound and how far into it (0 to 1), one for each talker or tune."""
    colour: float = 0.0
    """Power of stationary noise goes with frequency to this exponent: 0 white, -1 pink, -2 brown."""
    seed: int = 0
    """Of the stationary noise."""

    def about(self) -> dict[str, Any]:
        """What a manifest says of it."""
        said: dict[str, Any] = {"condition": self.condition}
        if self.snr_db is not None:
            said["snr_db"] = self.snr_db
        if self.room is not None:
            said |= {"distance_m": round(self.room.distance_m, 2), "rt60_s": round(self.room.rt60_s, 2)}
        return said


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A word in its surroundings."""

    samples: Samples
    start: float
    """Seconds to the word's first audible frame."""
    end: float
    level_db: float
    """Active-speech RMS in dB of full scale, after the level was lowered to keep the peak whole."""


class Noises:
    """The speech and music of one split that words are set among; files are read when first needed."""

    def __init__(self, speech: Sequence[Path], music: Sequence[Path]) -> None:
        """Raises Failure unless there are at least six files of speech and one of music."""
        if len(speech) < TALKERS or not music:
            raise Failure(
                f"babble needs {TALKERS} files of human speech and music at least one, got {len(speech)} and "
                f"{len(music)}: add some to the folder of sound."
            )
        self.speech = [Sound(path) for path in speech]
        self.music = [Sound(path) for path in music]

    @property
    def digests(self) -> list[str]:
        """The contents of all files."""
        return [sound.digest for sound in self.speech + self.music]


class Sound:
    """A sound file, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def samples(self) -> Samples:
        """(S,) float32."""
        return read_audio(self.path)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def rms(self) -> float:
        """RMS of the whole file."""
        return rms(self.samples)

    def excerpt(self, place: float, length: int, word: slice) -> Samples:
        """So many samples from `place` (0 to 1) on, moved on second by second until they sound across the word."""
        start = int(place * len(self.samples))
        for _ in range(len(self.samples) // RATE_HZ + 1):
            found = np.take(self.samples, np.arange(start, start + length), mode="wrap")
            if rms(found[word]) >= max(_AUDIBLE * self.rms, _SILENT):
                return found
            start += RATE_HZ
        raise Failure(f"{self.path} is silent, so it cannot serve as noise: take it out of the folder.")


def draw_setting(
    condition: str, noises: Noises, draw: np.random.Generator, *, level_db: float | None = None, rooms: bool = True
) -> Setting:
    """Draw what surrounds a word in one of CONDITIONS; with `rooms` false only a far word gets a room."""
    noise, snr_db = CONDITIONS[condition]
    room = None
    if condition == "far":
        room = draw_room(draw, distance_m=FAR_M, rt60_s=FAR_RT60_S)
    elif draw.random() < NEAR_SHARE and rooms:
        room = draw_room(draw, distance_m=NEAR_M, rt60_s=NEAR_RT60_S)
    sounds, count = {"babble": (noises.speech, TALKERS), "music": (noises.music, 1)}.get(noise, ([], 0))
    chosen = [int(index) for index in draw.choice(len(sounds), count, replace=False)] if count else []
    return Setting(
        condition=condition,
        noise=noise,
        snr_db=snr_db,
        level_db=level_db,
        room=room,
        pieces=tuple((index, float(draw.random())) for index in chosen),
        colour=float(draw.uniform(-2, 0)),
        seed=int(draw.integers(2**31)),
    )


def apply(setting: Setting, clip: Samples, noises: Noises) -> Rendered:
    """Set a clip's word in its surroundings; its edges stay the dry clip's: a room is cut to its direct path."""
    start_s, end_s = word_edges(clip)
    margin = 0 if setting.noise == "none" else round(MARGIN_S * RATE_HZ)
    word = slice(margin + round(start_s * RATE_HZ), margin + round(end_s * RATE_HZ))
    wet = clip if setting.room is None else _reverberate(clip, setting.room)
    wet = np.pad(wet, margin).astype(np.float64)
    level_db = setting.level_db
    if level_db is None:
        level_db = decibels(active_rms(clip[word.start - margin : word.stop - margin]))
    wet *= amplitude(level_db) / active_rms(wet[word].astype(np.float32))
    if setting.snr_db is not None:
        noise = _fade(_noise(setting, noises, len(wet), word))
        wet += noise * (amplitude(level_db - setting.snr_db) / rms(noise[word]))
    peak = float(np.abs(wet).max())
    if peak > _PEAK:
        wet *= _PEAK / peak
        level_db += decibels(_PEAK / peak)
    return Rendered(
        samples=wet.astype(np.float32),
        start=word.start / RATE_HZ,
        end=word.stop / RATE_HZ,
        level_db=level_db,
    )


def stretch(clip: Samples, tempo: float) -> Samples:
    """Say a clip faster (above 1) or slower at the same pitch."""
    import librosa

    return np.asarray(librosa.effects.time_stretch(clip, rate=tempo), np.float32)


def _reverberate(clip: Samples, room: Room) -> Samples:
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(clip, impulse_response(room)), np.float32)


def _noise(setting: Setting, noises: Noises, length: int, word: slice) -> Samples:
    if setting.noise == "stationary":
        white = np.random.default_rng(setting.seed).standard_normal(length, dtype=np.float32)
        return coloured(white, setting.colour)
    sounds = noises.speech if setting.noise == "babble" else noises.music
    voices = [sounds[index].excerpt(place, length, word) for index, place in setting.pieces]
    return np.asarray(np.sum([voice / active_rms(voice) for voice in voices], axis=0), np.float32)


def _fade(noise: Samples) -> Samples:
    ramp = np.linspace(0, 1, round(_FADE_S * RATE_HZ), dtype=np.float32)
    faded = noise.copy()
    faded[: len(ramp)] *= ramp
    faded[-len(ramp) :] *= ramp[::-1]
    return faded
