"""A lock file is held by one at a time, and a process that failed is told by what it wrote."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from kws.errors import Failure, told_by
from kws.files import alone


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_lock_that_is_held_is_waited_for_and_that_is_told(tmp_path: Path) -> None:
    lock, waits, order = tmp_path / "new" / ".lock", threading.Event(), []

    def second() -> None:
        with alone(lock, waits.set):
            order.append("second")

    with alone(lock, lambda: order.append("waited")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(Failure, match="cannot write"), alone(tmp_path / ".lock"):
        pass


@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        (["kws: the disk is full: free some space.", '{"stage": "bank"}'], 1, "the disk is full: free some space."),
        (["Traceback (most recent call last):", "ValueError: odd", "", "{}"], 1, "it ended with 1: ValueError: odd"),
        ([], 3, "it ended with 3"),
        (["kws: something earlier"], -9, "it was killed (signal 9), perhaps because memory ran out."),
    ],
)
def test_why_a_process_failed_is_its_last_sentence_or_else_its_last_line(
    lines: list[str], code: int, told: str
) -> None:
    assert told_by(lines, code) == told
