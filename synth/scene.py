"""A scene as a value: which words, where, how loud, over what, in which room, through which microphone.

Everything random is decided in `draw_scene`; `synth.stage` renders a scene to sound without a further choice, so
rendering twice gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from synth.rooms import Room, draw_room

Range = tuple[float, float]
NoiseKind = Literal["coloured", "babble", "talk", "sound"]


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What a scene is drawn from. Levels in decibels, times in seconds."""

    duration_s: float = 10.0
    level_db: Range = (-45.0, -12.0)
    """Active RMS of the words, relative to full scale."""
    word_level_db: Range = (-6.0, 4.0)
    """One word against another in the same scene."""
    snr_db: Range = (-2.0, 30.0)
    """Active-speech RMS over noise RMS across the word."""
    floor_db: Range = (-85.0, -60.0)
    """The microphone's own noise."""
    distance_m: Range = (0.2, 4.5)
    rt60_s: Range = (0.15, 0.75)
    no_room: float = 0.2
    """Share of scenes spoken close to the microphone, without a room."""
    pace: Range = (0.86, 1.18)
    """Resampling of a word: tempo, pitch and formants together."""
    gap_s: Range = (0.15, 2.0)
    tight_gap_s: Range = (0.0, 0.06)
    tight: float = 0.45
    """Share of gaps that are those of running speech."""
    positives: tuple[float, ...] = (0.1, 0.3, 0.35, 0.25)
    """Chances of 0, 1, 2, 3 positives in a scene."""
    negatives: tuple[int, int] = (2, 6)
    partial: float = 0.15
    """Share of the negatives that are a part of the word: its beginning or its end."""
    noise: tuple[tuple[NoiseKind, float], ...] = (
        ("coloured", 0.35), ("babble", 0.25), ("talk", 0.2), ("sound", 0.2),
    )  # fmt: skip
    """Chances of each kind of noise; where no recorded sound is given, "sound" is coloured noise."""
    quiet: float = 0.12
    """Share of scenes with no noise but the floor."""
    recorded: float = 0.55
    """Share of scenes that are nothing but a stretch of recorded negatives, where those are given."""
    tilt_db: Range = (-9.0, 9.0)
    """Slope of the microphone's colour from 100 Hz to 8 kHz."""
    band_limited: float = 0.2
    """Share of microphones that hear only to `cut_hz`."""
    cut_hz: Range = (3300.0, 7000.0)


@dataclass(frozen=True, kw_only=True)
class Word:
    """One utterance in a scene."""

    clip: int
    """Its number among the clips of the stage."""
    kind: str
    text: str
    at_s: float
    """When the clip begins."""
    pace: float
    gain_db: float
    part: Range = (0.0, 1.0)
    """The share of the spoken word that is used."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What else is heard."""

    kind: NoiseKind
    snr_db: float
    colour: float = 0.0
    """Exponent of a coloured noise's power over frequency: 0 white, -1 pink, -2 brown."""
    talkers: tuple[int, ...] = ()
    """Clips of babble or talk, one after another, dealt to `voices` talkers."""
    voices: int = 1
    excerpt: tuple[int, float] | None = None
    """A recorded file's number and the share of it at which the excerpt begins."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Microphone:
    """How the sound is heard."""

    level_db: float
    floor_db: float
    tilt_db: float
    cut_hz: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A whole scene."""

    duration_s: float
    microphone: Microphone
    words: tuple[Word, ...] = ()
    room: Room | None = None
    noise: Noise | None = None
    recorded: tuple[int, float] | None = None
    """Instead of words: an excerpt of a recorded negative."""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """What may be drawn: numbers of clips by kind with their lengths, and of recorded files."""

    positive: tuple[int, ...]
    negative: tuple[tuple[int, ...], ...]
    """Groups of clips (near-misses, words, sentences), each as likely as the others."""
    sentences: tuple[int, ...]
    seconds: tuple[float, ...]
    """Length of every clip."""
    kinds: tuple[str, ...]
    texts: tuple[str, ...]
    talk_files: int = 0
    sound_files: int = 0


