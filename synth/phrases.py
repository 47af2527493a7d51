"""The texts that banks are spoken from, by language (as eSpeak names it: en-us, de, pt-br …)."""

from __future__ import annotations

from importlib import resources

from synth.voices import primary_tag


def words(language: str = "en-us") -> list[str]:
    """Everyday words and short phrases of a language; English ones if we have none, which its voices then read out."""
    return _lines(f"words_{primary_tag(language)}.txt") or _lines("words.txt")


def sentences(language: str = "en-us") -> list[str]:
    """Sentences of a language, else our few foreign ones, else English (many with near-misses of "activate")."""
    few = [sentence for tongue, sentence in foreign_sentences() if primary_tag(tongue) == primary_tag(language)]
    return _lines(f"sentences_{primary_tag(language)}.txt") or few or _lines("sentences.txt")


def carriers(language: str) -> list[str]:
    """Sentences of a language with {} where any word or phrase may stand; empty if we have none."""
    return _in_language("carriers.txt", language)


def affixes(language: str) -> list[str]:
    """How longer words are made from a word {} of a language; empty if we have none."""
    return _in_language("affixes.txt", language)


def foreign_sentences() -> list[tuple[str, str]]:
    """(eSpeak language, sentence) pairs."""
    return _pairs("sentences_foreign.txt")


def near_misses(word: str) -> dict[str, str]:
    """What sounds like `word`, as near-miss or as containing it whole; empty if we have no list for it."""
    lines = _lines(f"near_misses/{word.replace(' ', '_')}.txt")
    return {line.removeprefix("+ "): "containing" if line.startswith("+ ") else "near-miss" for line in lines}


def _in_language(name: str, language: str) -> list[str]:
    return [line for tongue, line in _pairs(name) if tongue == primary_tag(language)]


def _pairs(name: str) -> list[tuple[str, str]]:
    pairs = [line.split(": ", 1) for line in _lines(name)]
    return [(language, line) for language, line in pairs]


def _lines(name: str) -> list[str]:
    """The lines of a text without comments and repetitions; none if there is no such text."""
    path = resources.files("synth").joinpath("texts", name)
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
