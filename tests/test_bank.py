"""Banks: clips come back from their packs where they were put, damage is told; and the texts a bank is spoken from."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_bank import small_bank, tone_word

from kws.audio import Samples
from kws.cli.scenes import Wanted, open_banks
from kws.errors import Failure
from synth.bank import Bank, Clip, read_bank, write_bank
from synth.crew import Processes
from synth.phrases import foreign_sentences, near_misses, sentences, words
from synth.voices import KOKORO_TEST, KOKORO_TRAIN, KOKORO_VALIDATION

WRITTEN = small_bank()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank on disk, in more packs than one a split."""
    folder = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.bank._PACK_S", 5.0)
        write_bank(folder, WRITTEN, ".ogg")
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def said(clip: Clip) -> tuple[str, str, str, str, float, int]:
    return clip.text, clip.kind, clip.split, clip.voice, clip.speed, len(clip.samples)


def alike(first: Samples, second: Samples) -> float:
    return float(np.dot(first, second) / np.linalg.norm(first) / np.linalg.norm(second))


def test_every_clip_comes_back_with_what_is_known_of_it(folder: Path) -> None:
    read = read_bank(folder)
    assert read.word == "activate"
    assert sorted(map(said, read.clips)) == sorted(map(said, WRITTEN.clips))
    assert len(list(folder.glob("train-*.ogg"))) > 1


def test_clips_lie_in_their_packs_to_the_sample(folder: Path) -> None:
    """Opus loses detail but not place: moved by more than two samples, a clip is less like what was written."""
    read = {(clip.text, clip.voice): clip.samples for clip in read_bank(folder).clips}
    for clip in WRITTEN.clips:
        likeness = {lag: alike(read[clip.text, clip.voice], np.roll(clip.samples, lag)) for lag in range(-30, 31)}
        best = max(likeness, key=lambda lag: likeness[lag])
        assert abs(best) <= 2
        assert likeness[best] > 0.7


def test_a_clip_holds_nothing_of_its_neighbours(tmp_path: Path) -> None:
    loud, silent = tone_word(200, 0.5, 1.0), np.zeros(8000, np.float32)
    clips = [
        Clip(text=str(number), kind="negative", split="train", voice="tone:a", speed=1.0, samples=samples)
        for number, samples in enumerate((loud, silent, loud))
    ]
    write_bank(tmp_path, Bank(word="activate", clips=tuple(clips)), ".ogg")
    assert np.abs(read_bank(tmp_path).clips[1].samples).max() < 0.01


def test_clips_are_chosen_by_split_and_kind() -> None:
    assert {clip.split for clip in WRITTEN.select("validation")} == {"validation"}
    assert {clip.kind for clip in WRITTEN.select("train", "positive", "sentence")} == {"positive", "sentence"}


def test_a_bank_that_could_not_be_written_whole_is_no_bank(tmp_path: Path) -> None:
    (tmp_path / ".train-tone-00.flac.part").mkdir()
    with pytest.raises(Failure, match="cannot write"):
        write_bank(tmp_path, Bank(word="activate", clips=WRITTEN.clips[:1]))
    with pytest.raises(Failure, match="no bank in"):
        read_bank(tmp_path)


def test_a_missing_bank_is_told_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"index\.jsonl is missing\): leave --bank out"):
        read_bank(tmp_path)


# Damage


def test_a_missing_pack_is_named(copy: Path) -> None:
    (copy / "train-tone-00.ogg").unlink()
    with pytest.raises(Failure, match=r"train-tone-00\.ogg does not exist"):
        read_bank(copy)


@pytest.mark.parametrize("keep", [0, 20, 5000])
def test_a_pack_cut_short_is_told(copy: Path, keep: int) -> None:
    pack = copy / "train-tone-00.ogg"
    pack.write_bytes(pack.read_bytes()[:keep])
    with pytest.raises(Failure, match=r"train-tone-00\.ogg"):
        read_bank(copy)


@pytest.mark.parametrize(
    "change",
    [{"samples": 10**7}, {"start": 10**9}, {"start": -5}, {"samples": -1}, {"pack": 3}, {"start": "early"}],
    ids=str,
)
def test_an_index_that_does_not_fit_its_packs_is_told(copy: Path, change: dict[str, object]) -> None:
    lines = (copy / "index.jsonl").read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    (copy / "index.jsonl").write_text("\n".join(lines))
    with pytest.raises(Failure, match="is damaged"):
        read_bank(copy)


