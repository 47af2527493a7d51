"""How often words are said, counted in film dialogue, where the package `pyspellchecker` is installed.

Its word counts (MIT; from OpenSubtitles, which is nearer to talk than the web or books are) come as one file for each
language. The file is read; its program is never imported. Proper names are mostly left out of these lists.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from synth.voices import primary_tag

WORDS_PER_HOUR = 9000
"""150 a minute, an unhurried talk."""


@dataclass(frozen=True, kw_only=True)
class Frequencies:
    """Word counts of one language."""

    counts: dict[str, int]
    """By spelling in lower case."""
    total: int

    def per_hour(self, phrase: str) -> float:
        """How often a word or phrase comes up in an hour of talk; 0 for one that has a word not listed.

        The words of a phrase are neither independent of each other, which gives too little, nor is the rarest of them
        said in this phrase alone, which gives too much: told is the geometric mean of the two.
        """
        shares = [self.counts.get(word, 0) / self.total for word in phrase.casefold().split()]
        return WORDS_PER_HOUR * math.sqrt(math.prod(shares) * min(shares, default=0.0))


@lru_cache(maxsize=4)
def frequencies(language: str) -> Frequencies | None:
    """Those of a language, or None if `pyspellchecker` is not installed or has none for it."""
    name = f"spellchecker/resources/{primary_tag(language)}.json.gz"
    try:
        place = Path(str(metadata.distribution("pyspellchecker").locate_file(name)))
    except metadata.PackageNotFoundError:
        return None
    return counted(place.read_bytes()) if place.is_file() else None


def counted(packed: bytes) -> Frequencies:
    """Frequencies from a packed JSON object of counts by spelling."""
    counts: dict[str, int] = json.loads(gzip.decompress(packed))
    return Frequencies(counts=counts, total=sum(counts.values()))
