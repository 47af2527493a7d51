"""The verdict says what was measured, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from small_report import a_report

from kws.cli.verdict import Basis, _threshold_from, told
from kws.det import Det
from kws.report import FalseAccept, Heard, Negatives, Positives, Report, Trial

BASIS = Basis(voices=6, says="Made of 10 clips.")


def said(condition: str, missed: int, of: int) -> list[Trial]:
    return [
        Trial(
            file=f"{condition}/{n}.flac", start=1, end=2, detected=None if n < missed else 2.2, best_score=0.5,
            about={"condition": condition},
        )
        for n in range(of)
    ]  # fmt: skip


def near(text: str, taken: int, of: int, score: float = 0.9) -> list[Trial]:
    return [
        Trial(
            file=f"near/{text}{n}.flac", start=1, end=2, detected=2.1 if n < taken else None, best_score=score,
            word=text, kind="near-miss",
        )
        for n in range(of)
    ]  # fmt: skip


def report(
    trials: Sequence[Trial], alike: Sequence[Trial] = (), accepts: int = 0, hours: float = 0.5, name: str = "made_talk"
) -> Report:
    found = tuple(FalseAccept(file="x.flac", time=1.0, score=0.9) for _ in range(accepts))
    heard = Heard(name=name, speech=name.startswith("speech"), hours=hours, accepts=found)
    return Report(
        word="hey nova", threshold=0.7, positives=Positives(trials=tuple(trials), alike=tuple(alike)),
        negatives=Negatives(classes=(heard,)), target_per_hour=0.5, tuned=None,
        det=Det(thresholds=(0.5,), misses=(0,), utterances=1, false_accepts=(0,), hours=0.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("clean", "far", "grade"), [(0, 4, "good"), (4, 10, "usable"), (8, 60, "usable"), (9, 9, "weak"), (0, 9, "usable")]
)
def test_the_first_line_is_the_plain_verdict(clean: int, far: int, grade: str) -> None:
    first, *_ = told(report([*said("clean", clean, 100), *said("far", far, 100)]), BASIS)
    hardest = "3 m away in a room" if far > clean else "nearby, quiet"
    assert first == (
        f"'hey nova' is {grade}: about {clean} of 100 missed nearby in quiet, {max(far, clean)} where it is hardest "
        f"({hardest}), no false accepts in 0.50 h of talk."
    )


def test_none_heard_in_half_an_hour_is_told_as_a_bound_of_a_day() -> None:
    lines = "\n".join(told(report(said("clean", 0, 20)), BASIS))
    assert "fewer than 150 (95 %): none in 0.50 h" in lines  # -ln(0.05) / 0.5 h times 24 h is 143.8
    assert "No person's talk was heard" in lines
    assert "0.50 h without the word" in lines


def test_more_false_accepts_than_aimed_at_are_said_first() -> None:
    first, *_ = told(report(said("clean", 0, 20), accepts=9, hours=2.0), BASIS)
    assert first.startswith("'hey nova' is weak: about 0 of 100 missed")
    assert "9 false accepts in 2.00 h of talk, which is more than was aimed at" in first
    lines = "\n".join(told(report(said("clean", 0, 20), accepts=9, hours=2.0, name="speech_held_out"), BASIS))
    assert "people's talk, held out   108 (49-205): 9 in 2.00 h" in lines
    assert "2.00 h of people's talk say little of a day" in lines


def test_what_it_confuses_is_told_by_text_the_most_often_taken_first() -> None:
    alike = [*near("hey mova", 1, 4), *near("hay nova", 2, 2), *near("nova", 0, 3)]
    lines = list(told(report(said("clean", 0, 20), alike), BASIS))
    assert "Confuses: 'hay nova' (2 of 2), 'hey mova' (1 of 4): 3 of 9 near-misses taken for the word." in lines
    quiet = list(told(report(said("clean", 0, 20), [*near("a", 0, 1, 0.1), *near("b", 0, 1, 0.6)]), BASIS))
    assert "Confuses: none of 2 near-misses; 'b' comes nearest (score 0.60 of 0.70)." in quiet


def test_it_fits_on_one_screen_and_tells_every_condition() -> None:
    trials = [trial for name in ("clean", "babble_10db", "music_5db", "far") for trial in said(name, 3, 24)]
    alike = [trial for n in range(40) for trial in near(f"near miss number {n}", 1, 1)]
    lines = list(told(report(trials, alike), BASIS))
    assert len(lines) <= 18
    for name in ("nearby, quiet", "six talkers, 10 dB softer", "music, 5 dB softer", "3 m away in a room"):
        assert any(line.startswith(f"  {name}") and "12.5   (4-31; 24 utterances)" in line for line in lines)


def test_a_report_of_other_sets_is_told_too() -> None:
    whole = a_report()
    for one in (whole, replace(whole, negatives=None), replace(whole, positives=None)):
        assert "beep" in next(told(one, BASIS))


@pytest.mark.parametrize(
    ("negatives", "said_too"),
    [("human speech", "Talk unlike it"), ("synthetic speech", "what other words needed")],
)
def test_what_the_threshold_was_chosen_on_is_told_with_what_that_leaves_open(negatives: str, said_too: str) -> None:
    known = {"hours": 4.17, "negatives": negatives, "false_accepts_per_hour": 0.48, "false_accepts_per_hour_95": (0, 2)}
    line = _threshold_from(known)
    assert line.startswith(f"The threshold was chosen on 4.17 h of {negatives}, with 0.48 false accepts an hour")
    assert said_too in line
