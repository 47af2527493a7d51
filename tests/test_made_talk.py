"""Made talk: the same each time, spoken once, its splits' voices apart, and without the word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engines import ToneEngine

from kws.audio import RATE_HZ, frame_levels, read_audio
from synth import made_talk
from synth.made_talk import Reel, SayReel, TalkCache, reels
from synth.voices import Saying, Speech, Split

MANY: dict[Split, dict[str, int]] = {"train": {"tone": 45}, "validation": {"tone": 25}, "test": {"tone": 0}}
ENGINE = ToneEngine("tone")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_talk, "_UTTERANCES", MANY)


def spoken(reel: Reel, cache: TalkCache, engine: ToneEngine = ENGINE) -> Path | None:
    return SayReel([reel], (engine,), cache)(0)


def test_reels_are_the_same_each_time_and_their_voices_belong_to_one_split() -> None:
    train, validation = reels([ENGINE], "en-us", "train"), reels([ENGINE], "en-us", "validation")
    assert train == reels([ENGINE], "en-us", "train")
    assert [len(reel.lines) for reel in train] == [20, 20, 5]
    assert {line.voice for reel in train for line in reel.lines} <= set(ENGINE.speakers["train"])
    assert {line.voice for reel in validation for line in reel.lines} == set(ENGINE.speakers["validation"])
    assert {line.text for reel in train for line in reel.lines}.isdisjoint(
        line.text for reel in validation for line in reel.lines
    )
    assert reels([ENGINE], "en-us", "test") == []
    assert reels([ToneEngine("unheard-of")], "en-us", "train") == [], "an engine that no amount is known for"


def test_utterances_are_strings_of_words_in_the_words_own_language_first() -> None:
    lines = [line for reel in reels([ENGINE], "en-us", "train") for line in reel.lines]
    assert all(line.saying.language in {"en-us", "en"} for line in lines), "the others nobody speaks here"
    assert 5 <= np.median([len(line.text.split()) for line in lines]) <= 14
    assert len({line.text for line in lines}) > 0.9 * len(lines)


def test_a_reel_holds_a_word_even_inside_a_longer_one() -> None:
    line = reels([ENGINE], "en-us", "train")[0].lines[0]
    reel = Reel(engine="tone", split="train", lines=(replace(line, text="He re-activated it, at last."),))
    assert reel.holds("activate")
    assert reel.holds("at last")
    assert not reel.holds("last it")


def test_a_reel_is_spoken_once_with_pauses_and_levels_of_its_own(tmp_path: Path) -> None:
    cache, reel = TalkCache(tmp_path), reels([ENGINE], "en-us", "train")[0]
    path = spoken(reel, cache)
    assert path is not None
    sound = read_audio(path)
    assert 20 * 0.6 < len(sound) / RATE_HZ < 20 * 1.6
    levels = frame_levels(sound)
    assert levels.min() < 0.001
    assert levels.max() > 0.01
    assert spoken(reel, cache, ToneEngine("tone", broken=True)) == path, "it is kept"
    assert np.array_equal(read_audio(spoken(reel, TalkCache(tmp_path / "anew")) or Path()), sound)


def test_what_cannot_be_said_is_left_out(tmp_path: Path) -> None:
    reel = reels([ENGINE], "en-us", "train")[2]
    unsayable = [replace(line, saying=Saying(text="x", language="en", ipa="ʘ")) for line in reel.lines]
    some = spoken(replace(reel, lines=(*unsayable, *reel.lines)), TalkCache(tmp_path / "some"))
    whole = spoken(reel, TalkCache(tmp_path / "whole"))
    assert some is not None
    assert whole is not None
    assert len(read_audio(some)) == pytest.approx(len(read_audio(whole)), rel=0.5)
    cache = TalkCache(tmp_path / "none")
    assert spoken(replace(reel, lines=tuple(unsayable)), cache) is None
    assert spoken(replace(reel, lines=tuple(unsayable)), cache) is None, "as before"


def test_a_voice_that_says_nothing_audible_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> Speech:
        return Speech(samples=np.zeros(RATE_HZ, np.float32), rate_hz=RATE_HZ, voice="tone:a")

    monkeypatch.setattr(ToneEngine, "speak", silent)
    assert spoken(reels([ENGINE], "en-us", "train")[0], TalkCache(tmp_path)) is None
