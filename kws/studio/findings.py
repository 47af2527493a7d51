"""What a detector got wrong in its report, cut out to be looked at, played, and taught.

S samples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import read_audio
from kws.decision import moving_mean
from kws.detector import Detector, load
from kws.errors import Failure
from kws.stretch import AFTER_S, Stretch, around
from kws.studio.words import Words
from kws.wording import IN_WORDS

MOST = 10
"""Misses and false accepts that are shown, of each."""
_RUN_IN_S = 2.0
"""Heard before that, so that scores are those of a listener that has listened for a while."""


@dataclass(frozen=True, kw_only=True)
class Finding(Stretch):
    """A miss or a false accept, and what is heard of it."""

    id: str
    title: str
    score: float


class Findings:
    """Those of a word's last report."""

    def __init__(self, words: Words, name: str) -> None:
        """Read the report. Raises FileNotFoundError if there is none, Failure if it is damaged."""
        self._words, self._name = words, name
        out = words.out(name)
        place = words.report(name, "json")
        if not place.is_file():
            raise FileNotFoundError(f"{name!r} has no report yet: make it.")
        try:
            report = json.loads(place.read_text(encoding="utf-8"))
            missed, accepted = (
                (report["positives"] or {}).get("misses", []),
                (report["negatives"] or {}).get("accepts", []),
            )
            self.misses = [_missed(number, told, out) for number, told in enumerate(missed[:MOST])]
            surest = sorted(accepted, key=lambda told: -told["score"])[:MOST]
            self.accepts = [_accepted(number, told, out) for number, told in enumerate(surest)]
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(f"{place} is damaged ({error}): make the word again.") from error

    def one(self, identity: str) -> Finding:
        """The one of that id. Raises FileNotFoundError if there is none."""
        for finding in (*self.misses, *self.accepts):
            if finding.id == identity:
                return finding
        raise FileNotFoundError(f"the report of {self._name!r} lists no {identity!r}.")

    def told(self, finding: Finding, detector: Detector) -> dict[str, Any]:
        """A finding for the page, its scores computed anew."""
        before = max(0.0, finding.start_s - _RUN_IN_S)
        heard = replace(finding, start_s=before).read()
        scores = moving_mean(detector.scores(heard), detector.decision.smoothing)
        times = before + detector.first_score_s + detector.frame_seconds * np.arange(len(scores)) - finding.start_s
        shown = times >= 0
        return {
            "id": finding.id, "title": finding.title, "score": finding.score, "threshold": detector.threshold,
            "seconds": finding.end_s - finding.start_s, "is_negative": finding.taught_in(self._negatives).is_file(),
            "curve": {
                "start": round(float(times[shown][0]), 4) if shown.any() else 0.0, "step": detector.frame_seconds,
                "scores": [round(float(score), 4) for score in scores[shown]],
            },
        }  # fmt: skip

    def all_told(self) -> dict[str, list[dict[str, Any]]]:
        """All of them for the page."""
        detector = load(self._words.detector(self._name))
        return {
            kind: [self.told(finding, detector) for finding in found if finding.path.exists()]
            for kind, found in (("misses", self.misses), ("accepts", self.accepts))
        }

    def teach(self, finding: Finding) -> None:
        """Lay its sound with the negatives."""
        finding.teach(self._negatives, read_audio(finding.path))

    @property
    def _negatives(self) -> Path:
        return self._words.place(self._name, "negatives")


def _missed(number: int, told: dict[str, Any], out: Path) -> Finding:
    about = told["about"]
    condition, voice = (str(about.get(key, "")) for key in ("condition", "voice"))
    said = ", ".join(filter(None, (IN_WORDS.get(condition, condition), voice)))
    return Finding(
        id=f"misses-{number}", title=said or told["file"], score=told["best_score"],
        path=out / "trials" / "positives" / told["file"],
        start_s=max(0.0, told["start"] - AFTER_S), end_s=told["end"] + AFTER_S,
    )  # fmt: skip


def _accepted(number: int, told: dict[str, Any], out: Path) -> Finding:
    kind = Path(told["file"]).parts[0]
    start_s, end_s = around(told["time"])
    return Finding(
        id=f"accepts-{number}", title=f"{IN_WORDS.get(kind, kind)}, at {told['time']:.1f} s", score=told["score"],
        path=out / "trials" / "negatives" / told["file"], start_s=start_s, end_s=end_s,
    )  # fmt: skip
