"""What was ever spoken, kept on disk by content and shared by all words.

One file for each utterance, `speech/ab/abcdef….flac`, named by a digest of engine, its identity, saying, voice and
seed; an empty `.silent` file where the engine said nothing audible.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kws.audio import (
    Samples,
    amplitude,
    around,
    frame_levels,
    read_audio,
    resample,
    word_edges,
    write_audio,
)
from kws.errors import Failure
from kws.files import cache_folder, cannot_write
from synth.voices import Engine, Saying

PEAK_DB = -6.0
_SHORTEST_FRAMES = 5
_FAINTEST = 1e-3
_NAME = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{32})?\.(flac|silent)|\.[0-9a-f]{64}\.[0-9a-f]{32}\.flac\.part")


class SpeechCache:
    """Speaks what was not spoken before, and gives the rest from disk.

    Several processes may share one: each writes aside under a name of its own and renames, so that the last one wins.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() / "speech" if folder is None else folder

    def spoken(self, engine: Engine, saying: Saying, voice: str, seed: int) -> Samples | None:
        """(S,) at 16 kHz, cut to the word with a margin, peak -6 dB; None if the engine said nothing audible.

        Raises what the engine raises, and Failure if the folder cannot be written to.
        """
        path = self._path(engine, saying, voice, seed)
        silent = path.with_suffix(".silent")
        if silent.exists():
            return None
        if path.exists():
            with contextlib.suppress(Failure):  # a damaged file is spoken anew
                return read_audio(path)
        speech = engine.speak(saying, voice, seed)
        samples = trimmed(resample(speech.samples, speech.rate_hz))
        aside = path.with_suffix(f".{uuid.uuid4().hex}.flac")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if samples is None:
                silent.touch()
                return None
            write_audio(aside, samples)
            os.replace(aside, path)
        except OSError as error:
            raise cannot_write(path, error) from error
        return read_audio(path)

    def has(self, engine: Engine, saying: Saying, voice: str, seed: int) -> bool:
        """Whether this was spoken before."""
        path = self._path(engine, saying, voice, seed)
        return path.exists() or path.with_suffix(".silent").exists()

    def size(self) -> tuple[int, int]:
        """How many utterances are kept, and their bytes."""
        sizes = [path.stat().st_size for path in self._files()]
        return len(sizes), sum(sizes)

    def clear(self) -> int:
        """Forget everything; gives the bytes freed. Files that are not ours stay."""
        freed = 0
        try:
            for path in list(self._files()):
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        except OSError as error:
            raise Failure(f"cannot remove {error.filename} ({error.strerror}): remove it yourself.") from error
        for folder in [*self.folder.glob("[0-9a-f][0-9a-f]"), self.folder]:
            with contextlib.suppress(OSError):  # not empty: it holds what is not ours
                folder.rmdir()
        return freed

    def _files(self) -> Iterator[Path]:
        found = (*self.folder.glob("[0-9a-f][0-9a-f]/*"), *self.folder.glob("[0-9a-f][0-9a-f]/.*"))
        return (path for path in found if _NAME.fullmatch(path.name))

    def _path(self, engine: Engine, saying: Saying, voice: str, seed: int) -> Path:
        told = [engine.name, engine.identity, saying.text, saying.language, saying.ipa, voice, seed]
        name = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.flac"


def trimmed(samples: Samples) -> Samples | None:
    """Cut (S,) at 16 kHz to the word with a margin and set its peak; None if there is nothing to be heard."""
    levels = frame_levels(samples)
    if len(levels) < _SHORTEST_FRAMES or levels.max() < _FAINTEST:
        return None
    start_s, end_s = word_edges(samples)
    cut = samples[around(start_s, end_s)]
    return np.asarray(cut * (amplitude(PEAK_DB) / np.abs(cut).max()), np.float32)
