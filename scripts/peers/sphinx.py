"""pocketsphinx: MODEL is any phrase, or several. Its dictionary lacks some words; how those are said is ours.

One pass at a very low threshold tells each detection's likelihood ratio against its loop of phones, from which every
higher threshold follows; a score is that ratio's logarithm, moved so that its default threshold of 1e-30 comes to 0.5.
"""

from __future__ import annotations

import math
import tempfile

from pocketsphinx import Decoder
from talk import Pcm, Stepper, main

SAID = {"nabu": ("N AA B UW", "N AE B UW"), "mycroft": ("M AY K R AO F T", "M AY K R AA F T")}
_LOWEST, _USUAL, _PER_LOGIT = 1e-60, -30.0, 5.0
"""The threshold of the one pass; its own default and how far apart scores lie, as powers of ten."""
_BASE, _MOST, _SHIFT = 1.0001, 1500, 1024
"""Of its logarithms; what it takes from each ratio, and how many of its units that is (its source: KWS_MAX, 2^10)."""
_CHUNK = 1024


class Sphinx(Stepper):
    """A score for each 64 ms: of what was detected in them, else 0."""

    threshold = 0.5

    def __init__(self, phrases: str, threshold: float = _LOWEST) -> None:
        self._phrases, self._threshold = phrases.split(","), threshold
        self.word = self._phrases[0]
        super().__init__(_CHUNK)

    def begin(self) -> None:
        """Begin anew with a decoder of its own, since it adapts to what it hears."""
        self._decoder = Decoder(lm=None, keyphrase=None, kws_threshold=self._threshold, loglevel="FATAL")
        for word in {word for phrase in self._phrases for word in phrase.split()}:
            if self._decoder.lookup_word(word) is None:
                for number, phones in enumerate(SAID[word], 1):
                    self._decoder.add_word(word if number == 1 else f"{word}({number})", phones, True)
        with tempfile.NamedTemporaryFile("w") as listed:
            listed.writelines(f"{phrase} /{self._threshold}/\n" for phrase in self._phrases)
            listed.flush()
            self._decoder.add_kws("words", listed.name)
        self._decoder.activate_search("words")
        self._decoder.start_utt()
        self._told: set[tuple[str, int, int, float]] = set()

    def score(self, chunk: Pcm) -> list[float]:
        """Of the sound up to its end."""
        self._decoder.process_raw(chunk.tobytes(), False, False)
        best = [0.0] * len(self._phrases)
        if self._decoder.hyp() is None:
            return best
        found = {(part.word, part.start_frame, part.end_frame, part.prob) for part in self._decoder.seg() or ()}
        for phrase, _, _, share in found - self._told:
            number = self._phrases.index(phrase.strip())
            best[number] = max(best[number], _score_of(share))
        self._told = found
        return best


def _score_of(share: float) -> float:
    """The score of a detection's probability as it tells it."""
    ratio = (math.log(share) / math.log(_BASE) + _MOST) * _SHIFT * math.log10(_BASE)
    return 1 / (1 + math.exp(-(ratio - _USUAL) / _PER_LOGIT))


if __name__ == "__main__":
    main(Sphinx, lambda phrases: Sphinx(phrases, 10**_USUAL))
