"""The verdict that `kws new` ends with: the finished file tried on what nobody trained on, told on one screen."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kws.audio import RATE_HZ, duration_s
from kws.cli.scenes import ENOUGH_H
from kws.errors import Failure
from kws.files import make_folder, write_whole
from kws.wording import IN_WORDS

if TYPE_CHECKING:
    from kws.breakdown import Share
    from kws.cli.runs import Effort, Plan
    from kws.cli.scenes import Material
    from kws.report import Heard, Positives, Report
    from synth.bank import Clip
    from synth.conditions import Noises
    from synth.crew import Crew
    from synth.recorded import Recordings
    from synth.stage import Stage
    from synth.trials import Dataset

_SEED = 1
_PEOPLE, _MADE, BACKGROUND = "speech_held_out", "made_talk", "background_held_out"
"""Classes of negatives; only the first is human speech."""
_ALIKE = "near_misses"
_ALIKE_PER_TRIAL = 2
"""Near-misses that are tried, at most, for each utterance of a condition."""
_GOOD, _USABLE = (0.02, 0.08), 0.08
"""Shares missed: nearby and in the hardest condition of a good detector, nearby of a usable one."""
_BABBLE_H, _BABBLE_FILES = 0.2, 20
"""Held out talk that serves as babble: so many files at most, none longer, for all are held in memory."""
_NAMED = 6
"""Near-misses told by name."""
_FEW_HOURS = 3.0
"""Below so many hours, even none heard in them says little of a day."""


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What the figures rest on."""

    voices: int
    """That say the word."""
    says: str = ""
    """What else is to be known of it, in whole sentences."""
    hours: float = 0.0
    """Recorded for it, or talk made before."""


def reached(detector: Path, material: Material, out: Path, plan: Plan, crew: Crew) -> str:
    """Try a detector file; its report lies in OUT/report then, and what is given here in OUT/verdict.txt.

    The crew hears what lasts for hours.
    """
    from kws.cli.evaluate import write_report
    from kws.detector import load
    from kws.evaluate import measure
    from kws.excerpts import cut_excerpts

    folder = out / "trials"
    basis, datasets = _planned(material, folder, plan.effort)
    render(datasets, plan)
    positives, negatives = (_if_there(folder / name) for name in ("positives", "negatives"))
    if positives is None and negatives is None:
        return f"{material.word!r}: no verdict, for no voice is left here that it was not made with."
    listener = load(str(detector))
    report = measure(
        listener, positives, negatives, target_per_hour=plan.target_per_hour,
        progress=lambda seconds: plan.stages.bar("verdict", seconds, " s of sound"),
        work=crew.work if basis.hours >= ENOUGH_H and crew.workers > 1 else None,
    )  # fmt: skip
    make_folder(out / "report")
    write_report(out / "report", report, cut_excerpts(report, positives, negatives))
    chosen = _threshold_from(listener.model.metadata["evaluation"])
    verdict = "\n".join([*told(report, basis), chosen, f"The whole report: {out / 'report' / 'report.html'}"])
    write_whole(out / "verdict.txt", (verdict + "\n").encode())
    return verdict


def render(datasets: Sequence[Dataset], plan: Plan) -> None:
    """Write the datasets, those that are there already left alone."""
    from synth.trials import write_dataset

    with plan.stages.bar("verdict", sum(len(dataset.takes) for dataset in datasets), "clip") as bar:
        for dataset in datasets:
            write_dataset(dataset, bar.update)


def _if_there(folder: Path) -> Path | None:
    return folder if folder.is_dir() and any(folder.iterdir()) else None


def _planned(material: Material, folder: Path, effort: Effort) -> tuple[Basis, list[Dataset]]:
    """What is to be rendered; recorded talk is linked where it is to be heard."""
    from synth.scene import Ranges

    held_out = material.held_out.get("test")
    hours = _link(folder / "negatives", held_out, effort.talk_h)
    says = [_talk_told(material, hours)]
    if material.taught:
        says.append(
            f"False accepts of earlier reports were taught; {material.taught} of the recordings they came from are not "
            "heard here, and what is left flatters it: let kws evaluate hear other talk."
        )
    try:
        stage = material.stage(Ranges(), "test")
    except Failure:  # no test voice says it
        return Basis(voices=0, says="No voice is left here that it was not made with.", hours=sum(hours.values())), []
    voices, datasets = _said(stage, folder, held_out, effort)
    few = hours[_PEOPLE] < ENOUGH_H and not hours[_MADE]
    if few and (talk := _talk(material, folder / "negatives" / _MADE, effort.scenes)):
        says.append(talk[0])
        datasets.append(talk[1])
    return Basis(voices=voices, says=" ".join(says), hours=sum(hours.values())), datasets


