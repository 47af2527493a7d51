"""A report as one page that needs nothing else: the headline, what to be careful of, and what to listen to.

It holds its pictures and sounds, asks nothing of a network and runs no script. All text from outside is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from kws.breakdown import Share
from kws.det import wilson
from kws.excerpts import Excerpt, Excerpts
from kws.report import Curve, FalseAccept, Positives, Report, Trial
from kws.wording import HELD_BACK, caveats, headline, named

_ALIKE = 30
"""Of what sounds like the word, shown."""
_WIDTH, _HEIGHT = 300, 60
"""Of a score curve, in its own units."""
_CONTENT = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #667; --line: #d5d9e0; --card: #f4f6f9;
  --bar: #2f6fbf; --bad: #b3412e; --word: #2e8b5733 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #14171b; --soft: #9aa4b2; --line: #333a44;
  --card: #1d2229; --bar: #6aa5ee; --bad: #ee8a76; --word: #5bd19b33 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem }
.soft { color: var(--soft) } small { color: var(--soft) }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .6rem; margin: 1rem 0 }
dl > div, article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-weight: 600 } dd small { font-weight: 400 }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); vertical-align: middle;
  overflow-wrap: normal } td small { white-space: nowrap }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
tr.small { color: var(--soft) } svg { display: block; width: 100%; height: auto } td svg { min-width: 5rem }
img { max-width: 100%; height: auto; background: #fff; border-radius: .5rem }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .6rem }
audio { width: 100%; margin-top: .3rem } summary { cursor: pointer; font-weight: 600; margin: .5rem 0 }
.range { stroke: var(--soft); stroke-width: 2 } .share { fill: var(--bar) }
.curve { fill: none; stroke: var(--bar); stroke-width: 1.5 } .fired { stroke: var(--bad); stroke-width: 1.5 }
.threshold { stroke: var(--soft); stroke-dasharray: 3 3 } .word { fill: var(--word) }
"""


def page(report: Report, excerpts: Excerpts | None, pictures: Mapping[str, bytes]) -> str:
    """The whole page; `pictures` are PNGs by their captions, `excerpts` None leaves sound out."""
    word = escape(report.word)
    return "\n".join([
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT}">',
        f"<title>{word}: report</title><style>{_STYLE}</style></head><body>",
        f"<h1>“{word}”</h1>",
        f'<p class="soft">A detector, measured at threshold {report.threshold:.4g}. In brackets 95 % intervals.</p>',
        *_headline(report), *_careful(report), *_classes(report), *_pictures(pictures),
        *(_groups(report.positives) if report.positives else ()),
        *(_alike(report.positives) if report.positives else ()),
        *(_listen(report, excerpts) if excerpts else ()),
        *_left_out(report), "</body></html>\n",
    ])  # fmt: skip


def _headline(report: Report) -> Iterator[str]:
    yield "<dl>"
    for name, figure in headline(report):
        first, bracket, rest = figure.partition("  (")
        told = f" <small>({escape(rest)}</small>" if bracket else ""
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(first)}{told}</dd></div>"
    yield "</dl>"


def _careful(report: Report) -> Iterator[str]:
    told = list(caveats(report))
    if told:
        yield "<h2>To be read with care</h2><ul>"
        yield from (f"<li>{escape(caveat)}</li>" for caveat in told)
        yield "</ul>"


def _classes(report: Report) -> Iterator[str]:
    if not report.negatives:
        return
    yield '<h2>False accepts by class of sound</h2><div class="scroll"><table>'
    for heard in report.negatives.classes:
        kind = "" if heard.speech else " <small>not human speech</small>"
        yield f"<tr><td>{escape(heard.name)}{kind}</td><td>{escape(str(heard))}</td></tr>"
    yield "</table></div>"


def _pictures(pictures: Mapping[str, bytes]) -> Iterator[str]:
    for caption, png in pictures.items():
        told = escape(caption)
        yield f'<h2>{told}</h2><img alt="{told}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _groups(found: Positives) -> Iterator[str]:
    if found.breakdown.groups:
        yield "<h2>Misses by group, worst first</h2>"
    for number, (key, groups) in enumerate(found.breakdown.groups.items()):
        yield f"<details{' open' if number < 2 else ''}><summary>{escape(named(key))}</summary>"
        yield '<div class="scroll"><table>'
        yield from (_group(name, share) for name, share in groups.items())
        yield "</table></div></details>"
    if found.breakdown.left_out:
        keys = ", ".join(map(named, found.breakdown.left_out))
        yield f'<p class="soft">Left out, with too few utterances in each group: {escape(keys)}.</p>'


