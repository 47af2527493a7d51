"""A small report, made up."""

from __future__ import annotations

from kws.det import Det, choose_threshold
from kws.report import Curve, FalseAccept, Heard, Negatives, Positives, Report, Trial

CURVE = Curve(start=0.2, step=0.03, scores=tuple(n / 100 for n in range(100)))


def a_trial(number: int, *, missed: bool, **about: object) -> Trial:
    """An utterance from 1 to 2 s; the higher its number, the nearer it was to being heard."""
    return Trial(
        file=f"yes/{number}.wav", start=1.0, end=2.0, detected=None if missed else 2.0,
        estimated_end=None if missed else 1.96, best_score=number / 100, about=about, curve=CURVE,
    )  # fmt: skip


def a_report() -> Report:
    """40 utterances, two missed; 20 false accepts in 6 h of speech, 1 in 2 h of music, none in 1 h of effects."""
    accepted, missed = (200, 50, 20, 5, 2, 0), (0, 1, 2, 4, 8, 20)
    thresholds = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
    det = Det(thresholds=thresholds, misses=missed, utterances=40, false_accepts=accepted, hours=6.0)
    trials = [a_trial(n, missed=n < 2, condition="far" if n < 20 else "clean", snr_db=5.0) for n in range(40)]
    accepts = tuple(FalseAccept(file="x.ogg", time=float(n), score=0.6, curve=CURVE) for n in range(20))
    classes = (
        Heard(name="speech", speech=True, hours=6.0, accepts=accepts, peaks=(0.1, 0.6, 0.6)),
        Heard(name="music", speech=False, hours=2.0, accepts=accepts[:1], peaks=(0.1, 0.6)),
        Heard(name="effects", speech=False, hours=1.0, accepts=(), peaks=(0.0,)),
    )
    return Report(
        word="beep", threshold=0.5, det=det, tuned=choose_threshold(det), positives=Positives(trials=tuple(trials)),
        negatives=Negatives(classes=classes), target_per_hour=0.5,
    )  # fmt: skip
