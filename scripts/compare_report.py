"""What scripts/compare found, in tables and DET curves, where we are behind first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from kws.det import Det, poisson_interval, wilson
from kws.files import read_lines, write_whole

OURS = "activate-kws"
TRAIN = f"{OURS}-train"
CONDITIONS = ("clean", "babble_10db", "music_5db", "far")
TALK = "talk"
RATES = (0.5, 2.0)
"""False accepts per hour at which all are compared."""
PANELS = 3
"""Words beside each other in the picture."""

Found = dict[str, Any]


class Word:
    """What every engine made of a word."""

    def __init__(self, folder: Path) -> None:
        self.word = folder.name.replace("_", " ")
        self.parts: dict[str, dict[str, Found]] = {}
        for place in sorted(folder.glob("*.json")):
            engine, _, part = place.stem.rpartition("-")
            self.parts.setdefault(engine, {})[part] = json.loads(place.read_text(encoding="utf-8"))
        whole = {*CONDITIONS, TALK}
        self.engines = [engine for engine, parts in self.parts.items() if parts.keys() >= whole]
        self.engines.sort(key=lambda engine: (engine != OURS, engine))
        self.by_people = any(self.parts[engine]["clean"].get("said_by") == "people" for engine in self.engines)

    @property
    def name(self) -> str:
        """The word, and who says it where those are people."""
        return f"{self.word}, {self.utterances(self.engines[0], 'clean')} of people" if self.by_people else self.word

    def frr(self, engine: str, condition: str) -> float:
        """The share missed at the engine's own threshold."""
        return float(self.parts[engine][condition]["positives"]["frr"])

    def utterances(self, engine: str, condition: str) -> int:
        """How often the word was said."""
        return int(self.parts[engine][condition]["positives"]["of"])

    def accepts(self, engine: str) -> Found:
        """What was wrongly heard in the hours of human speech, at the engine's own threshold."""
        found: Found = self.parts[engine][TALK]["negatives"]["speech"]
        return found

    def at_rate(self, engine: str, condition: str, per_hour: float) -> float | None:
        """The share missed at the lowest threshold with at most so many false accepts; None if it has none such."""
        talk, said = (Det.from_json(self.parts[engine][part]["det"]) for part in (TALK, condition))
        met = np.flatnonzero(np.asarray(talk.false_accepts) <= per_hour * talk.hours + 1e-9)
        return float(said.frr[met[0]]) if len(met) else None

    def missed(self, engine: str, condition: str, per_hour: float) -> float:
        """The same; all, if it has no such threshold."""
        share = self.at_rate(engine, condition, per_hour)
        return 1.0 if share is None else share

    def curve(self, engine: str) -> tuple[list[float], list[float]]:
        """False accepts per hour and misses, the mean of all conditions, at each threshold."""
        talk = Det.from_json(self.parts[engine][TALK]["det"])
        frr = np.mean([Det.from_json(self.parts[engine][part]["det"]).frr for part in CONDITIONS], axis=0)
        return np.maximum(talk.false_accepts_per_hour, 0.5 / talk.hours).tolist(), frr.tolist()

    def late_s(self, engine: str) -> dict[str, float] | None:
        """Median and p90 of the time from a clean word's end to its detection; None if none was heard."""
        late: dict[str, float] | None = self.parts[engine]["clean"]["positives"]["latency_s"]
        return late


def write_report(folder: Path, installed: Mapping[str, Found]) -> None:
    """Write compare.md and the DET curves of each word that any engine heard whole."""
    heard = [Word(place) for place in sorted((folder / "heard").iterdir()) if place.is_dir()]
    words = [word for word in heard if word.engines]
    costs: dict[str, list[Found]] = {}
    for line in read_lines(folder / "costs.jsonl"):
        costs.setdefault(line["engine"], []).append(line)
    training = folder / "training.json"
    trained = json.loads(training.read_text(encoding="utf-8")) if training.is_file() else {}
    write_whole(folder / "installed.json", (json.dumps(installed, indent=1) + "\n").encode())
    told = [*_behind(words, costs, installed), *_short(words, costs, installed), *_missed(words), *_costs(costs)]
    told += [*_installed(installed), *_training(trained)]
    if words:
        _draw(folder / "det.png", words)
        told += ["", "![What each engine misses of each word, over its false accepts per hour](det.png)"]
    write_whole(folder / "compare.md", ("\n".join(told) + "\n").encode())


