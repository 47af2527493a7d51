"""A training run as the command line starts it: how much is made, validation, training, Ctrl-C."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.audio import read_audio
from kws.cli.clips import Fed, SceneClips, recorded
from kws.cli.kitchen import Kitchen
from kws.cli.scenes import ENOUGH_H
from kws.cli.stages import Stages, stoppable
from kws.errors import Failure
from kws.events import audio_files, read_manifest
from kws.files import make_folder
from kws.means import Means
from kws.ranks import Ranks

if TYPE_CHECKING:
    from kws.cli.scenes import Material
    from kws.examples import Examples
    from kws.recipe import Recipe, Setting
    from kws.train import Training
    from kws.validation import Validation
    from synth.bank import Bank, Clip
    from synth.stage import Stage
    from synth.voices import Split

_POOL = 1500
"""Clips held at a time where they are made as they are needed."""
_FRESH = 1
"""Of which so many are replaced each step."""
_RECORDED_H = 10.0
"""Recordings without the word that are heard as they are, at most."""
_SCENES = 240
"""Synthetic validation scenes with the word, and as many without; as many hold the talk that the verdict hears."""
_TRIALS = 48
"""Utterances that the verdict hears in each condition."""
_TALK_H = 5.0
"""Recorded talk that a threshold is calibrated on, and again that the verdict hears, at most."""
_WHOLE_MINUTES = 15.0
"""A budget from which on nothing is made less of."""
_LEAST = {"pool": 400, "fresh": 1, "scenes": 48, "trials": 24}
"""Below these no budget goes."""
_ENOUGH_STEPS = 300
"""Below these one net that learns longer is better than several."""
_POOL_SHARE = 0.35
"""Share of a budget after which what scenes there are must do."""


def recipe_of(
    seed: int, target_per_hour: float, steps: int | None, settings: Mapping[str, Setting] | None = None
) -> Recipe:
    """The usual recipe, for another number of steps if one is named, and with what else is set."""
    from kws.recipe import Recipe

    changed: dict[str, Any] = {**({"steps": steps} if steps else {}), **(settings or {})}
    return replace(Recipe(seed=seed, target_per_hour=target_per_hour), **changed)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is made beside the steps."""

    pool: int
    """Scenes held at a time."""
    fresh: int
    """Of which so many are replaced each step."""
    scenes: int
    """To validate on with the word, and as many without."""
    trials: int
    """Utterances that the verdict hears in each condition."""
    talk_h: float
    """Hours of recorded talk to calibrate on, and again for the verdict, at most."""
    recorded_h: float
    """Hours of recordings without the word to train on as they are, at most."""


