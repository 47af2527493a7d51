"""The stage: opens banks and recordings once, draws scenes from them and renders them to sound and events.

S samples.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from kws.audio import RATE_HZ, Samples, active_rms, amplitude, read_audio, rms, word_edges
from kws.errors import Failure
from kws.events import Event, audio_files
from synth.bank import Bank, Clip
from synth.recorded import Recordings
from synth.rooms import Room, impulse_response
from synth.scene import Cast, Microphone, Noise, Ranges, Scene, Word, draw_scene
from synth.voices import Split

_COLOUR_TAPS = 128
_FADE_S = 0.008


@dataclass(frozen=True, kw_only=True)
class Take:
    """A rendered scene."""

    samples: Samples
    """(S,) at 16 kHz."""
    events: tuple[Event, ...]
    about: dict[str, Any] = field(default_factory=dict)


class Stage:
    """Draws and renders scenes of one word in the voices of one split."""

    def __init__(
        self, word: str, banks: Sequence[Bank], *, positives: Path | None = None, negatives: Path | None = None,
        split: Split = "train", ranges: Ranges | None = None,
    ) -> None:  # fmt: skip
        """Open everything. Raises Failure if no bank has the word, or a folder holds no sound.

        `positives`: a folder of the user's own recordings of the word. `negatives`: a folder of recorded sound without
        it; files below a subfolder named music… or effects… are background, all others talk.
        """
        self.ranges = ranges or Ranges()
        spoken = [_for_word(clip, word, bank.word) for bank in banks for clip in bank.select(split)]
        self._clips = spoken + _own_clips(word, positives, split)
        if not any(clip.kind == "positive" for clip in self._clips):
            raise Failure(
                f"no bank holds anybody saying {word!r} in the {split} split: "
                f"build one with scripts/build_bank FOLDER --word {word!r} and name it with --bank FOLDER."
            )
        self.recordings = Recordings(negatives)
        self.cast = _cast(self._clips, self.recordings)
        self._word = word

    @property
    def fingerprint(self) -> str:
        """A digest of all that scenes are made from: the same fingerprint and seed give the same scenes."""
        heard = hashlib.sha256(json.dumps([self._word, asdict(self.ranges), self.recordings.names_and_sizes]).encode())
        for clip in self._clips:
            heard.update(f"{clip.text}|{clip.kind}|{clip.voice}|".encode())
            heard.update(clip.samples.tobytes())
        return heard.hexdigest()[:16]

    def draw(self, rng: np.random.Generator) -> Scene:
        """Draw a scene."""
        return draw_scene(rng, self.cast, self.ranges)

    def render(self, scene: Scene) -> Take:
        """Render a scene: no random choice is left, so twice gives the same samples."""
        total = round(scene.duration_s * RATE_HZ)
        level = amplitude(scene.microphone.level_db)
        if scene.recorded is not None:
            speech = self.recordings.excerpt(*scene.recorded, total)
            speech = _in_room(speech, scene.room)[:total] * np.float32(level / max(active_rms(speech), 1e-6))
            events: list[Event] = []
        else:
            speech, events = self._speak(scene, total, level)
        mixed = speech if scene.noise is None else speech + self._noise(scene.noise, speech, events, level)
        return Take(samples=_heard(mixed, scene.microphone), events=tuple(events), about=_about(scene))

    def _speak(self, scene: Scene, total: int, level: float) -> tuple[Samples, list[Event]]:
        speech = np.zeros(total, np.float32)
        events = []
        for word in scene.words:
            dry = self._utter(word)
            start_s, end_s = word_edges(dry)
            wet = _in_room(dry, scene.room)
            gain = level * amplitude(word.gain_db) / max(active_rms(dry), 1e-6)
            at = round(word.at_s * RATE_HZ)
            stop = min(total, at + len(wet))
            speech[at:stop] += wet[: stop - at] * np.float32(gain)
            events.append(Event(word=word.text, kind=word.kind, start=word.at_s + start_s, end=word.at_s + end_s))
        return speech, events

    def _utter(self, word: Word) -> Samples:
        """The clip at its pace, cut to the part of the spoken word that is wanted."""
        samples = self._clips[word.clip].samples
        if word.part != (0.0, 1.0):
            start_s, end_s = word_edges(samples)
            cut = [round((start_s + share * (end_s - start_s)) * RATE_HZ) for share in word.part]
            samples = _faded(samples[cut[0] : cut[1]])
        return _at_pace(samples, word.pace)

    def _noise(self, noise: Noise, speech: Samples, events: list[Event], level: float) -> Samples:
        """Noise at its SNR: across the first positive, else across the first word, else against the scene's level."""
        total = len(speech)
        if noise.excerpt is not None:
            sound = self.recordings.excerpt(*noise.excerpt, total)
        elif noise.talkers:
            sound = self._talk(noise, total)
        else:
            sound = coloured_noise(np.random.default_rng(noise.seed), total, noise.colour)
        judged = next((event for event in events if event.kind == "positive"), events[0] if events else None)
        span = slice(0, total) if judged is None else slice(round(judged.start * RATE_HZ), round(judged.end * RATE_HZ))
        loud = level if judged is None else active_rms(speech[span])
        quiet = max(rms(sound[span]), 0.1 * rms(sound), 1e-6)
        return sound * np.float32(loud / quiet * amplitude(-noise.snr_db))

    def _talk(self, noise: Noise, total: int) -> Samples:
        """Clips end to end, dealt to the talkers, each beginning at another point of its loop."""
        rng = np.random.default_rng(noise.seed)
        sound = np.zeros(total, np.float32)
        for talker in range(noise.voices):
            said = np.concatenate([self._clips[clip].samples for clip in noise.talkers[talker :: noise.voices]])
            said = np.tile(said, total // len(said) + 2)
            offset = int(rng.integers(len(said) - total))
            sound += said[offset : offset + total] * np.float32(amplitude(rng.uniform(-4, 4)))
        return sound


def coloured_noise(rng: np.random.Generator, total: int, colour: float) -> Samples:
    """Noise (S,) whose power goes with frequency to the `colour`: 0 white, -1 pink, -2 brown; flat below 20 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(total, dtype=np.float32))
    frequency_hz = np.maximum(np.fft.rfftfreq(total, 1 / RATE_HZ), 20.0).astype(np.float32)
    return np.asarray(np.fft.irfft(spectrum * frequency_hz ** np.float32(colour / 2), total), np.float32)


@lru_cache(maxsize=256)
def _response(room: Room) -> Samples:
    return impulse_response(room)


def _in_room(samples: Samples, room: Room | None) -> Samples:
    if room is None:
        return samples
    return np.asarray(fftconvolve(samples, _response(room)), np.float32)


def _at_pace(samples: Samples, pace: float) -> Samples:
    """Resample (S,) so that it lasts 1 / pace as long."""
    import soxr

    return np.asarray(soxr.resample(samples, RATE_HZ * pace, RATE_HZ, "MQ"), np.float32)


def _faded(samples: Samples) -> Samples:
    ramp = np.linspace(0, 1, min(round(_FADE_S * RATE_HZ), len(samples)), dtype=np.float32)
    faded = samples.copy()
    faded[: len(ramp)] *= ramp
    faded[-len(ramp) :] *= ramp[::-1]
    return faded


def _heard(samples: Samples, microphone: Microphone) -> Samples:
    """Colour, self-noise and clipping of the microphone."""
    frequency_hz = np.linspace(0, RATE_HZ / 2, _COLOUR_TAPS // 2 + 1)
    octaves = np.log2(np.maximum(frequency_hz, 100) / 900)
    gain = 10 ** (microphone.tilt_db * octaves / 6.3 / 20) * (frequency_hz <= microphone.cut_hz)
    taps = np.roll(np.fft.irfft(gain), _COLOUR_TAPS // 2) * np.hanning(_COLOUR_TAPS)
    coloured = fftconvolve(samples, taps.astype(np.float32), mode="same")
    rng = np.random.default_rng(microphone.seed)
    floor = rng.standard_normal(len(samples), dtype=np.float32) * np.float32(amplitude(microphone.floor_db))
    return np.asarray(np.clip(coloured + floor, -1, 1), np.float32)


def _about(scene: Scene) -> dict[str, Any]:
    return {
        "level_db": round(scene.microphone.level_db, 1),
        "snr_db": None if scene.noise is None else round(scene.noise.snr_db, 1),
        "noise": None if scene.noise is None else scene.noise.kind,
        "distance_m": None if scene.room is None else round(scene.room.distance_m, 2),
        "rt60_s": None if scene.room is None else round(scene.room.rt60_s, 2),
    }


def _own_clips(word: str, folder: Path | None, split: str) -> list[Clip]:
    if folder is None:
        return []
    said = partial(Clip, text=word, kind="positive", split=split, speed=1.0)
    return [said(voice=f"recorded:{path.name}", samples=read_audio(path)) for path in audio_files(folder)]


def _for_word(clip: Clip, word: str, bank_word: str) -> Clip:
    """What a clip is to this word: another word's positive is a negative here, unless its text holds this word too."""
    if clip.text.casefold() == word.casefold():
        kind = "positive"
    elif word.casefold() in clip.text.casefold():
        kind = "containing"
    elif word.casefold() != bank_word.casefold() and clip.kind in {"positive", "containing"}:
        kind = "negative"
    else:
        kind = clip.kind
    return replace(clip, kind=kind)


def _cast(clips: list[Clip], recordings: Recordings) -> Cast:
    def of(*kinds: str) -> tuple[int, ...]:
        return tuple(number for number, clip in enumerate(clips) if clip.kind in kinds)

    groups = [of("near-miss", "containing"), of("negative"), of("negative"), of("sentence")]
    return Cast(
        positive=of("positive"),
        negative=tuple(group for group in groups if group),
        sentences=of("sentence") or of("negative"),
        seconds=tuple(len(clip.samples) / RATE_HZ for clip in clips),
        kinds=tuple(clip.kind for clip in clips),
        texts=tuple(clip.text for clip in clips),
        talk_files=recordings.talk_files,
        sound_files=recordings.sound_files,
    )
