"""`kws generate`: a labelled synthetic dataset on disk."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.options import DEFAULT_WORD, crew_of, crew_options, scene_options
from kws.cli.scenes import Wanted, explained, open_material
from kws.errors import Misuse

if TYPE_CHECKING:
    from synth.crew import Crew
    from synth.generate import Order, Stage

_REPORT_S = 10.0
"""Seconds between two lines where there is no terminal to draw a bar on."""
_PREVIEWED = 8
"""Scenes on a preview page."""


@click.command("generate")
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--word", default=DEFAULT_WORD, show_default=True, help="The word to be heard.")
@click.option("--clips", type=click.IntRange(min=1), default=1000, show_default=True, help="How many, of 10 seconds.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed gives the same bytes."
)
@scene_options
@click.option("--preview", is_flag=True, help="Only draw a page of the first scenes, to look at and to listen to.")
@click.option("--explain", is_flag=True, help="Only list what is taught as not the word, with its distance from it.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes; the bytes do not depend on it.  [default: 2, or all that the cluster has]",
)
@crew_options
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    out: Path | None,
    word: str,
    clips: int,
    seed: int,
    preview: bool,
    explain: bool,
    workers: int | None,
    engine: str,
    address: str | None,
    **scenes: Any,
) -> None:
    """Make a labelled dataset in the folder OUT, or go on with it after a stop or with more clips than before."""
    wanted = Wanted(word=word, **scenes)
    if explain:
        click.echo(explained(wanted))
        return
    if out is None:
        raise Misuse("OUT is missing: name the folder for the dataset, as in kws generate data.")
    from synth.generate import Order

    crew = crew_of(engine, address, workers)
    material = open_material(wanted, crew)
    stage = material.stage(wanted.ranges)
    if preview:
        from synth.preview import write_preview

        page, picture = write_preview(out, stage, seed, _PREVIEWED)
        click.echo(f"{page} (and {picture.name}) shows the first {_PREVIEWED} scenes of seed {seed}.")
        return
    order = Order(word=material.word, language=material.language, seed=seed, clips=clips, licences=material.licences)
    _make(out, order, stage, crew)
    click.echo(f"{out} holds {clips} clips.")


def _make(out: Path, order: Order, stage: Stage, crew: Crew) -> None:
    from synth.generate import generate

    with contextlib.closing(generate(out, order, stage, crew=crew)) as growing:
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
