"""Curves and histograms, on the terminal and as pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_report import a_report, a_trial

from kws.plots import det_png, det_text, score_rows, scores_png, scores_text


def test_the_det_is_drawn_on_the_terminal() -> None:
    lines = det_text(a_report())
    assert any("O" in line for line in lines)
    assert "10 %" in "\n".join(lines)
    assert "0.1" in lines[-2]
    assert "10" in lines[-2]
    assert max(map(len, lines)) < 80


def test_the_pictures_are_pictures() -> None:
    assert det_png(a_report()).startswith(b"\x89PNG")
    assert scores_png(a_report()).startswith(b"\x89PNG")


def test_one_side_alone_has_no_curve_but_its_scores() -> None:
    half = replace(a_report(), negatives=None)
    assert det_text(half) == []
    assert [name for name, _ in score_rows(half)] == ["40 utterances"]
    with pytest.raises(ValueError, match="hours"):
        det_png(half)


def test_what_sounds_like_the_word_has_a_histogram_of_its_own() -> None:
    alike = tuple(replace(a_trial(n, missed=True), kind=kind) for n in range(3) for kind in ("near-miss", "containing"))
    report = replace(a_report(), positives=replace(a_report().positives, alike=alike))  # type: ignore[type-var]
    assert [name for name, _ in score_rows(report)][:3] == ["40 utterances", "3 containing", "3 near-miss"]
    assert score_rows(report)[1][1] == (0.0, 0.01, 0.02)


def test_nothing_measured_has_no_scores() -> None:
    nothing = replace(a_report(), positives=None, negatives=None)
    assert scores_text(nothing) == []
    with pytest.raises(ValueError, match="no scores"):
        scores_png(nothing)


def test_scores_are_drawn_on_the_terminal_and_a_single_one_is_seen() -> None:
    lines = scores_text(a_report())
    assert [line.split(",")[0] for line in lines[3:6]] == ["speech", "music", "effects"]
    assert lines[1].index("▼") == 22 + 28
    music = lines[4][22:]
    assert {music[column] for column in range(len(music)) if column not in {5, 33}} == {" "}
    assert "▁" <= music[5] <= "█"
    assert "▁" <= music[33] <= "█"
    assert max(map(len, lines)) < 80
