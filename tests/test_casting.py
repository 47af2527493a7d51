from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from fake_engines import ToneEngine, spelled
from small_bank import small_bank

from kws.errors import Failure
from synth.bank import INDEX, Bank, read_bank
from synth.casting import Brief, Line, Studio, bank_name, build_bank, further_mouths, near, plan
from synth.crew import Processes
from synth.neighbours import Amounts
from synth.phrases import foreign_sentences, words
from synth.speech import SpeechCache
from synth.voices import Engine, Saying

FEW = Amounts(**dict.fromkeys(asdict(Amounts()), 1))
BRIEF = Brief(
    word="lantern",
    sayings=(Saying(text="lantern"),),
    amounts=FEW,
    neural=8,
    made=10,
    held_out=2,
    takes=1,
    made_negatives=4,
)


def company() -> list[Engine]:
    """A neural engine and a fast one."""
    fast = {"train": ("en-us+m2", "en-us+f2"), "validation": (), "test": ("en-us+m1",)}
    return [ToneEngine("tone"), ToneEngine("espeak", speakers=fast)]


@pytest.fixture(scope="module", autouse=True)
def small_starter_bank() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.casting.starter_bank", small_bank)
        yield


def planned(brief: Brief = BRIEF, engines: list[Engine] | None = None) -> list[Line]:
    return plan(brief, near(brief, spelled), engines or company())


def studio(engines: list[Engine], cache: Path) -> Studio:
    return Studio(engines=engines, transcribe=spelled, cache=SpeechCache(cache), crew=Processes(1))


def built(folder: Path, cache: Path, brief: Brief = BRIEF) -> Bank:
    for _ in build_bank(folder, brief, studio(company(), cache)):
        pass
    return read_bank(folder)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return built(tmp_path_factory.mktemp("bank"), tmp_path_factory.mktemp("cache"))


def test_the_word_is_said_as_often_as_the_brief_asks() -> None:
    said = Counter((line.split, line.engine) for line in planned() if line.kind == "positive")
    assert said["train", 0] == BRIEF.neural
    assert said["train", 1] == 2
    assert said["validation", 0] == said["test", 0] == BRIEF.held_out


def test_no_voice_is_heard_in_two_splits() -> None:
    splits: dict[tuple[int, str], set[str]] = {}
    for line in planned():
        for voice in line.voice.partition("@")[0].split("+") if line.engine == 0 else [line.voice]:
            splits.setdefault((line.engine, voice), set()).add(line.split)
    assert {who: found for who, found in splits.items() if len(found) > 1} == {}


def test_every_pronunciation_is_said_and_counts_as_the_word() -> None:
    brief = replace(BRIEF, sayings=(Saying(text="lantern"), Saying(text="lan-turn"), Saying(text="x", ipa="lant3n")))
    positives = [line for line in planned(brief) if line.kind == "positive"]
    assert {line.text for line in positives} == {"lantern"}
    counted = Counter(line.saying.text for line in positives)
    assert max(counted.values()) - min(counted.values()) <= 1
    assert {line.saying.ipa for line in positives if line.saying.text == "x"} == {"lant3n"}


def test_the_same_brief_gives_the_same_plan() -> None:
    assert planned() == planned()
    assert planned() != planned(replace(BRIEF, seed=2))


def test_general_words_are_spoken_alike_for_every_word_of_a_language() -> None:
    def general(word: str) -> list[Line]:
        engines: list[Engine] = [ToneEngine("tone", language="de")]
        brief = replace(BRIEF, word=word, sayings=(Saying(text=word, language="de"),))
        return [line for line in plan(brief, [], engines) if line.kind in {"negative", "sentence"}]

    assert general("lampe") == general("fenster") != []


def test_a_language_nobody_speaks_is_told() -> None:
    brief = replace(BRIEF, sayings=(Saying(text="lantern", language="tlh"),))
    with pytest.raises(Failure, match="kws voices --language tlh"):
        plan(brief, [], company())


def test_a_bank_holds_positives_of_further_mouths(bank: Bank) -> None:
    voices = [clip.voice for clip in bank.select("train", "positive")]
    assert sum("~" in voice for voice in voices) == BRIEF.made - 2
    assert {clip.voice for clip in bank.clips if "~" in clip.voice and clip.split != "train"} == set()


def test_a_bank_may_do_without_further_mouths_and_bring_what_any_word_is_taught_against(tmp_path: Path) -> None:
    """As scripts/build_bank asks: fewer made than the fast engines say alone, and then none among negatives either."""
    brief = replace(BRIEF, made=0, made_negatives=0, general=True)
    bank = built(tmp_path / "bank", tmp_path / "cache", brief)
    assert bank.general
    assert not any("~" in clip.voice for clip in bank.clips)
    assert {clip.text for clip in bank.select("train", "negative")} == set(words())
    assert {text for _, text in foreign_sentences()} <= {clip.text for clip in bank.select("train", "sentence")}


def test_negatives_pass_the_vocoder_too(bank: Bank) -> None:
    made = Counter(clip.kind for clip in bank.select("train") if "~" in clip.voice)
    assert made["near-miss"] > 0
    assert made["negative"] + made["sentence"] >= BRIEF.made_negatives


def test_a_bank_says_whose_sound_it_is(bank: Bank) -> None:
    assert bank.licences == ("tone: ours", "espeak: ours")
    assert bank.language == "en-us"


def test_a_second_build_speaks_from_the_cache_and_gives_the_same(bank: Bank, tmp_path: Path) -> None:
    built(tmp_path / "one", tmp_path / "cache")
    again = built(tmp_path / "two", tmp_path / "cache")
    index = (tmp_path / "one" / INDEX).read_bytes()
    assert index == (tmp_path / "two" / INDEX).read_bytes()
    assert [clip.voice for clip in again.clips] == [clip.voice for clip in bank.clips]
    for mine, other in zip(again.clips, bank.clips, strict=True):
        np.testing.assert_array_equal(mine.samples, other.samples)


def test_other_engines_or_pronunciations_make_another_bank() -> None:
    names = {
        bank_name(BRIEF, company()),
        bank_name(BRIEF, company()[:1]),
        bank_name(replace(BRIEF, sayings=(Saying(text="lan-turn"),)), company()),
    }
    assert len(names) == 3
    assert all(name.startswith("lantern-") for name in names)


def test_an_engine_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    engines: list[Engine] = [ToneEngine("tone", broken=True)]
    with pytest.raises(Failure, match="tone is not installed: pip install tone"):
        list(build_bank(tmp_path / "bank", BRIEF, studio(engines, tmp_path)))
    assert not (tmp_path / "bank" / INDEX).exists()


def test_further_mouths_take_every_clip_in_turn(bank: Bank) -> None:
    parents = bank.select("train", "positive")[:3]
    made = further_mouths(parents, 6, seed=1)
    assert Counter(clip.voice for clip in made) == {
        f"{voice}~": 2 * count for voice, count in Counter(clip.voice for clip in parents).items()
    }
    assert further_mouths(parents, 6, seed=1)[0].samples.tobytes() == made[0].samples.tobytes()
