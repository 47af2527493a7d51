"""A scene as a value: which words, where, how loud, over what, in which room, through which device.

Everything random is decided in `draw_scene`; `synth.stage` renders a scene to sound without a further choice, so
rendering twice gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synth.devices import HOME, Device, DeviceRanges, Range, draw_device
from synth.rooms import Room, draw_room

NoiseKind = Literal["coloured", "hum", "babble", "talk", "television", "music", "effects"]
Excerpt = tuple[int, float]
"""A recorded file's number and the share of it at which the excerpt begins."""

_RECORDED_TALK = 0.6
"""Share of babble, talk and television that people say, where people were recorded; banks say the rest."""
_CONTINUOUS: tuple[NoiseKind, ...] = ("talk", "television", "babble", "music")
"""What a scene without words is made of."""
_CLIPS_PER_TALKER = 4


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What a scene is drawn from. Levels in decibels, times in seconds."""

    duration_s: float = 10.0
    level_db: Range = (-52.0, -10.0)
    """Active RMS of the words as they reach the device, relative to full scale."""
    word_level_db: Range = (-6.0, 4.0)
    """One word against another in the same scene."""
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
    own: float = 0.3
    """Share of positives that are the user's own recordings, if there are any."""
    negatives: tuple[int, int] = (2, 6)
    partial: float = 0.12
    """Share of the negatives that are a part of the word: its beginning or its end."""
    swapped: float = 0.03
    """Share of the negatives that are the word's end and then its beginning."""
    noises: tuple[float, ...] = (0.08, 0.52, 0.28, 0.12)
    """Chances of 0, 1, 2, 3 noises at once."""
    noise: tuple[tuple[NoiseKind, float], ...] = (
        ("coloured", 0.25), ("hum", 0.05), ("babble", 0.2), ("talk", 0.15), ("television", 0.1), ("music", 0.13),
        ("effects", 0.12),
    )  # fmt: skip
    """Chances of each kind."""
    snr_db: Range = (-2.0, 30.0)
    """Active-speech RMS over the RMS of the loudest noise, across the word."""
    further_db: Range = (3.0, 20.0)
    """How far each further noise lies below the loudest."""
    noise_in_room: float = 0.35
    """Share of noises that sound from another place in the room; the others are heard as they were recorded."""
    recorded: float = 0.55
    """Share of scenes that are nothing but a stretch of recorded negatives, where those are given."""
    raised: float = 0.2
    """Of the talk that is heard as it was recorded, beside the scenes, the share that raised voices say again."""
    wordless: float = 0.2
    """Share of scenes without words, of made talk, television, babble and music, where nothing is recorded."""
    device: DeviceRanges = HOME


