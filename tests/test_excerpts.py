"""What is cut out to be listened to: the right seconds, the telling ones, within bounds."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_report import a_report, a_trial

from kws.audio import RATE_HZ, write_audio
from kws.errors import Failure
from kws.excerpts import both_ends, cut_excerpts
from kws.report import Positives, Report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """30 misses and 21 false accepts, whose sound lies in the folder: noise of four seconds each."""
    draw = np.random.default_rng(3)
    noise = (0.1 * draw.standard_normal(4 * RATE_HZ)).astype(np.float32)
    (tmp_path / "yes").mkdir()
    for number in range(30):
        write_audio(tmp_path / "yes" / f"{number}.wav", noise + number / 100)
    soundfile.write(tmp_path / "x.ogg", np.zeros(30 * RATE_HZ), RATE_HZ)
    trials = tuple(a_trial(number, missed=True) for number in range(30))
    return replace(a_report(), positives=Positives(trials=trials))


def test_an_excerpt_is_the_sound_under_its_curve(report: Report, tmp_path: Path) -> None:
    found = cut_excerpts(report, tmp_path, tmp_path)
    for excerpt in found.misses:
        samples, rate_hz = soundfile.read(io.BytesIO(excerpt.flac), dtype="float32")
        whole, _ = soundfile.read(tmp_path / excerpt.of.file, dtype="float32")
        first, past = round(excerpt.of.curve.start * RATE_HZ), round(excerpt.of.curve.end * RATE_HZ)
        assert (rate_hz, excerpt.start_s) == (RATE_HZ, first / RATE_HZ)
        np.testing.assert_allclose(samples, whole[first:past], atol=1e-4)


def test_forty_are_shown_and_a_list_that_is_short_leaves_its_room_to_the_other(report: Report, tmp_path: Path) -> None:
    found = cut_excerpts(report, tmp_path, tmp_path)
    assert (len(found.misses), found.all_misses, len(found.accepts), found.all_accepts) == (20, 30, 20, 21)
    one_sided = cut_excerpts(replace(report, negatives=None), tmp_path, None)
    assert (len(one_sided.misses), len(one_sided.accepts)) == (30, 0)


def test_what_was_taken_for_the_word_is_cut_too(report: Report, tmp_path: Path) -> None:
    near = tuple(replace(a_trial(n, missed=n % 2 == 0), word="peep", kind="near-miss") for n in range(30))
    assert report.positives
    found = cut_excerpts(replace(report, positives=replace(report.positives, alike=near)), tmp_path, tmp_path)
    assert [excerpt.of.file for excerpt in found.alike] == [f"yes/{n}.wav" for n in range(29, 10, -2)]
    assert found.all_alike == 15


def test_misses_are_chosen_from_both_ends() -> None:
    ranked = [a_trial(number, missed=True) for number in (90, 70, 50, 30, 10)]
    assert [trial.best_score for trial in both_ends(ranked, 3)] == [0.9, 0.7, 0.1]
    assert both_ends(ranked, 5) == ranked


def test_the_page_cannot_grow_without_bounds(report: Report, tmp_path: Path) -> None:
    size = len(cut_excerpts(report, tmp_path, None).misses[0].flac)
    found = cut_excerpts(report, tmp_path, None, most_bytes=round(3.5 * size))
    assert len(found.misses) == 3
    assert found.all_misses == 30


def test_a_curve_that_reaches_into_the_padding_is_cut_at_the_file(report: Report, tmp_path: Path) -> None:
    early = replace(a_trial(0, missed=True), curve=replace(a_trial(0, missed=True).curve, start=-0.5))
    found = cut_excerpts(replace(report, positives=Positives(trials=(early,)), negatives=None), tmp_path, None)
    (excerpt,) = found.misses
    assert excerpt.start_s == 0
    assert soundfile.info(io.BytesIO(excerpt.flac)).duration == pytest.approx(2.5)


def test_a_file_that_went_away_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "yes" / "29.wav").unlink()
    with pytest.raises(Failure, match=r"29\.wav does not exist"):
        cut_excerpts(report, tmp_path, tmp_path)
