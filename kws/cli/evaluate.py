"""`kws evaluate`: misses, latency and false accepts per hour of a detector."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kws.cli.options import crew_of, crew_options
from kws.errors import Misuse
from kws.events import TAUGHT

if TYPE_CHECKING:
    from kws.audition import Listener
    from kws.excerpts import Excerpts
    from kws.report import Report


@click.command()
@click.argument("detector")
@click.option("--positives", type=click.Path(path_type=Path), help="Recordings of the word: sound files or a dataset.")
@click.option("--negatives", type=click.Path(path_type=Path), help="Sound without it; subfolders are its classes.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.html, report.json and the pictures.")
@click.option(
    "--sound/--no-sound",
    default=True,
    show_default=True,
    help="Misses and false accepts to listen to in report.html: leave them out of a page you pass on.",
)
@click.option(
    "--mine",
    "mining",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Lay the sound around each false accept in FOLDER/taught: kws new --negatives FOLDER learns it as not the "
    "word, and measures no longer on the recordings it is from.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of a table.")
@click.option(
    "--target-fa",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="False accepts per hour of human speech to aim at.",
)
@click.option("--threshold", type=float, help="Instead of the detector's own.")
@click.option(
    "--adapter",
    metavar="COMMAND",
    help="Measure another engine by the same rules: a command that gets DETECTOR as its last argument and scores what "
    "it is sent; kws/adapter.py tells how they talk.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N",
    help="Processes that hear; the report does not depend on it.  [default: 1, or all that the cluster has]",
)  # fmt: skip
@crew_options
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    detector: str, positives: Path | None, negatives: Path | None, out: Path | None, sound: bool,
    mining: Path | None, as_json: bool, target_fa: float, threshold: float | None, adapter: str | None,
    workers: int | None, engine: str, address: str | None,
) -> None:  # fmt: skip
    """Measure DETECTOR (a shipped name or a .onnx file; with --adapter whatever that knows) on recordings.

    Every recording is fed to it as a microphone would, at its own threshold. Subfolders of the negatives whose names
    begin with "speech" are human speech, which alone makes the headline; a folder without subfolders counts as speech.
    What a dataset of positives marks as near-miss or containing is told apart: how much of it was taken for the word.
    """
    from kws.evaluate import measure
    from kws.excerpts import cut_excerpts
    from kws.plots import det_text, scores_text
    from kws.stretch import mine
    from kws.timeline import encodable
    from kws.wording import lines

    if mining and negatives is None:
        raise Misuse("--mine cuts false accepts out of recordings without the word: name those with --negatives.")
    several = engine != "local" or (workers or 1) > 1
    if adapter and several:
        raise Misuse("the program of --adapter hears in one process: leave --engine and --workers out.")
    crew = crew_of(engine, address, workers)
    work = crew.work if several else None
    with _opened(detector, threshold, adapter) as listener:
        _make(out, mining)
        report = measure(listener, positives, negatives, target_per_hour=target_fa, progress=True, work=work)
    if out:
        write_report(out, report, cut_excerpts(report, positives, negatives) if sound else None)
    if mining and negatives:
        count = len(set(mine(report, negatives, mining)))
        click.echo(f"{mining / TAUGHT}: {count} false accepts to be learnt from", err=True)
    if as_json:
        click.echo(json.dumps(report.to_json(), allow_nan=False))
        return
    told = "\n".join([*lines(report), "", *scores_text(report), "", *det_text(report)]).rstrip()
    click.echo(encodable(told, sys.stdout.encoding))
    if out:
        click.echo(f"\n{out / 'report.html'}: all of it as a page", err=True)


@contextmanager
def _opened(detector: str, threshold: float | None, adapter: str | None) -> Iterator[Listener]:
    """The detector, or the engine behind an adapter."""
    from kws.adapter import Adapter
    from kws.detector import load

    if adapter is None:
        yield load(detector, threshold=threshold)
        return
    with closing(Adapter([*shlex.split(adapter), detector], threshold)) as engine:
        yield engine


def _make(out: Path | None, mining: Path | None) -> None:
    """Make the folders before the long work: one we may not write to, or a missing library, is noticed at once."""
    from kws.files import make_folder

    if out:
        import matplotlib.figure  # noqa: F401 - only whether it is there

        make_folder(out)
    if mining:
        make_folder(mining)


def write_report(out: Path, report: Report, excerpts: Excerpts | None) -> None:
    """Write report.html, report.json and the pictures into a folder that is there."""
    from kws.files import write_whole
    from kws.page import page
    from kws.plots import det_png, operating_point, scores_png

    pictures = {"Scores": scores_png(report)}
    write_whole(out / "scores.png", pictures["Scores"])
    if operating_point(report):
        pictures["Misses against false accepts"] = det_png(report)
        write_whole(out / "det.png", pictures["Misses against false accepts"])
    write_whole(out / "report.json", (json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n").encode())
    write_whole(out / "report.html", page(report, excerpts, pictures).encode())