def draw_scene(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> Scene:
    """Draw one scene."""
    microphone = Microphone(
        level_db=rng.uniform(*ranges.level_db), floor_db=rng.uniform(*ranges.floor_db),
        tilt_db=rng.uniform(*ranges.tilt_db), seed=int(rng.integers(2**31)),
        cut_hz=rng.uniform(*ranges.cut_hz) if rng.random() < ranges.band_limited else 8000.0,
    )  # fmt: skip
    room = None
    if rng.random() >= ranges.no_room:
        room = draw_room(rng, distance_m=ranges.distance_m, rt60_s=ranges.rt60_s)
    noise = None if rng.random() < ranges.quiet else _draw_noise(rng, cast, ranges)
    if cast.talk_files + cast.sound_files and rng.random() < ranges.recorded:
        excerpt = (int(rng.integers(cast.talk_files + cast.sound_files)), float(rng.random()))
        return Scene(
            duration_s=ranges.duration_s, microphone=microphone, recorded=excerpt,
            room=room if rng.random() < 0.5 else None, noise=noise if rng.random() < 0.3 else None,
        )  # fmt: skip
    words = _draw_words(rng, cast, ranges)
    return Scene(duration_s=ranges.duration_s, microphone=microphone, words=words, room=room, noise=noise)


def _draw_words(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> tuple[Word, ...]:
    """Words one after another, never overlapping: what no longer fits is left out."""
    wanted = int(rng.choice(len(ranges.positives), p=ranges.positives))
    chosen = [int(rng.choice(cast.positive)) for _ in range(wanted)]
    fewest, most = ranges.negatives
    chosen += [_draw_negative(rng, cast) for _ in range(int(rng.integers(fewest, most + 1)))]
    rng.shuffle(chosen)
    words: list[Word] = []
    now_s = rng.uniform(0, 1.0)
    for clip in chosen:
        word = _draw_word(rng, cast, ranges, clip, now_s)
        length_s = cast.seconds[word.clip] * (word.part[1] - word.part[0]) / word.pace
        if now_s + length_s > ranges.duration_s - 0.4:
            continue
        words.append(word)
        gap = ranges.tight_gap_s if rng.random() < ranges.tight else ranges.gap_s
        now_s += length_s + rng.uniform(*gap)
    return tuple(words)


def _draw_negative(rng: np.random.Generator, cast: Cast) -> int:
    group = cast.negative[int(rng.integers(len(cast.negative)))]
    return int(group[int(rng.integers(len(group)))])


def _draw_word(rng: np.random.Generator, cast: Cast, ranges: Ranges, clip: int, at_s: float) -> Word:
    """A negative may instead become a part of the word itself: the beginning or the end of a positive."""
    part = (0.0, 1.0)
    kind, text = cast.kinds[clip], cast.texts[clip]
    pace, gain_db = rng.uniform(*ranges.pace), rng.uniform(*ranges.word_level_db)
    share = rng.uniform(0.25, 0.5)
    if kind not in {"positive", "sentence"} and rng.random() < ranges.partial:
        clip = int(rng.choice(cast.positive))
        part = (0.0, share) if rng.random() < 0.5 else (1 - share, 1.0)
        kind, text = "near-miss", f"part of {cast.texts[clip]}"
    return Word(clip=clip, kind=kind, text=text, at_s=at_s, pace=pace, gain_db=gain_db, part=part)


def _draw_noise(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> Noise:
    kinds = [kind for kind, _ in ranges.noise]
    kind = kinds[int(rng.choice(len(kinds), p=[chance for _, chance in ranges.noise]))]
    if kind == "sound" and not cast.sound_files:
        kind = "coloured"
    snr_db, seed = rng.uniform(*ranges.snr_db), int(rng.integers(2**31))
    if kind == "coloured":
        return Noise(kind=kind, snr_db=snr_db, seed=seed, colour=-rng.uniform(0, 2.2))
    if kind == "sound":
        excerpt = (cast.talk_files + int(rng.integers(cast.sound_files)), float(rng.random()))
        return Noise(kind=kind, snr_db=snr_db, excerpt=excerpt)
    if kind == "talk" and cast.talk_files and rng.random() < 0.6:
        return Noise(kind=kind, snr_db=snr_db, excerpt=(int(rng.integers(cast.talk_files)), float(rng.random())))
    voices = int(rng.integers(3, 8)) if kind == "babble" else 1
    talkers = rng.choice(cast.sentences, size=voices * 4)
    return Noise(kind=kind, snr_db=snr_db, talkers=tuple(int(clip) for clip in talkers), voices=voices, seed=seed)
