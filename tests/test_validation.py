"""Validation while training measures what kws.evaluate measures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kws.config import Decision, FrontEnd
from kws.model import Net
from kws.recipe import Recipe
from kws.train import calibrated, scorer
from kws.validation import Utterance, Validation


@pytest.fixture
def recordings() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.normal(-6, 3, (length, 40)).astype(np.float16) for length in (150, 400, 5, 300)]


@pytest.mark.parametrize("piece", [3000, 70])
def test_recordings_scored_together_score_as_each_alone(
    piece: int, tiny_net: Net, recordings: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kws.train._PIECE", piece)
    together = scorer(tiny_net)(recordings)
    for frames, scores in zip(recordings, together, strict=True):
        alone = tiny_net.scores(torch.from_numpy(frames).float()[None])[0][0].detach().numpy()
        assert len(scores) == tiny_net.shape.steps(len(frames))
        np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_hours_misses_and_lag_are_counted(tiny_net: Net, recordings: list[np.ndarray]) -> None:
    """A scorer that fires once, 0.1 s after the word of one recording only."""
    validation = Validation(front_end=FrontEnd(), shape=tiny_net.shape)
    validation.add_negatives([recordings[1]] * 9)
    assert validation.hours == pytest.approx(9 * 4 / 3600)
    validation.utterances = [
        Utterance(frames=recordings[1], start_s=1.5, end_s=2.0),
        Utterance(frames=recordings[3], start_s=1.5, end_s=2.0),
    ]
    rule = validation.rule(Decision(threshold=0.5))
    fires = int((2.1 - rule.first_s) / rule.step_s)

    def score(given: list[np.ndarray]) -> list[np.ndarray]:
        scores = [np.zeros(tiny_net.shape.steps(len(frames)), np.float32) for frames in given]
        if len(given) == 2:
            scores[0][fires] = 0.8
        return scores

    hearing = validation.heard_by(score)
    det = hearing.det(rule.decision)
    at = next(index for index, threshold in enumerate(det.thresholds) if threshold > 0.5)
    assert (det.misses[at], det.utterances, det.false_accepts[at]) == (1, 2, 0)
    assert hearing.lag_s(rule.decision) == pytest.approx(0.1, abs=0.03)


def test_the_shortfall_tells_how_far_words_lie_from_the_threshold(tiny_net: Net) -> None:
    validation = Validation(front_end=FrontEnd(), shape=tiny_net.shape)
    validation.utterances = [Utterance(frames=np.zeros((400, 40), np.float16), start_s=1.5, end_s=2.0)] * 2
    rule = validation.rule(Decision(threshold=0.5))
    times_s = rule.first_s + rule.step_s * np.arange(tiny_net.shape.steps(400))

    def shortfall(high: float, smoothing: int = 1, at_s: float = 2.1) -> float:
        scores = np.where(np.abs(times_s - at_s) < 0.51 * rule.step_s, high, 0.1).astype(np.float32)
        hearing = validation.heard_by(lambda given: [scores for _ in given])
        return hearing.shortfall(Decision(threshold=0.5, smoothing=smoothing), [0.5])

    assert shortfall(0.5) == pytest.approx(np.log(2))
    assert shortfall(0.9) == pytest.approx(np.log(1 + 1 / 9), rel=1e-4)
    assert shortfall(0.9, smoothing=4) > shortfall(0.9)
    assert shortfall(0.9, at_s=0.7) == pytest.approx(np.log(1 + 9), rel=1e-4), "it is heard where no word is"
    validation.utterances = []
    assert shortfall(0.9) == np.inf


def test_as_many_scores_are_averaged_as_keep_the_median_lag(tiny_net: Net) -> None:
    """Scores stay high from the word's end on: each one more that is averaged makes the detection later."""
    validation = Validation(front_end=FrontEnd(), shape=tiny_net.shape, spoken_by_people=True)
    validation.add_negatives([np.zeros((400, 40), np.float16)] * 20)
    validation.hours = 20.0
    validation.utterances = [Utterance(frames=np.zeros((500, 40), np.float16), start_s=1.5, end_s=2.0)]
    first_s, step_s = tiny_net.shape.first_score_s(FrontEnd()), tiny_net.shape.step_s(FrontEnd())

    def score(given: list[np.ndarray]) -> list[np.ndarray]:
        """The negatives rise to 0.79, twice as many as are allowed, so that the mean must."""
        tracks = [first_s + step_s * np.arange(tiny_net.shape.steps(len(frames))) for frames in given]
        high = [0.8 if len(frames) == 500 else 0.79 for frames in given]
        return [np.where(track >= 2.0, top, 0.0).astype(np.float32) for track, top in zip(tracks, high, strict=True)]

    lags, most_lags_s = [], (10.0, 0.25, 0.01)
    for most_lag_s in most_lags_s:
        _, decision, _ = calibrated(validation.heard_by(score), Recipe(smoothing=(16, 8, 5), most_lag_s=most_lag_s))
        lags.append((decision.smoothing, decision.lag_s))
    assert [smoothing for smoothing, _ in lags] == [16, 8, 5]
    assert lags[1][1] <= most_lags_s[1] < lags[0][1]
