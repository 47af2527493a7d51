"""Recorded talk said again by raised voices: higher, livelier, of other tracts, as actors and children speak.

A net that learnt what is not the word from voices at their ease takes raised ones for the word more often; said again,
the same talk shows it that they are not. It takes WORLD three minutes an hour of talk on one core, and is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kws.audio import Samples, duration_s, read_audio
from kws.files import cache_folder
from synth.kept import SoundCache
from synth.mouths import MouthRanges, draw_mouth, said_by
from synth.recorded import BLOCK_S, block

RAISED = MouthRanges(tract=(0.95, 1.25), pitch=(1.25, 2.2), intonation=(1.0, 1.6), tempo=(1.0, 1.0), breath=(0.0, 0.0))
_RECIPE = 1
"""Raised whenever a piece would come out otherwise."""

Piece = tuple[Path, int]
"""A recording and the number of a block of it."""


class RaisedCache(SoundCache):
    """Pieces of talk said again, each by a mouth of its own that hangs on its sound alone."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(cache_folder() / "raised" if folder is None else folder)

    def said_again(self, piece: Piece) -> Samples:
        """(S,) at 16 kHz, from disk if it was said before; nothing if the recording can no longer be read.

        Raises Failure if the folder cannot be written to.
        """
        pcm = block(*piece)
        if not len(pcm):
            return np.zeros(0, np.float32)
        path = self.path(repr((_RECIPE, RAISED)).encode() + pcm.tobytes())
        if (before := self.kept(path)) is not None:
            return before
        rng = np.random.default_rng(int(path.stem[:16], 16))
        self.keep(path, said_by(pcm.astype(np.float32) / np.float32(32768), draw_mouth(rng, RAISED)))
        return read_audio(path)


def pieces(paths: Sequence[Path], seconds: float) -> list[Piece]:
    """Pieces of recordings that last so long together, chosen by lot but always the same; all, if they do not."""
    lengths = {path: duration_s(path) for path in paths}
    every = [(path, number) for path in paths for number in range(max(1, int(lengths[path] / BLOCK_S)))]
    chosen: list[Piece] = []
    for place in np.random.default_rng(0).permutation(len(every)):
        if seconds <= 0:
            break
        path, number = every[place]
        chosen.append((path, number))
        seconds -= min(BLOCK_S, lengths[path] - number * BLOCK_S)
    return chosen
