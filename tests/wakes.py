"""Wakes for the tests of what they set going, and a wait with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from kws.daemon.ring import Ring
from kws.daemon.settings import Word
from kws.daemon.wake import Wake
from kws.decision import Detection

AT = datetime(2026, 3, 1, 8, 30, 15, 250_000, timezone(timedelta(hours=1)))
FIELDS = {"word": "activate", "score": 0.75, "time": 3.25, "end": 3.0, "at": "2026-03-01T08:30:15.250+01:00"}


def wake(*, word: str = "activate", end: float = 3.0, at: datetime = AT, **asked: Any) -> Wake:
    """A wake that came a quarter of a second after the word's end; `asked`: what its settings say."""
    return Wake(detection=Detection(word=word, time=end + 0.25, end=end, score=0.75), at=at, word=Word(**asked))


def silence() -> Ring:
    """A ring that heard nothing yet."""
    return Ring(1.0)


def wait_for(is_so: Callable[[], Any], limit_s: float = 30.0) -> None:
    """Wait until something is so; fail after the limit."""
    until = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
