"""The texts the bank is spoken from."""

from __future__ import annotations

from importlib import resources


def words() -> list[str]:
    """Everyday words and short phrases."""
    return _lines("words.txt")


def sentences() -> list[str]:
    """English sentences, many with near-misses of "activate" in context."""
    return _lines("sentences.txt")


def foreign_sentences() -> list[tuple[str, str]]:
    """(eSpeak language, sentence) pairs."""
    pairs = [line.split(": ", 1) for line in _lines("sentences_foreign.txt")]
    return [(language, sentence) for language, sentence in pairs]


def near_misses(word: str) -> tuple[list[str], list[str]]:
    """What sounds like `word`, and what contains it whole; both empty if we have no list for it."""
    name = f"near_misses/{word.replace(' ', '_')}.txt"
    if not resources.files("synth").joinpath("texts", name).is_file():
        return [], []
    text = resources.files("synth").joinpath("texts", name).read_text(encoding="utf-8")
    near, _, containing = text.partition("# containing\n")
    return _phrases(near), _phrases(containing)


def _lines(name: str) -> list[str]:
    return _phrases(resources.files("synth").joinpath("texts", name).read_text(encoding="utf-8"))


def _phrases(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
