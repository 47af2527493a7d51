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


def near_misses(word: str) -> dict[str, str]:
    """What sounds like `word`, as near-miss or as containing it whole; empty if we have no list for it."""
    name = f"near_misses/{word.replace(' ', '_')}.txt"
    if not resources.files("synth").joinpath("texts", name).is_file():
        return {}
    return {line.removeprefix("+ "): "containing" if line.startswith("+ ") else "near-miss" for line in _lines(name)}


def _lines(name: str) -> list[str]:
    text = resources.files("synth").joinpath("texts", name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
