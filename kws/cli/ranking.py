"""What a sweep found: its trials beside each other, best first within a word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from kws.cli.trial import Trial

_HEAD = (
    "trial", "validation: missed, %", "false accepts per hour", "verdict: missed in quiet, %", "where it is hardest, %",
    "false accepts", "minutes",
)  # fmt: skip
_SEEDS_HEAD = ("word", "settings", "seeds", "validation: missed, %", "from", "to")
_READ = (
    "Best first within a word, by the validation split alone: what the detector misses there at its calibrated "
    "threshold, and of equals how far words stay below it. The best of many looks better there than it is; the "
    "verdict, by which nothing was chosen, shows what to expect. Minutes are of the last go, where a trial was stopped."
)
_SEEDS_READ = "Over the seeds, whose trainings differ by chance: settings whose ranges overlap are not told apart."


def told(records: Sequence[dict[str, Any]]) -> str:
    """The sweep in Markdown that a terminal shows as well; a record is what `MakeTrial` gives."""
    made = [record for record in records if "failure" not in record]
    parts = []
    if made:
        parts += [_table(_HEAD, [_row(record) for record in ranked(made)]), _READ]
    if seeds := list(_over_seeds(made)):
        parts += [_table(_SEEDS_HEAD, seeds), _SEEDS_READ]
    if failed := [f"- {record['trial']}: {record['failure']}" for record in records if "failure" in record]:
        parts += ["Failed:", "\n".join(failed)]
    return "\n\n".join(parts)


def ranked(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words in the order in which they come, of each the best trial first."""
    words = list(dict.fromkeys(record["word"] for record in records))

    def place(record: dict[str, Any]) -> tuple[int, float, float]:
        validation = record["validation"]
        short = validation["shortfall"]
        return words.index(record["word"]), validation["frr"], math.inf if short is None else short

    return sorted(records, key=place)


def line(record: dict[str, Any]) -> str:
    """One trial, as it is done."""
    if "failure" in record:
        return f"{record['trial']} failed: {record['failure']}"
    found = record["validation"]
    return (
        f"{record['trial']}: validation FRR {100 * found['frr']:.1f} % at {found['false_accepts_per_hour']:.2f} "
        f"false accepts an hour, {record['minutes']:.1f} min"
    )


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    found, verdict = record["validation"], record["verdict"] or {"missed": {}, "talk_hours": 0}
    shares = {name: (missed / of, of) for name, (missed, of) in verdict["missed"].items() if of}
    none = (None, 0)
    hours = verdict["talk_hours"]
    return (
        record["trial"], _of(found["frr"], found["utterances"]),
        f"{found['false_accepts_per_hour']:.2f} ({found['hours']:.2f} h)", _of(*shares.get("clean", none)),
        _of(*max(shares.values(), default=none)), f"{verdict['false_accepts']} in {hours:.2f} h" if hours else "-",
        f"{record['minutes']:.1f}",
    )  # fmt: skip


def _over_seeds(records: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """For each word and settings of several seeds the mean of what is missed, its least and its most; best first."""
    groups: dict[tuple[str, str], list[float]] = {}
    for record in records:
        trial = Trial(word=record["word"], settings=tuple(record["settings"].items()))
        shares = groups.setdefault((trial.word, ", ".join(trial.settings_told) or "as they are"), [])
        shares.append(record["validation"]["frr"])
    several = {key: shares for key, shares in groups.items() if len(shares) > 1}
    words = list(dict.fromkeys(word for word, _ in groups))
    for word, settings in sorted(several, key=lambda key: (words.index(key[0]), _mean(several[key]))):
        shares = several[word, settings]
        figures = (_mean(shares), min(shares), max(shares))
        yield word, settings, str(len(shares)), *map(_percent, figures)


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _of(share: float | None, count: int) -> str:
    """A share of so many, or of none."""
    return "-" if share is None else f"{_percent(share)} of {count}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned, the first to the left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def row(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([row(head), f"|{rule}|", *map(row, rows)])
