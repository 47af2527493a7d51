"""What scripts/compare has every engine hear, part by part, by processes beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import kws
from kws.adapter import Adapter
from kws.audition import Listener
from kws.evaluate import measure
from kws.files import make_folder, write_whole

Listens = Path | tuple[str, ...]
"""A detector's file, or the command of an adapter."""


@contextmanager
def listener(engine: Listens) -> Iterator[Listener]:
    """The same, listening."""
    if isinstance(engine, Path):
        yield kws.load(engine)
    else:
        with closing(Adapter(engine)) as adapter:
            yield adapter


@dataclass(frozen=True, kw_only=True)
class Part:
    """An engine on a word in one condition, or on hours without it."""

    name: str
    engine: Listens
    said: Path | None = None
    by: str = ""
    """Who says it: people, or a split's voices."""
    talk: Path | None = None
    place: Path
    """Where what was heard is kept."""

    def hear(self) -> None:
        """Measure, and keep it."""
        with listener(self.engine) as engine:
            report = measure(engine, self.said, self.talk)
        told = {**report.to_json(), "det": report.det.to_json(), "said_by": self.by}
        make_folder(self.place.parent)
        write_whole(self.place, (json.dumps(told, allow_nan=False) + "\n").encode())


@dataclass(frozen=True)
class Hearing:
    """All parts, as the job of a crew."""

    parts: Sequence[Part]

    def __call__(self, number: int) -> str:
        """Hear a part; its name."""
        self.parts[number].hear()
        return self.parts[number].name
