"""What the daemon hears: chunks of sound, and gaps where sound is missing.

S samples.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from kws.audio import Samples

State = Literal["looking", "open", "silent"]
"""Looking for the device; open; or open, and giving nothing but digital silence."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Sound is missing here; given again and again while there is none."""

    why: str


class Source(Protocol):
    """Where sound comes from, and how that fares."""

    @property
    def name(self) -> str:
        """What people know it by."""

    @property
    def state(self) -> State:
        """How it fares now."""

    @property
    def overruns(self) -> int:
        """Times that sound was lost because the listener or the machine was too slow."""

    @property
    def waiting(self) -> int:
        """Chunks that wait for the listener."""

    @property
    def openings(self) -> int:
        """Times that a device was opened."""

    def __iter__(self) -> Generator[Samples | Gap, None, None]:
        """Chunks (S,) and gaps, in their order; close the iterator to give everything back."""


@dataclass(kw_only=True)
class Played:
    """A source that gives what it is given, as fast as it is asked: a recording, a pipe."""

    name: str
    chunks: Iterable[Samples | Gap]
    state: State = "open"
    overruns: int = 0
    waiting: int = 0
    openings: int = 1

    def __iter__(self) -> Generator[Samples | Gap, None, None]:
        yield from self.chunks
