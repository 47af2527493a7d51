"""A folder that may lie anywhere: on this disk, or where fsspec reaches (S3, GCS, a web host, memory).

Files are written whole: aside and renamed here, in one request elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kws.errors import Failure
from kws.files import make_folder, write_whole


def is_remote(place: str) -> bool:
    """Whether it is an address, and no path of this machine."""
    return "://" in place


@dataclass(frozen=True)
class Store:
    """The folder at a path or an address; it may be pickled, and opens where it is used."""

    place: str

    def write(self, name: str, content: bytes) -> None:
        """Write a file. Raises Failure if that cannot be done."""
        if not is_remote(self.place):
            make_folder(Path(self.place))
            write_whole(Path(self.place) / name, content)
            return
        system, folder = self._opened()
        try:
            system.pipe_file(f"{folder}/{name}", content)
        except Exception as error:
            raise self._cannot("written", name, error) from error

    def read(self, name: str) -> bytes | None:
        """A file's content; None if it is not there. Raises Failure if the folder cannot be reached."""
        if not is_remote(self.place):
            path = Path(self.place) / name
            return path.read_bytes() if path.is_file() else None
        system, folder = self._opened()
        try:
            return bytes(system.cat_file(f"{folder}/{name}"))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._cannot("read", name, error) from error

    def _opened(self) -> tuple[Any, str]:
        import fsspec

        kind = urlsplit(self.place).scheme
        try:
            system, folder = fsspec.core.url_to_fs(self.place, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise Failure(
                f"{self.place} cannot be reached ({error}): for {kind}:// install what fsspec needs for it, "
                "s3fs for s3, gcsfs for gs."
            ) from error
        return system, folder.rstrip("/")

    def _cannot(self, what: str, name: str, error: Exception) -> Failure:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Failure(
            f"{self.place}/{name} cannot be {what} ({reason}): see that it exists and that you may, as for S3 by "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL."
        )
