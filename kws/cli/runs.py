"""A training run as the command line starts it: clips read or made, validation, Ctrl-C.

S samples.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.audio import Samples, read_audio
from kws.errors import Failure
from kws.events import Event, Recording, audio_files, read_manifest
from kws.files import make_folder

if TYPE_CHECKING:
    from kws.cli.scenes import Material
    from kws.examples import Clips, Heard
    from kws.train import Recipe, Source
    from kws.validation import Validation
    from synth.scene import Ranges
    from synth.stage import Stage

_POOL = 1500
"""Clips held at a time where they are made as they are needed."""
_FRESH = 8
"""Of which so many are replaced each step."""
_SCENES = 240
"""Synthetic validation scenes with the word, and as many without."""
_OWN_SHARE = 0.2
"""Scenes with the user's own recordings beside a dataset, as a share of its clips."""


@dataclass(frozen=True, kw_only=True)
class DatasetClips:
    """The clips of a dataset on disk."""

    recordings: tuple[Recording, ...]

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) and events of a clip."""
        recording = self.recordings[number]
        return read_audio(recording.audio), recording.events


@dataclass(frozen=True, kw_only=True)
class SceneClips:
    """Scenes, rendered when they are asked for."""

    stage: Stage
    seed: int

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) and events of a clip."""
        from synth.generate import perform

        take = perform(self.stage, self.seed, number)
        return take.samples, take.events


@dataclass(frozen=True, kw_only=True)
class JoinedClips:
    """A dataset's clips, and behind them scenes."""

    dataset: DatasetClips
    scenes: SceneClips

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) and events of a clip."""
        stored = len(self.dataset.recordings)
        return self.dataset(number) if number < stored else self.scenes(number - stored)


@dataclass(frozen=True, kw_only=True)
class Fed:
    """What is trained on."""

    source: Source
    clips: Clips
    count: int | None
    """Clips of a dataset; None for scenes without end."""
    workers: int


def recipe_of(seed: int, target_per_hour: float, steps: int | None) -> Recipe:
    """The usual recipe, for another number of steps if one is named."""
    from kws.train import Recipe

    recipe = Recipe(seed=seed, target_per_hour=target_per_hour)
    return replace(recipe, steps=steps) if steps else recipe


def of_scenes(material: Material, ranges: Ranges, seed: int, workers: int) -> Fed:
    """Scenes without end, rendered as they are needed."""
    from kws.train import Source

    stage = material.stage(ranges)
    source = Source(
        word=material.word, language=material.language, made_from=f"scenes of stage {stage.fingerprint}",
        licences=material.licences,
    )  # fmt: skip
    return Fed(source=source, clips=SceneClips(stage=stage, seed=seed), count=None, workers=workers)


def of_dataset(source: Source, clips: DatasetClips, scenes: Fed | None, workers: int) -> Fed:
    """The clips of a dataset; where scenes are given, a fifth as many of those besides."""
    count = len(clips.recordings)
    if scenes is None:
        return Fed(source=source, clips=clips, count=count, workers=workers)
    assert isinstance(scenes.clips, SceneClips)
    source = replace(
        source, made_from=f"{source.made_from}; {scenes.source.made_from}",
        licences=tuple(dict.fromkeys([*source.licences, *scenes.source.licences])),
    )  # fmt: skip
    joined = JoinedClips(dataset=clips, scenes=scenes.clips)
    return Fed(source=source, clips=joined, count=count + round(_OWN_SHARE * count), workers=workers)


def train_to_the_end(recipe: Recipe, out: Path, fed: Fed, validation: Validation) -> None:
    """Train to the end, from the checkpoint if there is one."""
    import torch

    from kws.examples import Examples
    from kws.train import CHECKPOINT, Training

    make_folder(out)
    if fed.count is None and fed.workers:  # threads that wait for a core that a worker has are far slower
        torch.set_num_threads(max(1, torch.get_num_threads() - fed.workers))
    training = Training(recipe, fed.source, out)
    clips, count, workers = fed.clips, fed.count, fed.workers
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
    best = training.best
    click.echo(
        f"{fed.source.word}: validation FRR {100 * best.frr:.1f} % at {best.false_accepts_per_hour:.2f} false accepts "
        f"an hour ({validation.hours:.2f} h)"
    )


def _heard(
    clips: Clips, recipe: Recipe, first: int, count: int, workers: int, label: str = ""
) -> Iterator[list[Heard]]:
    """Frames and events of clips in order, eight at a time, made by worker processes."""
    from torch.utils.data import DataLoader, Subset
    from tqdm import tqdm

    from kws.examples import FeatureClips
    from synth.crew import one_thread

    featured = FeatureClips(clips=clips, front_end=recipe.front_end, count=first + count)
    numbered: Any = Subset(featured, range(first, first + count))
    loader: Any = DataLoader(
        numbered, batch_size=_FRESH, num_workers=workers, collate_fn=list, worker_init_fn=_quietly,
        multiprocessing_context="forkserver" if workers else None, prefetch_factor=16 if workers else None,
    )  # fmt: skip
    bar = tqdm(total=count, unit="clip", desc=label, disable=not label, dynamic_ncols=True)
    with one_thread():
        batches = iter(loader)
    with bar:
        for heard in batches:
            yield heard
            bar.update(len(heard))


def _quietly(_worker: int) -> None:
    """A worker leaves Ctrl-C to the trainer, and the other core to it, and ends when it does."""
    import signal
    import threading
    from multiprocessing import parent_process

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    trainer = parent_process()
    assert trainer is not None
    threading.Thread(target=_end_with, args=(trainer.join,), daemon=True).start()


def _end_with(ended: Callable[[], None]) -> None:
    """End this process once another has, which torch does not notice from behind a fork server."""
    ended()
    os._exit(1)


def scene_validation(material: Material, recipe: Recipe, workers: int) -> Validation:
    """Scenes in voices nobody trained on: each of the first stage holds the word once, none of the second does.

    The second has other words and sentences, but nothing made to sound like the word: a rate of false accepts an hour
    is one of common talk, and a threshold that keeps out a near-miss every two seconds keeps out the word.
    """
    from kws.targets import POSITIVE
    from kws.validation import Utterance, Validation
    from synth.scene import Ranges

    home = Ranges(recorded=0, wordless=0)
    hear = material.stage(replace(home, positives=(0, 1)), "validation")
    common = replace(home, positives=(1,), partial=0, swapped=0)
    ignore = without_neighbours(material).stage(common, "validation")
    validation = Validation(front_end=recipe.front_end, shape=recipe.shape)
    for heard in _heard(SceneClips(stage=hear, seed=0), recipe, 0, _SCENES, workers, label="validation"):
        for frames, rows in heard:
            for start_s, end_s, _ in rows[rows[:, 2] == POSITIVE][:1]:
                validation.utterances.append(Utterance(frames=frames, start_s=float(start_s), end_s=float(end_s)))
    for heard in _heard(SceneClips(stage=ignore, seed=1), recipe, 0, _SCENES, workers, label="validation"):
        validation.add_negatives([frames for frames, rows in heard if len(rows) == 0])
    return validation


def without_neighbours(material: Material) -> Material:
    """Without the clips that sound like the word or hold it."""
    near = {"near-miss", "containing"}
    banks = [
        replace(bank, clips=tuple(clip for clip in bank.clips if clip.kind not in near)) for bank in material.banks
    ]
    return replace(material, banks=tuple(banks))


def recorded_validation(folder: Path, recipe: Recipe) -> Validation:
    """Every positive below `positives`, and the human speech below `negatives`."""
    import numpy as np

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
