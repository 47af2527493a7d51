"""Kokoro-82M (Apache-2.0), run with onnxruntime from a folder of model, vocabulary and voices.

The folder holds `model.onnx`, `vocab.json` and `voices/*.bin` (float32, 510 x 1 x 256: one style row per number of
phoneme tokens); `scripts/fetch_kokoro` makes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.voices import EngineMissing, Speech

RATE_HZ = 24_000
_STYLE_ROWS, _STYLE_WIDTH = 510, 256

# eSpeak writes phonemes otherwise than the letters Kokoro learnt from; longest spellings first.
_TO_KOKORO = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("o^ʊ", "O"), ("ə^ʊ", "Q"),
    ("e^ə", "ɛː"), ("ə^l", "ᵊl"), ("^", ""), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"), ("ɐ", "ə"), ("ʔ", "t"),
)  # fmt: skip


def letters_for_kokoro(ipa: str, *, american: bool) -> str:
    """Rewrite eSpeak's IPA (phonemes tied by ^) in the letters of Kokoro's vocabulary."""
    for espeak, kokoro in _TO_KOKORO:
        ipa = ipa.replace(espeak, kokoro)
    if american:
        ipa = ipa.replace("ɜːɹ", "ɜɹ").replace("ɜː", "ɜɹ").replace("ː", "")
    return ipa


class Kokoro:
    """Speaks phonemes with a voice, or with a convex blend of two."""

    name = "kokoro"

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        if not (folder / "model.onnx").is_file():
            raise EngineMissing(f"no Kokoro model in {folder}: run scripts/fetch_kokoro {folder}")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._folder = folder
        self._styles: dict[str, NDArray[np.float32]] = {}

    def speak(self, phonemes: str, voice: str, *, speed: float = 1.0) -> Speech:
        """Speak; `voice` is a name or `first+second@0.4`, a blend with that share of the second."""
        tokens = [self._vocabulary[letter] for letter in phonemes if letter in self._vocabulary]
        if not tokens or len(tokens) >= _STYLE_ROWS:
            raise ValueError(f"Kokoro speaks 1 to {_STYLE_ROWS - 1} phonemes at a time, not {len(tokens)}")
        feed: dict[str, Any] = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": self._style(voice)[len(tokens)][None],
            "speed": np.array([speed], np.float32),
        }
        samples = np.asarray(self._session.run(None, feed)[0], np.float32).reshape(-1)
        return Speech(samples=samples, rate_hz=RATE_HZ, voice=f"kokoro:{voice}")

    def _style(self, voice: str) -> NDArray[np.float32]:
        if voice not in self._styles:
            names, _, share = voice.partition("@")
            tables = [self._table(name) for name in names.split("+")]
            second = float(share) if share else 0.0
            self._styles[voice] = tables[0] * np.float32(1 - second) + tables[-1] * np.float32(second)
        return self._styles[voice]

    def _table(self, name: str) -> NDArray[np.float32]:
        path = self._folder / "voices" / f"{name}.bin"
        if not path.is_file():
            raise EngineMissing(f"no Kokoro voice {name} in {path.parent}: run scripts/fetch_kokoro {self._folder}")
        return np.fromfile(path, np.float32).reshape(_STYLE_ROWS, _STYLE_WIDTH)
