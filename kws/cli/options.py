"""Options that `kws generate`, `kws train`, `kws evaluate`, `kws new` and `kws sweep` share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kws.cli.scenes import ENGLISH
from kws.errors import Misuse

if TYPE_CHECKING:
    from kws.recipe import Setting
    from synth.crew import Crew

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_WORD = "activate"
_PLACE = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--say", "says", multiple=True, metavar="TEXT",
        help="How the word is said: a respelling (ack-tiv-ate) or phonemes between slashes (/ˈæktɪveɪt/). Repeat it "
        "for several pronunciations; each counts as the word, and the word's own spelling only if it is named too.",
    ),
    click.option("--language", default=ENGLISH, show_default=True, help="Of the word: en-us, en, de, fr, es …"),
    click.option(
        "--bank", "banks", type=_PLACE, multiple=True, metavar="FOLDER",
        help="A bank built before; may be repeated. Otherwise the engines that kws voices lists speak the word.",
    ),
    click.option("--kokoro", type=_PLACE, metavar="FOLDER", help="Kokoro's folder, if not in its usual place."),
    click.option("--piper", type=_PLACE, multiple=True, metavar="FILE", help="A Piper voice (.onnx); may be repeated."),
    click.option(
        "--positives", type=_PLACE, metavar="PLACE",
        help="Your own recordings of the word (kws record makes them): a folder, a manifest or Speech Commands.",
    ),
    click.option(
        "--negatives", type=_PLACE, metavar="PLACE",
        help="Recorded sound without the word, likewise; subfolders music…, effects… and noise… are background, the "
        "rest is talk.",
    ),
    click.option(
        "--preset", type=click.Choice(["quiet", "home", "hard"]), default="home", show_default=True,
        help="How hard the scenes are.",
    ),
)  # fmt: skip


_RUN_OPTIONS = (
    click.option(
        "--validation", "validation_folder", type=_PLACE, metavar="FOLDER",
        help="positives/ and negatives/ that nothing was trained on, as scripts/build_sets makes them; "
        "otherwise scenes are spoken by the bank's validation voices, for kws new also where there are no positives/.",
    ),
    click.option(
        "--steps", type=click.IntRange(min=1), help="Batches to learn from.  [default: as the recipe says]"
    ),
    click.option(
        "--target-fa", type=click.FloatRange(min=0, min_open=True), default=0.5, show_default=True,
        help="False accepts an hour that the threshold is calibrated for.",
    ),
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
        help="What learns: an NVIDIA GPU where torch finds one, or the processor.",
    ),
    click.option("--tensorboard", is_flag=True, help="Event files for TensorBoard too, in the run's folder."),
)  # fmt: skip

seed_option = click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
budget_option = click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), metavar="MINUTES",
    help="Make do with so many once the word is spoken; 3 give a draft, of a word spoken less often.  "
    "[default: as long as the recipe takes]",
)  # fmt: skip


_CREW_OPTIONS = (
    click.option(
        "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
        help="Who does it: processes of this machine, or of a Ray cluster (pip install 'activate-kws[cluster]').",
    ),
    click.option(
        "--address", metavar="ADDRESS",
        help="Of the Ray cluster, as ray start --head prints it; without it Ray runs on this machine alone.",
    ),
)  # fmt: skip


def crew_options(command: Command) -> Command:
    """Give a command the options of `crew_of`."""
    return _with(_CREW_OPTIONS, command)


def usual_workers(cpus: int | None = None) -> int:
    """Processes of this machine, unless another number is asked for; `cpus`: processors that may be used."""
    return min(2, cpus or os.cpu_count() or 1)


def settings_of(sets: Sequence[str], steps: int | None, budget: float | None) -> dict[str, tuple[Setting, ...]]:
    """The values that each --set names. Raises Misuse if they make no sense, or not beside --steps and --budget."""
    if budget and steps:
        raise Misuse("--budget finds the number of steps itself: leave --steps or --budget out.")
    if not sets:
        return {}
    from kws.recipe import FITTED, read_settings

    settings = read_settings(sets)
    if budget and (fitted := FITTED & settings.keys()):
        raise Misuse(f"--budget finds {min(fitted)} itself: leave --set {min(fitted)} or --budget out.")
    if steps and "steps" in settings:
        raise Misuse("--steps and --set steps=… name the same: leave one of them out.")
    return settings


def passed_on(values: Mapping[str, Any], command: click.Command) -> tuple[str, ...]:
    """The words of a command line by which another command gets these values of its options, wherever it runs.

    What is usual there is left out, so that options to come do not make them other words.
    """
    words: list[str] = []
    for option in command.params:
        value = values.get(option.name or "")
        for each in value if isinstance(value, tuple) else (value,):
            if each not in {None, False, option.default}:
                told = each.absolute() if isinstance(each, Path) else each
                words += [option.opts[0]] if each is True else [option.opts[0], str(told)]
    return tuple(words)


def crew_of(
    engine: str, address: str | None, workers: int | None, *, each: int | None = None, gpus: float = 0.0
) -> Crew:
    """Who does the work; `each`: processors of a worker that is minutes over one thing, `gpus`: its GPUs, of a cluster.

    Raises Misuse if an address or GPUs are named and no cluster asked for.
    """
    from synth.crew import IN_HAND, Processes

    in_hand = 1 if each else IN_HAND
    if engine == "local":
        if address:
            raise Misuse("--address names a Ray cluster: add --engine ray, or leave --address out.")
        if gpus:
            raise Misuse("--gpus parts those of a Ray cluster: add --engine ray, or leave --gpus out.")
        return Processes(workers or usual_workers(), in_hand)
    import ray  # noqa: F401 - whether it is there is told before anything is written

    from synth.cluster import RayCrew

    return RayCrew(address, workers, each or 1, in_hand, gpus)


def scene_options(command: Command) -> Command:
    """Give a command the options that `Wanted` is made from."""
    return _with(_OPTIONS, command)


def run_options(command: Command) -> Command:
    """Give a command the options of a training run."""
    return _with(_RUN_OPTIONS, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
