"""What was heard, drawn in text: a whole recording as a timeline, or the present moment as one line.

K chunks, C columns, D detectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kws.decision import Detection
from kws.events import Event
from kws.listener import Heard

BLOCKS = " ▁▂▃▄▅▆▇█"
SCORE_ROWS = 4
LEVEL_FLOOR_DB = -60.0
NARROWEST = 40

_MARGIN = 11
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█┄▲━╌└┴─▕▏", "..::==##-^=-++-||")


@dataclass(kw_only=True)
class Track:
    """What is kept of a recording for drawing it."""

    words: tuple[str, ...]
    thresholds: tuple[float, ...]
    times: list[float] = field(default_factory=list)
    """(K,) seconds at which each chunk ends."""
    levels_db: list[float] = field(default_factory=list)
    scores: list[tuple[float, ...]] = field(default_factory=list)
    """(K, D)."""
    detections: list[Detection] = field(default_factory=list)

    def add(self, heard: Heard) -> None:
        """Keep what one more chunk told."""
        self.times.append(heard.time)
        self.levels_db.append(heard.level_db)
        self.scores.append(heard.scores)
        self.detections += heard.detections


def draw(track: Track, width: int, known: Sequence[Event] = ()) -> str:
    """A timeline of a recording in lines of at most `width` characters (40 if that is less); `known`: what was said."""
    if not track.times or track.times[-1] == 0:
        return ""
    columns = max(width, NARROWEST) - _MARGIN - 1
    seconds = track.times[-1]
    levels = np.array(track.levels_db) / -LEVEL_FLOOR_DB + 1
    lines = [_labelled("level", _row(_peaks(track.times, levels, columns)))]
    for index, (word, threshold) in enumerate(zip(track.words, track.thresholds, strict=True)):
        scores = np.array([each[index] for each in track.scores])
        lines += _score_rows(word, threshold, _peaks(track.times, scores, columns))
        marks = [(found.time, found.time, "▲") for found in track.detections if found.word == word]
        lines.append(_labelled("heard", _marks(marks, seconds, columns)))
    if known:
        spans = [(event.start, event.end, "━" if event.kind == "positive" else "╌") for event in known]
        lines.append(_labelled("said", _marks(spans, seconds, columns)))
    lines += _axis(seconds, columns)
    return "\n".join(line.rstrip() for line in lines)


def live_line(heard: Heard, words: Sequence[str], last: Detection | None, width: int) -> str:
    """The present moment in exactly `width` characters: clock, level, a bar for each score, the last detection."""
    level = np.clip(heard.level_db / -LEVEL_FLOOR_DB + 1, 0, 1)
    parts = [f"{clock(heard.time)}  level {_bar(level, 12)}"]
    parts += [f"{word} {_bar(score, 10)} {score:.2f}" for word, score in zip(words, heard.scores, strict=True)]
    if last is not None:
        parts.append(f"last: {last.word} at {clock(last.time)}")
    return "  ".join(parts)[:width].ljust(width)


def clock(seconds: float) -> str:
    """`m:ss.t`, with hours in front if there are any."""
    tenths = math.floor(seconds * 10 + 0.5)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{front}:{rest // 10:02d}.{rest % 10}"


def encodable(text: str, encoding: str | None) -> str:
    """The text itself if a terminal's encoding can show it, otherwise drawn in ASCII."""
    try:
        text.encode(encoding or "ascii")
        return text
    except (UnicodeEncodeError, LookupError):
        return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")


def _peaks(times: Sequence[float], values: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """(C,) the highest of the (K,) values that touch each column."""
    ends = np.asarray(times)
    starts = np.concatenate(([0.0], ends[:-1]))
    edges = np.linspace(0, ends[-1], columns + 1)
    first = np.minimum(np.searchsorted(ends, edges[:-1], "right"), len(ends) - 1)
    past = np.maximum(np.searchsorted(starts, edges[1:], "left"), first + 1)
    return np.array([values[low:high].max() for low, high in zip(first, past, strict=True)])


def _row(heights: NDArray[np.float64], empty: str = " ") -> str:
    """A row of blocks for (C,) heights in [0, 1]; `empty` stands where there is nothing."""
    steps = np.clip(np.round(heights * 8), 0, 8).astype(int)
    return "".join(BLOCKS[step] if step else empty for step in steps)


def _score_rows(word: str, threshold: float, peaks: NDArray[np.float64]) -> list[str]:
    """The scores as a chart, the threshold a broken line through it."""
    lines = []
    at = min(int(threshold * SCORE_ROWS), SCORE_ROWS - 1)
    for floor in reversed(range(SCORE_ROWS)):
        label = f"{threshold:.2f} ┄" if floor == at else word if floor == SCORE_ROWS - 1 else ""
        if floor == SCORE_ROWS - 2 and at == SCORE_ROWS - 1:
            label = word
        lines.append(_labelled(label, _row(peaks * SCORE_ROWS - floor, "┄" if floor == at else " ")))
    return lines


def _marks(spans: Sequence[tuple[float, float, str]], seconds: float, columns: int) -> str:
    """A row with a mark from each start to its end."""
    row = [" "] * columns
    for start, end, mark in spans:
        first, last = (min(max(int(time / seconds * columns), 0), columns - 1) for time in (start, end))
        row[first : last + 1] = mark * (last + 1 - first)
    return "".join(row)


def _axis(seconds: float, columns: int) -> list[str]:
    step = next((step for step in _TICKS_S if step / seconds * columns >= 9), _TICKS_S[-1])
    line, labels = ["─"] * columns, [" "] * (columns + _MARGIN)
    for tick in range(int(seconds // step) + 1):
        column = min(int(tick * step / seconds * columns), columns - 1)
        line[column] = "└" if tick == 0 else "┴"
        label = clock(tick * step).removesuffix(".0")
        if column + len(label) <= columns:
            labels[column : column + len(label)] = label
    return [_labelled("", "".join(line)), _labelled("", "".join(labels[:columns]))]


def _labelled(label: str, row: str) -> str:
    return f"{label[: _MARGIN - 1]:>{_MARGIN - 1}} {row}"


def _bar(share: float, width: int) -> str:
    return f"▕{('█' * round(min(max(share, 0), 1) * width)).ljust(width)}▏"
