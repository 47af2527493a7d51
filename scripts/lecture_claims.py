"""What the lecture says, and whether it holds by the lines that were measured; and how lines are summed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from lecture import Labels

Line = dict[str, Any]
LABELS: dict[Labels, str] = {"run": "ones for 0.36 s", "step": "ones for one step", "clip": "one label a clip"}
UNTRAINED = 0.9
"""A net that misses more has not learnt."""
TELEPHONE = "40 bands, 8 kHz"


def grouped(lines: Sequence[Line], *keys: str) -> dict[tuple[Any, ...], list[Line]]:
    """The lines that agree in those keys, by what these are."""
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line[key] for key in keys), []).append(line)
    return groups


def spread(lines: Sequence[Line]) -> str:
    """Mean misses in percent, and the least and the most."""
    shares = [100 * share for share in frrs(lines)]
    several = f" ({min(shares):.1f}-{max(shares):.1f})" if len(shares) > 1 else ""
    return f"{100 * mean(lines):.1f}{several}"


def frrs(lines: Sequence[Line]) -> list[float]:
    """The share missed with each seed."""
    return [float(line["mean_frr"]) for line in lines]


def mean(lines: Sequence[Line]) -> float:
    """Share missed."""
    return float(np.mean(frrs(lines)))


def claims(lines: Sequence[Line]) -> Iterator[str]:
    """What the lecture says, and whether it holds here."""
    yield "| the lecture says | here | |"
    yield "|---|---|---|"
    for part, judged in {"labels": _on_labels, "first": _on_first, "variety": _on_variety, "input": _on_input}.items():
        theirs = [line for line in lines if line["part"] == part]
        for claim, holds, told in judged(theirs) if theirs else ():
            yield f"| {claim} | {'holds' if holds else '**does not hold**'} | {told} |"


def _on_labels(lines: Sequence[Line]) -> Iterator[tuple[str, bool, str]]:
    most = max(line["clips"] for line in lines)
    run, step, clip = ([line for line in lines if (line["labels"], line["clips"]) == (kind, most)] for kind in LABELS)
    if not (run and step and clip):
        return
    told = f"of {most:,} clips {spread(run)} % missed with a label a step"
    more = f"{told}, {spread(clip)} with one a clip"
    yield "One label a clip needs far more clips than one a step", below(run, clip), more
    yield (
        "A run of ones trains better than a single one",
        below(run, step),
        f"{told}, {spread(step)} with a one of one step",
    )


def _on_first(lines: Sequence[Line]) -> Iterator[tuple[str, bool, str]]:
    groups = {name: some for (name,), some in grouped(lines, "name").items()}
    first = groups.pop("the first network", [])
    if not first:
        return
    yield "The first network does not train", min(frrs(first)) > UNTRAINED, f"{spread(first)} % missed"
    for name, some in groups.items():
        yield (
            f"It does with {name}",
            below(some, first) and max(frrs(some)) < UNTRAINED,
            f"{spread(some)} % missed",
        )


def _on_variety(lines: Sequence[Line]) -> Iterator[tuple[str, bool, str]]:
    groups = {each: some for (each,), some in grouped(lines, "each").items()}
    fewest, whole = min((each for each in groups if each), default=None), groups.get(None)
    if fewest is None or whole is None:
        return
    told = f"{spread(groups[fewest])} % missed with {fewest} of each, {spread(whole)} with all"
    yield "A few recordings of each make clips enough", not below(whole, groups[fewest]), told


def _on_input(lines: Sequence[Line]) -> Iterator[tuple[str, bool, str]]:
    groups = {name: some for (name,), some in grouped(lines, "name").items()}
    telephone = groups.get(TELEPHONE)
    if telephone is None:
        return
    best = min(groups.values(), key=mean)
    told = f"{spread(telephone)} % missed with {telephone[0]['name']}, {spread(best)} with {best[0]['name']}"
    yield "What a person can follow is enough: a telephone's 8 kHz", not below(best, telephone), told


def below(some: Sequence[Line], others: Sequence[Line]) -> bool:
    """Whether every seed misses less than the others' best."""
    return max(frrs(some)) < min(frrs(others))
