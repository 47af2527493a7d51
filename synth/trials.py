"""What a detector is tried on: utterances in drawn settings, rendered to datasets that can be stopped and taken up.

S samples.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples, active_rms, read_audio, write_audio
from kws.errors import Failure
from kws.events import MANIFEST, Event, Recording, to_line
from kws.files import make_folder
from synth.bank import Clip
from synth.conditions import CONDITIONS, TALKERS, Noises, apply, draw_setting, stretch
from synth.generate import Take as AnyTake
from synth.noises import music
from synth.stage import Take

RECIPE = 1
"""Raised whenever the sets would come out otherwise, so that old ones are built anew."""
TEMPO = (0.85, 1.15)
LEVEL_DB = (-40.0, -10.0)
_TALKER_RMS = 0.05
_TALK_S = 40.0
"""Of each made talker, at most."""
_TUNES, _TUNE_S = 4, 30.0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Takes to be written to a folder."""

    folder: Path
    takes: tuple[Callable[[], AnyTake], ...]
    """One a recording, rendered when it is its turn."""
    fingerprint: str
    """Of all that goes in."""


def digest(*parts: object) -> str:
    """A fingerprint of what can be told in JSON."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def clip_digest(clip: Clip) -> str:
    """A fingerprint of a clip's sound."""
    return hashlib.sha256(clip.samples.tobytes()).hexdigest()


