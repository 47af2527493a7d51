"""`kws generate`: a labelled synthetic dataset on disk."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kws.errors import Misuse

if TYPE_CHECKING:
    from synth.generate import Order, Stage

_FOLDER = click.Path(path_type=Path)
_REPORT_S = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""


@click.command("generate")
@click.argument("out", type=_FOLDER)
@click.option("--word", default="activate", show_default=True, help="The word to be heard.")
@click.option("--clips", type=click.IntRange(min=1), default=1000, show_default=True, help="How many, of 10 seconds.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed gives the same bytes."
)
@click.option(
    "--bank", "banks", type=_FOLDER, multiple=True, metavar="FOLDER",
    help="A bank made by scripts/build_bank; may be repeated. The starter bank adds what it lacks.",
)  # fmt: skip
@click.option("--positives", type=_FOLDER, metavar="FOLDER", help="Your own recordings of the word.")
@click.option(
    "--negatives", type=_FOLDER, metavar="FOLDER",
    help="Recorded sound without the word; subfolders music…, effects… and noise… are background, the rest is talk.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), default=min(2, os.cpu_count() or 1), show_default=True,
    help="Processes; the bytes do not depend on it.",
)  # fmt: skip
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    out: Path, word: str, clips: int, seed: int, banks: tuple[Path, ...], positives: Path | None,
    negatives: Path | None, workers: int,
) -> None:  # fmt: skip
    """Make a labelled dataset in the folder OUT, or go on with it after a stop or with more clips than before."""
    word = word.strip()
    if not word:
        raise Misuse("the word is empty: name one, as in --word activate.")
    from synth.generate import Order, open_banks
    from synth.stage import Stage

    stage = Stage(word, open_banks(banks), positives=positives, negatives=negatives)
    order = Order(word=word, seed=seed, clips=clips, licences=licences(banks, positives, negatives))
    _make(out, order, stage, workers)
    click.echo(f"{out} holds {clips} clips.")


def _make(out: Path, order: Order, stage: Stage, workers: int) -> None:
    from synth.generate import generate

    with contextlib.closing(generate(out, order, stage, workers=workers)) as growing:
        bar = None
        try:
            for clips in growing:
                bar = bar or _Progress(clips, order.clips)
                bar.show(clips)
        except KeyboardInterrupt:
            growing.close()
            done = f" after {bar.clips} of {order.clips} clips" if bar else ""
            click.echo(f"\nkws: stopped{done}; run the same command again to go on.", err=True)
            sys.exit(130)
        finally:
            if bar:
                bar.close()


class _Progress:
    """A bar on a terminal, elsewhere a line every ten seconds; both with rate and time left."""

    def __init__(self, first: int, total: int) -> None:
        from tqdm import tqdm

        self.clips = first
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(initial=first, total=total, unit="clip", disable=not self._terminal)
        self._first, self._total = first, total
        self._began_s = self._said_s = time.monotonic()

    def show(self, clips: int) -> None:
        """So many clips are there now."""
        self._bar.update(clips - self.clips)
        self.clips = clips
        now_s = time.monotonic()
        if not self._terminal and now_s - self._said_s >= _REPORT_S:
            self._said_s = now_s
            rate = (clips - self._first) / (now_s - self._began_s)
            left_s = (self._total - clips) / max(rate, 1e-9)
            click.echo(f"{clips} of {self._total} clips, {rate:.1f} a second, {left_s:.0f} s left", err=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


def licences(banks: tuple[Path, ...], positives: Path | None, negatives: Path | None) -> tuple[str, ...]:
    """One sentence for each source of sound that scenes are made from."""
    starter = (
        "starter bank: made by this project with Kokoro-82M (Apache-2.0), eSpeak NG (GPL-3.0 program, not bundled) and "
        "Piper's voice joe (CC0 recordings, fine-tuned from a voice recorded for research); given away under "
        "Apache-2.0, commercial use included, as far as synth/bank_activate/LICENCE.md says"
    )
    spoken = [f"bank {folder.name}: as the voices it was built with allow" for folder in banks]
    own = [f"recordings in {folder.name}: as their makers allow" for folder in (positives, negatives) if folder]
    return (starter, *spoken, *own)
