"""What a heard word sets going: a wake is handed to outlets, each of which does one thing with it.

S samples.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import datetime

from kws.audio import Samples
from kws.daemon.ring import Ring
from kws.daemon.settings import Word
from kws.decision import Detection

FRESH_S = 10.0
"""A wake that could not be delivered for so long is dropped: by then it would start things that nobody expects."""


@dataclass(frozen=True, kw_only=True)
class Wake:
    """A word was heard."""

    detection: Detection
    """On the clock of the audio."""
    at: datetime
    """On the wall's clock, with its zone; for people to read, never to reckon with."""
    word: Word
    """What is to be done for this word."""

    def fields(self) -> dict[str, str | float]:
        """What is told of it as JSON: word, time, end, score and at (ISO 8601)."""
        return {
            "word": self.detection.word,
            "time": round(self.detection.time, 3),
            "end": round(self.detection.end, 3),
            "score": round(self.detection.score, 4),
            "at": self.at.isoformat(timespec="milliseconds"),
        }


class Outlet:
    """Where wakes go: programs, web addresses, a broker, a folder. This one does nothing with them.

    Called by the one thread that infers, so every method but `close` returns at once: what may wait or fail does so on
    a thread of the outlet's own, behind a bounded queue. Nothing raises: what goes wrong is counted and said in one
    line to the log, once when it begins and once when it is over.

    Each chunk of sound goes first into the ring, then to `hear` of every outlet; then come the wakes that were found in
    it, if any. After a gap the ring holds nothing of what was before; its clock, the detectors' too, goes on.
    """

    kind = "nothing"
    """One word that tells this outlet from the others, for counters."""

    def hear(self, sound: Samples) -> None:
        """The next chunk (S,) of sound, each in its turn, whether or not anything was heard."""

    def wake(self, wake: Wake, ring: Ring) -> None:
        """A word was heard in what the ring holds; sound that is to be handed on is taken from there at once."""

    def gap(self) -> None:
        """Sound was lost here, or the microphone is off: what is being handed on ends."""

    def show_muted(self, is_muted: bool) -> None:
        """The microphone was switched off or on."""

    def counts(self) -> dict[str, int]:
        """What was done and what was not, by name, since the start."""
        return {}

    def close(self) -> None:
        """End what is under way, within a few seconds, and give everything back."""


def plain(text: str) -> str:
    """A name of ASCII letters, digits, _ and - for files and topics; what does not fit is told apart by a checksum."""
    name = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_")
    if re.fullmatch(r"[\w -]+", text, re.ASCII):
        return name or "_"
    return f"{name}_{zlib.crc32(text.encode()):08x}".strip("_")
