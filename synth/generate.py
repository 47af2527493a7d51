"""A dataset on disk: scenes rendered by worker processes, each clip committed by its line in the manifest.

A folder holds `dataset.json` (what it is made from), `audio/000000.flac`, `labels/000000.txt` (for Audacity) and
`manifest.jsonl`. Clip i of seed s is always the same scene, so the manifest, written in order, is all that is needed to
go on after a Ctrl-C or a kill: what it lists is done, whatever else lies there is made again, byte for byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kws.audio import RATE_HZ, Samples, write_audio
from kws.errors import Failure, Misuse
from kws.events import MANIFEST, Event, Recording, from_line, to_audacity, to_line
from kws.files import aside_of, cannot_write, write_whole
from synth.bank import Bank, read_bank, starter_bank
from synth.crew import work

DATASET = "dataset.json"
FORMAT_VERSION = 1

_PACKAGES = ("activate-kws", "numpy", "scipy", "soxr", "pyroomacoustics", "soundfile")
"""Those whose version may change a rendered byte."""
_IDENTITY = {
    "format_version": "format version", "word": "the word", "seed": "seed", "versions": "package versions",
    "stage": "banks, recordings or ranges of fingerprint",
}  # fmt: skip


class Take(Protocol):
    """A rendered scene."""

    @property
    def samples(self) -> Samples:
        """(S,) at 16 kHz."""

    @property
    def events(self) -> tuple[Event, ...]:
        """What is said when."""

    @property
    def about(self) -> dict[str, Any]:
        """Whatever else is known."""


class Stage(Protocol):
    """What draws and renders scenes: `synth.stage.Stage`. It must survive pickling."""

    @property
    def fingerprint(self) -> str:
        """A digest of all that scenes are made from."""

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a scene."""

    def render(self, scene: Any) -> Take:
        """Render a scene."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for."""

    word: str
    seed: int
    clips: int
    licences: tuple[str, ...] = ()
    """One sentence for each source of sound, kept with the dataset."""


def perform(stage: Stage, seed: int, number: int) -> Take:
    """Clip `number` of a seed, the same wherever and whenever it is rendered."""
    return stage.render(stage.draw(np.random.default_rng([seed, number])))


def open_banks(folders: Sequence[Path]) -> list[Bank]:
    """The banks in these folders, and the starter bank unless one of them brings words and sentences of its own.

    Raises Failure if a folder holds no bank, or a damaged one.
    """
    banks = [read_bank(folder) for folder in folders]
    if any(clip.kind in ("negative", "sentence") and clip.split == "train" for bank in banks for clip in bank.clips):
        return banks
    return [*banks, starter_bank()]


def generate(out: Path, order: Order, stage: Stage, *, workers: int = 2) -> Generator[int, None, None]:
    """Write a dataset, or go on with one; gives the number of clips that are there: at first, then whenever it grows.

    Raises Misuse if the order makes no sense or `out` holds something else, and Failure if it cannot be written.
    """
    if order.clips < 1 or order.seed < 0 or workers < 1:
        raise Misuse(
            f"cannot make {order.clips} clips of seed {order.seed} with {workers} workers: "
            "there must be at least one clip, seed 0 and one worker."
        )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(out))
        manifest = stack.enter_context(_settle(out, order, stage.fingerprint))
        yield manifest.clips
        missing = [*manifest.lost(), *range(manifest.clips, order.clips)]
        if not missing:
            return
        job = _MakeClip(out=out, seed=order.seed, stage=stage)
        early: dict[int, str] = {}
        for number, line in stack.enter_context(contextlib.closing(work(job, missing, min(workers, len(missing))))):
            early[number] = line
            while manifest.clips in early:
                manifest.append(early.pop(manifest.clips))
                yield manifest.clips


@dataclass(frozen=True, kw_only=True)
class _MakeClip:
    """Renders and writes a clip, and gives its manifest line; runs in a worker."""

    out: Path
    seed: int
    stage: Stage

    def __call__(self, number: int) -> str:
        take = perform(self.stage, self.seed, number)
        audio, labels = _files(self.out, number)
        write_audio(audio, take.samples)
        write_whole(labels, to_audacity(take.events).encode())
        duration = len(take.samples) / RATE_HZ
        return to_line(Recording(audio=audio, duration=duration, events=take.events, about=take.about), self.out)


