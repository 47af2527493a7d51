"""`kws train`: from a dataset, or from scenes made as they are needed, to a run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.options import DEFAULT_WORD, run_options, scene_options, seed_option
from kws.cli.scenes import Material, Wanted, open_material
from kws.cli.stages import Stages
from kws.errors import Failure, Misuse
from kws.events import read_manifest
from kws.ranks import Ranks, joined

if TYPE_CHECKING:
    from kws.cli.clips import Fed
    from kws.means import Named
    from kws.recipe import Source

_FOLDER = click.Path(path_type=Path)


@click.command("train")
@click.argument("dataset", type=_FOLDER, required=False)
@click.option("--out", type=_FOLDER, required=True, help="The run folder; a run that is there is gone on with.")
@click.option("--word", help="The word, if no DATASET names it.  [default: activate]")
@scene_options
@run_options
@seed_option
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that make sound.")
@click.option("--fresh", type=click.IntRange(min=1), default=1, show_default=True, help="New scenes each step.")
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    dataset: Path | None, out: Path, word: str | None, validation_folder: Path | None, steps: int | None,
    target_fa: float, seed: int, device: Named, tensorboard: bool, workers: int, fresh: int, **scenes: Any,
) -> None:  # fmt: skip
    """Train a detector on DATASET, or without one on scenes made as they are needed.

    Your own --positives join a DATASET in further scenes. Ctrl-C stops it; the same command goes on. Several processes
    learn together by torchrun: torchrun --nproc-per-node 2 -m kws train DATASET --out RUN
    """
    if dataset and scenes["negatives"]:
        raise Misuse("--negatives go into the scenes of a dataset: give them to kws generate, or leave DATASET out.")
    from kws.cli.runs import Plan, effort, recipe_of, recorded_validation, scene_validation, train_to_the_end
    from kws.means import means_of
    from kws.validation import Validation
    from synth.crew import Processes

    made = _made(dataset) if dataset else None
    if made and word and word != made.source.word:
        raise Misuse(
            f"{dataset} was made for {made.source.word!r}, not {word!r}: leave --word out or make another dataset."
        )
    if made:
        scenes["language"] = made.source.language
    wanted = Wanted(word=made.source.word if made else (word or DEFAULT_WORD), **scenes)
    recipe = recipe_of(seed, target_fa, steps)
    recorded = made and validation_folder and not wanted.positives

    def validation(ranks: Ranks, material: Material | None) -> Validation:
        if not ranks.is_first:
            return Validation(front_end=recipe.front_end, shape=recipe.shape)
        if validation_folder:
            return recorded_validation(validation_folder, recipe)
        assert material is not None
        return scene_validation(material, recipe, workers)

    with joined() as ranks:
        with ranks.first_before_others():
            material = None if recorded else open_material(wanted, Processes(max(1, workers)))
        plan = Plan(
            effort=replace(effort(), fresh=fresh), tensorboard=tensorboard, ranks=ranks, means=means_of(device),
            stages=Stages(is_quiet=not ranks.is_first),
        )  # fmt: skip
        fed = _fed(made, wanted, material, seed, workers).parted(ranks)
        train_to_the_end(recipe, out, fed, lambda: validation(ranks, material), plan)
        if ranks.is_first:
            click.echo(f"write the detector with: kws export {out} {wanted.file_name}")


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A dataset, as it describes itself."""

    folder: Path
    source: Source
    ordered: int
    """Clips asked for; there may be fewer yet."""


def _fed(made: _Made | None, wanted: Wanted, material: Material | None, seed: int, workers: int) -> Fed:
    """The clips of a dataset, of scenes, or of both."""
    from kws.cli.clips import DatasetClips, of_dataset, of_scenes

    if not made:
        assert material is not None
        return of_scenes(material, wanted.ranges, seed, workers)
    recordings = read_manifest(made.folder)
    if len(recordings) < made.ordered:
        click.echo(
            f"{made.folder} holds {len(recordings)} of {made.ordered} clips; kws generate adds the rest.", err=True
        )
    own = None
    if wanted.positives and material is not None:
        own = of_scenes(material, replace(wanted.ranges, own=1.0), seed, workers)
    return of_dataset(made.source, DatasetClips(recordings=tuple(recordings)), own, workers)


def _made(dataset: Path) -> _Made:
    from kws.recipe import Source
    from synth.generate import DATASET

    try:
        made = json.loads((dataset / DATASET).read_text(encoding="utf-8"))
        made_from = f"{made['clips']} clips of seed {made['seed']} of stage {made['stage']}"
        source = Source(
            word=made["word"], language=made["language"], made_from=made_from, licences=tuple(made["licences"])
        )
        return _Made(folder=dataset, source=source, ordered=int(made["clips"]))
    except OSError as error:
        raise Failure(f"{dataset} is no dataset ({DATASET} is missing): make one with kws generate.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{dataset / DATASET} is damaged ({error}): make the dataset again with kws generate.") from error
