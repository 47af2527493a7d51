"""A dataset on disk: scenes rendered by worker processes, each clip committed by its line in the manifest.

A folder holds `dataset.json` (what it is made from), `audio/000/000000.flac`, `labels/000/000000.txt` (for Audacity)
and `manifest.jsonl`. Clip i of seed s is always the same scene, so the manifest, written in order, is all that is
needed to go on after a Ctrl-C or a kill: what it lists is done, whatever else lies there is made again, byte for byte.

A shard is a slice of the manifest: lines 3001 to 4000 name the files below audio/003 and labels/003 and no others, so
whoever wants shard 3 alone takes those lines and these two folders, and has a dataset again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kws.audio import RATE_HZ, Samples, write_audio
from kws.errors import Failure, Misuse
from kws.events import MANIFEST, Event, Recording, from_line, to_audacity, to_line
from kws.files import aside_of, cannot_write, make_folder, write_whole
from synth.crew import Crew, Processes

DATASET = "dataset.json"
FORMAT_VERSION = 2
_FLAT_VERSION = 1
"""All clips in one folder: still read by whoever takes the paths from the manifest, not gone on with."""
_PATIENCE_S = 5.0
"""How long the workers of a run that was killed may take to finish what they have in hand."""

_PACKAGES = ("activate-kws", "numpy", "scipy", "soxr", "pyroomacoustics", "soundfile")
"""Those whose version may change a rendered byte."""
_IDENTITY = {
    "format_version": "format version", "word": "the word", "language": "the language", "seed": "seed",
    "versions": "package versions",
    "stage": "banks, recordings or ranges of fingerprint", "shard_clips": "clips a shard",
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
    language: str
    """As in en-us."""
    seed: int
    clips: int
    licences: tuple[str, ...] = ()
    """One sentence for each source of sound, kept with the dataset."""
    shard_clips: int = 1000
    """Clips in one folder, since programs that list folders grow slow with more."""


def drawn(stage: Stage, seed: int, number: int) -> Any:
    """The scene of clip `number` of a seed, the same wherever and whenever it is drawn."""
    return stage.draw(np.random.default_rng([seed, number]))


def perform(stage: Stage, seed: int, number: int) -> Take:
    """Clip `number` of a seed."""
    return stage.render(drawn(stage, seed, number))


def generate(out: Path, order: Order, stage: Stage, *, crew: Crew | None = None) -> Generator[int, None, None]:
    """Write a dataset, or go on with one; gives the number of clips that are there: at first, then whenever it grows.

    Raises Misuse if the order makes no sense or `out` holds something else, and Failure if it cannot be written.
    """
    if order.clips < 1 or order.seed < 0:
        raise Misuse(
            f"cannot make {order.clips} clips of seed {order.seed}: there must be at least one clip, and seed 0."
        )
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(_alone(out))
        files = _Files(out=out, shard_clips=order.shard_clips)
        manifest = stack.enter_context(_settle(files, order, stage.fingerprint))
        yield manifest.clips
        missing = [*manifest.lost(), *range(manifest.clips, order.clips)]
        if not missing:
            return
        job = _MakeClip(files=files, seed=order.seed, stage=stage)
        making = (crew or Processes()).work(job, missing, held=lock)
        early: dict[int, str] = {}
        for number, line in stack.enter_context(contextlib.closing(making)):
            early[number] = line
            while manifest.clips in early:
                manifest.append(early.pop(manifest.clips))
                yield manifest.clips


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Where clips lie: number 1234 as audio/001/001234.flac and labels/001/001234.txt."""

    out: Path
    shard_clips: int

    def of(self, number: int) -> tuple[Path, Path]:
        """The sound file and the label track of a clip."""
        shard = f"{number // self.shard_clips:03d}"
        audio, labels = (self.out / kind / shard for kind in ("audio", "labels"))
        return audio / f"{number:06d}.flac", labels / f"{number:06d}.txt"

    def are_there(self, number: int) -> bool:
        """Whether a clip's files exist; a sound file that is empty, as a power cut may leave it, does not count."""
        audio, labels = self.of(number)
        return labels.is_file() and audio.is_file() and audio.stat().st_size > 0

    def remove(self, numbers: range) -> None:
        """Remove clips, whole or begun, and the shards that are empty without them."""
        try:
            for path in (path for number in numbers for path in self.of(number)):
                path.unlink(missing_ok=True)
                aside_of(path).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.out, error) from error
        for folder in {path.parent for number in numbers for path in self.of(number)}:
            with contextlib.suppress(OSError):  # it was never made, or holds clips that stay
                folder.rmdir()


