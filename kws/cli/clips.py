"""What a run is trained on: clips that are read or made.

S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, duration_s, read_audio
from kws.errors import Failure, Misuse
from kws.events import Event, Recording
from kws.ranks import Parted, Ranks

if TYPE_CHECKING:
    from kws.cli.kitchen import Kitchen
    from kws.cli.scenes import Material
    from kws.cli.stages import Stages
    from kws.examples import Clips, Recorded
    from kws.recipe import Source
    from synth.parts import Parts
    from synth.raised import Piece
    from synth.scene import Ranges
    from synth.stage import Group, Stage

_RENDERED = 0.2
"""Share of scenes that are nothing but recorded, where recordings are heard as they are besides."""
_HEARD = 0.45
"""Share of a batch that are stretches of those."""
_STRETCH_S = 10.0
"""Length of such a stretch."""
_LEAST_S = 1.0
"""Recordings shorter than this are left out of them."""
_RAISED_SHARE = 0.2
"""Hours of talk that raised voices say again, over the hours of all recordings."""
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
class SoundClips:
    """Whole recordings without the word."""

    paths: tuple[Path, ...]

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) of a recording; nothing if it cannot be read any longer."""
        try:
            return read_audio(self.paths[number]), ()
        except Failure:
            return np.zeros(0, np.float32), ()


@dataclass(frozen=True, kw_only=True)
class RaisedClips:
    """Pieces of recorded talk in raised voices."""

    pieces: tuple[Piece, ...]

    def __call__(self, number: int) -> tuple[Samples, Sequence[Event]]:
        """Sound (S,) of a piece; nothing if it cannot be read any longer."""
        from synth.raised import RaisedCache

        return RaisedCache().said_again(self.pieces[number]), ()


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

    def parts(self, number: int) -> Parts:
        """The clip before it is mixed."""
        from synth.generate import drawn
        from synth.parts import parts_of

        return parts_of(self.stage, drawn(self.stage, self.seed, number))


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
    recorded: tuple[Group, ...] = ()
    """Recordings without the word that are heard as they are, besides."""
    raised: float = 0.0
    """Share of their talk that raised voices say again."""

    def parted(self, ranks: Ranks) -> Fed:
        """What one of several ranks is trained on. Raises Misuse if the clips do not go round."""
        if ranks.count == 1:
            return self
        if self.count is not None and self.count < ranks.count:
            raise Misuse(
                f"{self.count} clips do not go round {ranks.count} processes: start fewer, or make more clips."
            )
        count = None if self.count is None else self.count // ranks.count
        return replace(self, clips=Parted(self.clips, ranks), count=count)


def of_scenes(material: Material, ranges: Ranges, seed: int, workers: int) -> Fed:
    """Scenes without end, rendered as they are needed."""
    from kws.recipe import Source

    heard = material.recordings is not None and ranges.recorded > 0
    stage = material.stage(replace(ranges, recorded=_RENDERED) if heard else ranges)
    source = Source(
        word=material.word, language=material.language, made_from=f"scenes of stage {stage.fingerprint}",
        licences=material.licences,
    )  # fmt: skip
    return Fed(
        source=source, clips=SceneClips(stage=stage, seed=seed), count=None, workers=workers,
        recorded=stage.recorded if heard else (), raised=ranges.raised,
    )  # fmt: skip


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


def recorded(fed: Fed, kitchen: Kitchen, hours: float, stages: Stages) -> Recorded | None:
    """Frames of so many hours of recordings without the word, of each group as it is drawn; None if there are none.

    A share of the talk is said again by raised voices.
    """
    from kws.examples import Recorded
    from synth.raised import pieces

    chosen = [tuple(_lasting(group.files, 3600 * hours * group.often)) for group in fed.recorded]
    again = [
        tuple(pieces(files, _RAISED_SHARE * 3600 * hours * group.often)) if group.is_talk and fed.raised else ()
        for group, files in zip(fed.recorded, chosen, strict=True)
    ]
    plain = _frames_of(SoundClips(paths=tuple(chain(*chosen))), sum(map(len, chosen)), kitchen, "recording", stages)
    raised = _frames_of(RaisedClips(pieces=tuple(chain(*again))), sum(map(len, again)), kitchen, "raised voice", stages)
    shortest = kitchen.recipe.front_end.frames(_samples(_LEAST_S))
    groups = []
    for group, some, others in zip(fed.recorded, chosen, again, strict=True):
        usable = [whole for whole in islice(plain, len(some)) if len(whole) >= shortest]
        once_more = [whole for whole in islice(raised, len(others)) if len(whole) >= shortest]
        share = fed.raised if once_more else 0.0
        groups += [(often, tuple(frames)) for often, frames in (
            ((1 - share) * group.often, usable), (share * group.often, once_more)
        ) if frames]  # fmt: skip
    stretch = kitchen.recipe.front_end.frames(_samples(_STRETCH_S))
    return Recorded(groups=tuple(groups), share=_HEARD, frames=stretch) if groups else None


def _frames_of(clips: Clips, count: int, kitchen: Kitchen, unit: str, stages: Stages) -> Iterator[NDArray[np.float16]]:
    """Frames (T, M) of so many clips, made now."""
    frames: list[NDArray[np.float16]] = []
    if count:
        with stages.bar("scenes", count, unit) as bar:
            for [(whole, _)] in replace(kitchen, clips=clips, batch=1).serve(0, count):
                frames.append(whole)
                bar.update()
    return iter(frames)


def _lasting(paths: Sequence[Path], seconds: float) -> list[Path]:
    """Of these, chosen by lot but always the same, enough to last so long; all, if they do not."""
    chosen: list[Path] = []
    for number in np.random.default_rng(0).permutation(len(paths)):
        if seconds <= 0:
            break
        chosen.append(paths[number])
        seconds -= duration_s(paths[number])
    return chosen


def _samples(seconds: float) -> int:
    return round(seconds * RATE_HZ)
