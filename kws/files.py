"""Files that are whole or not there: written aside, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kws.errors import Failure


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and rename it into place, so that nobody ever reads half of it.

    Raises Failure if the folder is missing, read-only or full; what stood at `path` before then stands there still.
    """
    aside = aside_of(path)
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise cannot_write(path, error) from error


def cache_folder() -> Path:
    """Where what can be made again is kept: the environment variable KWS_CACHE, else where this system keeps caches."""
    named = os.environ.get("KWS_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("activate-kws", appauthor=False))


def make_folder(folder: Path) -> None:
    """Make a folder if it is not there. Raises Failure if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file. Raises Failure if it cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file that `append_line` wrote, a line each; none if it is not there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


@contextlib.contextmanager
def alone(lock: Path, told: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold a lock file inside `with`, once whoever holds it has let go or ended; `told` is called if it must wait.

    Its folder is made. Where the system or the disk knows no locks, there is none.
    """
    make_folder(lock.parent)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        file = lock.open("ab")
    except OSError as error:
        raise cannot_write(lock, error) from error
    with file:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                told()
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def aside_of(path: Path) -> Path:
    """Where a file is written before it is renamed to `path`; a run that is killed may leave it behind."""
    return path.with_name(f".{path.name}.part")


def cannot_write(path: Path, error: OSError) -> Failure:
    """The sentence for a file or folder that could not be written."""
    return Failure(
        f"cannot write {path} ({error.strerror or error}): free some space or name a folder you may write to."
    )


def bytes_in(folder: Path) -> int:
    """What the files in a folder and below it take; 0 if it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def size_of(count: int) -> str:
    """So many bytes, for people."""
    return f"{count / 1e6:.1f} MB"
