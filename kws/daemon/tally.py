"""What an outlet counts and says: numbers that several threads add to, and a line when trouble begins and ends."""

from __future__ import annotations

import logging
import threading


class Tally:
    """Counts by name, all there from the start, so that what never happened is told as 0."""

    def __init__(self, *names: str) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(names, 0)

    def add(self, name: str, count: int = 1) -> None:
        """Count so many more."""
        with self._lock:
            self._counts[name] += count

    def read(self) -> dict[str, int]:
        """All counts as they are now."""
        with self._lock:
            return dict(self._counts)


class Trouble:
    """Says once that something has begun to fail, and once that it works again. For one thread."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        """`what`: what fails or works, as a sentence begins."""
        self._log, self._what = log, what
        self._is_on = False

    def begin(self, reason: object) -> None:
        """It failed, for a reason that is said if it is the first time."""
        if not self._is_on:
            self._is_on = True
            self._log.warning("%s fails: %s", self._what, one_line(reason))

    def end(self) -> None:
        """It worked."""
        if self._is_on:
            self._is_on = False
            self._log.warning("%s works again", self._what)


def one_line(reason: object) -> str:
    """A reason as one short line without a full stop; the name of its kind if it says nothing."""
    return " ".join(str(reason).split())[:200].rstrip(".") or type(reason).__name__