@dataclass(frozen=True, kw_only=True)
class _MakeClip:
    """Renders and writes a clip, and gives its manifest line; runs in a worker."""

    files: _Files
    seed: int
    stage: Stage

    def __call__(self, number: int) -> str:
        take = perform(self.stage, self.seed, number)
        audio, labels = self.files.of(number)
        for path in (audio, labels):
            make_folder(path.parent)
        write_audio(audio, take.samples)
        write_whole(labels, to_audacity(take.events).encode())
        duration = len(take.samples) / RATE_HZ
        return to_line(Recording(audio=audio, duration=duration, events=take.events, about=take.about), self.files.out)


class _Manifest:
    """The list of finished clips, always 0 to n - 1; a tail that a crash tore is cut off when it is opened."""

    def __init__(self, files: _Files) -> None:
        self.path = files.out / MANIFEST
        self._files = files
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
        """Listed clips whose files are gone."""
        return [number for number in range(self.clips) if not self._files.are_there(number)]

    def _is_next(self, line: bytes) -> bool:
        try:
            audio = from_line(line.decode(), self._files.out).audio
        except (ValueError, KeyError, TypeError):
            return False
        return line.endswith(b"\n") and audio == self._files.of(self.clips)[0]


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[int | None]:
    """Make the folder and hold it against a second run, by a lock that goes with the last process that has it.

    Workers get it too: those of a run that was killed are waited for, since they may be writing still.
    """
    make_folder(out)
    if sys.platform == "win32":
        yield None
        return
    handle = os.open(out, os.O_RDONLY)
    try:
        _lock(handle, out)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, out: Path) -> None:
    import fcntl

    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise Failure(
                    f"another kws generate is writing to {out}: wait until it ends or name another folder."
                ) from error
            time.sleep(_PATIENCE_S / 100)


def _settle(files: _Files, order: Order, fingerprint: str) -> _Manifest:
    """See that the folder is empty or holds the beginning of what is ordered, and write down the order."""
    out = files.out
    about = about_of(order, fingerprint)
    before = _read_dataset(out)
    refuse_another(out, before, about)
    manifest = _Manifest(files)
    if manifest.clips > order.clips:
        raise Misuse(
            f"{out} holds {manifest.clips} clips already, more than the {order.clips} asked for: "
            "ask for at least as many or name another folder."
        )
    files.remove(range(order.clips, before.get("clips", 0)))
    if before != about:
        write_whole(out / DATASET, (json.dumps(about, indent=2) + "\n").encode())
    return manifest


def _read_dataset(out: Path) -> dict[str, Any]:
    """What the folder was made from; nothing if it is new. Raises Failure if somebody else's files are in the way."""
    path = out / DATASET
    if not path.exists():
        strange = [found for found in (out / name for name in (MANIFEST, "audio", "labels")) if found.exists()]
        if strange:
            raise Misuse(f"{strange[0]} is in the way and not by kws generate: name another folder.")
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise Failure(f"{path} is damaged ({error}): delete {out} or name another folder.") from error


def about_of(order: Order, fingerprint: str) -> dict[str, Any]:
    """What a dataset says of itself."""
    return {
        "format_version": FORMAT_VERSION, "word": order.word, "language": order.language, "seed": order.seed,
        "clips": order.clips, "shard_clips": order.shard_clips, "stage": fingerprint, "versions": _versions(),
        "licences": list(order.licences),
    }  # fmt: skip


def refuse_another(out: Path | str, before: dict[str, Any], about: dict[str, Any]) -> None:
    """Raise Misuse if what a place was made from, nothing for an empty one, is not what is asked for."""
    if before.get("format_version") == _FLAT_VERSION:
        raise Misuse(
            f"{out} was made by an older kws generate, with all clips in one folder: kws train reads it as it is, "
            "but to make more clips name another folder."
        )
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
