"""The stage: draws scenes from banks and recordings and renders them to sound and events.

S samples, R of a response.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples, active_rms, amplitude, rms, word_edges
from kws.errors import Failure
from kws.events import Event
from synth.bank import Bank, Clip
from synth.devices import Levelling, heard, levelled
from synth.noises import coloured, effects, hum, music, white_noise
from synth.recorded import BACKGROUND, Recordings
from synth.rooms import convolved, diffuse_response, impulse_response
from synth.scene import Cast, Noise, Ranges, Scene, Word, draw_scene, talk_shares
from synth.voices import Split

_FADE_S = 0.008
_TALKERS_APART_DB = 4.0
"""How much louder or softer than the middle one a talker may be."""
_BROADCAST = Levelling(target_db=-20, most_db=20, release_db_s=40)
"""What a television station does to all that it sends."""
AUDIBLE = 0.1
"""A noise that pauses across the word is taken to have this part of its whole RMS there."""
FAINTEST = 1e-6
"""RMS that any sound is taken to have at least."""
NOWHERE = np.ones(1, np.float32)
"""The response (R,) where there is no room."""


@dataclass(frozen=True, kw_only=True)
class Take:
    """A rendered scene."""

    samples: Samples
    """(S,) at 16 kHz."""
    events: tuple[Event, ...]
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Recordings of one folder, or all that are background."""

    often: float
    """Share of what is drawn that is of these."""
    files: tuple[Path, ...]
    is_talk: bool


