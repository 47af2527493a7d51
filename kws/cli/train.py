"""`kws train`: from a dataset, or from scenes made as they are needed, to a run folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.generate import licences
from kws.errors import Failure, Misuse
from kws.events import Event, Recording, audio_files, read_manifest
from kws.files import cannot_write

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.examples import Clips, Heard
    from kws.train import Recipe, Source
    from kws.validation import Validation
    from synth.stage import Stage

_FOLDER = click.Path(path_type=Path)
_POOL = 1500
"""Clips held at a time where they are made as they are needed."""
_FRESH = 8
"""Of which so many are replaced each step."""
_SCENES = 240
"""Synthetic validation scenes with the word, and as many without."""


@click.command("train")
@click.argument("dataset", type=_FOLDER, required=False)
@click.option("--out", type=_FOLDER, required=True, help="The run folder; a run that is there is gone on with.")
@click.option("--word", help="The word, if no DATASET names it.  [default: activate]")
@click.option("--bank", "banks", type=_FOLDER, multiple=True, metavar="FOLDER", help="As for kws generate.")
@click.option("--positives", type=_FOLDER, metavar="FOLDER", help="Your own recordings (without DATASET).")
@click.option("--negatives", type=_FOLDER, metavar="FOLDER", help="Recorded sound without it (without DATASET).")
@click.option(
    "--validation", "validation_folder", type=_FOLDER, metavar="FOLDER",
    help="positives/ and negatives/ that nothing was trained on, as scripts/build_sets makes them; "
    "otherwise scenes are spoken by the bank's validation voices.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1), help="Batches to learn from.  [default: as the recipe says]")
@click.option("--target-fa", type=click.FloatRange(min=0, min_open=True), default=0.5, show_default=True,
              help="False accepts an hour that the threshold is calibrated for.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Processes that make sound.")
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    dataset: Path | None, out: Path, word: str | None, banks: tuple[Path, ...], positives: Path | None,
    negatives: Path | None, validation_folder: Path | None, steps: int | None, target_fa: float, seed: int,
    workers: int,
) -> None:  # fmt: skip
    """Train a detector on DATASET, or without one on scenes made as they are needed.

    Ctrl-C stops it; the same command goes on.
    """
    if dataset and (positives or negatives):
        raise Misuse("--positives and --negatives go into scenes: give them to kws generate, or leave DATASET out.")
    from kws.train import Recipe, Source
    from synth.generate import open_banks

    made, ordered = _made(dataset) if dataset else (None, 0)
    named = made.word if made else (word or "activate")
    if word and word != named:
        raise Misuse(f"{dataset} was made for {named!r}, not {word!r}: leave --word out or make another dataset.")
    recipe = Recipe(seed=seed, target_per_hour=target_fa)
    recipe = replace(recipe, steps=steps) if steps else recipe
    spoken = open_banks(banks)
    if validation_folder:
        validation = _recorded_validation(validation_folder, recipe)
    else:
        from synth.scene import Ranges
        from synth.stage import Stage

        hear = Stage(named, spoken, split="validation", ranges=Ranges(positives=(0, 1), recorded=0))
        ignore = Stage(named, spoken, split="validation", ranges=Ranges(positives=(1,), recorded=0))
        validation = _synthetic_validation(hear, ignore, recipe, workers)
    if dataset and made:
        recordings = read_manifest(dataset)
        if len(recordings) < ordered:
            click.echo(f"{dataset} holds {len(recordings)} of {ordered} clips; kws generate adds the rest.", err=True)
        clips = _DatasetClips(recordings=tuple(recordings))
        material = _Material(source=made, clips=clips, count=len(recordings), workers=workers)
    else:
        from synth.stage import Stage

        stage = Stage(named, spoken, positives=positives, negatives=negatives)
        source = Source(
            word=named, made_from=f"scenes of stage {stage.fingerprint}", licences=licences(banks, positives, negatives)
        )
        material = _Material(source=source, clips=_SceneClips(stage=stage, seed=seed), count=None, workers=workers)
    _train(recipe, out, material, validation)


@dataclass(frozen=True, kw_only=True)
class _DatasetClips:
    """The clips of a dataset on disk."""

    recordings: tuple[Recording, ...]

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        from kws.audio import read_audio

        recording = self.recordings[number]
        return read_audio(recording.audio), recording.events


@dataclass(frozen=True, kw_only=True)
class _SceneClips:
    """Scenes, rendered when they are asked for."""

    stage: Stage
    seed: int

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        from synth.generate import perform

        take = perform(self.stage, self.seed, number)
        return take.samples, take.events


@dataclass(frozen=True, kw_only=True)
class _Material:
    """What is trained on."""

    source: Source
    clips: Clips
    count: int | None
    """Clips of a dataset; None for scenes without end."""
    workers: int


def _train(recipe: Recipe, out: Path, material: _Material, validation: Validation) -> None:
    """Train to the end, from the checkpoint if there is one."""
    import torch

    from kws.examples import Examples
    from kws.train import CHECKPOINT, Training

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    if material.count is None and material.workers:  # threads that wait for a core that a worker has are far slower
        torch.set_num_threads(max(1, torch.get_num_threads() - material.workers))
    training = Training(recipe, material.source, out)
    clips, count, workers = material.clips, material.count, material.workers
    if (out / CHECKPOINT).exists():
        training.resume()
        click.echo(f"going on from step {training.step} of {recipe.steps}", err=True)
    try:
        examples = Examples(count or _POOL)
        first = 0 if count else training.step * _FRESH
        every_core = (os.cpu_count() or 1) if workers else 0
        for heard in _heard(clips, recipe, first, count or _POOL, every_core, label="clips"):
            examples.add(heard)
        fresh = None if count else _heard(clips, recipe, first + _POOL, recipe.steps * _FRESH, workers)
        training.run(examples, fresh, validation)
    except KeyboardInterrupt:
        click.echo(f"\nkws: stopped at step {training.step}; run the same command again to go on.", err=True)
        sys.exit(130)
    best, word = training.best, material.source.word
    click.echo(
        f"{word}: validation FRR {100 * best.frr:.1f} % at {best.false_accepts_per_hour:.2f} false accepts an hour "
        f"({validation.hours:.2f} h); write the detector with: kws export {out} {word.replace(' ', '_')}.onnx"
    )


def _heard(
    clips: Clips, recipe: Recipe, first: int, count: int, workers: int, label: str = ""
) -> Iterator[list[Heard]]:
    """Frames and events of clips in order, eight at a time, made by worker processes."""
    from torch.utils.data import DataLoader, Subset
    from tqdm import tqdm

    from kws.examples import FeatureClips

    featured = FeatureClips(clips=clips, front_end=recipe.front_end, count=first + count)
    numbered: Any = Subset(featured, range(first, first + count))
    loader: Any = DataLoader(
        numbered, batch_size=_FRESH, num_workers=workers, collate_fn=list, worker_init_fn=_quietly,
        multiprocessing_context="forkserver" if workers else None, prefetch_factor=16 if workers else None,
    )  # fmt: skip
    bar = tqdm(total=count, unit="clip", desc=label, disable=not label, dynamic_ncols=True)
    with bar:
        for heard in loader:
            yield heard
            bar.update(len(heard))


def _quietly(_worker: int) -> None:
    """A worker leaves Ctrl-C to the trainer, and the other core to it."""
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _made(dataset: Path) -> tuple[Source, int]:
    """What a dataset says of itself, and how many clips were ordered."""
    from kws.train import Source
    from synth.generate import DATASET

    try:
        made = json.loads((dataset / DATASET).read_text(encoding="utf-8"))
        made_from = f"{made['clips']} clips of seed {made['seed']} of stage {made['stage']}"
        return Source(word=made["word"], made_from=made_from, licences=tuple(made["licences"])), int(made["clips"])
    except OSError as error:
        raise Failure(f"{dataset} is no dataset ({DATASET} is missing): make one with kws generate.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{dataset / DATASET} is damaged ({error}): make the dataset again with kws generate.") from error


def _synthetic_validation(hear: Stage, ignore: Stage, recipe: Recipe, workers: int) -> Validation:
    """Scenes in voices nobody trained on: each of the first stage holds the word once, none of the second does."""
    from kws.targets import POSITIVE
    from kws.validation import Utterance, Validation

    validation = Validation(front_end=recipe.front_end, shape=recipe.shape)
    for heard in _heard(_SceneClips(stage=hear, seed=0), recipe, 0, _SCENES, workers, label="validation"):
        for frames, rows in heard:
            for start_s, end_s, _ in rows[rows[:, 2] == POSITIVE][:1]:
                validation.utterances.append(Utterance(frames=frames, start_s=float(start_s), end_s=float(end_s)))
    for heard in _heard(_SceneClips(stage=ignore, seed=1), recipe, 0, _SCENES, workers, label="validation"):
        validation.add_negatives([frames for frames, rows in heard if len(rows) == 0])
    return validation


def _recorded_validation(folder: Path, recipe: Recipe) -> Validation:
    """Every positive below `positives`, and the human speech below `negatives`."""
    import numpy as np

    from kws.audio import read_audio
    from kws.evaluate import PADDING_S, SPEECH, pad
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
    for path in audio_files(folder / "negatives"):
        if path.relative_to(folder / "negatives").parts[0].startswith(SPEECH):
            validation.add_negatives([log_mel(read_audio(path)).astype(np.float16)])
    return validation