@pytest.mark.parametrize("index", ["", "{}", "3", "[]", '{"word": "activate"}\n{}', "\xff"])
def test_an_index_of_something_else_is_told(copy: Path, index: str) -> None:
    (copy / "index.jsonl").write_bytes(index.encode("latin-1"))
    with pytest.raises(Failure, match="is damaged"):
        read_bank(copy)


@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_a_damaged_index_is_read_or_told_but_never_a_surprise(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = tmp_path_factory.getbasetemp() / "damaged_bank"
    damaged.mkdir(exist_ok=True)
    for pack in folder.glob("*.ogg"):
        if not (damaged / pack.name).exists():
            (damaged / pack.name).symlink_to(pack)
    content = bytearray((folder / "index.jsonl").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    (damaged / "index.jsonl").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(Failure):
        assert isinstance(read_bank(damaged), Bank)


# Which banks are opened


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> Bank:
    bank = Bank(word="activate", general=True, clips=WRITTEN.clips[:1])
    monkeypatch.setattr("synth.bank.starter_bank", lambda: bank)
    return bank


def test_without_a_bank_the_starter_bank_is_opened(starter: Bank) -> None:
    assert open_banks(Wanted(word="activate"), Processes(1)) == (starter,)


def test_a_bank_with_its_own_words_and_sentences_stands_alone(starter: Bank, folder: Path) -> None:
    (bank,) = open_banks(Wanted(word="activate", banks=(folder,)), Processes(1))
    assert bank.general
    assert bank is not starter


def test_the_starter_bank_adds_words_to_a_bank_that_has_none(starter: Bank, tmp_path: Path) -> None:
    positives = [clip for clip in small_bank("lantern").clips if clip.kind == "positive"]
    write_bank(tmp_path, Bank(word="lantern", clips=tuple(positives[:2])))
    lantern, added = open_banks(Wanted(word="lantern", banks=(tmp_path,)), Processes(1))
    assert lantern.word == "lantern"
    assert added is starter


@pytest.mark.parametrize("asked", [{"word": "lantern"}, {"says": ("act-iv-ate",)}, {"language": "de"}])
def test_a_word_or_a_way_to_say_it_that_no_bank_holds_is_spoken(
    asked: dict[str, Any], starter: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bank(tmp_path, Bank(word="spoken", clips=WRITTEN.clips[:1]))
    monkeypatch.setattr("kws.cli.scenes.speak_bank", lambda *_: tmp_path)
    wanted = Wanted(**{"word": "activate", **asked})
    spoken, added = open_banks(wanted, Processes(1))
    assert spoken.word == "spoken"
    assert [clip.text for clip in added.clips] == (["activate"] if wanted.word == "lantern" else [])


# Texts and voices


def _near(word: str) -> list[str]:
    return [text for text, kind in near_misses(word).items() if kind == "near-miss"]


def test_there_are_enough_negatives_and_near_misses() -> None:
    assert len(_near("activate")) >= 60
    assert len({text.casefold() for text in (*words(), *_near("activate"))}) >= 400
    assert {"activated", "active", "activity", "captivate", "motivate", "act", "vacate"} <= set(near_misses("activate"))


def test_no_negative_is_the_word_itself() -> None:
    for text in (*words(), *sentences(), *_near("activate")):
        assert "activate" not in text.casefold(), text
    assert "activate" not in near_misses("activate")


def test_what_sounds_like_the_whole_word_is_no_near_miss() -> None:
    kinds = near_misses("activate")
    assert {kinds[text] for text in ("activated", "active eight", "activator")} == {"containing"}


@pytest.mark.parametrize("word", ["activate", "smart mirror"])
def test_every_listed_word_has_near_misses(word: str) -> None:
    assert _near(word)
    assert word not in _near(word)


def test_a_word_without_a_list_has_no_near_misses() -> None:
    assert near_misses("lantern") == {}


def test_foreign_sentences_name_their_language() -> None:
    assert all(language.replace("-", "").isalpha() and sentence for language, sentence in foreign_sentences())


def test_no_voice_is_in_two_splits() -> None:
    everyone = (*KOKORO_TRAIN, *KOKORO_VALIDATION, *KOKORO_TEST)
    assert len(set(everyone)) == len(everyone)
    assert len(KOKORO_TRAIN) == 29
