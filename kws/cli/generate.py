"""`kws generate`: a labelled synthetic dataset on disk."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kws.cli.options import DEFAULT_WORD, crew_of, crew_options, scene_options
from kws.cli.scenes import Wanted, explained, open_material
from kws.errors import Misuse

_REPORT_S = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""
_PREVIEWED = 8
"""Scenes on a preview page."""


@click.command("generate")
@click.argument("place", metavar="OUT", required=False)
@click.option("--word", default=DEFAULT_WORD, show_default=True, help="The word to be heard.")
@click.option("--clips", type=click.IntRange(min=1), default=1000, show_default=True, help="How many, of 10 seconds.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed gives the same bytes."
)
@scene_options
@click.option("--preview", is_flag=True, help="Only draw a page of the first scenes, to look at and to listen to.")
@click.option("--explain", is_flag=True, help="Only list what is taught as not the word, with its distance from it.")
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="CLIPS",
    help="WebDataset tar files of so many clips, for other trainers; OUT may then be an address: s3://bucket/data.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N",
    help="Processes; the bytes do not depend on it.  [default: 2, or all that the cluster has]",
)  # fmt: skip
@crew_options
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    place: str | None, word: str, clips: int, seed: int, preview: bool, explain: bool, shards: int | None,
    workers: int | None, engine: str, address: str | None, **scenes: Any,
) -> None:  # fmt: skip
    """Make a labelled dataset in the folder OUT, or go on with it after a stop or with more clips than before."""
    wanted = Wanted(word=word, **scenes)
    if explain:
        click.echo(explained(wanted))
        return
    if place is None:
        raise Misuse("OUT is missing: name the folder for the dataset, as in kws generate data.")
    from synth.generate import Order, generate
    from synth.shards import generate_shards
    from synth.store import is_remote

    if is_remote(place):
        if not shards:
            raise Misuse(f"{place} is an address, where a dataset lies in shards: add --shards 1000.")
        import fsspec  # noqa: F401 - whether it is there is told before anything is made
    crew = crew_of(engine, address, workers)
    material = open_material(wanted, crew)
    stage = material.stage(wanted.ranges)
    if preview:
        from synth.preview import write_preview

        page, picture = write_preview(Path(place), stage, seed, _PREVIEWED)
        click.echo(f"{page} (and {picture.name}) shows the first {_PREVIEWED} scenes of seed {seed}.")
        return
    order = Order(word=material.word, language=material.language, seed=seed, clips=clips, licences=material.licences)
    if shards:
        _follow(generate_shards(place, replace(order, shard_clips=shards), stage, crew=crew), clips)
    else:
        _follow(generate(Path(place), order, stage, crew=crew), clips)
    click.echo(f"{place} holds {clips} clips.")


def _follow(making: Generator[int, None, None], total: int) -> None:
    """Show how a dataset grows to so many clips."""
    with contextlib.closing(making) as growing:
        bar = None
        try:
            for clips in growing:
                bar = bar or _Progress(clips, total)
                bar.show(clips)
        except KeyboardInterrupt:
            growing.close()
            done = f" after {bar.clips} of {total} clips" if bar else ""
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