def _talk_told(material: Material, hours: Mapping[str, float]) -> str:
    """What talk was heard, and how people's comes to be heard where there is little."""
    mend = "Give --negatives, and a part of its talk is held out for this."
    if hours[_PEOPLE]:
        mend = f"{hours[_PEOPLE]:.2f} h of the recorded talk were held out of training for this."
    elif material.recordings is not None and not material.talk_is_made:
        mend = "Of --negatives nothing was held out for this: let kws evaluate hear other talk."
    if hours[_MADE]:
        made = f"The made talk is {hours[_MADE]:.2f} h of words strung together, said by these voices and eSpeak's."
        return f"{made} {mend}"
    return mend


def _said(stage: Stage, folder: Path, held_out: Recordings | None, effort: Effort) -> tuple[int, list[Dataset]]:
    """The word in each condition, by how many voices, and its near-misses one by one."""
    from synth.trials import Trial, by_speaker, plan_once, plan_trials, seeded, trials_of

    voices = by_speaker(clip for clip in stage.clips if clip.kind == "positive")
    neural = {name: clips for name, clips in voices.items() if not name.startswith("espeak:")}
    voices = neural or voices
    noises = _noises(stage, folder / "noise", held_out)
    trials = trials_of(voices, math.ceil(effort.trials / len(voices)), "test")
    datasets = plan_trials(folder / "positives", trials, noises, _SEED)
    alike = _alike(stage.clips)
    chosen = seeded(_SEED, "alike").permutation(len(alike))[: _ALIKE_PER_TRIAL * effort.trials]
    near = [Trial(name=("alike", number), clip=alike[number]) for number in chosen]
    return len(voices), datasets + plan_once(folder / "positives" / _ALIKE, near, noises, _SEED)


def _noises(stage: Stage, folder: Path, held_out: Recordings | None) -> Noises:
    """Babble of people where enough of their recordings are held out, otherwise of made voices; made music."""
    from synth.conditions import TALKERS, Noises
    from synth.trials import made_noises

    others = [clip for clip in stage.clips if clip.kind in {"negative", "sentence"}]
    if len(others) < TALKERS:
        others = [clip for clip in stage.clips if clip.kind != "positive"] or list(stage.clips)
    made = made_noises(folder, others, _SEED)
    people = [path for path in (held_out.talk if held_out else []) if duration_s(path) <= 3600 * _BABBLE_H][
        :_BABBLE_FILES
    ]
    return made if len(people) < TALKERS else Noises(people, [tune.path for tune in made.music])


def _alike(clips: Sequence[Clip]) -> list[Clip]:
    return [clip for clip in clips if clip.kind in {"near-miss", "containing"}]


def _talk(material: Material, folder: Path, scenes: int) -> tuple[str, Dataset] | None:
    """Scenes of talk in test voices, and what they are made of; None if those voices say too little else."""
    from kws.cli.runs import talk_stage
    from synth.generate import perform
    from synth.trials import Dataset, digest

    stage = talk_stage(material, "test")
    said = [clip for clip in stage.clips if clip.kind != "positive"]
    if not said:
        return None
    takes = tuple(partial(perform, stage, _SEED, number) for number in range(scenes))
    seconds = sum(len(clip.samples) for clip in said) / RATE_HZ
    told = (
        f"The made talk is {len(said)} clips ({seconds / 60:.1f} min) of {len({clip.voice for clip in said})} voices, "
        "said again and again in rooms and noise."
    )
    return told, Dataset(folder=folder, takes=takes, fingerprint=digest(stage.fingerprint, _SEED, scenes))


def _link(folder: Path, held_out: Recordings | None, most_h: float) -> dict[str, float]:
    """Link what is held out into its classes; the hours of each."""
    found = {
        _PEOPLE: held_out.people if held_out else [], _MADE: held_out.made_talk if held_out else [],
        BACKGROUND: held_out.background if held_out else [],
    }  # fmt: skip
    hours = dict.fromkeys(found, 0.0)
    for name, paths in found.items():
        shutil.rmtree(folder / name, ignore_errors=True)
        for number, path in enumerate(paths):
            if hours[name] >= most_h:
                break
            make_folder(folder / name)
            _lay(path.resolve(), folder / name / f"{number:04d}_{path.name}")
            hours[name] += duration_s(path) / 3600
    return hours


def _lay(path: Path, link: Path) -> None:
    """A link, or a copy where the system makes none."""
    try:
        link.symlink_to(path)
    except OSError:
        shutil.copyfile(path, link)


def told(report: Report, basis: Basis) -> Iterator[str]:
    """The verdict line by line, the plain word first."""
    found, classes = report.positives, report.negatives.classes if report.negatives else ()
    yield _plainly(report)
    if found:
        yield ""
        yield f"Expected misses in 100{'':11}(95 % between)"
        for name, share in _by_condition(found):
            between = f"({_interval(share)}; {share.of} utterances)"
            yield f"  {IN_WORDS.get(name, name):<26}{100 * share.frr:5.1f}   {between}"
    if classes:
        yield "False accepts a day, of 24 h of"
        yield from (f"  {IN_WORDS.get(heard.name, heard.name):<26}{_a_day(heard)}" for heard in classes)
    if found and found.alike:
        yield f"Confuses: {_confused(found, report.threshold)}"
    if found and (late := found.latency_s):
        yield f"Heard {late['median']:.2f} s after the word's end (median; nine in ten within {late['p90']:.2f} s)."
    yield f"Rests on {_rests_on(report, basis)}"


