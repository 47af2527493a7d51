from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from kws.config import Decision
from kws.det import (
    Det,
    Rule,
    calibrated_threshold,
    choose_threshold,
    false_accepts,
    fire,
    grid,
    heard,
    least_threshold,
    poisson_interval,
    round_up,
    tail_threshold,
    wilson,
)

FIRST_S, STEP_S = 0.112, 0.03
RULE = Rule(decision=Decision(threshold=0.5, cooldown_s=0.3, warm_up_s=0.2), first_s=FIRST_S, step_s=STEP_S)
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)

tracks = st.lists(
    st.lists(st.floats(0, 1, width=32), max_size=80).map(lambda scores: np.array(scores, np.float32)), max_size=3
)
rules = st.builds(
    Rule,
    decision=st.builds(
        Decision,
        threshold=st.just(0.5),
        cooldown_s=st.floats(0, 1),
        warm_up_s=st.floats(0, 0.5),
        smoothing=st.integers(1, 4),
    ),
    first_s=st.just(FIRST_S),
    step_s=st.just(STEP_S),
)


def spikes(**at_s: float) -> np.ndarray:
    """Scores of 3 s, nothing but spikes: s0_5=0.9 is a score of 0.9 half a second in."""
    scores = np.zeros(100, np.float32)
    for time, score in at_s.items():
        scores[round((float(time[1:].replace("_", ".")) - FIRST_S) / STEP_S)] = score
    return scores


def test_wilson_is_the_interval_of_the_textbook() -> None:
    assert wilson(316, 329) == pytest.approx((0.9335, 0.9767), abs=2e-4)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 60, 3000])
def test_poisson_interval_is_garwoods(count: int) -> None:
    expected = (chi2.ppf(0.025, 2 * count) / 2 / 4.0, chi2.ppf(0.975, 2 * count + 2) / 2 / 4.0)
    assert poisson_interval(count, 4.0) == pytest.approx(expected, rel=1e-6)


def test_nothing_heard_only_shows_fewer_than_three_per_hours() -> None:
    low, high = poisson_interval(0, 5.5)
    assert low == 0
    assert high == pytest.approx(3 / 5.5, rel=0.002)
    assert poisson_interval(0, 0) == (0, math.inf)


@given(st.floats(1e-6, 1e6))
def test_rounding_up_never_claims_less_and_hardly_more(value: float) -> None:
    assert value * (1 - 1e-9) <= round_up(value) <= value * 1.101
    assert float(f"{round_up(value):.2g}") == round_up(value)


def test_the_grid_rises_and_is_dense_near_one() -> None:
    thresholds = grid()
    assert len(thresholds) == 200
    assert all(0 < low < high < 1 for low, high in itertools.pairwise(thresholds))
    assert sum(threshold > 0.99 for threshold in thresholds) > 80


@given(tracks=tracks, rule=rules)
@settings(deadline=None)
def test_the_sweep_counts_what_the_rule_fires_at_every_threshold(tracks: list[np.ndarray], rule: Rule) -> None:
    plain = [sum(len(fire(track, rule.at(at))) for track in tracks) for at in grid(30)]
    swept = false_accepts(tracks, rule, grid(30)).tolist()
    assert swept == plain
    assert swept == sorted(swept, reverse=True)


def test_thresholds_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        false_accepts([], RULE, (0.5, 0.5))


def test_one_burst_is_one_false_accept() -> None:
    burst = np.zeros(100, np.float32)
    burst[40:45] = 0.95
    assert false_accepts([burst, burst], RULE, THRESHOLDS).tolist() == [2, 2, 2, 2, 2]


def test_an_utterance_is_heard_up_to_its_score() -> None:
    scores = spikes(s1_5=0.6)
    assert heard(scores, (1.0, 2.0), RULE, THRESHOLDS).tolist() == [True, True, True, False, False]


def test_an_earlier_false_fire_masks_the_word_at_a_low_threshold() -> None:
    scores = spikes(s0_9=0.4, s1_1=0.8)
    assert heard(scores, (1.0, 1.15), RULE, THRESHOLDS).tolist() == [False, False, True, True, False]


def test_a_word_without_scores_is_not_heard() -> None:
    assert not heard(np.zeros(0, np.float32), (1.0, 2.0), RULE, THRESHOLDS).any()


@given(tracks=tracks, rule=rules, start=st.floats(0, 2))
@settings(deadline=None)
def test_hearing_is_what_the_rule_fires_in_the_window(tracks: list[np.ndarray], rule: Rule, start: float) -> None:
    window = (start, start + 0.5)
    for track in tracks:
        plain = [any(start <= at <= window[1] for at in fire(track, rule.at(th))) for th in THRESHOLDS]
        assert heard(track, window, rule, THRESHOLDS).tolist() == plain


DET = Det(thresholds=THRESHOLDS, misses=(0, 1, 2, 5, 10), utterances=10, false_accepts=(90, 9, 4, 3, 0), hours=8.0)