def seeded(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for whatever has these names."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def speakers(clip: Clip) -> set[str]:
    """Who speaks, be it with another mouth: both parents of a blend; of an eSpeak voice its variant alone."""
    engine, _, voice = clip.voice.removesuffix("~").partition(":")
    names = voice.partition("@")[0].split("+")
    return {f"{engine}:{name}" for name in (names[-1:] if engine == "espeak" else names)}


def by_speaker(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """The clips of each speaker."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        for speaker in sorted(speakers(clip)):
            found.setdefault(speaker, []).append(clip)
    return found


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A clip to be said, and the name that its draws go by."""

    name: tuple[object, ...]
    clip: Clip
    about: tuple[tuple[str, Any], ...] = ()
    """What else is known of it."""


def trials_of(voices: dict[str, list[Clip]], draws: int, *name: object) -> list[Trial]:
    """So many trials of each speaker, its clips in turn."""
    return [
        Trial(name=(*name, speaker, number), clip=clips[number % len(clips)])
        for speaker, clips in voices.items()
        for number in range(draws)
    ]


def plan_trials(
    folder: Path, trials: Sequence[Trial], noises: Noises, seed: int, conditions: Iterable[str] = CONDITIONS
) -> list[Dataset]:
    """The trials in each of the conditions, a dataset each."""
    said = [(*trial.name[1:], clip_digest(trial.clip), *trial.about) for trial in trials]
    return [
        Dataset(
            folder=folder / condition,
            takes=tuple(partial(say, trial, condition, noises, seed) for trial in trials),
            fingerprint=digest(RECIPE, seed, condition, noises.digests, said),
        )
        for condition in (conditions if trials else ())
    ]


def plan_once(folder: Path, trials: Sequence[Trial], noises: Noises, seed: int) -> list[Dataset]:
    """The trials clean, in this very folder; none where there are none."""
    return [replace(one, folder=folder) for one in plan_trials(folder, trials, noises, seed, ("clean",))]


def say(trial: Trial, condition: str, noises: Noises, seed: int) -> Take:
    """A clip at a drawn tempo and level, the same in every condition, in a drawn setting."""
    clip, draw = trial.clip, seeded(seed, *trial.name)
    tempo, level_db = float(draw.uniform(*TEMPO)), float(draw.uniform(*LEVEL_DB))
    setting = draw_setting(condition, noises, seeded(seed, *trial.name, condition), level_db=level_db)
    rendered = apply(setting, stretch(clip.samples, tempo), noises)
    engine, _, voice = clip.voice.partition(":")
    accent, _, variant = voice.partition("+")
    about: dict[str, Any] = {"voice": clip.voice, "sex": voice[1:2]}
    if engine == "espeak":
        about = {"voice": f"espeak:{variant}", "accent": accent, "sex": variant[:1]}
    about |= {"speed": round(clip.speed * tempo, 2), "level_db": round(rendered.level_db, 1), **setting.about()}
    about |= dict(trial.about)
    event = Event(word=clip.text, kind=clip.kind, start=rendered.start, end=rendered.end)
    return Take(samples=rendered.samples, events=(event,), about=about)


def repeat(path: Path, word: str, condition: str, noises: Noises, seed: int) -> Take:
    """A recording of a person, level as recorded; only the far condition adds a room to the one it was made in."""
    setting = draw_setting(condition, noises, seeded(seed, path.name, condition), rooms=False)
    rendered = apply(setting, read_audio(path), noises)
    about = {"level_db": round(rendered.level_db, 1), **setting.about(), "source": path.name}
    event = Event(word=word, start=rendered.start, end=rendered.end)
    return Take(samples=rendered.samples, events=(event,), about=about)


def made_noises(folder: Path, clips: Sequence[Clip], seed: int) -> Noises:
    """Talkers out of clips, a voice each where there are voices enough, and made tunes; written to a folder.

    Raises Failure if there are fewer clips than talkers, or the folder cannot be written.
    """
    voices = list(by_speaker(clips).values())
    if len(voices) < TALKERS:
        voices = [list(clips[number::TALKERS]) for number in range(min(TALKERS, len(clips)))]
    talk, tunes = [], []
    make_folder(folder)
    for number, said in enumerate(voices):
        talk.append(folder / f"talker_{number:02d}.flac")
        write_audio(talk[-1], _one_after_another(said))
    for number in range(_TUNES):
        tunes.append(folder / f"tune_{number:02d}.flac")
        tune = music(seed + number, round(_TUNE_S * RATE_HZ))
        write_audio(tunes[-1], tune * np.float32(0.5 / np.abs(tune).max()))
    return Noises(talk, tunes)


def _one_after_another(clips: Iterable[Clip]) -> Samples:
    """Clips end to end, equally loud, up to a length."""
    said, left = [], round(_TALK_S * RATE_HZ)
    for clip in clips:
        if left <= 0:
            break
        said.append((clip.samples * np.float32(_TALKER_RMS / active_rms(clip.samples))).clip(-1, 1)[:left])
        left -= len(said[-1])
    return np.concatenate(said)


def write_dataset(dataset: Dataset, tick: Callable[[int], Any]) -> None:
    """Render what is missing; the manifest appears last, when all is there. `tick` is told how many are there.

    Raises Failure if the folder holds what was not written here.
    """
    part = _open_dataset(dataset)
    if part is None:
        tick(len(dataset.takes))
        return
    done = part.read_text(encoding="utf-8").count("\n")
    tick(done)
    with part.open("a", encoding="utf-8") as manifest:
        for number, render in enumerate(dataset.takes[done:], done):
            take = render()
            recording = Recording(
                audio=dataset.folder / "audio" / f"{number:06d}.flac",
                duration=len(take.samples) / RATE_HZ,
                events=take.events,
                about=take.about,
            )
            write_audio(recording.audio, take.samples)
            manifest.write(to_line(recording, dataset.folder) + "\n")
            manifest.flush()
            tick(1)
    os.replace(part, dataset.folder / MANIFEST)


def _open_dataset(dataset: Dataset) -> Path | None:
    """The manifest so far, of whole lines; None if the dataset is complete. One made otherwise is thrown away."""
    folder, stamp = dataset.folder, dataset.folder / ".fingerprint"
    part = folder / f".{MANIFEST}.part"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") != dataset.fingerprint:
        shutil.rmtree(folder)
    elif folder.is_dir() and any(folder.iterdir()) and not stamp.is_file():
        raise Failure(f"{folder} holds files that this program did not write: name another folder.")
    if (folder / MANIFEST).is_file():
        return None
    make_folder(folder / "audio")
    stamp.write_text(dataset.fingerprint, encoding="utf-8")
    lines = part.read_text(encoding="utf-8").splitlines(keepends=True) if part.is_file() else []
    part.write_text("".join(line for line in lines if line.endswith("\n")), encoding="utf-8")
    return part
