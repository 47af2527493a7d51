"""From labels in seconds to what each step of the net is asked.

N steps, E events. A step is asked one of three things: be silent (0), be silent or not as you like (-1), or be,
together with the other steps of the k-th positive, high at least once (k >= 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kws.events import Event

POSITIVE, FREE, NEGATIVE = 1, 2, 3
_CODES = {"positive": POSITIVE, "containing": FREE}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Where a word's step may be high, in seconds about the word's end."""

    before_s: float = 0.0
    after_s: float = 0.27
    free_before_s: float = 0.25
    """From here to the window the score may rise as it likes."""
    free_after_s: float = 0.9
    """From the window to here it may fall as it likes."""


def coded(events: Sequence[Event]) -> NDArray[np.float32]:
    """Events as rows (E, 3) of start, end and code."""
    rows = [(event.start, event.end, _CODES.get(event.kind, NEGATIVE)) for event in events]
    return np.array(rows, np.float32).reshape(-1, 3)


def heeded(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which events (E,) are the word or hold it; all other sound is simply negative."""
    which: NDArray[np.bool_] = rows[:, 2] != NEGATIVE
    return which


def regions(rows: NDArray[np.float32], times_s: NDArray[np.floating], window: Window) -> NDArray[np.int8]:
    """What each step (N,) is asked, given events (E, 3) and the seconds of sound behind each step.

    A positive whose window lies wholly outside the clip is left out, and one that began before the clip
    did is free; positives are numbered from 1 in the order given.
    """
    asked = np.zeros(len(times_s), np.int8)
    whole = [(start_s, end_s, code if start_s >= 0 else FREE) for start_s, end_s, code in rows[heeded(rows)]]
    for start_s, end_s, code in whole:
        low_s = end_s - window.free_before_s if code == POSITIVE else start_s
        asked[(times_s >= low_s) & (times_s <= end_s + window.free_after_s)] = -1
    number = 0
    for _, end_s, code in whole:
        inside = (times_s >= end_s - window.before_s) & (times_s <= end_s + window.after_s)
        if code == POSITIVE and inside.any():
            number += 1
            asked[inside] = number
    return asked