def _behind(
    words: Sequence[Word], costs: Mapping[str, Sequence[Found]], installed: Mapping[str, Found]
) -> Iterator[str]:
    """Every cell in which another is better."""
    yield from ("## Where we are behind", "")
    yield from ("In brackets the 95 % interval of our share: what lies inside may be chance.", "")
    found = [
        *(
            line
            for word in words
            for rate in (*RATES, None)
            for condition in CONDITIONS
            for line in _missed_more(word, condition, rate)
        ),
        *(line for word in words for line in _accepts_more(word)),
        *(line for word in words for line in _later(word)),
        *_dearer(costs),
        *_larger(installed),
    ]
    yield from found or ["In nothing that was measured."]
    yield ""


def _missed_more(word: Word, condition: str, rate: float | None) -> Iterator[str]:
    """At so many false accepts per hour; at each engine's own threshold for None."""
    if rate is None:
        at = "its own threshold"
        missed = {engine: word.frr(engine, condition) for engine in word.engines}
    else:
        at = f"{rate:g} false accepts per hour"
        reached = {engine: word.at_rate(engine, condition, rate) for engine in word.engines}
        missed = {engine: share for engine, share in reached.items() if share is not None}
    where = f'"{word.name}", {condition}, missed at {at}'
    ours = missed.pop(OURS, None)
    shares = {engine: 100 * share for engine, share in missed.items()}
    if ours is None:
        yield from _better(f"{where} (we reach no such rate)", 100.0, shares, "{:.1f} %")
    else:
        of = word.utterances(OURS, condition)
        low, high = wilson(round(ours * of), of)
        yield from _better(f"{where} (ours {100 * low:.0f}-{100 * high:.0f})", 100 * ours, shares, "{:.1f} %")


def _accepts_more(word: Word) -> Iterator[str]:
    per_hour = {engine: float(word.accepts(engine)["per_hour"]) for engine in word.engines}
    ours = per_hour.pop(OURS, None)
    if ours is not None:
        talk = word.accepts(OURS)
        low, high = poisson_interval(talk["false_accepts"], talk["hours"])
        where = f'"{word.name}", false accepts per hour at its own threshold (ours {low:.2f}-{high:.2f})'
        yield from _better(where, ours, per_hour, "{:.2f}")


def _later(word: Word) -> Iterator[str]:
    medians = {engine: late["median"] for engine in word.engines if (late := word.late_s(engine))}
    ours = medians.pop(OURS, None)
    if ours is not None:
        yield from _better(f'"{word.name}", heard after its end in the median', ours, medians, "{:.2f} s")


def _dearer(costs: Mapping[str, Sequence[Found]]) -> Iterator[str]:
    kinds = {
        "cpu_per_s": ("processor seconds a second, where half of others' was aimed at", "{:.5f}", 2.0),
        "peak_mib": ("memory", "{:.0f} MiB", 1.0),
        "ready_s": ("ready after", "{:.2f} s", 1.0),
        "weights_kb": ("what a word is known by", "{:,.0f} kB", 1.0),
    }
    for kind, (what, form, times) in kinds.items():
        medians = {engine: _median(lines, kind) for engine, lines in costs.items()}
        ours = medians.pop(OURS, None)
        if ours is not None:
            yield from _better(what, ours, medians, form, times)


def _larger(installed: Mapping[str, Found]) -> Iterator[str]:
    there = {name: found for name, found in installed.items() if "reason" not in found}
    listen = {name: found for name, found in there.items() if "fetched_mb" not in found}
    train = {name: found for name, found in there.items() if "fetched_mb" in found}
    sizes = {
        "installed, MB": (OURS, {name: found["megabytes"] for name, found in listen.items()}),
        "packages": (OURS, {name: found["distributions"] for name, found in listen.items()}),
        "installed to make a word from its text, MB": (
            TRAIN, {name: found["megabytes"] for name, found in train.items()}
        ),
        "the same with what is fetched then, MB": (
            TRAIN, {name: found["megabytes"] + found["fetched_mb"] for name, found in train.items()}
        ),
    }  # fmt: skip
    for what, (name, others) in sizes.items():
        ours = others.pop(name, None)
        if ours is not None:
            yield from _better(what, ours, others, "{:,.0f}")


def _better(what: str, ours: float, others: Mapping[str, float], form: str, times: float = 1.0) -> Iterator[str]:
    """A line of those who have less than so many times ours of something, if any have."""
    less = sorted((found, engine) for engine, found in others.items() if found < times * ours)
    if less:
        theirs = ", ".join(f"{engine} {form.format(found)}" for found, engine in less)
        yield f"- {what}: ours {form.format(ours)}; {theirs}"