class _Manifest:
    """The list of finished clips, always 0 to n - 1; a tail that a crash tore is cut off when it is opened."""

    def __init__(self, out: Path) -> None:
        self.path = out / MANIFEST
        self._out = out
        self.clips = self._whole = 0
        for line in self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []:
            if not self._is_next(line):
                break
            self.clips += 1
            self._whole += len(line)

    def __enter__(self) -> _Manifest:
        try:
            self._file = self.path.open("ab", buffering=0)
            self._file.truncate(self._whole)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, line: str) -> None:
        """Commit the next clip, in one write that a kill cannot cut in two."""
        content = line.encode() + b"\n"
        try:
            if self._file.write(content) != len(content):
                raise cannot_write(self.path, OSError("no space left on device"))
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.clips += 1

    def lost(self) -> list[int]:
        """Listed clips whose files are gone, or empty as a power cut may leave them."""
        return [number for number in range(self.clips) if not _are_there(*_files(self._out, number))]

    def _is_next(self, line: bytes) -> bool:
        try:
            audio = from_line(line.decode(), self._out).audio
        except (ValueError, KeyError, TypeError):
            return False
        return line.endswith(b"\n") and audio == _files(self._out, self.clips)[0]


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Make the folder and hold it against a second run; the lock goes with the process, however that ends."""
    _make_folder(out)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Failure(
            f"another kws generate is writing to {out}: wait until it ends or name another folder."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _settle(out: Path, order: Order, fingerprint: str) -> _Manifest:
    """See that the folder is empty or holds the beginning of what is ordered, and write down the order."""
    about = {
        "format_version": FORMAT_VERSION, "word": order.word, "seed": order.seed, "clips": order.clips,
        "stage": fingerprint, "versions": _versions(), "licences": list(order.licences),
    }  # fmt: skip
    before = _read_dataset(out)
    _refuse_another(out, before, about)
    manifest = _Manifest(out)
    if manifest.clips > order.clips:
        raise Misuse(
            f"{out} holds {manifest.clips} clips already, more than the {order.clips} asked for: "
            "ask for at least as many or name another folder."
        )
    _clear(out, range(order.clips, before.get("clips", 0)))
    if before != about:
        write_whole(out / DATASET, (json.dumps(about, indent=2) + "\n").encode())
    for folder in {path.parent for path in _files(out, 0)}:
        _make_folder(folder)
    return manifest


def _clear(out: Path, numbers: range) -> None:
    """Remove clips that were begun for a larger order."""
    try:
        for number in numbers:
            for path in _files(out, number):
                path.unlink(missing_ok=True)
                aside_of(path).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error


def _read_dataset(out: Path) -> dict[str, Any]:
    """What the folder was made from; nothing if it is new. Raises Failure if somebody else's files are in the way."""
    path = out / DATASET
    if not path.exists():
        strange = [found for found in (out / MANIFEST, *(file.parent for file in _files(out, 0))) if found.exists()]
        if strange:
            raise Misuse(f"{strange[0]} is in the way and not by kws generate: name another folder.")
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise Failure(f"{path} is damaged ({error}): delete {out} or name another folder.") from error


def _refuse_another(out: Path, before: dict[str, Any], about: dict[str, Any]) -> None:
    for key, said in _IDENTITY.items() if before else ():
        if before.get(key) != about[key]:
            was, now = _difference(before.get(key), about[key])
            raise Misuse(f"{out} was made with {said} {was}, not {now}: ask for the same again or name another folder.")


def _difference(was: Any, now: Any) -> tuple[str, str]:
    """Both in words; of two tables only the entries that differ."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return repr(was), repr(now)
    names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    first, second = (", ".join(f"{name} {table.get(name, 'absent')}" for name in names) for table in (was, now))
    return first, second


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _files(out: Path, number: int) -> tuple[Path, Path]:
    """The sound file and the label track of a clip."""
    return out / "audio" / f"{number:06d}.flac", out / "labels" / f"{number:06d}.txt"


def _are_there(audio: Path, labels: Path) -> bool:
    return labels.is_file() and audio.is_file() and audio.stat().st_size > 0
