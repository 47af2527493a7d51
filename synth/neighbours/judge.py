"""What something said is to the word: the word itself, something that holds it, or a near-miss.

The word is known in each of its pronunciations and in every accent that eSpeak has of its language. It is compared with
the stretch that sounds most like it of what is said. A stretch no further than the floor is the word.

The floor comes from how far accents part. 55 words and phrases (2 to 11 phones) were transcribed in the eight English
accents of `synth.voices`; a pronunciation's distance from the nearest of the other seven was, at the 90th and the 95th
percentile, 0.23 and 0.31 for 2 to 4 phones, 0.38 and 0.50 for 5 and 6, 0.47 and 0.56 for 7 and 8, 0.58 and 0.74 for
9 and more (the median pair of accents is 0.25 apart). 0.1 + 0.055 a phone runs between the two. At 0.55 it ends: a
syllable more or less (0.6) is always another word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kws.errors import Failure
from synth.phones import distance, nearest_stretch, phones
from synth.voices import ESPEAK_ACCENTS, Saying, primary_tag

Transcribe = Callable[[str, str], str]
"""The tied IPA of a text in a language, as eSpeak gives it; ValueError if it has no such language."""

_ACCENTS = {"en": ESPEAK_ACCENTS, "es": ("es", "es-419"), "fr": ("fr-fr", "fr-be", "fr-ch"), "pt": ("pt", "pt-br")}
"""By the first part of a language's name."""
_FLOOR, _FLOOR_PER_PHONE, _FLOOR_MOST = 0.1, 0.055, 0.55


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found."""

    kind: Literal["word", "containing", "near-miss"]
    distance: float
    """Of the nearest stretch from the word's nearest pronunciation, as `synth.phones.distance` counts."""


class Judge:
    """Knows the word, and says of anything else what it is to it."""

    def __init__(self, sayings: Sequence[Saying], transcribe: Transcribe) -> None:
        self.transcribe = lru_cache(maxsize=None)(transcribe)
        said = (phones(ipa) for saying in sayings for ipa in self._accents(saying))
        self.pronunciations = tuple(dict.fromkeys(said))
        if not all(self.pronunciations):
            raise Failure(f"there is nothing to be heard in {sayings[0].text!r}: give another word or a pronunciation.")
        self.floor = floor(self.pronunciations[0])

    def ipa(self, saying: Saying) -> str:
        """How something is said."""
        return saying.ipa or self.transcribe(saying.text, saying.language)

    def heard(self, saying: Saying) -> tuple[str, ...]:
        """The phones of something said."""
        return phones(self.ipa(saying))

    def verdict(self, saying: Saying) -> Verdict:
        """What something said is to the word."""
        heard = self.heard(saying)
        near = min(nearest_stretch(word, heard) for word in self.pronunciations)
        if near > self.floor:
            return Verdict(kind="near-miss", distance=near)
        whole = min(distance(word, heard) for word in self.pronunciations)
        return Verdict(kind="containing" if whole > self.floor else "word", distance=near)

    def _accents(self, saying: Saying) -> Iterator[str]:
        yield self.ipa(saying)
        for accent in () if saying.ipa else _ACCENTS.get(primary_tag(saying.language), ()):
            try:
                yield self.transcribe(saying.text, accent)
            except ValueError:  # an eSpeak without this accent
                continue


def floor(word: Sequence[str]) -> float:
    """The distance up to which phones count as a word's in another mouth."""
    return min(_FLOOR_MOST, _FLOOR + _FLOOR_PER_PHONE * len(word))