PRESETS: dict[str, Ranges] = {
    "quiet": Ranges(
        level_db=(-50.0, -10.0), distance_m=(0.2, 2.5), rt60_s=(0.15, 0.5), no_room=0.4, noises=(0.5, 0.4, 0.1),
        snr_db=(12.0, 40.0),
        device=DeviceRanges(
            floor_db=(-95.0, -68.0), tilt_db=(-6.0, 6.0), band_limited=0.1, overloaded=0.02, levelled=0.06,
            telephone=0.01, coded=(("opus", 0.005), ("mp3", 0.015)),
        ),
    ),
    "home": Ranges(),
    "hard": Ranges(
        level_db=(-58.0, -8.0), distance_m=(0.5, 6.0), rt60_s=(0.25, 1.0), no_room=0.08,
        noises=(0.03, 0.32, 0.35, 0.2, 0.1), snr_db=(-8.0, 20.0), further_db=(0.0, 12.0), noise_in_room=0.5,
        device=DeviceRanges(
            floor_db=(-80.0, -52.0), tilt_db=(-12.0, 12.0), band_limited=0.3, overloaded=0.12, levelled=0.2,
            telephone=0.08, coded=(("opus", 0.02), ("mp3", 0.05)), offset=0.2,
        ),
    ),
}  # fmt: skip
"""By name: a calm place, a lived-in one, and one where people can hardly understand each other."""


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
    pieces: tuple[Range, ...] = ((0.0, 1.0),)
    """The shares of the spoken word that are heard, in this order."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Something else that is heard."""

    kind: NoiseKind
    snr_db: float
    seed: int
    """Of what is made."""
    colour: float = 0.0
    """Exponent of a coloured noise's power over frequency: 0 white, -1 pink, -2 brown."""
    mains_hz: int = 50
    talkers: tuple[tuple[int, ...], ...] = ()
    """Clips that each talker says over and over."""
    excerpts: tuple[Excerpt, ...] = ()
    """What is recorded: one for each talker, or the sound itself."""
    music: Excerpt | None = None
    """Recorded music under a television's talk; otherwise it is made."""
    under_db: float = 0.0
    """How far that music lies below the talk."""
    place_m: float | None = None
    """Its distance from the microphone, if it sounds in the room."""

    def about(self) -> dict[str, Any]:
        """What a manifest says of it."""
        said = {"kind": self.kind, "snr_db": round(self.snr_db, 1), "recorded": bool(self.excerpts)}
        return said if self.place_m is None else said | {"distance_m": round(self.place_m, 2)}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A whole scene."""

    duration_s: float
    level_db: float
    device: Device
    words: tuple[Word, ...] = ()
    room: Room | None = None
    noises: tuple[Noise, ...] = ()
    recorded: Excerpt | None = None
    """Instead of words: an excerpt of a recorded negative."""

    def about(self) -> dict[str, Any]:
        """What a manifest says of it."""
        held = "recorded" if self.recorded else "words" if self.words else "wordless"
        said: dict[str, Any] = {"holds": held, "level_db": round(self.level_db, 1)}
        if self.room is not None:
            said |= {"distance_m": round(self.room.distance_m, 2), "rt60_s": round(self.room.rt60_s, 2)}
        return said | {"noises": [noise.about() for noise in self.noises], "device": self.device.about()}


@dataclass(frozen=True, kw_only=True)
class Cast:
    """What may be drawn: numbers of clips by kind with their lengths, and of recorded files."""

    positive: tuple[int, ...]
    own: tuple[int, ...] = ()
    """Positives that the user recorded; `positive` holds the others."""
    negative: tuple[tuple[int, ...], ...]
    """Groups of clips (near-misses, words, sentences), each as likely as the others."""
    sentences: tuple[int, ...]
    seconds: tuple[float, ...]
    """Length of every clip."""
    kinds: tuple[str, ...]
    texts: tuple[str, ...]
    talk: tuple[tuple[int, ...], ...] = ()
    """Recorded files of people talking, folder by folder: one of four times as many files is drawn twice as often."""
    music: tuple[int, ...] = ()
    effects: tuple[int, ...] = ()


def draw_scene(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> Scene:
    """Draw one scene."""
    device = draw_device(rng, ranges.device)
    room = None
    if rng.random() >= ranges.no_room:
        room = draw_room(rng, distance_m=ranges.distance_m, rt60_s=ranges.rt60_s)
    empty = Scene(duration_s=ranges.duration_s, level_db=rng.uniform(*ranges.level_db), device=device, room=room)
    if room is None:
        ranges = replace(ranges, noise_in_room=0.0)
    background = cast.music + cast.effects
    files = sum(map(len, cast.talk)) + len(background)
    if files and rng.random() < ranges.recorded:
        is_talk = rng.random() * files >= len(background)
        recorded = _draw_talk(rng, cast) if is_talk else _draw_excerpt(rng, background)
        noises = _draw_noises(rng, cast, ranges) if rng.random() < 0.3 else ()
        return replace(
            empty, recorded=recorded, noises=_through_gate(noises, device),
            room=room if rng.random() < 0.5 or any(noise.place_m for noise in noises) else None,
        )  # fmt: skip
    if not files and rng.random() < ranges.wordless:
        main = _draw_noise(rng, cast, ranges, _CONTINUOUS[int(rng.integers(len(_CONTINUOUS)))], 0.0)
        further = tuple(replace(noise, snr_db=abs(noise.snr_db)) for noise in _draw_noises(rng, cast, ranges))
        return replace(empty, noises=(main, *_through_gate(further, device)))
    noises = _through_gate(_draw_noises(rng, cast, ranges), device)
    return replace(empty, noises=noises, words=_draw_words(rng, cast, ranges))


def _through_gate(noises: tuple[Noise, ...], device: Device) -> tuple[Noise, ...]:
    """A gate shuts out what is not spoken, so that behind one there is nothing else to hear."""
    return noises if device.gate_db is None else ()


def _draw_words(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> tuple[Word, ...]:
    """Words one after another, never overlapping: what no longer fits is left out."""
    wanted = int(rng.choice(len(ranges.positives), p=ranges.positives))
    chosen = [_draw_positive(rng, cast, ranges) for _ in range(wanted)]
    fewest, most = ranges.negatives
    groups = rng.integers(len(cast.negative), size=int(rng.integers(fewest, most + 1)))
    chosen += [_one_of(rng, cast.negative[group]) for group in groups]
    rng.shuffle(chosen)
    words: list[Word] = []
    now_s = rng.uniform(0, 1.0)
    for clip in chosen:
        word = _draw_word(rng, cast, ranges, clip, now_s)
        spoken = sum(end - start for start, end in word.pieces)
        length_s = cast.seconds[word.clip] * spoken / word.pace
        if now_s + length_s > ranges.duration_s - 0.4:
            continue
        words.append(word)
        gap = ranges.tight_gap_s if rng.random() < ranges.tight else ranges.gap_s
        now_s += length_s + rng.uniform(*gap)
    return tuple(words)


def _draw_positive(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> int:
    own = bool(cast.own) and (not cast.positive or rng.random() < ranges.own)
    return _one_of(rng, cast.own if own else cast.positive)


def _draw_word(rng: np.random.Generator, cast: Cast, ranges: Ranges, clip: int, at_s: float) -> Word:
    """A negative may instead become what is made from the word itself: a part of it, or its parts swapped."""
    word = Word(
        clip=clip, kind=cast.kinds[clip], text=cast.texts[clip], at_s=at_s, pace=rng.uniform(*ranges.pace),
        gain_db=rng.uniform(*ranges.word_level_db),
    )  # fmt: skip
    dice, share, cut = rng.random(), rng.uniform(0.25, 0.5), rng.uniform(0.35, 0.65)
    if word.kind in {"positive", "sentence"} or dice >= ranges.partial + ranges.swapped:
        return word
    positive = _draw_positive(rng, cast, ranges)
    word = replace(word, clip=positive, kind="near-miss", text=f"part of {cast.texts[positive]}")
    if dice < ranges.partial:
        return replace(word, pieces=((0.0, share),) if rng.random() < 0.5 else ((1 - share, 1.0),))
    return replace(word, text=f"{cast.texts[positive]} with its parts swapped", pieces=((cut, 1.0), (0.0, cut)))


def _draw_noises(rng: np.random.Generator, cast: Cast, ranges: Ranges) -> tuple[Noise, ...]:
    """Some noises, the loudest first."""
    chances = [chance for _, chance in ranges.noise]
    snr_db = rng.uniform(*ranges.snr_db)
    noises: list[Noise] = []
    for number in range(int(rng.choice(len(ranges.noises), p=ranges.noises))):
        kind = ranges.noise[int(rng.choice(len(chances), p=chances))][0]
        further_db = rng.uniform(*ranges.further_db) if number else 0.0
        noises.append(_draw_noise(rng, cast, ranges, kind, snr_db + further_db))
    return tuple(noises)


def _draw_noise(rng: np.random.Generator, cast: Cast, ranges: Ranges, kind: NoiseKind, snr_db: float) -> Noise:
    place_m = float(np.exp(rng.uniform(*np.log(ranges.distance_m)))) if rng.random() < ranges.noise_in_room else None
    noise = Noise(
        kind=kind, snr_db=snr_db, seed=int(rng.integers(2**31)), place_m=place_m, colour=-rng.uniform(0, 2.2),
        mains_hz=50 if rng.random() < 0.6 else 60, under_db=rng.uniform(4, 25),
    )  # fmt: skip
    if kind in {"coloured", "hum"}:
        return noise
    if kind in {"music", "effects"}:
        files = cast.music if kind == "music" else cast.effects
        return replace(noise, excerpts=(_draw_excerpt(rng, files),)) if files else noise
    if kind == "television" and cast.music:
        noise = replace(noise, music=_draw_excerpt(rng, cast.music))
    voices = int(rng.integers(3, 8)) if kind == "babble" else 1
    if cast.talk and rng.random() < _RECORDED_TALK:
        return replace(noise, excerpts=tuple(_draw_talk(rng, cast) for _ in range(voices)))
    said = rng.choice(cast.sentences, size=(voices, _CLIPS_PER_TALKER))
    return replace(noise, talkers=tuple(tuple(int(clip) for clip in clips) for clips in said))


def talk_shares(cast: Cast) -> NDArray[np.float64]:
    """How often talk is drawn of each folder: of one with four times the files twice as often."""
    often = np.sqrt([len(files) for files in cast.talk])
    return np.asarray(often / often.sum(), np.float64)


def _draw_talk(rng: np.random.Generator, cast: Cast) -> Excerpt:
    return _draw_excerpt(rng, cast.talk[int(rng.choice(len(cast.talk), p=talk_shares(cast)))])


def _draw_excerpt(rng: np.random.Generator, files: tuple[int, ...]) -> Excerpt:
    return _one_of(rng, files), float(rng.random())


def _one_of(rng: np.random.Generator, numbers: tuple[int, ...]) -> int:
    return numbers[int(rng.integers(len(numbers)))]
