"""`kws new`: from the text of a word to a detector of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.options import crew_of, crew_options, run_options, scene_options, usual_workers
from kws.cli.scenes import Wanted, open_material
from kws.cli.stages import Budget, Stages, stoppable
from kws.errors import Misuse
from kws.ranks import started

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.means import Named
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
@crew_options
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Make do with so many once the word is spoken; 3 give a draft, of a word spoken less often.  "
    "[default: as long as the recipe takes]",
)
@click.option(
    "--progress", type=click.Choice(["bar", "json"]), default="bar", show_default=True,
    help="How far it is: a bar, or lines of JSON on standard error for programs.",
)  # fmt: skip
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    word: str, out: Path | None, doctor: bool, listen: bool, validation_folder: Path | None, steps: int | None,
    target_fa: float, seed: int, device: Named, tensorboard: bool, budget: float | None, progress: str, engine: str,
    address: str | None, **scenes: Any,
) -> None:  # fmt: skip
    """Make a detector of WORD out of its text: speak it, train on scenes of it, write FOLDER/WORD.onnx.

    It ends with a verdict: what to expect of it, measured on voices that it was not made with. Of --negatives a part is
    held out to calibrate it and for the verdict. Ctrl-C stops it; the same command goes on.
    """
    from kws.cli.phrase import before_start, diagnosed

    if budget and steps:
        raise Misuse("--budget finds the number of steps itself: leave --steps or --budget out.")
    if started() > 1:
        raise Misuse("kws new is one process: torchrun -m kws train is what several can do.")
    crew = crew_of(engine, address, None)
    wanted = Wanted(word=word, draft=budget is not None and budget < _DRAFT_MINUTES, **scenes)
    if doctor:
        click.echo(diagnosed(wanted))
        return
    click.echo(before_start(wanted), err=True)
    out = out or Path(wanted.file_name).with_suffix("")
    if listen:
        _let_hear(wanted, out / "samples")
    order = _Order(
        out=out, steps=steps, target_fa=target_fa, seed=seed, validation=validation_folder, device=device,
        tensorboard=tensorboard, crew=crew,
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
    validation: Path | None
    device: Named
    tensorboard: bool
    crew: Crew
    """Who speaks the word, and talk."""


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
    means, budget = means_of(order.device), stages.budget
    workers = (os.cpu_count() or 1) if means.is_gpu else usual_workers()
    material = open_material(wanted, order.crew, hold_out=order.validation is None, make_talk=True, stages=stages)
    if budget:
        budget.begin()
    plan = Plan(
        effort=effort(budget.minutes if budget else None), stages=stages, target_per_hour=order.target_fa,
        tensorboard=order.tensorboard, means=means,
    )  # fmt: skip
    recipe = recipe_of(order.seed, order.target_fa, order.steps)

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
