"""What climbing `scripts/ladder` showed: the table, people's misses over made voices', and the curves of scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rungs import RUNGS

WHICH = ("word", "rung", "seed", "steps", "members", "clips", "without", "voices")
"""What tells one measurement from another."""
COUNTS = (0, 1, 2, 4, 8, 16)
"""False accepts in all the talk, at which misses are told."""
SCENE_S = 10.0

Line = dict[str, Any]
"""One measurement."""


def report(folder: Path, found: Sequence[Line]) -> None:
    """Print the table of what was found; draw FOLDER/people.png, and FOLDER/scaling.png where scale was varied."""
    words = list(dict.fromkeys(line["word"] for line in found))
    print(f"Missed, %, at {' / '.join(map(str, COUNTS))} false accepts, mean over conditions and seeds.\n")
    heads = [f"{who}, {word}" for word in words for who in ("people", "made voices")]
    print(f"| rung | seeds | {' | '.join(heads)} | people, to the recipe |\n|{'---|' * (len(heads) + 3)}")
    for kind in dict.fromkeys(map(kind_of, found)):
        lines = [line for line in found if kind_of(line) == kind]
        theirs = [[line for line in lines if line["word"] == word] for word in words]
        columns = [told(of_word, who) for of_word in theirs for who in ("people", "synthetic")]
        seeds = "/".join(str(len(of_word)) for of_word in theirs)
        print(f"| {described(lines[0])} | {seeds} | {' | '.join(columns)} | {to_the_recipe(lines, found)} |")
    heard = [line for line in found if "people" in line["missed"]]
    if heard:
        spread = f"people's misses vary by a factor of {seed_factor(heard):.2f}"
        print(f"\nFrom seed to seed {spread}, one standard deviation.")
        draw(folder / "people.png", heard)
        draw_scale(folder / "scale.png", heard)


def kind_of(line: Line) -> tuple[Any, ...]:
    """What was done, whatever the word and the seed."""
    return tuple(line[name] for name in WHICH if name not in {"word", "seed"})


def described(line: Line) -> str:
    """What was done."""
    rung = RUNGS[line["rung"]].what if line["rung"] in RUNGS else line["rung"]
    less = [f"no {line['without']}"] if line["without"] else []
    less += [f"{line['voices']} voices"] if line["voices"] else []
    less += [f"{line['members']} nets"] if line["members"] > 1 else []
    return "; ".join([rung, *less, f"{line['clips']} scenes, {line['steps']} steps"])


def mean(line: Line, who: str) -> np.ndarray:
    """Shares missed over all conditions, for each of COUNTS."""
    shares: np.ndarray = np.mean(list(line["missed"][who].values()), axis=0)
    return shares


def told(lines: Sequence[Line], who: str) -> str:
    """Their mean over seeds, in percent."""
    shares = [mean(line, who) for line in lines if who in line["missed"]]
    return " / ".join(f"{100 * share:.1f}" for share in np.mean(shares, axis=0)) if shares else "-"


def level(line: Line) -> float:
    """The mean logarithm of the shares of people missed at some false accepts, of which none is 0."""
    return float(np.log(np.maximum(mean(line, "people")[1:5], 1e-3)).mean())


def to_the_recipe(lines: Sequence[Line], found: Sequence[Line]) -> str:
    """By what factor people are missed more often than by the recipe with the same words, seeds and steps, all voices
    and the most scenes.
    """

    def same(line: Line) -> tuple[Any, ...]:
        return tuple(line[name] for name in ("word", "seed", "steps"))

    bare = {
        same(line): level(line)
        for line in sorted(found, key=lambda line: int(line["clips"]))
        if line["rung"] == "recipe" and "people" in line["missed"] and not line["without"] and not line["voices"]
    }
    higher = [level(line) - bare[same(line)] for line in lines if "people" in line["missed"] and same(line) in bare]
    return f"{np.exp(np.mean(higher)):.2f}" if higher else "-"


def seed_factor(lines: Sequence[Line]) -> float:
    """The factor that one standard deviation between seeds is; NaN where no two seeds were trained."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for line in lines:
        groups.setdefault((line["word"], *kind_of(line)), []).append(level(line))
    spreads = [np.var(levels, ddof=1) for levels in groups.values() if len(levels) > 1]
    return float(np.exp(np.sqrt(np.mean(spreads)))) if spreads else float("nan")


def draw(place: Path, lines: Sequence[Line], at: int = 2) -> None:
    """People's misses over made voices' in each condition, and the rank correlation, at COUNTS[at] false accepts."""
    from matplotlib.figure import Figure
    from scipy.stats import spearmanr

    conditions = sorted(set.intersection(*(set(line["missed"]["synthetic"]) for line in lines)))
    figure = Figure(figsize=(4 * len(conditions), 4.5), layout="constrained")
    for column, condition in enumerate(conditions):
        axes = figure.add_subplot(1, len(conditions), column + 1)
        for word in dict.fromkeys(line["word"] for line in lines):
            made, people = np.array([
                (100 * line["missed"]["synthetic"][condition][at], 100 * mean(line, "people")[at])
                for line in lines
                if line["word"] == word
            ]).T  # fmt: skip
            rank = spearmanr(made, people).statistic if len(made) > 2 else float("nan")
            axes.scatter(made, people, label=f"{word}: rank correlation {rank:.2f}", s=18)
        axes.set(xlabel=f"made voices missed, {condition}, %", ylabel="people missed, mean, %")
        axes.legend()
    figure.suptitle(f"{COUNTS[at]} false accepts")
    figure.savefig(place, dpi=110)


def draw_scale(place: Path, lines: Sequence[Line]) -> None:
    """Misses of the recipe over hours of scenes and over voices that say the word; nothing where they never varied."""
    from matplotlib.figure import Figure

    bare = [line for line in lines if line["rung"] == "recipe" and not line["without"]]
    steps = min((line["steps"] for line in bare if line["voices"]), default=0)
    plain = [line for line in bare if not line["voices"] and line["steps"] == steps]
    curves = {
        "hours of scenes": [(line["clips"] * SCENE_S / 3600, line) for line in plain],
        "voices that say the word": [(line["voices"], line) for line in bare if line["voices"]],
    }
    if any(len({at for at, _ in points}) < 2 for points in curves.values()):
        return
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for column, (what, points) in enumerate(curves.items()):
        axes = figure.add_subplot(1, len(curves), column + 1)
        for number, word in enumerate(dict.fromkeys(line["word"] for line in lines)):
            theirs = [(at, line) for at, line in points if line["word"] == word]
            for who, style in (("people", "o-"), ("synthetic", ".:")):
                shares = [(at, 100 * mean(line, who)[1:5].mean()) for at, line in theirs]
                middle = [(at, np.mean([y for x, y in shares if x == at])) for at in sorted({x for x, _ in shares})]
                name = f"{word}, {'people' if who == 'people' else 'made voices'}"
                axes.plot(*zip(*middle, strict=True), style, color=f"C{number}", label=name)
                axes.plot(*zip(*shares, strict=True), "_", color=f"C{number}")
        ticks = sorted({at for at, _ in points})
        axes.set(xlabel=what, ylabel="missed, mean at 1 to 8 false accepts, %", xscale="log", ylim=(0, None))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.legend(fontsize=8)
    figure.savefig(place, dpi=110)
