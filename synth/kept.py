"""Sound kept on disk by what it was made from, so that it is made once.

S samples. One file for each, `ab/abcdef….flac`, named by a digest; an empty `.silent` file where there is nothing to
be heard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from kws.audio import Samples, read_audio, write_audio
from kws.errors import Failure
from kws.files import cannot_write

_NAME = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{32})?\.(flac|silent)|\.[0-9a-f]{64}\.[0-9a-f]{32}\.flac\.part")


class SoundCache:
    """A folder of such files.

    Several processes may share one: each writes aside under a name of its own and renames, so that the last one wins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, made_from: bytes) -> Path:
        """Where the sound made from that lies, or will lie."""
        name = hashlib.sha256(made_from).hexdigest()
        return self.folder / name[:2] / f"{name}.flac"

    @staticmethod
    def kept(path: Path) -> Samples | None:
        """What was kept there, (S,) at 16 kHz; None if there is nothing, or it is damaged and to be made anew."""
        if path.exists():
            with contextlib.suppress(Failure):
                return read_audio(path)
        return None

    @staticmethod
    def keep(path: Path, samples: Samples | None) -> None:
        """Write (S,) samples at 16 kHz, or an empty file for None. Raises Failure if it cannot be written."""
        aside = path.with_suffix(f".{uuid.uuid4().hex}.flac")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if samples is None:
                path.touch()
            else:
                write_audio(aside, samples)
                os.replace(aside, path)
        except OSError as error:
            raise cannot_write(path, error) from error

    def size(self) -> tuple[int, int]:
        """How many files are kept, and their bytes."""
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
