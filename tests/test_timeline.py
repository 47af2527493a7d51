"""Drawings fit the terminal and put things where they were heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kws.decision import Detection
from kws.events import Event
from kws.listener import Heard
from kws.timeline import NARROWEST, Track, clock, draw, encodable, live_line


def track(seconds: float = 60.0, at: tuple[float, ...] = (15.0, 45.0), words: tuple[str, ...] = ("activate",)) -> Track:
    """A recording that is loud and scores high around each of the times, and quiet otherwise."""
    kept = Track(words=words, thresholds=tuple(0.6 for _ in words))
    step_s = 0.08
    for count in range(1, round(seconds / step_s) + 1):
        time = count * step_s
        near = any(abs(time - each) < 0.5 for each in at)
        fired = tuple(
            Detection(word=word, time=each, end=each, score=0.9)
            for word in words
            for each in at
            if time - step_s < each <= time
        )
        level_db, scores = (-12.0, 0.95) if near else (-55.0, 0.02)
        kept.add(Heard(time=time, level_db=level_db, scores=(scores,) * len(words), fired=(fired,)))
    return kept


@given(width=st.integers(0, 250), seconds=st.floats(0.1, 300), words=st.lists(st.text("ab ", max_size=20), max_size=3))
def test_a_timeline_fits_the_terminal(width: int, seconds: float, words: list[str]) -> None:
    drawn = draw(track(seconds, (seconds / 2,), tuple(words)), width)
    assert all(len(line) < max(width, NARROWEST) for line in drawn.splitlines())


def test_marks_stand_under_the_peaks_they_belong_to() -> None:
    lines = draw(track(), 72).splitlines()
    level, top, heard = lines[0], lines[1], next(line for line in lines if "heard" in line)
    peaks = [column for column, character in enumerate(top) if character == "▆"]
    marks = [column for column, character in enumerate(heard) if character == "▲"]
    assert marks == [11 + 15, 11 + 45]
    assert set(marks) <= set(peaks)
    assert {level[mark] for mark in marks} == {"▆"}


def test_the_threshold_is_a_line_that_peaks_break() -> None:
    line = next(line for line in draw(track(), 72).splitlines() if line.lstrip().startswith("0.60"))
    assert line[11:].count("┄") == 60 - line.count("█")
    assert line[11 + 15] == "█"


def test_a_peak_shorter_than_a_column_is_drawn() -> None:
    assert "▆" in draw(track(seconds=600, at=(300.0,)), 50).splitlines()[1]


def test_what_was_said_is_drawn_below_what_was_heard() -> None:
    known = [
        Event(word="activate", start=14.2, end=15.0),
        Event(word="captivate", start=30.0, end=30.9, kind="near-miss"),
    ]
    (said,) = (line for line in draw(track(), 72, known).splitlines() if "said" in line)
    assert said[11:].rstrip() == " " * 14 + "━━" + " " * 14 + "╌"


def test_two_words_have_a_chart_each() -> None:
    drawn = draw(track(words=("activate", "athena")), 72)
    assert drawn.count("heard") == 2
    assert "athena" in drawn


def test_the_axis_names_seconds() -> None:
    *_, ticks, labels = draw(track(), 72).splitlines()
    assert labels.split() == ["0:00", "0:10", "0:20", "0:30", "0:40", "0:50"]
    assert [column for column, character in enumerate(ticks) if character in "└┴"] == [11, 21, 31, 41, 51, 61, 70]


def test_nothing_heard_draws_nothing() -> None:
    assert draw(Track(words=("activate",), thresholds=(0.5,)), 80) == ""


@given(width=st.integers(1, 200), level_db=st.floats(-200, 6), score=st.floats(0, 1))
def test_the_live_line_fills_the_width_exactly(width: int, level_db: float, score: float) -> None:
    heard = Heard(time=3.0, level_db=level_db, scores=(score,), fired=())
    assert len(live_line(heard, ["activate"], None, width)) == width


def test_the_live_line_tells_the_last_detection() -> None:
    last = Detection(word="activate", time=61.23, end=61.1, score=0.9)
    line = live_line(Heard(time=75.0, level_db=-30, scores=(0.5,), fired=()), ["activate"], last, 100)
    for part in ("1:15.0", "level ▕██████      ▏", "activate ▕█████     ▏ 0.50", "last: activate at 1:01.2"):
        assert part in line


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (59.96, "1:00.0"), (61.25, "1:01.3"), (3725.5, "1:02:05.5")]
)
def test_clock_shows_tenths(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_terminal_without_unicode_gets_ascii_of_the_same_width() -> None:
    drawn = draw(track(), 72, [Event(word="activate", start=14.2, end=15.0)])
    assert encodable(drawn, "utf-8") == drawn
    plain = encodable(drawn, "ascii")
    assert plain.isascii()
    assert "?" not in plain
    assert [len(line) for line in plain.splitlines()] == [len(line) for line in drawn.splitlines()]