def _short(
    words: Sequence[Word], costs: Mapping[str, Sequence[Found]], installed: Mapping[str, Found]
) -> Iterator[str]:
    """A line of each engine, beside us on the words that it listens for."""
    yield from ("## In short", "")
    yield (
        "Missed, %: theirs / ours on the same words, the mean of words and conditions; all, where an engine does not "
        "reach so few false accepts; words said by the test's voices, by people in a column of their own. "
        "Late, s: the median of words."
    )
    yield ""
    equal = " | ".join(f"missed at {rate:g} false accepts per hour" for rate in RATES)
    yield (
        f"| engine | words | {equal} | at its own threshold | its false accepts per hour "
        f"| people: missed at {RATES[0]:g} | late, s "
        "| processor, ms a second | memory, MiB | ready after, s | installed, MB | packages |"
    )
    yield "|---" * (11 + len(RATES)) + "|"
    for engine in sorted({engine for word in words for engine in word.engines}, key=lambda name: (name != OURS, name)):
        both = [word for word in words if {engine, OURS} <= set(word.engines)]
        by_people, shared = ([word for word in both if word.by_people is people] for people in (True, False))
        cells = _beside(shared, engine) + _beside(by_people, engine)[:1]
        late = [found["median"] for word in shared if (found := word.late_s(engine))]
        cells.append(f"{median(late):.2f}" if late else "-")
        for kind, form in (("cpu_per_s", "{:.2f}"), ("peak_mib", "{:.0f}"), ("ready_s", "{:.2f}")):
            unit = 1e3 if kind == "cpu_per_s" else 1.0
            cells.append(form.format(unit * _median(costs[engine], kind)) if engine in costs else "-")
        found = installed.get(engine, {})
        cells += [f"{found[kind]:,.0f}" if kind in found else "-" for kind in ("megabytes", "distributions")]
        yield f"| {engine} | {len(shared)} | {' | '.join(cells)} |"
    yield ""


def _beside(words: Sequence[Word], engine: str) -> list[str]:
    """Theirs / ours of what _means tells."""
    if not words:
        return ["-"] * (2 + len(RATES))
    means = [_means(words, name) for name in dict.fromkeys((engine, OURS))]
    return [" / ".join(each) for each in zip(*means, strict=True)]


def _means(words: Sequence[Word], engine: str) -> list[str]:
    """Percent missed at the rates and at its own threshold, the mean of words and conditions, and its false accepts."""
    said = [(word, condition) for word in words for condition in CONDITIONS]
    missed = [fmean(word.missed(engine, condition, rate) for word, condition in said) for rate in RATES]
    missed.append(fmean(word.frr(engine, condition) for word, condition in said))
    per_hour = fmean(word.accepts(engine)["per_hour"] for word in words)
    return [*(f"{100 * share:.1f}" for share in missed), f"{per_hour:.2f}"]


def _missed(words: Sequence[Word]) -> Iterator[str]:
    yield from ("## Missed, and falsely heard", "")
    conditions = " / ".join(condition.split("_")[0] for condition in CONDITIONS)
    rates = " | ".join(f"at {rate:g} per hour" for rate in RATES)
    yield from (f"Missed, %, {conditions}; false accepts per hour of human speech with their 95 % interval.", "")
    yield f"| word | engine | at its own threshold | false accepts per hour | {rates} | late, s |"
    yield "|---" * (5 + len(RATES)) + "|"
    for word in words:
        for engine in word.engines:
            own = " / ".join(f"{100 * word.frr(engine, condition):.1f}" for condition in CONDITIONS)
            talk = word.accepts(engine)
            low, high = poisson_interval(talk["false_accepts"], talk["hours"])
            equal = [
                " / ".join(
                    "-" if (share := word.at_rate(engine, condition, rate)) is None else f"{100 * share:.1f}"
                    for condition in CONDITIONS
                )
                for rate in RATES
            ]
            rate = f"{talk['per_hour']:.2f} ({low:.2f}-{high:.2f})"
            late = f"{found['median']:.2f} / {found['p90']:.2f}" if (found := word.late_s(engine)) else "-"
            yield f"| {word.name} | {engine} | {own} | {rate} | {' | '.join(equal)} | {late} |"
    yield ""


