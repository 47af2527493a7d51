"""How a sweep is ranked and told: by validation alone, within a word, over seeds."""

from __future__ import annotations

from typing import Any

from kws.cli.ranking import line, ranked, told


def record(word: str, frr: float, **more: Any) -> dict[str, Any]:
    """A trial that was made."""
    validation = {"frr": frr, "false_accepts_per_hour": 0.5, "shortfall": 1.0, "utterances": 240, "hours": 2.0}
    verdict = {"missed": {"clean": [1, 10], "far": [3, 10]}, "false_accepts": 1, "talk_hours": 2.0}
    usual = {"trial": f"{word}-{frr}", "word": word, "seed": 1, "settings": {}, "minutes": 8.0, "verdict": verdict}
    return {**usual, "validation": {**validation, **more.pop("validation", {})}, **more}


def test_words_keep_their_order_and_within_one_validation_ranks() -> None:
    trials = [record("nova", 0.2), record("computer", 0.1), record("nova", 0.1), record("nova", 0.3)]
    assert [trial["trial"] for trial in ranked(trials)] == ["nova-0.1", "nova-0.2", "nova-0.3", "computer-0.1"]


def test_equals_are_told_apart_by_how_far_words_stay_below_the_threshold() -> None:
    trials = [record("nova", 0.1, seed=seed, validation={"shortfall": far}) for seed, far in enumerate([2, None, 0.5])]
    assert [trial["seed"] for trial in ranked(trials)] == [2, 0, 1]


def test_the_verdict_stands_beside_and_ranks_nothing() -> None:
    flattered = {"missed": {"clean": [0, 10], "far": [0, 10]}, "false_accepts": 0, "talk_hours": 2.0}
    trials = [record("nova", 0.2, verdict=flattered), record("nova", 0.1), record("nova", 0.3, verdict=None)]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in told(trials).splitlines()[2:5]]
    assert rows == [
        ["nova-0.1", "10.0 of 240", "0.50 (2.00 h)", "10.0 of 10", "30.0 of 10", "1 in 2.00 h", "8.0"],
        ["nova-0.2", "20.0 of 240", "0.50 (2.00 h)", "0.0 of 10", "0.0 of 10", "0 in 2.00 h", "8.0"],
        ["nova-0.3", "30.0 of 240", "0.50 (2.00 h)", "-", "-", "-", "8.0"],
    ]
    assert "by the validation split alone" in told(trials)


def test_columns_are_of_one_width_so_that_a_terminal_shows_them_too() -> None:
    table = told([record("nova", 0.2), record("a longer word", 0.123)]).splitlines()[:4]
    assert len({len(row) for row in table}) == 1
    assert len({tuple(place for place, letter in enumerate(row) if letter == "|") for row in table}) == 1


def test_settings_are_compared_over_their_seeds_best_first() -> None:
    shares = {0.1: (0.3, 0.1), 0.2: (0.15, 0.17), 0.3: (0.01,)}
    trials = [
        record("nova", frr, seed=seed, settings={"dropout": value})
        for value, found in shares.items()
        for seed, frr in enumerate(found)
    ]
    rows = [row for row in told(trials).splitlines() if row.startswith("| nova ")]
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows] == [
        ["nova", "dropout=0.2", "2", "16.0", "15.0", "17.0"],
        ["nova", "dropout=0.1", "2", "20.0", "10.0", "30.0"],
    ]
    assert "Over the seeds" not in told([record("nova", 0.1)])


def test_failures_are_told_by_their_sentence() -> None:
    failed = {"trial": "nova-seed=1", "word": "nova", "failure": "the disk is full: free some space."}
    assert told([failed]) == "Failed:\n\n- nova-seed=1: the disk is full: free some space."
    assert line(failed) == "nova-seed=1 failed: the disk is full: free some space."
    assert "validation FRR 10.0 % at 0.50 false accepts an hour, 8.0 min" in line(record("nova", 0.1))