def _group(name: str, share: Share) -> str:
    low, high = wilson(share.missed, share.of)
    few = "" if share.is_judged else " <small>too few to judge</small>"
    return (
        f"<tr{'' if share.is_judged else ' class=small'}><td>{escape(name)}{few}</td>"
        f'<td class="number">{100 * share.frr:.1f} %</td><td><svg viewBox="0 0 100 10" role="img" aria-hidden="true">'
        f'<rect class="share" x="0" y="2" width="{100 * share.frr:.1f}" height="6"/>'
        f'<line class="range" x1="{100 * low:.1f}" x2="{100 * high:.1f}" y1="5" y2="5"/></svg></td>'
        f'<td class="number">{100 * low:.1f}-{100 * high:.1f} %</td>'
        f'<td class="number">{share.missed} of {share.of}</td></tr>'
    )


def _alike(found: Positives) -> Iterator[str]:
    shown = found.ranked_alike[:_ALIKE]
    if shown:
        rest = (
            f"; the other {len(found.alike) - len(shown)} are in report.json" if len(found.alike) > len(shown) else ""
        )
        yield f'<h2>Sounds like the word</h2><p class="soft">The highest scores first{rest}.</p>'
        yield '<div class="scroll"><table>'
        for trial in shown:
            verdict = "" if trial.detected is None else "taken"
            yield (
                f'<tr><td>{escape(trial.word)}</td><td class="number">{trial.best_score:.3f}</td><td>{verdict}</td>'
                f"<td><small>{escape(trial.file)} at {trial.start:.2f} s</small></td></tr>"
            )
        yield "</table></div>"


def _listen(report: Report, excerpts: Excerpts) -> Iterator[str]:
    lists = (
        ("Missed", "the nearly heard first", excerpts.misses, excerpts.all_misses),
        ("Taken for the word", "the surest first", excerpts.accepts, excerpts.all_accepts),
        ("Near the word and taken for it", "the surest first", excerpts.alike, excerpts.all_alike),
    )
    for title, order, shown, count in lists:
        if not count:
            continue
        rest = f"; {count - len(shown)} are left out here and listed in report.json" if count > len(shown) else ""
        yield f"<h2>{title}: {count}</h2>"
        yield f'<p class="soft">{len(shown)} to listen to, {order}{rest}. Dashed: the threshold.</p><div class="cards">'
        yield from (_card(excerpt, report.threshold) for excerpt in shown)
        yield "</div>"


def _card(excerpt: Excerpt[Trial] | Excerpt[FalseAccept], threshold: float) -> str:
    one = excerpt.of
    if isinstance(one, Trial):
        known = ", ".join(f"{named(key)} {value}" for key, value in one.about.items())
        masked = HELD_BACK if one.detected is None and one.best_score >= threshold else ""
        told = f"best score {one.best_score:.3f}{masked}{', ' if known else ''}{known}"
        marks = _word(one.curve, one.start, one.end)
    else:
        told, marks = f"score {one.score:.3f}", _fired(one.curve, one.time)
    at = one.start if isinstance(one, Trial) else one.time
    said = f"{one.word}: {one.file}" if isinstance(one, Trial) and one.word else one.file
    sound = base64.b64encode(excerpt.flac).decode()
    return (
        f"<article><div>{escape(said)} <small>at {at:.2f} s</small></div><small>{escape(told)}</small>"
        f'{_curve(one.curve, threshold, marks)}<audio controls preload="none" src="data:audio/flac;base64,{sound}">'
        "</audio></article>"
    )


def _curve(curve: Curve, threshold: float, marks: str) -> str:
    """The scores from 0 to 1 as a line."""
    points = " ".join(
        f"{_across(curve, curve.start + number * curve.step):.1f},{_down(score):.1f}"
        for number, score in enumerate(curve.scores)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="scores over time">{marks}'
        f'<line class="threshold" x1="0" x2="{_WIDTH}" y1="{_down(threshold):.1f}" y2="{_down(threshold):.1f}"/>'
        f'<polyline class="curve" points="{points}"/></svg>'
    )


def _word(curve: Curve, start_s: float, end_s: float) -> str:
    left, right = _across(curve, start_s), _across(curve, end_s)
    return f'<rect class="word" x="{left:.1f}" y="0" width="{right - left:.1f}" height="{_HEIGHT}"/>'


def _fired(curve: Curve, time_s: float) -> str:
    at = f"{_across(curve, time_s):.1f}"
    return f'<line class="fired" x1="{at}" x2="{at}" y1="0" y2="{_HEIGHT}"/>'


def _across(curve: Curve, time_s: float) -> float:
    return _WIDTH * (time_s - curve.start) / max(curve.end - curve.start, 1e-9)


def _down(score: float) -> float:
    return _HEIGHT - 2 - (_HEIGHT - 4) * score


def _left_out(report: Report) -> Iterator[str]:
    yield from _list("Files left out", report.skipped)
    yield '<p class="soft">Missed is a word without a detection from 0.1 s after it begins to 1.2 s after it ends.'
    yield "Every recording was fed as a microphone would bring it. All figures and lists are in report.json.</p>"


def _list(title: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"<details><summary>{title}: {len(entries)}</summary><ul>"
        yield from (f"<li>{escape(entry)}</li>" for entry in entries)
        yield "</ul></details>"