def _plainly(report: Report) -> str:
    """What to expect, in one line."""
    parts = []
    talks = [one for one in report.negatives.classes if one.name != BACKGROUND] if report.negatives else []
    talk = max(talks, key=lambda one: one.hours, default=None)
    too_often = talk is not None and talk.interval[0] > report.target_per_hour
    if report.positives:
        shares = dict(_by_condition(report.positives))
        hardest = max(shares, key=lambda name: shares[name].frr)
        near = shares.get("clean", report.positives.total)
        grade = "weak" if too_often else _grade(near, shares[hardest])
        parts.append(f"{grade}: about {_of_100(near)} of 100 missed nearby in quiet")
        parts.append(f"{_of_100(shares[hardest])} where it is hardest ({IN_WORDS.get(hardest, hardest)})")
    if talk:
        count = len(talk.accepts) or "no"
        parts.append(f"{count} false accept{'' if count == 1 else 's'} in {talk.hours:.2f} h of talk")
    if too_often:
        parts.append("which is more than was aimed at")
    return f"{report.word!r} is {', '.join(parts)}." if report.positives else f"{report.word!r}: {', '.join(parts)}."


def _grade(near: Share, hardest: Share) -> str:
    if near.frr <= _GOOD[0] and hardest.frr <= _GOOD[1]:
        return "good"
    return "usable" if near.frr <= _USABLE else "weak"


def _of_100(share: Share) -> str:
    return f"{100 * share.frr:.0f}"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _by_condition(found: Positives) -> list[tuple[str, Share]]:
    """Misses in each condition, in the order in which they are told; of all, where there is but one."""
    shares = found.conditions or {"clean": found.total}
    return [(name, shares[name]) for name in (*IN_WORDS, *(set(shares) - set(IN_WORDS))) if name in shares]


def _a_day(heard: Heard) -> str:
    """The rate of a class, times 24; only a bound where none was heard."""
    from kws.det import round_up

    low, high = (24 * edge for edge in heard.interval)
    if not heard.accepts:
        return f"fewer than {round_up(high):g} (95 %): none in {heard.hours:.2f} h"
    return f"{24 * heard.per_hour:.0f} ({low:.0f}-{high:.0f}): {len(heard.accepts)} in {heard.hours:.2f} h"


def _confused(found: Positives, threshold: float) -> str:
    """Which near-misses are taken for the word, those most often taken first; the nearest, if none is."""
    by_text: dict[str, list[bool]] = {}
    for trial in found.ranked_alike:
        by_text.setdefault(trial.word, []).append(trial.detected is not None)
    taken = [(text, hits) for text, hits in by_text.items() if any(hits)]
    taken.sort(key=lambda pair: -sum(pair[1]) / len(pair[1]))
    count, of = sum(sum(hits) for _, hits in taken), len(found.alike)
    if not taken:
        nearest = found.ranked_alike[0]
        score = f"score {nearest.best_score:.2f} of {threshold:.2f}"
        return f"none of {of} near-misses; {nearest.word!r} comes nearest ({score})."
    names = ", ".join(f"{text!r} ({sum(hits)} of {len(hits)})" for text, hits in taken[:_NAMED])
    more = f" and {len(taken) - _NAMED} more" if len(taken) > _NAMED else ""
    return f"{names}{more}: {count} of {of} near-misses taken for the word."


def _threshold_from(evaluation: dict[str, Any]) -> str:
    """What the threshold was chosen on, and how often it was false there."""
    from kws.det import SPOKEN

    low, high = evaluation["false_accepts_per_hour_95"]
    said = (
        f"The threshold was chosen on {evaluation['hours']:.2f} h of {evaluation['negatives']}, with "
        f"{evaluation['false_accepts_per_hour']:.2f} false accepts an hour there ({low:.2f}-{high:.2f})."
    )
    if evaluation["negatives"] != SPOKEN:
        return f"{said} People set it off more often, so it is at least what other words needed on people's talk."
    return f"{said} Talk unlike it, raised voices above all, may set it off several times as often."


def _rests_on(report: Report, basis: Basis) -> str:
    """Voices, hours, and what they do not show."""
    hours = sum(heard.hours for heard in report.negatives.classes) if report.negatives else 0.0
    speech = report.negatives.speech if report.negatives else None
    said = f"{basis.voices} made voices that nobody trained on" if basis.voices else "no voice that says the word"
    parts = [f"{said}, {hours:.2f} h without the word. {basis.says}".rstrip()]
    if speech is None:
        parts.append("No person's talk was heard for this verdict.")
    elif speech.hours < _FEW_HOURS:
        parts.append(f"{speech.hours:.2f} h of people's talk say little of a day.")
    parts.append("Real people may well be missed more often than made voices.")
    return " ".join(parts)
