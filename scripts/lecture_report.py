"""The report of `scripts/reproduce_lecture`: tables and pictures of what was measured, each with its command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from lecture import RATES, SMALL_DESIGN, labelled
from lecture_claims import LABELS, Line, below, claims, frrs, grouped, mean, spread
from lecture_errors import rows
from lecture_scenes import CLIP_S, COURSE, OURS, Scenes, banks

from kws.config import Decision
from kws.events import Event
from kws.files import write_whole


def write_report(folder: Path, lines: Sequence[Line], *, quick: bool) -> None:
    """Write FOLDER/report.md and the pictures of the parts that were measured."""
    text = ["# The lecture, reproduced", "", *_about(quick=quick), "", *claims(lines), "", *_clip(folder)]
    parts = {
        "setup": _setup,
        "labels": _labels,
        "first": _first,
        "variety": _variety,
        "input": _input,
        "errors": _errors,
    }
    for part, tell in parts.items():
        theirs = [line for line in lines if line["part"] == part]
        if theirs:
            text += ["", *tell(folder, theirs), "", _how(theirs[0])]
    write_whole(folder / "report.md", ("\n".join(text) + "\n").encode())


def _how(line: Line) -> str:
    """How a part was trained, what it was heard on, and its command."""
    taught = f"{line['steps']:,} steps of {line['batch']} clips"
    heard = f"{line['words']} utterances, {line['hours']:g} h without the word"
    return f"{taught}; {heard}: `scripts/reproduce_lecture --talk DIR --parts {line['part']}`"


def _about(*, quick: bool) -> Iterator[str]:
    """What all figures rest on."""
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    yield (
        f"Misses are means over {rates} false accepts per hour, in voices that no net was trained on. In brackets the "
        "least and the most of the seeds. Below each part stands what it was heard on."
    )
    if quick:
        yield "**This is the quick run: it shows that everything works, and nothing about the claims.**"


def _clip(folder: Path) -> Iterator[str]:
    """What a clip and its labels look like."""
    from matplotlib.figure import Figure

    scenes = Scenes()
    samples, events = next(take for number in count() if _is_telling(take := scenes(number)))
    words = [event for event in events if event.kind == "positive"]
    figure = Figure(figsize=(11, 7), layout="constrained")
    rows = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    for axes, front in zip(rows, (COURSE, OURS), strict=False):
        frames = front.frames(samples)
        axes.imshow(frames.T, aspect="auto", origin="lower", extent=(0, len(frames) * front.hop_s, 0, front.bins))
        axes.set(ylabel="bin", title=front.name)
        for event in events:
            color = "w" if event.kind == "positive" else "C1"
            axes.axvspan(event.start, event.end, fill=False, edgecolor=color)
            axes.text(event.start, front.bins, event.word, color=color, va="top")
    rule = SMALL_DESIGN.rule(OURS, Decision(threshold=0.5))
    times_s = np.arange(rule.first_s, CLIP_S, rule.step_s)
    bases = [-number for number in range(len(LABELS))]
    for base, kind in zip(bases, LABELS, strict=True):
        asked = labelled(words, times_s, kind)
        heights = np.full_like(asked, asked.max()) if kind == "clip" else asked
        rows[2].fill_between(times_s, base, base + 0.7 * heights, step="post")
    rows[2].set(xlabel="seconds", title="labels", xlim=(0, CLIP_S), ylim=(bases[-1] - 0.1, 0.8))
    rows[2].set_yticks(bases, list(LABELS.values()))
    figure.savefig(folder / "clip.png", dpi=90)
    yield "![A clip, as the lecture sees it and as we do, and its labels](clip.png)"


def _is_telling(take: tuple[Any, Sequence[Event]]) -> bool:
    """Whether a clip has words, and others."""
    kinds = [event.kind for event in take[1]]
    return kinds.count("positive") == 2 and len(kinds) > 2


def _first_as_good(ordered: Sequence[tuple[Any, list[Line]]]) -> str:
    """Of groups in order, the first whose mean lies within the seeds of the last."""
    most = max(frrs(ordered[-1][1]))
    (each,) = next(key for key, some in ordered if mean(some) <= most)
    return str(each or "all")


def _setup(_folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """The original set-up beside the sizes of our net."""
    yield "## The original set-up, and ours"
    yield ""
    yield (
        f"Ten seconds from three banks, 0 to 4 positives, 0 to 2 negatives. The lecture's: {COURSE.name} of sound at "
        "44.1 kHz (ours reaches 8 kHz, so the bins above it, 64 of 101, are empty, but for what resampling leaves "
        "there), 196 filters of 15, stride 4, batch norm, dropout of 0.8, which leaves a fifth, two GRU layers of 128, "
        "1,375 steps; and once more with a dropout that takes a fifth. Ours: "
        f"{OURS.name}, 96 filters of 9, stride 3, two layers of 96."
    )
    yield ""
    yield "| | missed, % | million multiplications a second | weights | training, processor minutes | late, s |"
    yield "|---|---|---|---|---|---|"
    groups = grouped(lines, "name")
    for (name,), some in groups.items():
        late = [line["lag_s"] for line in some if line["lag_s"] is not None]
        minutes = np.mean([line["training_cpu_s"] for line in some]) / 60
        yield (
            f"| {name} | {spread(some)} | {some[0]['work_per_s'] / 1e6:.1f} | {some[0]['weights']:,} | {minutes:.1f} "
            f"| {f'{np.mean(late):.2f}' if late else '-'} |"
        )
    ours = groups.pop(("ours",), [])
    for (name,), theirs in groups.items() if ours else ():
        yield ""
        their_s, our_s = (np.mean([line["training_cpu_s"] for line in some]) for some in (theirs, ours))
        yield (
            f"Beside “{name}”, for as many steps of as many clips, ours was trained in {their_s / our_s:.1f} times "
            f"less processor time; it listens with {theirs[0]['work_per_s'] / ours[0]['work_per_s']:.0f} times fewer "
            f"multiplications, and misses {'fewer' if mean(ours) < mean(theirs) else 'more'}."
        )
    yield ""
    yield "The lecture's have one seed each."


def _labels(folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """Misses over the number of clips, for each way to label."""
    yield "## One label a clip, one a step, a run of ones"
    yield ""
    curves = {
        what: {
            clips: some
            for (clips,), some in grouped([line for line in lines if line["labels"] == kind], "clips").items()
        }
        for kind, what in LABELS.items()
    }
    sizes = sorted({line["clips"] for line in lines})
    yield f"| missed, % | {' | '.join(f'{size:,} clips' for size in sizes)} |"
    yield "|---" * (len(sizes) + 1) + "|"
    for what, curve in curves.items():
        yield f"| {what} | {' | '.join(spread(curve[size]) if size in curve else '-' for size in sizes)} |"
    _draw(folder / "labels.png", curves, "training clips")
    yield ""
    yield from (_how_much_more(LABELS["run"], other, curves) for other in (LABELS["step"], LABELS["clip"]))
    yield ""
    yield "![Misses over training clips](labels.png)"


def _how_much_more(first: str, second: str, curves: dict[str, dict[int, list[Line]]]) -> str:
    """How many times the clips the second way to label needs to miss no more than the first."""
    most = max(curves[second])
    misses = mean(curves[second][most])
    enough = [clips for clips, some in sorted(curves[first].items()) if mean(some) <= misses]
    if not enough:
        return f"With {most:,} clips {second} misses fewer than {first} with any number of them here."
    return (
        f"With {most:,} clips {second} misses no fewer than {first} with {enough[0]:,}: "
        f"it needs {most / enough[0]:.0f} times the clips or more."
    )


def _first(folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """What made the first network train."""
    from matplotlib.figure import Figure

    yield "## The first network, and what made it train"
    yield ""
    yield "| | missed, % | loss at the end | training, processor minutes |"
    yield "|---|---|---|---|"
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    loss, misses = figure.subplots(1, 2)
    for number, ((name,), some) in enumerate(grouped(lines, "name").items()):
        final = np.mean([line["curve"][-1]["loss"] for line in some])
        minutes = np.mean([line["training_cpu_s"] for line in some]) / 60
        yield f"| {name} | {spread(some)} | {final:.3f} | {minutes:.1f} |"
        for line in some:
            steps = [point["step"] for point in line["curve"]]
            label = name if line is some[0] else None
            loss.plot(steps, [point["loss"] for point in line["curve"]], color=f"C{number}", label=label)
            misses.plot(steps, [100 * point["mean_frr"] for point in line["curve"]], color=f"C{number}")
    loss.set(xlabel="step", ylabel="loss")
    loss.legend()
    misses.set(xlabel="step", ylabel="missed, %", ylim=(0, 101))
    figure.savefig(folder / "first.png", dpi=110)
    yield ""
    yield from _what_helped(grouped(lines, "name"))
    yield ""
    yield "![Learning curves](first.png)"


def _what_helped(groups: dict[tuple[Any, ...], list[Line]]) -> Iterator[str]:
    """Which changes lie outside what chance does to the first network."""
    if ("the first network",) not in groups:
        return
    first = groups["the first network",]
    helped = [name for (name,), some in groups.items() if below(some, first)]
    yield f"Better with every seed than the first network with its best: {', '.join(helped) or 'none'}."


def _variety(folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """Misses over distinct recordings."""
    yield "## Few recordings make many clips"
    yield ""
    most = sum(clip.kind == "positive" for clip in banks("train").clips)
    groups = grouped(lines, "each")
    ordered = sorted(groups.items(), key=lambda pair: pair[0][0] or most)
    yield f"{lines[0]['clips']:,} clips of so many distinct positives, as many negatives and backgrounds:"
    yield ""
    yield f"| missed, % | {' | '.join(str(each or 'all') for (each,), _ in ordered)} |"
    yield "|---" * (len(ordered) + 1) + "|"
    yield f"| | {' | '.join(spread(some) for _, some in ordered)} |"
    _draw(folder / "variety.png", {"the same number of clips": {each or most: some for (each,), some in ordered}},
          "distinct positives")  # fmt: skip
    yield ""
    yield f"As good as all, within the spread of their seeds: from {_first_as_good(ordered)} on."
    yield ""
    yield "![Misses over distinct recordings](variety.png)"


def _input(folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """Misses over sample rate and bands."""
    yield "## The cheapest input"
    yield ""
    yield "Above 16 kHz there is nothing to hear in our banks."
    yield ""
    yield "| input | missed, % | million multiplications a second |"
    yield "|---|---|---|"
    groups = grouped(lines, "name")
    for (name,), some in groups.items():
        yield f"| {name} | {spread(some)} | {some[0]['work_per_s'] / 1e6:.1f} |"
    curves: dict[str, dict[float, list[Line]]] = {}
    for (name,), some in groups.items():
        bands, rate = name.removesuffix(" kHz").split(", ")
        curves.setdefault(bands, {})[float(rate)] = some
    _draw(folder / "input.png", curves, "sample rate, kHz")
    best = min(groups.values(), key=mean)
    as_good = [pair for pair in groups.items() if mean(pair[1]) <= max(frrs(best))]
    (cheapest,), some = min(as_good, key=lambda pair: (pair[1][0]["work_per_s"], pair[0][0]))
    yield ""
    yield f"The cheapest whose mean lies within the seeds of the best ({best[0]['name']}): {cheapest}."
    yield ""
    yield "![Misses over sample rate](input.png)"


def _errors(_folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """The most telling errors, and what was changed because of them."""
    yield "## Error analysis"
    yield ""
    yield (
        "The words with the lowest scores and the silent clips with the highest, of a net that met nothing like the "
        "word. A second net was taught what sounds like the word, too: its scores of the same moments, and what both "
        "miss where such words are said in the hours without it."
    )
    for line in lines:
        if "telling" in line:
            yield ""
            yield from rows(line["telling"])
            taken = [error for error in line["telling"] if error["kind"] == "taken"]
            words = sum(error["said"] != "nothing" for error in taken)
            yield ""
            quieter = sum(error["changed"] < 0.5 <= error["score"] for error in taken)
            yield (
                f"Of the {len(taken)} that were taken {words} are words, the others noise; the second net would take "
                f"{len(taken) - quieter} of them still, at a half."
            )
            yield ""
            yield "![The ten, as log-mel, with the score below](errors.png)"
    yield ""
    yield "| taught | missed, % |"
    yield "|---|---|"
    groups = grouped(lines, "name")
    for (name,), some in groups.items():
        yield f"| {'nothing like the word' if name == 'before' else 'what sounds like it, too'} | {spread(some)} |"
    if len(groups) == 2:
        before, after = groups.values()
        yield ""
        helps = "with every seed" if below(after, before) else "no more than chance may: seeds overlap"
        yield f"The change helps {helps}."


def _draw(place: Path, curves: dict[str, dict[Any, list[Line]]], what: str) -> None:
    """Mean misses and each seed's over something that grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    ticks: set[float] = set()
    for number, (name, curve) in enumerate(curves.items()):
        points = sorted(curve.items())
        ticks |= {at for at, _ in points}
        shares = [[100 * share for share in frrs(some)] for _, some in points]
        axes.plot([at for at, _ in points], [np.mean(some) for some in shares], "o-", color=f"C{number}", label=name)
        for (at, _), some in zip(points, shares, strict=True):
            axes.plot([at] * len(some), some, "_", color=f"C{number}")
    axes.set(xlabel=what, ylabel="missed, %", xscale="log", ylim=(0, 101))
    axes.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(place, dpi=110)
