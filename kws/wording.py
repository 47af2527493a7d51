"""A report in words: the headline, what to be careful of, and all of it for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kws.breakdown import FEWEST, Share, Worst
from kws.det import Choice, Det
from kws.report import Negatives, Positives, Report

HELD_BACK = ", held back by an earlier detection"
"""Said of a miss whose score was high enough."""
_CALIBRATED = (
    "The detector's threshold is the very one that this set would choose: if it was calibrated here, the false accepts "
    "told above are too few."
)
IN_WORDS = {
    "clean": "nearby, quiet", "babble_10db": "six talkers, 10 dB softer", "music_5db": "music, 5 dB softer",
    "far": "3 m away in a room", "speech_held_out": "people's talk, held out", "made_talk": "talk of made voices",
    "background_held_out": "other sound, held out",
}  # fmt: skip
"""Conditions and classes of sound that our own trials name, in the order in which they are told."""
_LISTED = 10
_FEW_UTTERANCES = 100


def headline(report: Report) -> Iterator[tuple[str, str]]:
    """The figures that count, each with its name."""
    if report.positives:
        found = report.positives
        yield "misses", str(found.total).strip()
        yield from ((f"misses, {name}", str(share).strip()) for name, share in found.conditions.items())
    if report.negatives:
        yield "false accepts, speech", str(report.negatives.speech or "no human speech was given")
    if report.target:
        yield "target", str(report.target)
    if report.positives:
        for group, share in report.positives.taken.items():
            yield f"{group} accepted", share.told("taken for the word").strip()
        if late := report.positives.latency_s:
            yield "latency", f"median {late['median']:.2f} s, p90 {late['p90']:.2f} s after the word's end"
        if (off_s := report.positives.end_off_s) is not None:
            yield "word's end", f"told to within {off_s:.2f} s in the median"
        if worst := report.positives.breakdown.worst:
            yield "worst group", tell_worst(worst)


def tell_worst(worst: Worst) -> str:
    """The worst group against the mean."""
    times = f", {worst.ratio:.1f} times the mean of {100 * worst.mean.frr:.1f} %" if worst.ratio else ""
    return f"{named(worst.key)} {worst.name}: {str(worst.share).strip()}{times}"


def caveats(report: Report) -> Iterator[str]:
    """What the figures do not say, in whole sentences."""
    if report.positives:
        yield from _of_positives(report.positives)
    if report.target and not report.target.is_shown:
        yield f"The target of {report.target}."
    if report.negatives:
        yield from _of_negatives(report.negatives)
    if report.tuned:
        if report.tuned.threshold == report.threshold:
            yield _CALIBRATED
        yield _tell_tuned(report.tuned, report.det)
    yield from (f"{note[0].upper()}{note[1:]}." for note in report.notes)
    if report.skipped:
        yield f"Files that could not be used and are left out: {len(report.skipped)}."


def lines(report: Report) -> Iterator[str]:
    """The report for a terminal, line by line."""
    yield f'"{report.word}" at threshold {report.threshold:.4g}\n'
    yield from (f"{name:<24}{figure}" for name, figure in headline(report))
    if report.negatives:
        yield "\nfalse accepts by class"
        yield from (f"  {heard.name:<22}{heard}" for heard in report.negatives.classes)
    if report.positives:
        yield from _tell_groups(report.positives)
        yield from _listed("Missed, the nearly heard first", [
            f"{trial.file} at {trial.start:.2f} s (best score {trial.best_score:.3f}"
            f"{HELD_BACK if trial.best_score >= report.threshold else ''})"
            for trial in report.positives.misses
        ])  # fmt: skip
        yield from _listed("Sounds like the word, the highest score first", [
            f"{trial.word}: {trial.best_score:.3f}{'' if trial.detected is None else ', taken for the word'} "
            f"({trial.file} at {trial.start:.2f} s)"
            for trial in report.positives.ranked_alike
        ])  # fmt: skip
    if report.negatives:
        yield from _listed("False accepts", [
            f"{accept.file} at {accept.time:.2f} s (score {accept.score:.3f})" for accept in report.negatives.accepts
        ])  # fmt: skip
    yield from _listed("Skipped, unreadable", report.skipped)
    if told := list(caveats(report)):
        yield "\nTo be read with care"
        yield from (f"  {caveat}" for caveat in told)


def named(key: str) -> str:
    """What is known of an utterance, by a name with its unit: snr_db is SNR (dB)."""
    units = {"db": "dB", "hz": "Hz", "m": "m", "s": "s"}
    name, _, unit = key.rpartition("_")
    if not name or unit not in units:
        name, unit = key, ""
    told = {"snr": "SNR", "rt60": "RT60", "rms": "RMS"}.get(name, name.replace("_", " "))
    return f"{told} ({units[unit]})" if unit else told


def count_judged(groups: Sequence[Share]) -> int:
    """How many of the groups, the first ones, are large enough to judge."""
    return sum(share.is_judged for share in groups)


def _tell_tuned(choice: Choice, det: Det) -> str:
    """What another threshold would have given, which is no result."""
    missed = "" if choice.frr is None else f"{100 * choice.frr:.1f} % would be missed and "
    count = det.false_accepts[det.thresholds.index(choice.threshold)]
    caution = f"; {choice.caveat}" if choice.caveat else ""
    return (
        f"At threshold {choice.threshold:.4g}, chosen on this very set for {choice.target_per_hour:g} false accepts "
        f"per hour, {missed}{count} accepted in {det.hours:.2f} h. Tuned on what it is judged on, that is not a "
        f"result{caution}."
    )


def _of_positives(found: Positives) -> Iterator[str]:
    total = found.total
    if total.of < _FEW_UTTERANCES:
        low, high = total.interval
        yield (
            f"{total.of} {'utterance leaves' if total.of == 1 else 'utterances leave'} much open: between "
            f"{100 * low:.0f} and {100 * high:.0f} % of such utterances may be missed."
        )
    if found.sources < total.of:
        yield (
            f"The {total.of} utterances were made from {found.sources} recordings, so they are not independent and "
            "intervals of more than one condition together are too narrow."
        )
    if (worst := found.breakdown.worst) and worst.groups > 2:
        yield (
            f"The worst group is the worst of {worst.groups} of at least {FEWEST} utterances, so partly by chance: "
            "measured again it would likely be milder."
        )
    if found.stray:
        yield f"{found.stray} further detections in the recordings of the word fell on no utterance."


def _of_negatives(found: Negatives) -> Iterator[str]:
    if found.speech is None:
        yield "Without human speech nothing is said of how often a voice in the room is taken for the word."
    others = [heard.name for heard in found.classes if not heard.speech]
    if others and found.speech:
        yield f"{', '.join(others)}: told by class, and no part of the figure for human speech."
    fullest = found.loudest_file
    if fullest and fullest[1] > 2 and fullest[1] > len(found.accepts) / 2:
        yield (
            f"{fullest[1]} of the {len(found.accepts)} false accepts lie in one file, {fullest[0]}: the intervals take "
            "them for independent and are too narrow."
        )


def _tell_groups(found: Positives) -> Iterator[str]:
    for key, groups in found.breakdown.groups.items():
        judged = count_judged(list(groups.values()))
        yield f"\nmisses by {named(key)}, worst first"
        for name, share in list(groups.items())[:_LISTED]:
            yield f"  {name:<22}{share}{'' if share.is_judged else '  too few to judge'}"
        if len(groups) > _LISTED:
            few = f", {len(groups) - max(judged, _LISTED)} of them too few to judge" if judged < len(groups) else ""
            yield f"  … and {len(groups) - _LISTED} more{few}: all are in the report of --out DIR or --json"


def _listed(title: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"\n{title}: {len(entries)}"
        yield from (f"  {entry}" for entry in entries[:_LISTED])
        if len(entries) > _LISTED:
            yield f"  … and {len(entries) - _LISTED} more: all are in the report of --out DIR or --json"