class Stage:
    """Draws and renders scenes of one word in the voices of one split."""

    def __init__(
        self, word: str, banks: Sequence[Bank], *, own: Sequence[Clip] = (), recordings: Recordings | None = None,
        split: Split = "train", ranges: Ranges | None = None,
    ) -> None:  # fmt: skip
        """Take the clips of a split. Raises Failure if nobody says the word there.

        `own`: the user's recordings of the word. `recordings`: talk, music and effects without it.
        """
        self.ranges = ranges or Ranges()
        self.recordings = Recordings(None) if recordings is None else recordings
        spoken = [_for_word(clip, word, bank.word) for bank in banks for clip in bank.select(split)]
        recorded = [clip for clip in own if clip.split == split]
        self._clips = spoken + recorded
        self._word = word
        if not any(clip.kind == "positive" for clip in self._clips):
            raise Failure(
                f"no bank holds anybody saying {word!r} in the {split} split: "
                "leave --bank out, and kws speaks one itself."
            )
        self.cast = _cast(self._clips, range(len(spoken), len(self._clips)), self.recordings)

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All that may be said, each by its kind to this word."""
        return tuple(self._clips)

    @property
    def recorded(self) -> tuple[Group, ...]:
        """The recordings as they are drawn where a scene is nothing but recorded."""
        background = (*self.cast.music, *self.cast.effects)
        talk = sum(map(len, self.cast.talk))
        shares = [float(share) * talk for share in talk_shares(self.cast)] + [float(len(background))]
        groups = [*((group, True) for group in self.cast.talk), (background, False)]
        return tuple(
            Group(often=share / (talk + len(background)), files=tuple(map(self.recordings.files.__getitem__, group)),
                  is_talk=is_talk)
            for share, (group, is_talk) in zip(shares, groups, strict=True)
            if group
        )  # fmt: skip

    @property
    def fingerprint(self) -> str:
        """A digest of all that scenes are made from: the same fingerprint and seed give the same scenes."""
        digest = hashlib.sha256(json.dumps([self._word, asdict(self.ranges), self.recordings.names_and_sizes]).encode())
        for clip in self._clips:
            digest.update(f"{clip.text}|{clip.kind}|{clip.voice}|".encode())
            digest.update(clip.samples.tobytes())
        return digest.hexdigest()[:16]

    def draw(self, rng: np.random.Generator) -> Scene:
        """Draw a scene."""
        return draw_scene(rng, self.cast, self.ranges)

    def render(self, scene: Scene) -> Take:
        """Render a scene: no random choice is left, so twice gives the same samples."""
        dry, events = self.speak(scene)
        sound = speech = self.reverberate(dry, scene)
        for noise in scene.noises:
            sound = sound + self.surround(noise, scene, speech, events)
        return Take(samples=self.hear(sound, scene), events=tuple(events), about=scene.about())

    def speak(self, scene: Scene) -> tuple[Samples, list[Event]]:
        """What is said (S,) without the room, at its level, and when."""
        total = round(scene.duration_s * RATE_HZ)
        level = amplitude(scene.level_db)
        if scene.recorded is not None:
            sound = self.recordings.excerpt(*scene.recorded, total)
            return sound * np.float32(level / max(active_rms(sound), FAINTEST)), []
        speech, events = np.zeros(total, np.float32), []
        for word in scene.words:
            said = _uttered(self._clips[word.clip].samples, word)
            start_s, end_s = word_edges(said)
            at = round(word.at_s * RATE_HZ)
            gain = level * amplitude(word.gain_db) / max(active_rms(said), FAINTEST)
            speech[at : at + len(said)] += said[: total - at] * np.float32(gain)
            events.append(Event(word=word.text, kind=word.kind, start=word.at_s + start_s, end=word.at_s + end_s))
        return speech, events

    def reverberate(self, dry: Samples, scene: Scene) -> Samples:
        """What of it (S,) reaches the microphone."""
        return _placed(dry, room_of(scene))

    def surround(self, noise: Noise, scene: Scene, speech: Samples, events: Sequence[Event]) -> Samples:
        """A noise (S,) at its SNR: across the first positive, else the first word, else against the scene's level."""
        sound = _placed(self.unplaced(noise, len(speech)), place_of(noise, scene))
        span = judged(events)
        if span is None:
            loud, across = amplitude(scene.level_db), sound
        else:
            loud, across = active_rms(speech[span]), sound[span]
        there = max(rms(across), AUDIBLE * rms(sound), FAINTEST)
        return sound * np.float32(loud / there * amplitude(-noise.snr_db))

    def hear(self, sound: Samples, scene: Scene) -> Samples:
        """What comes out of the scene's device (S,)."""
        return heard(sound, scene.device)

    def unplaced(self, noise: Noise, total: int) -> Samples:
        """A noise (S,) as it is made or was recorded."""
        if noise.kind == "coloured":
            return coloured(white_noise(noise.seed, total), noise.colour)
        if noise.kind == "hum":
            return hum(noise.seed, total, noise.mains_hz)
        if noise.kind == "television":
            return self._broadcast(noise, total)
        if noise.kind in {"babble", "talk"}:
            return self._talk(noise, total)
        if noise.excerpts:
            return self.recordings.excerpt(*noise.excerpts[0], total)
        return music(noise.seed, total) if noise.kind == "music" else effects(noise.seed, total)

    def _broadcast(self, noise: Noise, total: int) -> Samples:
        """Talk over music, both made as loud as can be."""
        talk = self._talk(noise, total)
        tune = music(noise.seed, total) if noise.music is None else self.recordings.excerpt(*noise.music, total)
        return levelled(talk + tune * _gain(tune, -noise.under_db), _BROADCAST)

    def _talk(self, noise: Noise, total: int) -> Samples:
        """All talkers at once, about equally loud: RMS about 1."""
        rng = np.random.default_rng(noise.seed)
        voices = [self.recordings.excerpt(*excerpt, total) for excerpt in noise.excerpts]
        voices += [self._looped(clips, rng.random(), total) for clips in noise.talkers]
        sound = np.zeros(total, np.float32)
        for voice in voices:
            sound += voice * _gain(voice, rng.uniform(-_TALKERS_APART_DB, _TALKERS_APART_DB))
        return sound * np.float32(1 / np.sqrt(len(voices)))

    def _looped(self, clips: Sequence[int], share: float, total: int) -> Samples:
        """Clips end to end, over and over, begun at that share of them."""
        said = np.concatenate([self._clips[clip].samples for clip in clips])
        begin = int(share * len(said))
        return np.resize(np.concatenate((said[begin:], said[:begin])), total)


