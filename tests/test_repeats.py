"""Copies among recordings: found at another level and place, told in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from murmurs import murmur
from test_evaluate import Ear, folder_of, sound, told

from kws.audio import RATE_HZ, Samples
from kws.evaluate import measure
from kws.repeats import copies, first_alike, picture


def later(samples: Samples, seconds: float) -> Samples:
    return np.concatenate((np.zeros(round(seconds * RATE_HZ), np.float32), samples))


def test_copies_are_found_at_another_level_and_a_little_later() -> None:
    words = [murmur(1), murmur(2), 0.3 * murmur(1), murmur(3), later(murmur(2), 0.02), murmur(1)]
    assert first_alike([*map(picture, words)]).tolist() == [0, 1, 0, 3, 1, 0]


def test_silence_and_next_to_nothing_are_copies_of_nothing() -> None:
    silence = [np.zeros(n, np.float32) for n in (0, 100, 600, 16000, 16000)]
    assert first_alike([*map(picture, silence)]).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [0, 1])
def test_few_are_no_copies(count: int) -> None:
    assert first_alike([picture(murmur(1))] * count).tolist() == [0] * count


def test_a_copy_in_one_condition_is_one_in_all() -> None:
    clean = [("a", picture(murmur(1))), ("b", picture(0.5 * murmur(1))), ("c", picture(murmur(2)))]
    noisy = [("a", picture(murmur(3))), ("b", picture(murmur(4))), ("c", picture(murmur(5)))]
    assert copies([clean, noisy]) == {"b"}


def test_the_report_tells_how_many_are_different(tmp_path: Path) -> None:
    loud = sound(0.0001, 0.5, 0.0001)
    report = measure(Ear(), folder_of(tmp_path, a=loud, b=0.8 * loud, c=0.1 * murmur(1), d=0.05 * murmur(1)))
    assert report.positives
    assert (report.positives.total.of, report.positives.distinct.of, report.positives.distinct.missed) == (4, 2, 1)
    assert "2 of the 4 utterances are copies of others: of the different ones 50.0 %" in told(report)
