"""What a report claims, and what it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_report import a_report, a_trial

from kws.report import FalseAccept, Heard, Negatives, Positives, Report, Target, histogram
from kws.wording import caveats, headline, lines, named


def heard(count: int, hours: float, name: str = "speech") -> Heard:
    accepts = tuple(FalseAccept(file=f"{n}.ogg", time=1.0, score=0.9) for n in range(count))
    return Heard(name=name, speech=name.startswith("speech"), hours=hours, accepts=accepts)


def told(report: Report) -> str:
    return "\n".join(lines(report))


def test_none_heard_is_never_called_zero_per_hour() -> None:
    assert str(heard(0, 1.2)) == "0 in 1.20 h: fewer than 2.5 per hour (95 %)"
    assert str(heard(0, 1.75)) == "0 in 1.75 h: fewer than 1.8 per hour (95 %)", "rounded up: 1.7 is not shown"
    assert str(heard(3, 2.19)) == "1.37 per hour  (0.28-4.00, 3 in 2.19 h)"


@pytest.mark.parametrize(
    ("count", "hours", "said"),
    [
        (0, 1.75, "0.5 per hour cannot be shown by 1.75 h: that takes 6 h with none heard"),
        (1, 5.0, "0.5 per hour cannot be shown by 5.00 h: that takes 6 h with none heard"),
        (0, 6.0, "0.5 per hour is kept (95 %)"),
        (1, 8.0, "0.5 per hour is neither shown nor refuted by 1 in 8.00 h; 1 in 12 h would show it"),
        (20, 8.0, "0.5 per hour is not kept (95 %)"),
    ],
)
def test_a_target_is_claimed_only_where_the_hours_show_it(count: int, hours: float, said: str) -> None:
    assert str(Target(per_hour=0.5, heard=heard(count, hours))) == said


@given(st.integers(0, 30), st.floats(0.01, 100), st.floats(0.05, 20))
def test_the_hours_needed_are_those_that_show_the_target(count: int, hours: float, per_hour: float) -> None:
    target = Target(per_hour=per_hour, heard=heard(count, hours))
    assert Target(per_hour=per_hour, heard=heard(count, target.hours_needed * 1.001)).is_shown
    assert not Target(per_hour=per_hour, heard=heard(count, target.hours_needed * 0.999)).is_shown
    assert target.can_be_shown or not target.is_shown


def test_the_headline_says_what_counts() -> None:
    named_figures = dict(headline(a_report()))
    assert list(named_figures) == [
        "misses", "misses, clean", "misses, far", "false accepts, speech", "target", "latency", "word's end",
        "worst group",
    ]  # fmt: skip
    assert named_figures["misses, far"] == "10.0 %  (2.8-30.1 %, 2 of 20 missed)"
    assert named_figures["word's end"] == "told to within 0.04 s in the median"
    assert "3.33 per hour" in named_figures["false accepts, speech"]
    assert named_figures["worst group"].startswith("condition far: 10.0 %")
    assert named_figures["worst group"].endswith("2.0 times the mean of 5.0 %")


def test_each_class_is_told_and_none_is_invented() -> None:
    text = told(a_report())
    assert "music                 0.50 per hour" in text
    assert "effects               0 in 1.00 h: fewer than 3 per hour (95 %)" in text
    assert "silence" not in text


def test_misses_are_listed_with_the_nearly_heard_first() -> None:
    assert [trial.file for trial in a_report().positives.misses] == ["yes/1.wav", "yes/0.wav"]  # type: ignore[union-attr]


def test_a_word_masked_by_an_earlier_detection_is_said_to_be() -> None:
    trials = tuple(replace(a_trial(80 - 70 * n, missed=True)) for n in range(2))
    text = told(replace(a_report(), positives=Positives(trials=trials)))
    assert "best score 0.800, held back by an earlier detection)" in text
    assert "best score 0.100)" in text


def test_what_is_to_be_read_with_care_is_said() -> None:
    trials = [a_trial(n, missed=n % 20 == 0, condition="ab"[n % 2], source=f"take {n // 4}") for n in range(200)]
    report = replace(a_report(), positives=Positives(trials=tuple(trials), stray=3), skipped=("x", "y"))
    text = " ".join(caveats(report))
    assert "The 200 utterances were made from 50 recordings" in text
    assert "3 further detections" in text
    assert "21 of the 21 false accepts lie in one file, x.ogg" in text
    assert "music, effects: told by class" in text
    assert "At threshold 0.8, chosen on this very set" in text
    assert "2 accepted in 6.00 h" in text
    assert "left out: 2." in text
    assert "leave much open" not in text


def test_a_threshold_that_this_set_would_choose_is_suspected_of_having_been_chosen_on_it() -> None:
    report = a_report()
    assert "calibrated here" not in " ".join(caveats(report))
    assert "calibrated here" in " ".join(caveats(replace(report, threshold=0.8)))


def test_few_utterances_and_a_target_out_of_sight_are_said() -> None:
    report = replace(a_report(), negatives=Negatives(classes=(heard(0, 1.0),)))
    text = " ".join(caveats(report))
    assert "40 utterances leave much open: between 1 and 17 %" in text
    assert "The target of 0.5 per hour cannot be shown by 1.00 h" in text


def test_long_lists_are_cut_on_the_terminal_and_whole_in_the_report() -> None:
    report = a_report()
    assert "… and 11 more" in told(report)
    written = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert len(written["negatives"]["accepts"]) == 21
    assert len(written["positives"]["best_scores"]) == 40
    assert written["target"]["can_be_shown_with_these_hours"]
    assert not written["target"]["shown"]


@pytest.mark.parametrize(
    ("key", "name"), [("snr_db", "SNR (dB)"), ("distance_m", "distance (m)"), ("rt60_s", "RT60 (s)"), ("sex", "sex")]
)
def test_keys_are_told_with_their_units(key: str, name: str) -> None:
    assert named(key) == name


@given(st.lists(st.floats(0, 1)), st.integers(1, 60))
def test_a_histogram_counts_every_score_once(scores: list[float], bins: int) -> None:
    counts = histogram(scores, bins)
    assert (len(counts), sum(counts)) == (bins, len(scores))
