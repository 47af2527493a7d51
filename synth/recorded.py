"""Recorded sound without the word: talk, music and effects, read where it lies.

S samples.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, resample
from kws.errors import Failure
from kws.events import audio_files

_BLOCK = 60 * RATE_HZ
_BACKGROUND = ("music", "effects", "noise")


class Recordings:
    """The files of a folder: those below a subfolder named music…, effects… or noise… are background, the rest talk."""

    def __init__(self, folder: Path | None) -> None:
        """Raises Failure if a folder is named that holds no sound."""
        files = [] if folder is None else list(audio_files(folder))
        background = [
            path for path in files
            if folder and any(part.startswith(_BACKGROUND) for part in path.relative_to(folder).parts[:-1])
        ]  # fmt: skip
        talk = [path for path in files if path not in set(background)]
        self.files = talk + background
        self.talk_files, self.sound_files = len(talk), len(background)

    @property
    def names_and_sizes(self) -> list[tuple[str, int]]:
        """File names and bytes in the order of their numbers."""
        return [(path.name, path.stat().st_size) for path in self.files]

    def excerpt(self, number: int, share: float, total: int) -> Samples:
        """So many samples of a file, from about that share of it on; a shorter file is repeated."""
        path = self.files[number]
        start = int(share * _frames(path))
        block = _block(path, start // _BLOCK)
        offset = min(start % _BLOCK, max(0, len(block) - total))
        return np.resize(block[offset : offset + total].astype(np.float32) / np.float32(32768), total)


@lru_cache(maxsize=4096)
def _frames(path: Path) -> int:
    """Samples in a file at 16 kHz."""
    import soundfile

    try:
        return int(soundfile.info(str(path)).duration * RATE_HZ)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Failure(f"{path} cannot be read as audio: take it out of the folder or convert it to WAV.") from error


@lru_cache(maxsize=320)
def _block(path: Path, number: int) -> NDArray[np.int16]:
    """A minute of a file at 16 kHz, kept since decoding is dearer than all else in a scene."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as sound:
            sound.seek(min(number * _BLOCK * sound.samplerate // RATE_HZ, max(0, sound.frames - sound.samplerate)))
            samples = sound.read(_BLOCK * sound.samplerate // RATE_HZ, dtype="float32", always_2d=True)
            mono = resample(samples.mean(axis=1, dtype=np.float32), sound.samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Failure(f"{path} cannot be read as audio: take it out of the folder or convert it to WAV.") from error
    if len(mono) == 0:
        raise Failure(f"{path} holds no sound: take it out of the folder.")
    return (np.clip(mono, -1, 1) * 32767).astype(np.int16)
