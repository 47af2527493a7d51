"""Kokoro-82M (Apache-2.0), run with onnxruntime on phonemes that eSpeak NG transcribes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.runtime import onnxruntime
from synth.espeak import Espeak, as_espeak_writes
from synth.kokoro_files import STYLE_ROWS, KokoroFiles
from synth.manner import draw_pace, manner
from synth.voices import KOKORO_TEST, KOKORO_TRAIN, KOKORO_VALIDATION, EngineMissing, Saying, Speech, Split, primary_tag

RATE_HZ = 24_000
ENDINGS = (".", "", "!", "?", ",")
"""Each gives a word another melody."""
LEARNT = frozenset({"en", "es", "fr", "hi", "it", "pt"})
"""What Kokoro was trained on, of what eSpeak transcribes for it."""
LANGUAGES = LEARNT | {"ca", "de", "el", "fi", "hu", "id", "nl", "pl", "ro", "ru", "sv", "sw", "tr", "uk"}
"""And those whose phonemes its vocabulary has, or has a neighbour of: spoken with the accents of its voices."""

_SPLITS: dict[Split, tuple[str, ...]] = {"train": KOKORO_TRAIN, "validation": KOKORO_VALIDATION, "test": KOKORO_TEST}

# eSpeak writes phonemes otherwise than the letters Kokoro learnt from; longest spellings first.
_TIED = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("d^z", "ʣ"), ("d^ʑ", "ʥ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("t^s", "ʦ"),
    ("t^ɕ", "ʨ"), ("ɔ^ɪ", "Y"), ("ɔ^ø", "Y"), ("o^ʊ", "O"), ("ə^ʊ", "Q"),
)  # fmt: skip
_ENGLISH = (
    ("e^ə", "ɛː"), ("ə^l", "ᵊl"), ("^", ""), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"), ("ɐ", "ə"), ("ʔ", "t"),
)  # fmt: skip
_AMERICAN = (("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ː", ""))
_ELSEWHERE = (("^", ""), ("ʏ", "y"), ("ɵ", "ø"), ("ʉ", "u"), ("ʑ", "ʒ"), ("ɫ", "l"), ("ɭ", "l"))
_GERMAN = (("ɜ", "ɐ"),)  # eSpeak's letter for the vowel of -er


def letters_for_kokoro(ipa: str, language: str) -> str:
    """Rewrite eSpeak's IPA (phonemes tied by ^) in the letters of Kokoro's vocabulary."""
    primary = primary_tag(language)
    rewrites = _TIED + (_ENGLISH if primary == "en" else _ELSEWHERE)
    if language.lower().startswith("en-us"):
        rewrites += _AMERICAN
    if primary == "de":
        rewrites += _GERMAN
    for espeak, kokoro in rewrites:
        ipa = ipa.replace(espeak, kokoro)
    return ipa


class Kokoro:
    """Speaks with a voice or with a convex blend of two, `first+second@0.4` with that share of the second.

    The seed draws pace and ending.
    """

    name = "kokoro"
    licence = "speech by Kokoro-82M of hexgrad (Apache-2.0)"

    def __init__(self, folder: Path, *, espeak: Espeak | None = None, threads: int = 1) -> None:
        self._files = KokoroFiles(folder)
        self._espeak = espeak or Espeak()
        self._threads = threads
        self._styles: dict[str, NDArray[np.float32]] = {}
        self._session: Any = None
        self._owner = 0
        self._digest = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}

    @property
    def identity(self) -> str:
        """The model, and what transcribes for it."""
        self._digest = self._digest or self._files.digest()
        return f"model {self._digest}, {self._espeak.identity}"

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        """The plain voices of a split; two of them make a blend of that split."""
        if primary_tag(language) not in LANGUAGES:
            return ()
        return tuple(voice for voice in _SPLITS[split] if voice in self._files.voices)

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        """Say it.

        Raises ValueError for a phoneme that the vocabulary lacks, for too many of them, or for a voice or blend that
        belongs to no split.
        """
        style = self._style(voice)
        draw = manner(saying, voice, seed)
        speed = draw_pace(draw)
        ipa = as_espeak_writes(saying.ipa) if saying.ipa else self._espeak.phonemes(saying.text, saying.language)
        letters = letters_for_kokoro(ipa, saying.language) + str(draw.choice(ENDINGS))
        numbers = self._files.vocabulary
        strange = [letter for letter in letters if letter not in numbers]
        if strange:
            raise ValueError(f"Kokoro cannot say {strange[0]!r} of {ipa!r}: respell it")
        samples = self._run([numbers[letter] for letter in letters], style, speed)
        return Speech(samples=samples, rate_hz=RATE_HZ, voice=f"kokoro:{voice}")

    def close(self) -> None:
        """Let go of the model, and end eSpeak's child process."""
        self._session = None
        self._espeak.close()

    def _run(self, tokens: list[int], style: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
        if not 0 < len(tokens) < STYLE_ROWS:
            raise ValueError(f"Kokoro speaks 1 to {STYLE_ROWS - 1} phonemes at a time, not {len(tokens)}")
        session = self._opened()
        values = {"style": style[len(tokens)][None], "speed": np.array([speed], np.float32)}
        padded = np.array([[0, *tokens, 0]], np.int64)  # an export names its tokens "tokens" or "input_ids"
        feed = {taken.name: values.get(taken.name, padded) for taken in session.get_inputs()}
        return np.asarray(session.run(None, feed)[0], np.float32).reshape(-1)

    def _opened(self) -> Any:
        """The session of this process."""
        if self._session is None or self._owner != os.getpid():
            runtime = onnxruntime()
            options = runtime.SessionOptions()
            options.intra_op_num_threads = self._threads
            try:
                self._session = runtime.InferenceSession(str(self._files.model), options)
            except Exception as error:
                raise EngineMissing(f"{self._files.model} is no model that onnxruntime can run: get another") from error
            self._owner = os.getpid()
        return self._session

    def _style(self, voice: str) -> NDArray[np.float32]:
        if voice not in self._styles:
            names, _, share = voice.partition("@")
            parents = names.split("+")
            if not any(set(parents) <= set(voices) for voices in _SPLITS.values()) or len(parents) > 2:
                raise ValueError(f"{voice} is no Kokoro voice of one split, nor a blend of two")
            tables = [self._files.table(name) for name in parents]
            second = float(share) if share else 0.5 * (len(parents) - 1)
            self._styles[voice] = tables[0] * np.float32(1 - second) + tables[-1] * np.float32(second)
        return self._styles[voice]
