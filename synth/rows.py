"""Manifests: tables that name sound files and say what is said in them, read whatever their columns are called."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.errors import Failure
from kws.events import Event, from_line

TABLES = (".jsonl", ".csv", ".tsv")
"""File endings that a manifest may have."""

_AUDIO = ("audio", "path", "file", "filename", "file_name", "audio_path", "audio_filepath", "audio_file", "wav", "clip")
_TEXT = ("text", "sentence", "transcript", "transcription", "word", "label")
_SPEAKER = ("speaker", "client_id", "speaker_id", "spk", "spk_id", "voice")
_SPLIT = ("split", "subset", "set")
_PARTED_BY = ",;\t|"


class _Tabs(csv.excel_tab):
    """As Common Voice writes: quotes are letters like any other."""

    quoting = csv.QUOTE_NONE


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a manifest."""

    audio: Path
    """Relative to the manifest, or absolute."""
    text: str | None
    """None if there is none."""
    speaker: str
    split: str
    events: tuple[Event, ...] = ()


def read_rows(path: Path) -> list[Row]:
    """The lines of a .jsonl (also a dataset's own), .csv or .tsv file.

    Raises Failure if it cannot be read, a line is damaged or names no sound file, or there are none.
    """
    rows: list[Row] = []
    try:
        for entry in _entries(path):
            rows.append(_row(entry))  # noqa: PERF401 - how many there are says which one fails
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise Failure(
            f"{path} cannot be read as a manifest (entry {len(rows) + 1}: {error}): mend it or leave it out."
        ) from error
    if not rows:
        raise Failure(f"{path} names no recordings: give each a line with its file, its text and its speaker.")
    return rows


def _entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """Fields by name, names in small letters."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        if path.suffix.lower() == ".jsonl":
            yield from (_lower(json.loads(line)) for line in lines if line.strip())
            return
        head = lines.readline()
        lines.seek(0)
        parted_by = "\t" if path.suffix.lower() == ".tsv" else max(_PARTED_BY, key=head.count)
        rules: type[csv.Dialect] = _Tabs if parted_by == "\t" else csv.excel
        yield from (_lower(row) for row in csv.DictReader(lines, dialect=rules, delimiter=parted_by))


def _lower(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a damaged file, not a wrong argument
    return {"_".join(name.casefold().split()): value for name, value in entry.items() if name is not None}


def _row(entry: Mapping[str, Any]) -> Row:
    audio = _first(entry, _AUDIO)
    if not audio:
        raise ValueError(f"no file is named in any of the columns {', '.join(_AUDIO)}")
    if "events" in entry:
        recording = from_line(json.dumps({"duration": 0.0, **entry, "audio": audio}), Path())
        text: str | None = " ".join(event.word for event in recording.events)
        events = recording.events
    else:
        text, events = _first(entry, _TEXT) or None, ()
    about = entry.get("about")
    known = {**about, **entry} if isinstance(about, dict) else entry
    return Row(
        audio=Path(audio), text=text, speaker=_first(known, _SPEAKER), split=_first(entry, _SPLIT), events=events
    )


def _first(entry: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of several fields that is there and says something."""
    values = (entry.get(name) for name in names)
    return next((str(value).strip() for value in values if value is not None and str(value).strip()), "")
