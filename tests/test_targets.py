"""Targets and loss: a positive wants one high step near its end, everything else silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kws.events import Event
from kws.loss import max_pooling_loss
from kws.targets import Window, coded, regions

TIMES_S = 0.112 + np.arange(300) * 0.03
WINDOW = Window()


def asked_of(*events: Event) -> np.ndarray:
    return regions(coded(events), TIMES_S, WINDOW)


def test_only_steps_near_the_words_end_may_answer_for_it() -> None:
    asked = asked_of(Event(word="activate", start=2.0, end=2.6))
    answering = TIMES_S[asked == 1]
    assert answering.min() >= 2.6 - WINDOW.before_s
    assert answering.max() <= 2.6 + WINDOW.after_s
    assert len(answering) == pytest.approx((WINDOW.before_s + WINDOW.after_s) / 0.03, abs=1)


def test_what_contains_the_word_asks_nothing() -> None:
    asked = asked_of(Event(word="activated", start=2.0, end=2.8, kind="containing"))
    assert set(asked[(TIMES_S > 2.0) & (TIMES_S < 2.8)]) == {-1}
    assert asked.max() == 0


@given(st.floats(0.5, 8.0), st.sampled_from(["near-miss", "negative", "sentence"]))
def test_negatives_ask_for_silence_throughout(start: float, kind: str) -> None:
    assert not asked_of(Event(word="active", start=start, end=start + 0.5, kind=kind)).any()


def test_two_positives_are_numbered_apart() -> None:
    asked = asked_of(Event(word="a", start=1.0, end=1.5), Event(word="a", start=3.0, end=3.5))
    assert set(asked) == {-1, 0, 1, 2}


def test_a_window_after_the_clips_end_asks_for_nothing_high() -> None:
    assert asked_of(Event(word="a", start=20.0, end=20.5)).max() == 0


def loss_of(logits: np.ndarray, asked: np.ndarray) -> float:
    return float(max_pooling_loss(torch.tensor(logits)[None].float(), torch.tensor(asked)[None].long(), 33))


def test_one_high_step_in_the_window_satisfies_a_positive() -> None:
    asked = asked_of(Event(word="a", start=2.0, end=2.6))
    silent = np.full(300, -20.0)
    right, late = silent.copy(), silent.copy()
    right[np.flatnonzero(asked == 1)[3]] = 20.0
    late[np.flatnonzero(asked == 0)[-40]] = 20.0
    assert loss_of(right, asked) < 1e-3
    assert loss_of(silent, asked) == pytest.approx(20.0, abs=0.1)
    assert loss_of(late, asked) == pytest.approx(40.0, abs=0.1)


def test_a_burst_of_false_steps_counts_once_a_block() -> None:
    asked = np.zeros(330, np.int8)
    once, burst = np.full(330, -20.0), np.full(330, -20.0)
    once[10] = 5.0
    burst[5:20] = 5.0
    assert loss_of(once, asked) == pytest.approx(loss_of(burst, asked), abs=1e-4)


def test_negatives_weigh_what_they_are_told_to_and_positives_always_one() -> None:
    logits, asked = torch.zeros(1, 66), torch.zeros(1, 66, dtype=torch.int64)
    asked[0, 50] = 1
    of = [float(max_pooling_loss(logits, asked, 33, weight)) for weight in (0.0, 0.5, 1.0)]
    assert of == pytest.approx(np.log(2) * np.array([1, 2, 3]))


def test_free_steps_cost_nothing() -> None:
    asked = np.full(99, -1, np.int8)
    asked[:33] = 0
    loud = np.full(99, -20.0)
    loud[50:] = 20.0
    assert loss_of(loud, asked) < 1e-3


def test_a_positive_cut_at_its_beginning_asks_nothing() -> None:
    cut = coded([Event(word="a", start=0.0, end=0.6)]) - np.array([0.1, 0.1, 0], np.float32)
    assert regions(cut, TIMES_S, WINDOW).max() == 0
    assert set(regions(cut, TIMES_S, WINDOW)[(TIMES_S > 0.3) & (TIMES_S < 0.7)]) == {-1}
    assert asked_of(Event(word="a", start=0.0, end=0.6)).max() == 1
