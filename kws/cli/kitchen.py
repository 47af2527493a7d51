"""The workers that make what a run is trained on, and the GPU that mixes it where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kws.cli.clips import SceneClips
from kws.errors import Failure
from kws.means import Means
from kws.ranks import Parted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kws.examples import Clips, Heard
    from kws.recipe import Recipe
    from synth.mixer import Batch
    from synth.parts import Parts

_BATCH = 8
"""Clips given at a time, unless it is said otherwise."""


@dataclass(frozen=True, kw_only=True)
class Kitchen:
    """Makes frames and events of clips, in worker processes or none."""

    clips: Clips
    recipe: Recipe
    workers: int
    batch: int = _BATCH
    means: Means = field(default_factory=Means)
    """A GPU mixes scenes itself; workers only draw and speak them."""

    def serve(self, first: int, count: int) -> Iterator[list[Heard]]:
        """Clips in order, from that number on."""
        parts = _parts_of(self.clips)
        if parts and self.means.is_gpu:
            yield from self.mixed(parts, first, count)
            return
        from kws.examples import FeatureClips

        clips = FeatureClips(clips=self.clips, front_end=self.recipe.front_end, count=first + count)
        yield from self._made(clips.__getitem__, list, first, count)

    def mixed(self, parts: Callable[[int], Parts], first: int, count: int) -> Iterator[list[Heard]]:
        """Scenes in order, mixed and turned into frames on the device."""
        from kws.torch_front_end import TorchLogMel
        from synth.mixer import Mixer

        mixer, log_mel = Mixer(self.means.on), TorchLogMel(self.recipe.front_end).to(self.means.on)
        for dish in self._made(parts, _dished, first, count):
            with self.means.aside():
                frames = log_mel(mixer(dish.batch)).half().cpu().numpy()
            yield list(zip(frames, dish.rows, strict=True))

    def _made(self, make: Callable[[int], Any], collate: Callable[[Any], Any], first: int, count: int) -> Iterator[Any]:
        """What is made of each number, so many at a time as `collate` gives them."""
        from torch.utils.data import DataLoader

        from synth.crew import one_thread

        several = bool(self.workers)
        loader: Any = DataLoader(
            _Numbered(make, range(first, first + count)),  # type: ignore[arg-type]  # has what a Dataset needs
            batch_size=self.batch, num_workers=self.workers, collate_fn=_Whole(collate), worker_init_fn=_quietly,
            multiprocessing_context="forkserver" if several else None, prefetch_factor=16 if several else None,
            pin_memory=self.means.is_gpu,
        )  # fmt: skip
        with one_thread():
            batches = iter(loader)
        for batch in batches:
            if isinstance(batch, Failure):
                raise batch
            yield batch


class _Dish(NamedTuple):
    """Scenes as workers hand them to a GPU."""

    batch: Batch
    rows: list[NDArray[Any]]
    """Coded events (E, 3) of each."""


def _dished(parts: list[Parts]) -> _Dish:
    from kws.targets import coded
    from synth.mixer import collated

    return _Dish(collated(parts), [coded(each.events) for each in parts])


def _parts_of(clips: Clips) -> Callable[[int], Parts] | None:
    """What gives the parts of such clips; None for those that are not scenes alone."""
    if isinstance(clips, SceneClips):
        return clips.parts
    if isinstance(clips, Parted) and isinstance(clips.clips, SceneClips):
        return replace(clips, clips=clips.clips.parts)
    return None


@dataclass(frozen=True)
class _Numbered:
    """What is made of some numbers, or the Failure instead: raised in a worker, it would come with a traceback."""

    make: Callable[[int], Any]
    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> Any:
        try:
            return self.make(self.numbers[place])
        except Failure as failure:
            return failure


@dataclass(frozen=True)
class _Whole:
    """Collates; of a batch that has a Failure, that alone is left."""

    collate: Callable[[Any], Any]

    def __call__(self, made: list[Any]) -> Any:
        """The batch."""
        failures = (each for each in made if isinstance(each, Failure))
        return next(failures, None) or self.collate(made)


def _quietly(_worker: int) -> None:
    """A worker leaves Ctrl-C to the trainer, and the other core to it, and ends when it does."""
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    end_with_parent()  # which torch does not notice from behind a fork server


def end_with_parent() -> None:
    """Have this process end, in the midst of anything, once the one that started it as its worker has; if one did."""
    import threading
    from multiprocessing import parent_process

    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()


def _end_with(ended: Callable[[], None]) -> None:
    ended()
    os._exit(1)
