"""`kws export`: from a run folder to the one file that listens."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command("export")
@click.argument("run", type=_PATH)
@click.argument("detector", type=_PATH)
def command(run: Path, detector: Path) -> None:
    """Write the averaged net of the folder RUN to the file DETECTOR (.onnx)."""
    from kws.errors import Misuse
    from kws.release import release

    if detector.suffix != ".onnx":
        raise Misuse(f"a detector is an .onnx file: name {detector.with_suffix('.onnx')} instead of {detector}.")
    written = release(run, detector)
    size_kb = detector.stat().st_size / 1000
    click.echo(f"{detector}: {written.word!r}, threshold {written.threshold:.4f}, {size_kb:.0f} kB")