def effort(minutes: float | None = None) -> Effort:
    """What fits into a budget; everything without one."""
    share = min(1.0, (minutes or _WHOLE_MINUTES) / _WHOLE_MINUTES)

    def part(name: str, whole: int) -> int:
        return min(whole, max(_LEAST[name], round(share * whole)))

    return Effort(
        pool=part("pool", _POOL), fresh=part("fresh", _FRESH), scenes=part("scenes", _SCENES),
        trials=part("trials", _TRIALS), talk_h=share * _TALK_H,
        recorded_h=share * _RECORDED_H,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a run is gone about."""

    effort: Effort = field(default_factory=effort)
    stages: Stages = field(default_factory=Stages)
    target_per_hour: float = 0.5
    """False accepts that are aimed at."""
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that learn together."""
    tensorboard: bool = False
    """Whether event files are written into the run's folder too."""
    means: Means = field(default_factory=Means)
    """What is learnt by."""
    cpus: int | None = None
    """Processors that may be used; None for all."""


def train_to_the_end(
    recipe: Recipe, out: Path, fed: Fed, validation: Callable[[], Validation], plan: Plan | None = None
) -> None:
    """Train to the end, from the checkpoint if there is one; the steps are those that a budget has time for.

    A run that was begun is finished as it was begun, whatever the budget.
    """
    from kws.train import Training, begun

    plan = plan or Plan()
    make_folder(out)
    training, theirs = None, begun(out, recipe)
    if theirs is not None:
        training = Training(theirs if plan.stages.budget else recipe, fed.source, out, plan.ranks, plan.means)
        training.resume()
        if plan.ranks.is_first:
            click.echo(f"going on from step {training.step} of {training.recipe.steps}", err=True)
    if training is None or training.step < training.recipe.steps:
        with stoppable(plan.stages):
            training = _train(training, recipe, out, fed, validation(), plan)
    if not plan.ranks.is_first:
        return
    standing = training.standing
    click.echo(
        f"{fed.source.word}: validation FRR {100 * standing.frr:.1f} % at "
        f"{standing.false_accepts_per_hour:.2f} false accepts an hour",
        err=True,
    )


def _train(
    training: Training | None, recipe: Recipe, out: Path, fed: Fed, validation: Validation, plan: Plan
) -> Training:
    """The run, a new one if there is none, trained to its end."""
    from kws.examples import Examples
    from kws.records import TensorBoard
    from kws.train import Training

    effort, stages = plan.effort, plan.stages
    count = fed.count or effort.pool
    first = 0 if training is None or fed.count else training.step * effort.fresh
    every_core = max(1, (plan.cpus or os.cpu_count() or 1) // plan.ranks.count) if fed.workers else 0
    kitchen = Kitchen(clips=fed.clips, recipe=recipe, workers=every_core, means=plan.means)
    examples = Examples(count, recorded(fed, kitchen, effort.recorded_h, stages))
    clip_s = _first_clips(kitchen, examples, first, count, stages)
    if training is None:
        if stages.budget:
            recipe = _fitted(recipe, fed, examples, plan, clip_s)
        training = Training(recipe, fed.source, out, plan.ranks, plan.means)
    kitchen = replace(kitchen, recipe=recipe, workers=fed.workers, batch=effort.fresh)
    fresh = None if fed.count else kitchen.serve(first + count, training.recipe.steps * effort.fresh)
    if plan.tensorboard and plan.ranks.is_first:
        training.records.append(TensorBoard(out / "tensorboard", step=training.step))
    bar = stages.bar("training", training.recipe.steps, "step", done=training.step)
    training.run(examples, fresh, validation, bar)
    return training


def _first_clips(kitchen: Kitchen, examples: Examples, first: int, count: int, stages: Stages) -> float:
    """Take in so many clips, fewer if a budget has no time for them; the seconds from one to the next."""
    clip_s = 0.0
    begun_s = time.monotonic()
    with stages.bar("scenes", count, "clip") as bar:
        for heard in kitchen.serve(first, count):
            bar.update(len(heard))
            examples.add(heard)
            if len(examples) == len(heard):
                begun_s = time.monotonic()  # what came before was the start of the workers
            else:
                clip_s = (time.monotonic() - begun_s) / (len(examples) - kitchen.batch)
            if len(examples) >= kitchen.recipe.batch and _is_late(stages):
                break
    return clip_s


def _is_late(stages: Stages) -> bool:
    """Whether so much of a budget is spent that scenes must do."""
    budget = stages.budget
    return budget is not None and budget.left_s < 60 * budget.minutes * (1 - _POOL_SHARE)


def _fitted(recipe: Recipe, fed: Fed, examples: Examples, plan: Plan, clip_s: float) -> Recipe:
    """The recipe with as many steps as there is time for, timed on a few; `clip_s`: for a clip, of all cores.

    Where not all steps fit, none is spent on members that are not kept; where few do, one member alone learns.
    """
    import tempfile

    from kws.train import Training

    budget = plan.stages.budget
    assert budget is not None

    def fitting(recipe: Recipe) -> int:
        with tempfile.TemporaryDirectory() as folder:
            step_s = Training(recipe, fed.source, Path(folder), means=plan.means).pace_s(examples)
        return budget.steps(step_s + plan.effort.fresh * clip_s, recipe.steps)

    steps = fitting(recipe)
    if steps < recipe.steps and recipe.spares:
        recipe = replace(recipe, spares=0)
        steps = fitting(recipe)
    if steps < min(_ENOUGH_STEPS, recipe.steps) and recipe.shape.members > 1:
        recipe = replace(recipe, shape=replace(recipe.shape, members=1))
        steps = fitting(recipe)
    return shortened(recipe, steps)


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """The recipe for fewer steps, with all that is counted in steps."""
    return replace(
        recipe, steps=steps, warm_up=min(recipe.warm_up, max(1, steps // 6)),
        average=min(recipe.average, max(0.5, 1 - 10 / steps)),
        validate_every=min(recipe.validate_every, math.ceil(steps / 3)),
    )  # fmt: skip


def scene_validation(
    material: Material, recipe: Recipe, workers: int, plan: Plan | None = None, talk: Sequence[Path] = ()
) -> Validation:
    """Scenes with the word in voices nobody trained on, and talk: what people said, where there is enough of it.

    `talk`: recordings of it beside what is held out.
    """
    from kws.targets import POSITIVE, heeded
    from kws.validation import Utterance, Validation
    from synth.scene import Ranges

    plan = plan or Plan()
    hear = material.stage(Ranges(recorded=0, wordless=0, positives=(0, 1)), "validation")
    validation = Validation(front_end=recipe.front_end, shape=recipe.shape)
    scenes = plan.effort.scenes
    held_out = material.held_out.get("validation")
    with plan.stages.bar("validation", 2 * scenes, "clip") as bar:
        for heard in Kitchen(clips=SceneClips(stage=hear, seed=0), recipe=recipe, workers=workers).serve(0, scenes):
            for frames, rows in heard:
                for start_s, end_s, _ in rows[rows[:, 2] == POSITIVE][:1]:
                    validation.utterances.append(Utterance(frames=frames, start_s=float(start_s), end_s=float(end_s)))
            bar.update(len(heard))
        add_talk(validation, [*talk, *(held_out.talk if held_out else ())], plan.effort.talk_h)
        if validation.hours >= ENOUGH_H or (validation.hours and material.talk_is_made):
            validation.spoken_by_people = bool(talk) or not material.talk_is_made
            bar.update(scenes)
            return validation
        made = SceneClips(stage=talk_stage(material, "validation"), seed=1)
        for heard in Kitchen(clips=made, recipe=recipe, workers=workers).serve(0, scenes):
            validation.add_negatives([frames for frames, rows in heard if not heeded(rows).any()])
            bar.update(len(heard))
    return validation


def talk_stage(material: Material, split: Split) -> Stage:
    """Scenes of other words and sentences, but of nothing made to sound like the word.

    A rate of false accepts an hour is one of common talk, and a threshold that keeps out a near-miss every two seconds
    keeps out the word.
    """
    from synth.scene import Ranges

    common = Ranges(recorded=0, wordless=0, positives=(1,), partial=0, swapped=0)
    return without_neighbours(material).stage(common, split)


def without_neighbours(material: Material) -> Material:
    """Without clips like the word, and those that hold it or such a clip; what is like another word is common talk."""
    word = material.word.casefold()

    def is_like(clip: Clip, bank: Bank) -> bool:
        return clip.kind in {"near-miss", "containing"} and bank.word.casefold() == word

    alike = {clip.text.casefold() for bank in material.banks for clip in bank.clips if is_like(clip, bank)}

    def is_near(clip: Clip, bank: Bank) -> bool:
        text = clip.text.casefold()
        holds = word in text and text != word
        carries = clip.kind == "sentence" and any(re.search(rf"(?<!\w){re.escape(near)}(?!\w)", text) for near in alike)
        return holds or carries or is_like(clip, bank)

    banks = [
        replace(bank, clips=tuple(clip for clip in bank.clips if not is_near(clip, bank))) for bank in material.banks
    ]
    return replace(material, banks=tuple(banks))


def recorded_validation(folder: Path, recipe: Recipe) -> Validation:
    """Every positive below `positives`, and the human speech below `negatives`."""
    import numpy as np

    from kws.audition import PADDING_S, pad
    from kws.features import LogMel
    from kws.validation import Utterance, Validation

    log_mel = LogMel(recipe.front_end)
    validation = Validation(front_end=recipe.front_end, shape=recipe.shape, spoken_by_people=True)
    manifests = sorted((folder / "positives").rglob("manifest.jsonl"))
    if not manifests:
        raise Failure(f"{folder / 'positives'} holds no labelled recordings: make them with scripts/build_sets.")
    for recording in (recording for manifest in manifests for recording in read_manifest(manifest.parent)):
        event = recording.positives[0]
        padded = pad(read_audio(recording.audio), recording.audio.name)
        start_s, end_s = PADDING_S + event.start, PADDING_S + event.end
        frames = log_mel(padded).astype(np.float16)
        validation.utterances.append(Utterance(frames=frames, start_s=start_s, end_s=end_s))
    add_talk(validation, recorded_talk(folder / "negatives"))
    return validation


def recorded_talk(negatives: Path) -> list[Path]:
    """The human speech below a folder of negatives."""
    from kws.evaluate import SPEECH

    return [path for path in audio_files(negatives) if path.relative_to(negatives).parts[0].startswith(SPEECH)]


def add_talk(validation: Validation, paths: Iterable[Path], most_h: float = math.inf) -> None:
    """Take in recorded talk, file by file until there are so many hours."""
    import numpy as np

    from kws.features import LogMel

    log_mel = LogMel(validation.front_end)
    for path in paths:
        if validation.hours >= most_h:
            return
        validation.add_negatives([log_mel(read_audio(path)).astype(np.float16)])
