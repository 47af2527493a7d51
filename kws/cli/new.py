"""`kws new`: from the text of a word to a detector of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.options import (
    budget_option,
    crew_of,
    crew_options,
    run_options,
    scene_options,
    seed_option,
    settings_of,
    usual_workers,
)
from kws.cli.scenes import Wanted, open_material
from kws.cli.stages import Budget, Stages, stoppable
from kws.errors import Misuse
from kws.ranks import started

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.means import Named
    from kws.recipe import Setting
    from kws.validation import Validation
    from synth.crew import Crew

_SAMPLES = 3
"""Played for each pronunciation."""
_DRAFT_MINUTES = 5.0
"""A budget below which a new word is said less often."""


_STAGES = ("bank", "validation", "scenes", "training", "export", "verdict")


@click.command("new")
@click.argument("word")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="[default: one named after the word]")
@scene_options
@click.option("--doctor", is_flag=True, help="Only tell how good a phrase this is, and which close ones are better.")
@click.option("--listen", is_flag=True, help="First hear how the word will be said, and go on only if it is right.")
@run_options
@seed_option
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE",
    help="Change the recipe: learning_rate=0.004, trunk=false …; may be repeated, and a "
    "wrong name lists the right ones.",
)  # fmt: skip
@crew_options
@click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="Processors to use, at most.  [default: all]")
@budget_option
@click.option(
    "--progress", type=click.Choice(["bar", "json"]), default="bar", show_default=True,
    help="How far it is: a bar, or lines of JSON on standard error for programs.",
)  # fmt: skip
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    word: str, out: Path | None, doctor: bool, listen: bool, validation_folder: Path | None, steps: int | None,
    target_fa: float, device: Named, tensorboard: bool, seed: int, sets: tuple[str, ...], engine: str,
    address: str | None, cpus: int | None, budget: float | None, progress: str, **scenes: Any,
) -> None:  # fmt: skip
    """Make a detector of WORD out of its text: speak it, train on scenes of it, write FOLDER/WORD.onnx.

    It ends with a verdict: what to expect of it, measured on voices that it was not made with. Of --negatives a part is
    held out to calibrate it and for the verdict. Ctrl-C stops it; the same command goes on.
    """
    from kws.cli.phrase import before_start, diagnosed

    settings = settings_of(sets, steps, budget)
    if several := [name for name, values in settings.items() if len(values) > 1]:
        raise Misuse(f"--set names several values of {several[0]}: name one, or try them all with kws sweep.")
    if started() > 1:
        raise Misuse("kws new is one process: torchrun -m kws train is what several can do.")
    cpus = cpus and min(cpus, os.cpu_count() or 1)
    crew = crew_of(engine, address, usual_workers(cpus) if engine == "local" else None)
    wanted = Wanted(word=word, draft=budget is not None and budget < _DRAFT_MINUTES, **scenes)
    if doctor:
        click.echo(diagnosed(wanted))
        return
    click.echo(before_start(wanted), err=True)
    out = out or Path(wanted.file_name).with_suffix("")
    if listen:
        _let_hear(wanted, out / "samples")
    order = _Order(
        out=out, steps=steps, target_fa=target_fa, seed=seed, settings={name: one for name, (one,) in settings.items()},
        validation=validation_folder, device=device, tensorboard=tensorboard, crew=crew, cpus=cpus,
    )  # fmt: skip
    timed = Budget(minutes=budget) if budget else None
    stages = Stages(names=_STAGES, budget=timed, as_json=progress == "json")
    with stoppable(stages):
        verdict = _make(wanted, order, stages)
    click.echo(verdict)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What is asked for beside the word and its scenes."""

    out: Path
    steps: int | None
    target_fa: float
    seed: int
    settings: Mapping[str, Setting]
    """Of the recipe."""
    validation: Path | None
    device: Named
    tensorboard: bool
    crew: Crew
    """Who speaks the word, and talk."""
    cpus: int | None
    """Processors that may be used; None for all."""


def _make(wanted: Wanted, order: _Order, stages: Stages) -> str:
    """The detector, made stage by stage, and what to expect of it."""
    from kws.cli.clips import of_scenes
    from kws.cli.runs import (
        Plan,
        effort,
        recipe_of,
        recorded_talk,
        recorded_validation,
        scene_validation,
        train_to_the_end,
    )
    from kws.cli.verdict import reached
    from kws.means import means_of
    from kws.release import release
    from synth.crew import Processes

    stages.enter("bank")
    _hold_to(order.cpus)
    means, budget = means_of(order.device), stages.budget
    workers = (order.cpus or os.cpu_count() or 1) if means.is_gpu else usual_workers(order.cpus)
    material = open_material(wanted, order.crew, hold_out=order.validation is None, make_talk=True, stages=stages)
    if budget:
        budget.begin()
    plan = Plan(
        effort=effort(budget.minutes if budget else None), stages=stages, target_per_hour=order.target_fa,
        tensorboard=order.tensorboard, means=means, cpus=order.cpus,
    )  # fmt: skip
    recipe = recipe_of(order.seed, order.target_fa, order.steps, order.settings)

    def validation() -> Validation:
        if order.validation and (order.validation / "positives").is_dir():
            return recorded_validation(order.validation, recipe)
        talk = recorded_talk(order.validation / "negatives") if order.validation else ()
        return scene_validation(material, recipe, workers if workers > 1 else 0, plan, talk)

    run, detector = order.out / "run", order.out / wanted.file_name
    train_to_the_end(recipe, run, of_scenes(material, wanted.ranges, order.seed, workers - 1), validation, plan)
    stages.enter("export")
    release(run, detector)
    verdict = reached(detector, material, order.out, plan, Processes(workers))
    return f"{verdict}\n\nhear it with: kws listen {detector}"


def _hold_to(cpus: int | None) -> None:
    """Have torch use so many threads, whatever the environment says."""
    if cpus:
        import torch

        torch.set_num_threads(cpus)


def _let_hear(wanted: Wanted, folder: Path) -> None:
    """Write a few samples of each pronunciation, play them where there is a loudspeaker, and ask."""
    from kws.audio import write_audio
    from kws.cli.samples import samples_of
    from kws.files import make_folder

    said = samples_of(wanted, _SAMPLES)
    make_folder(folder)
    heard = []
    for sample in said:
        path = folder / f"{sample.pronunciation}-{sample.engine}-{sample.voice.replace('/', '_')}.wav"
        write_audio(path, sample.samples)
        heard.append((path, sample.samples))
    played = _play([samples for _, samples in heard])
    click.echo(f"{'played' if played else 'no loudspeaker here; wrote'} {', '.join(str(path) for path, _ in heard)}")
    if sys.stdin.isatty() and not click.confirm("Is this how the word is said?", default=True):
        click.echo("say it otherwise: --say takes a respelling (--say ack-tiv-ate) or phonemes (--say /ˈæktɪveɪt/).")
        sys.exit(0)


def _play(sounds: Sequence[Samples]) -> bool:
    """Whether there was a loudspeaker to play them on."""
    from kws.audio import RATE_HZ

    try:
        import sounddevice

        for samples in sounds:
            sounddevice.play(samples, RATE_HZ, blocking=True)
    except (OSError, sounddevice.PortAudioError):
        return False
    return True
