"""A bank: spoken clips with what was said, by whom, and for which split.

On disk a bank is a folder with `index.jsonl` and packs: FLAC or, smaller and slower to write, Ogg Opus files that hold
the clips of one split and engine one after the other, since thousands of tiny files would be mostly headers. S samples.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kws.audio import RATE_HZ, Samples, read_audio, write_audio
from kws.errors import Failure
from kws.files import make_folder, write_whole
from synth.voices import Split

Kind = Literal["positive", "near-miss", "containing", "negative", "sentence"]
Suffix = Literal[".flac", ".ogg"]

INDEX = "index.jsonl"
_GAP_S = 0.1
_PACK_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance."""

    text: str
    kind: str
    """positive, near-miss, containing (the word is inside a longer one), negative or sentence."""
    split: str
    voice: str
    """`engine:voice`, with `+` between the parents of a blend and `~` behind a voice that another mouth speaks for."""
    speed: float
    samples: Samples
    """(S,) at 16 kHz."""


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The clips of one word's bank."""

    word: str
    clips: tuple[Clip, ...]
    language: str = "en-us"
    """Of the word."""
    general: bool = False
    """Whether it holds the words and sentences that any word is taught against, as the starter bank does."""
    licences: tuple[str, ...] = ()
    """One sentence for each source of its sound."""

    def select(self, split: Split, *kinds: Kind) -> list[Clip]:
        """The clips of a split, of all kinds or only of those named."""
        return [clip for clip in self.clips if clip.split == split and (not kinds or clip.kind in kinds)]


def write_bank(folder: Path, bank: Bank, suffix: Suffix = ".flac") -> None:
    """Write packs and, last, the index that names them, so that a half-written bank is never taken for a whole one.

    Raises Failure if the folder cannot be written.
    """
    make_folder(folder)
    gap = np.zeros(round(_GAP_S * RATE_HZ), np.float32)
    head = {"word": bank.word, "language": bank.language, "general": bank.general, "licences": bank.licences}
    lines = [json.dumps(head)]
    packs: dict[tuple[str, str], list[list[Clip]]] = {}
    for clip in bank.clips:
        groups = packs.setdefault((clip.split, clip.voice.split(":")[0]), [[]])
        if sum(len(held.samples) for held in groups[-1]) > _PACK_S * RATE_HZ:
            groups.append([])
        groups[-1].append(clip)
    for (split, engine), groups in packs.items():
        for number, group in enumerate(groups):
            name = f"{split}-{engine}-{number:02d}{suffix}"
            pieces, position = [], 0
            for clip in group:
                entry = {
                    "text": clip.text, "kind": clip.kind, "split": clip.split, "voice": clip.voice,
                    "speed": clip.speed, "pack": name, "start": position, "samples": len(clip.samples),
                }  # fmt: skip
                lines.append(json.dumps(entry))
                pieces += [clip.samples, gap]
                position += len(clip.samples) + len(gap)
            write_audio(folder / name, np.concatenate(pieces))
    write_whole(folder / INDEX, ("\n".join(lines) + "\n").encode())


def read_bank(folder: Path) -> Bank:
    """Read a bank. Raises Failure if there is none, or if a pack is missing or cut short."""
    index = folder / INDEX
    if not index.is_file():
        raise Failure(f"no bank in {folder} ({INDEX} is missing): leave --bank out, and kws speaks one itself.")
    try:
        head, *entries = (json.loads(line) for line in index.read_text(encoding="utf-8").splitlines())
        names = list(dict.fromkeys(entry["pack"] for entry in entries))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding leaves the interpreter free
            packs = dict(zip(names, pool.map(lambda name: read_audio(folder / name), names), strict=True))
        clips = tuple(_cut(packs[entry["pack"]], entry) for entry in entries)
        return Bank(**{"language": "en-us", **head, "licences": tuple(head.get("licences", ()))}, clips=clips)
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"the bank in {folder} is damaged ({error}): delete the folder and build it again.") from error


def _cut(pack: Samples, entry: dict[str, Any]) -> Clip:
    """A clip out of its pack, as the index describes it."""
    start, count = entry["start"], entry["samples"]
    samples = pack[start : start + count]
    if start < 0 or len(samples) != count:
        raise ValueError(f"{entry['text']!r} does not lie in {entry['pack']}")
    described = {name: entry[name] for name in ("text", "kind", "split", "voice", "speed")}
    return Clip(**described, samples=samples)


@lru_cache(maxsize=1)
def starter_bank() -> Bank:
    """The bank inside the package: "activate", its near-misses, and what any word is taught against."""
    return read_bank(Path(__file__).parent / "bank_activate")
