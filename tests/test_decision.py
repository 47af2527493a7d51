"""The laws of the decision rule: how scores are cut does not matter, and it keeps its pauses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from kws.config import Decision
from kws.decision import Decider

FIRST_S, STEP_S = 0.112, 0.03
Scores = NDArray[np.float32]

some_scores = arrays(np.float32, st.integers(0, 300), elements=st.floats(0, 1, width=32))
some_rules = st.builds(
    Decision,
    threshold=st.floats(0.05, 0.95),
    cooldown_s=st.floats(0, 3),
    warm_up_s=st.floats(0, 2),
    smoothing=st.integers(1, 20),
)


def decide(rule: Decision, *chunks: Scores) -> list[tuple[float, float]]:
    decider = Decider(rule, FIRST_S, STEP_S)
    return [fired for chunk in chunks for fired in decider.feed(chunk)]


@given(scores=some_scores, rule=some_rules, cuts=st.lists(st.integers(0, 300), max_size=8))
@example(
    scores=np.linspace(0, 1, 60, dtype=np.float32), rule=Decision(threshold=0.5, smoothing=20), cuts=list(range(60))
)
def test_detections_do_not_depend_on_how_scores_are_cut(scores: Scores, rule: Decision, cuts: list[int]) -> None:
    assert decide(rule, *np.split(scores, sorted(cuts))) == decide(rule, scores)


@given(scores=some_scores, rule=some_rules)
def test_no_detection_comes_during_warm_up_or_cooldown_or_below_the_threshold(scores: Scores, rule: Decision) -> None:
    fired = decide(rule, scores)
    times_s = [time_s for time_s, _ in fired]
    assert all(time_s >= rule.warm_up_s for time_s in times_s)
    assert all(later >= earlier + rule.cooldown_s for earlier, later in pairwise(times_s))
    assert all(np.float32(score) >= np.float32(rule.threshold) for _, score in fired)


@given(
    scores=some_scores,
    rule=some_rules,
    coming=arrays(np.float32, st.integers(0, 20), elements=st.floats(0, 1, width=32)),
)
def test_what_may_wait_can_never_fire(scores: Scores, rule: Decision, coming: Scores) -> None:
    decider = Decider(rule, FIRST_S, STEP_S)
    decider.feed(scores)
    if decider.may_wait(len(coming)):
        assert not decider.feed(np.ones_like(coming))
    else:
        assert (
            np.concatenate((scores, np.ones_like(coming)))[-rule.smoothing :].sum()
            > 0.98 * rule.threshold * rule.smoothing
        )


@given(scores=some_scores, rule=some_rules)
def test_every_score_that_may_fire_does(scores: Scores, rule: Decision) -> None:
    """The rule, said again one score at a time."""
    heard = np.concatenate((np.zeros(rule.smoothing - 1), scores.astype(np.float64)))
    means = [heard[number : number + rule.smoothing].mean() for number in range(len(scores))]
    times_s = [FIRST_S + number * STEP_S for number in range(len(scores))]
    fired = decide(rule, scores)
    quiet_until_s = rule.warm_up_s
    for time_s, mean in zip(times_s, means, strict=True):
        if abs(mean - rule.threshold) < 1e-6:
            return  # too close to call in float32
        if mean >= rule.threshold and time_s >= quiet_until_s:
            quiet_until_s = time_s + rule.cooldown_s
            found_s, found = fired.pop(0)
            assert found_s == time_s
            assert found == pytest.approx(mean, abs=1e-6)
    assert fired == []


@given(before=some_scores, scores=some_scores, rule=some_rules)
def test_reset_forgets_everything(before: Scores, scores: Scores, rule: Decision) -> None:
    decider = Decider(rule, FIRST_S, STEP_S)
    decider.feed(before)
    decider.reset()
    assert decider.feed(scores) == decide(rule, scores)


@given(scores=some_scores, rule=some_rules)
def test_scores_are_read_and_not_changed(scores: Scores, rule: Decision) -> None:
    kept = scores.copy()
    decide(rule, scores)
    np.testing.assert_array_equal(scores, kept)


def test_a_held_word_is_one_detection_every_cooldown() -> None:
    held = np.ones(round(10 / STEP_S), np.float32)
    times_s = [time_s for time_s, _ in decide(Decision(threshold=0.5, cooldown_s=2.0, warm_up_s=0.5), held)]
    assert len(times_s) == 5
    assert np.diff(times_s) == pytest.approx(2.0, abs=STEP_S)
    assert times_s[0] == pytest.approx(0.5, abs=STEP_S)


def test_one_high_score_is_smoothed_away() -> None:
    scores = np.zeros(100, np.float32)
    scores[50] = 1
    assert len(decide(Decision(threshold=0.5), scores)) == 1
    assert decide(Decision(threshold=0.5, smoothing=3), scores) == []
