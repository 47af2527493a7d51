"""Validation while training measures what kws.evaluate measures."""

from __future__ import annotations

import numpy as np
import pytest

from kws.config import Decision, FrontEnd
from kws.model import Net
from kws.train import scorer
from kws.validation import Utterance, Validation


@pytest.fixture
def recordings() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.normal(-6, 3, (length, 40)).astype(np.float16) for length in (150, 400, 5, 300)]


def test_recordings_scored_together_score_as_each_alone(tiny_net: Net, recordings: list[np.ndarray]) -> None:
    together = scorer(tiny_net)(recordings)
    for frames, scores in zip(recordings, together, strict=True):
        (alone,) = scorer(tiny_net)([frames])
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

    det = validation.det(score, rule.decision)
    at = next(index for index, threshold in enumerate(det.thresholds) if threshold > 0.5)
    assert (det.misses[at], det.utterances, det.false_accepts[at]) == (1, 2, 0)
    assert validation.lag_s(score, rule.decision) == pytest.approx(0.1, abs=0.03)