def test_the_lowest_threshold_that_meets_the_target_is_chosen() -> None:
    chosen = choose_threshold(DET, 0.5)
    assert (chosen.threshold, chosen.frr, chosen.false_accepts_per_hour, chosen.caveat) == (0.5, 0.2, 0.5, "")


def test_a_threshold_is_not_below_what_other_words_needed() -> None:
    none, some = (replace(DET, false_accepts=counts) for counts in ((0,) * 5, (999, 999, 999, 999, 0)))
    assert choose_threshold(none, 16).threshold == 0.1
    assert calibrated_threshold(none, 16, 5, spoken_by_people=False).threshold == 0.7
    assert calibrated_threshold(none, 16, 5, spoken_by_people=True).threshold == 0.3
    assert calibrated_threshold(some, 16, 5, spoken_by_people=True).threshold == 0.9, "nor does that hold it down"


def falling_by(logits: float, *, loudest: int = 0) -> Det:
    """Two hours of talk whose false accepts grow as a line in logits; the loudest so many are far louder than that."""
    thresholds = np.array(grid())
    away = (np.log(thresholds / (1 - thresholds)) - 1) / logits
    counts = np.round(2 ** (2 - away)).astype(int)
    counts = np.where(thresholds < 0.999, np.maximum(counts, loudest), counts)
    return Det(thresholds=grid(), misses=(0,) * 200, utterances=1, false_accepts=tuple(counts.tolist()), hours=2.0)


def test_few_false_accepts_are_judged_by_their_tail() -> None:
    even, odd = tail_threshold(falling_by(0.35), 0.5), tail_threshold(falling_by(0.35, loudest=1), 0.5)
    # the line passes 4 in 2 h at a logit of 1, so 1 in 2 h at 1.7
    assert np.log(even / (1 - even)) == pytest.approx(1.7, abs=0.1)
    assert np.log(odd / (1 - odd)) == pytest.approx(1.7, abs=0.25), "one loud second does not decide"
    assert choose_threshold(falling_by(0.35, loudest=2), 0.5).threshold > 0.999, "where a count lets it"
    chosen = calibrated_threshold(falling_by(0.35, loudest=2), 0.5, 8, spoken_by_people=True)
    assert chosen.threshold < 0.9
    assert chosen.reached
    assert chosen.false_accepts_per_hour == 1.0


def test_many_false_accepts_are_counted() -> None:
    det = falling_by(0.5)
    assert calibrated_threshold(det, 8, 99, spoken_by_people=True) == choose_threshold(det, 8)


def test_no_false_accept_leaves_no_tail() -> None:
    assert tail_threshold(replace(DET, false_accepts=(0,) * 5), 0.5) == 0


@pytest.mark.parametrize("people", [True, False])
def test_other_words_needed_less_for_more_false_accepts_and_for_more_scores_averaged(people: bool) -> None:
    least = partial(least_threshold, spoken_by_people=people)
    assert least(2, 5) < least(0.5, 5) < least(0.1, 5)
    assert least(2, 16) < least(2, 8) < least(2, 5)
    assert least_threshold(2, 5, spoken_by_people=True) < least_threshold(2, 5, spoken_by_people=False)


def test_hours_too_few_for_the_target_are_said() -> None:
    chosen = choose_threshold(DET, 0.1)
    assert chosen.threshold == 0.9
    assert "8.00 h of speech are too few for 0.1 per hour" in chosen.caveat


def test_a_target_out_of_reach_is_said() -> None:
    never = Det(thresholds=THRESHOLDS, misses=(0,) * 5, utterances=0, false_accepts=(99,) * 5, hours=10.0)
    chosen = choose_threshold(never, 0.5)
    assert (chosen.threshold, chosen.frr) == (0.9, None)
    assert chosen.caveat == "no threshold reaches 0.5 false accepts per hour"


def test_a_threshold_cannot_be_chosen_without_hours() -> None:
    with pytest.raises(ValueError, match="hours"):
        choose_threshold(Det(thresholds=(0.5,), misses=(0,), utterances=1, false_accepts=(0,), hours=0.0))


def test_a_det_survives_json() -> None:
    import json

    assert Det.from_json(json.loads(json.dumps(DET.to_json()))) == DET


def test_a_detector_file_tells_its_det_in_counts_or_as_older_ones_do_in_rates() -> None:
    older = {
        "det": {
            "thresholds": list(THRESHOLDS), "frr": DET.frr.tolist(),
            "false_accepts_per_hour": DET.false_accepts_per_hour.tolist(),
        },
        "evaluation": {"hours": 8.0, "utterances": 10},
    }  # fmt: skip
    assert Det.from_metadata(older) == DET
    assert Det.from_metadata({"det": DET.to_json()}) == DET
    with pytest.raises(KeyError):
        Det.from_metadata({})
