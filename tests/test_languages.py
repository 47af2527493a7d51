"""The same command in other languages, spoken by what every installation has: eSpeak NG."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from small_bank import small_bank

from kws.cli import main
from kws.events import read_manifest
from synth.bank import read_bank
from synth.casting import Brief
from synth.neighbours import Amounts
from synth.phrases import sentences, words

pytest.importorskip("espeakng_loader")
FEW = Amounts(**dict.fromkeys(asdict(Amounts()), 2))


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No neural engine, few lines."""
    monkeypatch.setenv("KWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KWS_KOKORO", str(tmp_path / "no-kokoro"))
    monkeypatch.setattr("synth.bank.starter_bank", small_bank)
    monkeypatch.setattr("synth.casting.starter_bank", small_bank)
    monkeypatch.setattr("synth.casting.words", lambda language: words(language)[:8])
    monkeypatch.setattr("synth.casting.sentences", lambda language: sentences(language)[:8])
    monkeypatch.setattr(
        "kws.cli.scenes.brief_of",
        lambda wanted: Brief(word=wanted.word, sayings=wanted.sayings, amounts=FEW, made=20, takes=1, made_negatives=2),
    )


@pytest.mark.parametrize(("language", "word"), [("de", "Lampe"), ("fr", "lumière"), ("es", "hola casa")])
def test_the_same_command_makes_scenes_of_a_word_in_another_language(
    language: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(tmp_path / "data"), "--word", word, "--language", language, "--clips", "6", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["kws", "generate", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    events = Counter(event.word for recording in read_manifest(tmp_path / "data") for event in recording.events)
    assert events[word] > 0
    (folder,) = (tmp_path / "cache" / "banks").iterdir()
    bank = read_bank(folder)
    assert bank.language == language
    assert {clip.voice.split("+")[0].split("-")[0] for clip in bank.select("train", "positive")} == {
        f"espeak:{language}"
    }
    assert {clip.text for clip in bank.select("train", "sentence")} >= set(sentences(language)[:8])
    assert any(clip.kind == "near-miss" for clip in bank.clips)
