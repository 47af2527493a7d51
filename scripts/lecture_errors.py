"""Error analysis, as the lecture teaches it: the most telling misses and false accepts, drawn, and what they taught.

T frames, M mel bands, N steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lecture import LectureNet, Trial, Yardstick, rendered, scored
from lecture_scenes import Scenes

from kws.audition import WINDOW_S
from kws.config import Decision
from kws.det import Rule
from kws.events import Event

EACH = 5
"""Misses, and as many false accepts."""
_BEFORE_S, _AFTER_S = 1.5, 1.5


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One error."""

    kind: str
    """missed or taken."""
    clip: int
    at_s: float
    """The word's end, or the highest score."""
    score: float
    """The highest within the word's window, or the one taken."""
    said: str
    """What is said there; a noise where nothing is."""
    noise: str
    changed: float
    """The score there of the net that was changed because of these."""


def telling(net: LectureNet, changed: LectureNet, trial: Trial, yardstick: Yardstick) -> list[Telling]:
    """The words with the lowest scores and the silent clips with the highest, one of a clip, with both nets' scores."""
    rule = trial.design.rule(trial.front, Decision(threshold=0.5))
    found: list[Telling] = []
    for kind, scenes, count in (
        ("missed", yardstick.said, yardstick.words), ("taken", yardstick.silent, yardstick.silent_clips)
    ):  # fmt: skip
        clips = rendered(trial.front, scenes, count)
        scores, others = scored(net, clips.frames), scored(changed, clips.frames)
        spans = [_span(events, rule, len(scores[0])) for events in clips.events]
        peaks = [float(track[span].max()) for track, span in zip(scores, spans, strict=True)]
        worst = np.argsort(peaks) if kind == "missed" else np.argsort(peaks)[::-1]
        for number in worst[:EACH].tolist():
            events = clips.events[number]
            step = spans[number].start + int(scores[number][spans[number]].argmax())
            at_s = events[0].end if events else rule.first_s + step * rule.step_s
            said, noise = _about(scenes, number, at_s)
            found.append(Telling(
                kind=kind, clip=number, at_s=round(at_s, 2), score=round(peaks[number], 3), said=said, noise=noise,
                changed=round(float(others[number][spans[number]].max()), 3),
            ))  # fmt: skip
    return found


def _span(events: Sequence[Event], rule: Rule, steps: int) -> slice:
    """The steps in which a word counts as heard; all, where there is none."""
    if not events:
        return slice(0, steps)
    first, last = events[0].start + WINDOW_S[0], events[0].end + WINDOW_S[1]
    low, high = (round((at_s - rule.first_s) / rule.step_s) for at_s in (first, last))
    return slice(min(max(0, low), steps - 1), min(max(low + 1, high), steps))


def _about(scenes: Scenes, number: int, at_s: float) -> tuple[str, str]:
    """What was said last before a moment, and over what noise."""
    _, events = scenes(number)
    before = [event.word for event in events if event.start < at_s < event.end + 1.0]
    noise = ", ".join(f"{noise.kind} at {noise.snr_db:.0f} dB" for noise in scenes.scene(number).noises)
    return before[-1] if before else "nothing", noise


def picture(place: Path, found: Sequence[Telling], net: LectureNet, trial: Trial, yardstick: Yardstick) -> None:
    """Draw each error: its log-mel, and the score below."""
    from matplotlib.figure import Figure

    rule = trial.design.rule(trial.front, Decision(threshold=0.5))
    figure = Figure(figsize=(14, 7), layout="constrained")
    grid = figure.subplots(4, EACH, squeeze=False, height_ratios=(3, 1, 3, 1))
    for number, error in enumerate(found):
        row, column = divmod(number, EACH)
        scenes = yardstick.said if error.kind == "missed" else yardstick.silent
        samples, events = scenes(error.clip)
        frames = trial.front.frames(samples)
        (scores,) = scored(net, frames[None])
        top, below = grid[2 * row][column], grid[2 * row + 1][column]
        top.imshow(
            frames.T, aspect="auto", origin="lower", extent=(0, len(frames) * trial.front.hop_s, 0, frames.shape[1])
        )
        top.set_title(f"{error.kind} {error.score:.2f}: {error.said}\n{error.noise}", fontsize=8)
        below.plot(rule.first_s + rule.step_s * np.arange(len(scores)), scores)
        for event in events:
            below.axvspan(event.start, event.end, alpha=0.25, color="C2" if event.kind == "positive" else "C1")
        below.set_ylim(0, 1)
        for axes in (top, below):
            axes.set_xlim(max(0, error.at_s - _BEFORE_S), error.at_s + _AFTER_S)
            axes.tick_params(labelsize=7)
    figure.savefig(place, dpi=100)


def rows(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The lines of the table."""
    yield "| | what is said | over | score | after the change |"
    yield "|---|---|---|---|---|"
    for error in found:
        scores = f"{error['score']:.2f} | {error['changed']:.2f}"
        yield f"| {error['kind']} | {error['said']} | {error['noise']} | {scores} |"
