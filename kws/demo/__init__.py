"""The bundled recording: a minute of synthetic voices, and what they say when. `scripts/make_demo` composes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kws.audition import WINDOW_S
from kws.decision import Detection
from kws.errors import Failure
from kws.events import Event, Recording, from_line

LABELS = Path(__file__).parent / "demo.json"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What was heard of what was said."""

    heard: int
    said: int
    false: int
    """Detections while the word was not being said."""

    def __str__(self) -> str:
        return f"{self.heard} of {self.said} heard, {self.false} false"


def read_demo() -> Recording:
    """The recording that the labels, one manifest entry, tell of. Raises Failure if they are missing or damaged."""
    try:
        return from_line(LABELS.read_text(encoding="utf-8"), LABELS.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"the bundled recording is missing or damaged ({error}): install activate-kws again, "
            "or listen to a file with kws listen --input FILE."
        ) from error


def tally(said: Sequence[Event], detections: Sequence[Detection]) -> Tally:
    """Count the utterances heard, by the window of every other measure, and the detections that belong to none."""

    def belongs(detection: Detection, event: Event) -> bool:
        return event.start + WINDOW_S[0] <= detection.time <= event.end + WINDOW_S[1]

    return Tally(
        heard=sum(any(belongs(detection, event) for detection in detections) for event in said),
        said=len(said),
        false=sum(not any(belongs(detection, event) for event in said) for detection in detections),
    )
