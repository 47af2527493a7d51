"""DET curves and score histograms, on a terminal and as pictures.

False accepts are drawn on a logarithmic axis and misses on a normal-deviate one (A. Martin et al., The DET curve in
assessment of detection task performance, 1997), so that a step from 2 to 1 % is as visible as one from 20 to 10 %. None
at all has no place on either axis: it is drawn at half of one.
"""

from __future__ import annotations

import io
import math
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from kws.det import Det, wilson
from kws.report import PEAK_S, Report, histogram
from kws.timeline import BLOCKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999)
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a Braille character by row and column."""

_BINS = 50

Point = tuple[float, float]


def curve(det: Det) -> list[Point]:
    """(log10 of false accepts per hour, normal deviate of the share missed) at each threshold, loosest first."""
    return [_place(det, accepts, missed) for accepts, missed in zip(det.false_accepts, det.misses, strict=True)]


def operating_point(report: Report) -> Point | None:
    """Where the detector's own threshold lies in the same plane; None unless both sides were measured."""
    if not report.positives or not report.negatives or not report.negatives.speech:
        return None
    return _place(report.det, len(report.negatives.speech.accepts), report.positives.total.missed)


def det_text(report: Report, width: int = 56, height: int = 12) -> list[str]:
    """The curve in Braille dots, `O` at the detector's own threshold; no lines unless both sides were measured."""
    own = operating_point(report)
    if own is None:
        return []
    points = curve(report.det)
    xs, ys = _span([x for x, _ in points]), _span([y for _, y in points])
    cells = np.zeros((height, width), int)

    def dot(point: Point) -> tuple[int, int]:
        across = (point[0] - xs[0]) / (xs[1] - xs[0]) * (2 * width - 1)
        down = (ys[1] - point[1]) / (ys[1] - ys[0]) * (4 * height - 1)
        return round(across), round(down)

    for start, stop in pairwise(dot(point) for point in points):
        steps = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]), 1)
        for x, y in np.linspace(start, stop, steps + 1).round().astype(int):
            cells[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    rows = ["".join(chr(0x2800 + bits) if bits else " " for bits in row) for row in cells.tolist()]
    x, y = dot(own)
    rows[y // 4] = f"{rows[y // 4][: x // 2]}O{rows[y // 4][x // 2 + 1 :]}"
    labels = {dot((0.0, _deviate(share)))[1] // 4: f"{100 * share:g} %" for share in _TICKS if _in(_deviate(share), ys)}
    lines = [f"{labels.get(number, ''):>7} ┤{row}" for number, row in enumerate(rows)]
    return ["missed", *lines, f"{'':8}└{'─' * width}", _x_axis(xs, width), f"{'false accepts per hour':>{width + 9}}"]


def det_png(report: Report) -> bytes:
    """The curve with the 95 % band of its misses, the target and the detector's own threshold, as a PNG.

    Raises ValueError unless both sides were measured.
    """
    from matplotlib.figure import Figure

    own = operating_point(report)
    if own is None:
        raise ValueError("a DET needs utterances and hours of human speech without them")
    det, points = report.det, curve(report.det)
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    rates = [10**x for x, _ in points]
    bands = [wilson(missed, det.utterances) for missed in det.misses]
    low, high = ([_deviate(min(max(bound, 1e-4), 1 - 1e-4)) for bound in side] for side in zip(*bands, strict=True))
    axes.fill_between(rates, low, high, step="pre", alpha=0.2, linewidth=0, label="95 % interval of the misses")
    measured = f"{det.utterances} utterances, {det.hours:.2f} h"
    axes.plot(rates, [y for _, y in points], drawstyle="steps-pre", label=measured)
    axes.plot([10 ** own[0]], [own[1]], "o", label=f"its own threshold, {report.threshold:.4g}")
    if report.tuned:
        target = report.tuned.target_per_hour
        axes.axvline(target, linestyle=":", color="grey", label=f"target, {target:g} per hour")
    axes.axvspan(min(rates) / 2, 1 / det.hours, alpha=0.08, color="grey", linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 1.5, max(rates) * 1.5)
    least, most = _span([y for _, y in points])
    ticks = [share for share in _TICKS if least - 0.2 <= _deviate(share) <= most + 0.2]
    axes.set_ylim(least - 0.2, most + 0.2)
    axes.set_yticks([_deviate(share) for share in ticks], [f"{100 * share:g} %" for share in ticks])
    axes.set_xlabel("false accepts per hour of human speech (grey: none heard)")
    axes.set_ylabel("utterances missed")
    axes.set_title(f"“{report.word}”")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return _png(figure)


def scores_text(report: Report, width: int = 56) -> list[str]:
    """Score histograms, a line each, bars as the logarithm of the count; no lines where nothing was measured."""
    rows = score_rows(report)
    if not rows:
        return []
    at = min(int(report.threshold * width), width - 1)
    lines = ["scores, bars on a logarithmic scale", f"{'':22}{'▼ threshold':>{at + 11}}"]
    for name, scores in rows:
        counts = histogram(scores, width)
        bars = [max(round(8 * math.log(count) / math.log(len(scores) + 1)), 1) if count else 0 for count in counts]
        lines.append(f"{name[:21]:<22}{''.join(BLOCKS[bar] for bar in bars)}".rstrip())
    return [*lines, f"{'':22}0{'1':>{width - 1}}"]


def score_rows(report: Report) -> list[tuple[str, tuple[float, ...]]]:
    """What histograms are made of: the best score of each utterance, and the highest of each stretch of a class."""
    rows = []
    if report.positives:
        best = tuple(trial.best_score for trial in report.positives.trials)
        rows.append((f"{len(best)} utterances", best))
        for group, share in report.positives.taken.items():
            scores = tuple(trial.best_score for trial in report.positives.alike if trial.group == group)
            rows.append((f"{share.of} {group}", scores))
    classes = report.negatives.classes if report.negatives else ()
    return rows + [(f"{heard.name}, {PEAK_S:g} s each", heard.peaks) for heard in classes if heard.peaks]


def scores_png(report: Report) -> bytes:
    """Score histograms one below the other, with the detector's own threshold, as a PNG.

    Raises ValueError where there are no scores.
    """
    from matplotlib.figure import Figure

    rows = score_rows(report)
    if not rows:
        raise ValueError("no scores to draw")
    figure = Figure(figsize=(6.4, 0.6 + 1.1 * len(rows)), layout="constrained")
    edges = np.linspace(0, 1, _BINS + 1)
    for axes, (name, scores) in zip(figure.subplots(len(rows), sharex=True, squeeze=False)[:, 0], rows, strict=True):
        axes.stairs(histogram(scores, _BINS), edges, fill=True, alpha=0.7, baseline=0.5)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.axvline(report.threshold, color="black", linestyle=":")
        axes.set_title(name, fontsize="small", loc="left")
        axes.grid(alpha=0.3)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"best score of an utterance, highest of each {PEAK_S:g} s without the word; dotted: the threshold")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=130)
    return png.getvalue()


def _place(det: Det, accepts: int, missed: int) -> Point:
    share = min(max(missed, 0.5), det.utterances - 0.5) / det.utterances if det.utterances else 0.5
    return math.log10(max(accepts, 0.5) / det.hours) if det.hours else 0.0, _deviate(share)


def _deviate(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _span(values: list[float]) -> Point:
    return min(values), max(*values, min(values) + 0.1)


def _in(value: float, span: Point) -> bool:
    return span[0] <= value <= span[1]


def _x_axis(xs: Point, width: int) -> str:
    """Decades below the axis."""
    line = [" "] * (width + 9)
    for exponent in range(math.ceil(xs[0]), math.floor(xs[1]) + 1):
        at = 9 + round((exponent - xs[0]) / (xs[1] - xs[0]) * (width - 1))
        text = f"{10.0**exponent:g}"
        line[at : at + len(text)] = text
    return "".join(line).rstrip()