def _costs(costs: Mapping[str, Sequence[Found]]) -> Iterator[str]:
    if not costs:
        return
    yield from ("## What listening costs", "")
    yield from ("Medians of runs by turns on one core, of the test split's human speech.", "")
    yield (
        "| engine | processor, ms a second of sound | ours / theirs | peak memory, MiB | ready after, s "
        "| what a word is known by, kB | runs |"
    )
    yield "|---|---|---|---|---|---|---|"
    ours = costs.get(OURS, ())
    for engine, lines in sorted(costs.items(), key=lambda item: _median(item[1], "cpu_per_s")):
        ratios = [ours_line["cpu_per_s"] / line["cpu_per_s"] for ours_line, line in zip(ours, lines, strict=False)]
        ratio = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios and engine != OURS else "-"
        yield (
            f"| {engine} | {1e3 * _median(lines, 'cpu_per_s'):.2f} | {ratio} | {_median(lines, 'peak_mib'):.0f} "
            f"| {_median(lines, 'ready_s'):.2f} | {_median(lines, 'weights_kb'):,.0f} | {len(lines)} |"
        )
    yield ""


def _installed(installed: Mapping[str, Found]) -> Iterator[str]:
    yield from ("## What is installed", "")
    yield from (
        "Fetched: what making a word from its text takes from elsewhere; others' by their own documentation.",
        "",
    )
    yield "| | packages | megabytes | minutes | fetched, MB | licence |"
    yield "|---|---|---|---|---|---|"
    for name, found in installed.items():
        if "reason" in found:
            yield f"| {name} | not installed: {found['reason']} | | | | {found['licence']} |"
        else:
            fetched = f"{found['fetched_mb']:,.0f}" if "fetched_mb" in found else "-"
            yield (
                f"| {name} | {found['distributions']} | {found['megabytes']:,.0f} | {found['minutes']} | {fetched} "
                f"| {found['licence']} |"
            )


def _training(trained: Found) -> Iterator[str]:
    if not trained:
        return
    yield from ("", "## From a word to its detector", "")
    yield "| | minutes a word, median (least-most) | words |"
    yield "|---|---|---|"
    engines: dict[str, list[float]] = {}
    for made in trained["made"]:
        engines.setdefault(made["engine"], []).append(made["minutes"])
    for engine, minutes in engines.items():
        yield f"| {engine} | {median(minutes):.1f} ({min(minutes):.1f}-{max(minutes):.1f}) | {len(minutes)} |"
    for engine, commands in trained["tried"].items():
        yield from ("", f"The documented quick start of {engine}:", "")
        for found in commands:
            ended = "was stopped" if found["ended"] is None else f"ended with {found['ended']}"
            yield f"- `{found['command']}` {ended} after {found['minutes']} minutes, saying last: {found['said']}"


def _median(lines: Sequence[Found], name: str) -> float:
    return median(line[name] for line in lines) if lines else float("inf")


def _draw(place: Path, words: Sequence[Word]) -> None:
    """The DET curves of every word, and each engine's own threshold."""
    from matplotlib.figure import Figure

    rows = -(-len(words) // PANELS)
    figure = Figure(figsize=(4.2 * PANELS, 3.4 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, PANELS, sharex=True, sharey=True, squeeze=False)
    engines = dict.fromkeys([OURS, *sorted({engine for word in words for engine in word.engines})])
    style = {engine: {"color": f"C{number}", "lw": 2.5 if engine == OURS else 1.2, "label": engine}
             for number, engine in enumerate(engines)}  # fmt: skip
    for axes, word in zip_longest(panels.flat, words):
        if word is None:
            axes.set_axis_off()
            continue
        for engine in word.engines:
            rates, missed = word.curve(engine)
            axes.step(rates, [100 * share for share in missed], where="pre", **style[engine])
            own = np.mean([word.frr(engine, condition) for condition in CONDITIONS])
            per_hour = max(word.accepts(engine)["per_hour"], 0.5 / word.accepts(engine)["hours"])
            axes.plot([per_hour], [100 * own], "o", color=style[engine]["color"])
        axes.set(xscale="log", xlim=(0.1, 100), ylim=(0, 101), title=word.name)
        axes.grid(alpha=0.3)
    figure.supxlabel("false accepts per hour of human speech (none: half of one)")
    figure.supylabel("missed, %, mean of four conditions")
    lines = {line.get_label(): line for axes in panels.flat for line in axes.lines if line.get_label() in style}
    figure.legend(lines.values(), lines.keys(), loc="outside upper center", ncols=5)
    figure.savefig(place, dpi=80)