def room_of(scene: Scene) -> Samples:
    """The response (R,) from mouth to microphone."""
    if scene.room is None or not (scene.words or scene.recorded):
        return NOWHERE
    return impulse_response(scene.room)


def place_of(noise: Noise, scene: Scene) -> Samples:
    """The response (R,) from a noise to the microphone."""
    if scene.room is None or noise.place_m is None:
        return NOWHERE
    return diffuse_response(scene.room, noise.place_m, noise.seed)


def _placed(sound: Samples, response: Samples) -> Samples:
    return sound if response is NOWHERE else convolved(sound, response)


def judged(events: Sequence[Event]) -> slice | None:
    """The samples of the word by which a scene's noises are set: the first positive, else the first word."""
    event = next((event for event in events if event.kind == "positive"), events[0] if events else None)
    return None if event is None else slice(round(event.start * RATE_HZ), round(event.end * RATE_HZ))


def _gain(sound: Samples, level_db: float) -> np.float32:
    """What brings a sound to an RMS in decibels of 1."""
    return np.float32(amplitude(level_db) / max(rms(sound), FAINTEST))


def _uttered(samples: Samples, word: Word) -> Samples:
    """A clip at the word's pace, cut to the pieces of the spoken word that are wanted."""
    if word.pieces != Word.pieces:
        start_s, end_s = word_edges(samples)
        pieces = []
        for shares in word.pieces:
            first, last = (round((start_s + share * (end_s - start_s)) * RATE_HZ) for share in shares)
            pieces.append(_faded(samples[first:last]))
        samples = np.concatenate(pieces)
    return _at_pace(samples, word.pace)


def _at_pace(samples: Samples, pace: float) -> Samples:
    """Resample (S,) so that it lasts 1 / pace as long."""
    import soxr

    return np.asarray(soxr.resample(samples, RATE_HZ * pace, RATE_HZ, "MQ"), np.float32)


def _faded(samples: Samples) -> Samples:
    ramp = np.linspace(0, 1, min(round(_FADE_S * RATE_HZ), len(samples)), dtype=np.float32)
    faded = samples.copy()
    faded[: len(ramp)] *= ramp
    faded[len(faded) - len(ramp) :] *= ramp[::-1]
    return faded


def _for_word(clip: Clip, word: str, bank_word: str) -> Clip:
    """What a clip is to this word: another and what sounds like that are plain negatives, unless they hold this one."""
    if clip.text.casefold() == word.casefold():
        kind = "positive"
    elif word.casefold() in clip.text.casefold():
        kind = "containing"
    elif word.casefold() != bank_word.casefold() and clip.kind != "sentence":
        kind = "negative"
    else:
        kind = clip.kind
    return replace(clip, kind=kind)


def _cast(clips: Sequence[Clip], own: Sequence[int], recordings: Recordings) -> Cast:
    def of(*kinds: str) -> tuple[int, ...]:
        return tuple(number for number, clip in enumerate(clips) if clip.kind in kinds and number not in own)

    background = range(recordings.talk_files, len(recordings.files))
    tunes = {number for number in background if _is_music(recordings.files[number])}
    by_folder: dict[Path, list[int]] = {}
    for number, path in enumerate(recordings.talk):
        by_folder.setdefault(path.parent, []).append(number)
    groups = [of("near-miss", "containing"), of("negative"), of("negative"), of("sentence")]
    return Cast(
        positive=of("positive"),
        own=tuple(number for number in own if clips[number].kind == "positive"),
        negative=tuple(group for group in groups if group),
        sentences=of("sentence") or of("negative"),
        seconds=tuple(len(clip.samples) / RATE_HZ for clip in clips),
        kinds=tuple(clip.kind for clip in clips),
        texts=tuple(clip.text for clip in clips),
        talk=tuple(map(tuple, by_folder.values())),
        music=tuple(sorted(tunes)),
        effects=tuple(number for number in background if number not in tunes),
    )


def _is_music(path: Path) -> bool:
    """Whether the nearest folder that says what kind of background it holds says music."""
    named = (part.strip("_") for part in reversed(path.parts[:-1]))
    return next((part for part in named if part.startswith(BACKGROUND)), "").startswith("music")
