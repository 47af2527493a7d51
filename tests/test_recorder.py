"""A take is judged from its samples alone, against the room it was recorded in, and no file is ever written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from small_bank import tone_word

from kws.audio import RATE_HZ, Samples, amplitude, rms
from kws.errors import Failure
from kws.recorder import SETTLE_S, TAKE_S, Shelf, judge, keep_talk, safe_name, take_word
from kws.sources import in_chunks

WORD = tone_word(300, 0.7, 1.0)[RATE_HZ // 20 : -RATE_HZ // 20]
TOTAL = round(TAKE_S * RATE_HZ)


def a_take(
    level_db: float = -20, floor_db: float = -60, at_s: float = 1.0, seed: int = 1, constant: float = 0.0
) -> Samples:
    """The word at a level in a room of white noise."""
    samples = np.random.default_rng(seed).normal(size=TOTAL) * amplitude(floor_db) + constant
    first = round(at_s * RATE_HZ)
    heard = WORD[: max(0, TOTAL - first)]
    samples[first : first + len(heard)] += heard * (amplitude(level_db) / rms(WORD))
    return np.clip(samples, -1, 1).astype(np.float32)


@given(
    level_db=st.floats(-40, -15), over_db=st.floats(22, 60), at_s=st.floats(0.1, 2.2), seed=st.integers(0, 99),
    constant=st.floats(-0.02, 0.02),
)  # fmt: skip
def test_a_clear_word_is_good_wherever_it_is_and_trimmed_to_itself(
    level_db: float, over_db: float, at_s: float, seed: int, constant: float
) -> None:
    taken = judge(a_take(level_db, level_db - over_db, at_s, seed, constant))
    assert taken.fault == "" and taken.heard
    assert taken.level_db == pytest.approx(level_db, abs=1)
    assert taken.floor_db == pytest.approx(level_db - over_db, abs=1.5)
    assert taken.seconds == pytest.approx(0.7, abs=0.05)
    sound = a_take(level_db, level_db - over_db, at_s, seed, constant)
    sound = (sound - sound.mean(dtype=np.float64)).astype(np.float32)
    (first,) = (at for at in range(0, TOTAL, 160) if np.array_equal(sound[at : at + 480], taken.samples[:480]))
    assert first / RATE_HZ == pytest.approx(at_s - 0.05, abs=0.03)
    assert np.array_equal(sound[first : first + len(taken.samples)], taken.samples)


@pytest.mark.parametrize(
    ("samples", "heard", "why"),
    [
        (np.zeros(TOTAL, np.float32), False, "nothing at all came"),
        (np.zeros(0, np.float32), False, "nothing at all came"),
        (a_take(-300), False, "nothing was heard"),
        (a_take(-25, -30), False, "which is loud (-30 dB)"),
        (a_take(-25, -40), True, "too noisy"),
        (a_take(-50, -80), True, "too quiet (-50 dB)"),
        (a_take(at_s=2.6), True, "cut off"),
        (a_take(at_s=0.0), True, "cut off"),
        (np.resize(WORD, TOTAL), False, "nothing stood out"),
        (np.resize(np.r_[WORD, np.zeros(RATE_HZ // 4)], TOTAL), True, "all the time"),
        (np.clip(a_take(-20) * 40, -1, 1), True, "clipped"),
    ],
)
def test_a_take_that_is_no_good_is_told_why(samples: Samples, heard: bool, why: str) -> None:
    taken = judge(samples)
    assert taken.heard == heard
    assert why in taken.fault


def test_a_key_pressed_before_the_word_is_not_the_word() -> None:
    samples = a_take(-25, -65, at_s=1.5)
    samples[8000:8400] += 0.9 * np.hanning(400).astype(np.float32)
    taken = judge(samples)
    assert taken.fault == ""
    assert taken.seconds == pytest.approx(0.7, abs=0.05)


def test_a_key_alone_is_nothing() -> None:
    samples = a_take(-300, -65)
    samples[16000:16400] += 0.9 * np.hanning(400).astype(np.float32)
    assert "nothing was heard" in judge(samples).fault


def test_a_phrase_with_a_short_pause_stays_whole() -> None:
    samples = np.maximum(a_take(at_s=0.3), 0) + a_take(at_s=1.3)
    assert judge(samples.astype(np.float32)).seconds == pytest.approx(1.7, abs=0.05)


@given(sizes=st.lists(st.integers(100, 20_000), min_size=1, max_size=8))
def test_a_take_is_what_was_heard_from_a_little_before_the_prompt_on_without_a_gap(sizes: list[int]) -> None:
    sound = np.arange(6 * RATE_HZ, dtype=np.float32)
    prompted = []

    def chunks() -> Iterator[Samples]:
        cuts = np.cumsum(np.resize(sizes, len(sound)))
        yield from np.split(sound, cuts[cuts < len(sound)])

    taken = take_word(chunks(), lambda: prompted.append(True))
    assert prompted == [True]
    assert np.array_equal(taken, np.arange(taken[0], taken[0] + len(taken)))
    assert SETTLE_S - 0.41 <= taken[0] / RATE_HZ <= SETTLE_S - 0.39 + 20_000 / RATE_HZ
    assert len(taken) >= TAKE_S * RATE_HZ


def test_a_word_begun_a_little_before_the_prompt_is_whole() -> None:
    sound = np.pad(WORD, (round((SETTLE_S - 0.2) * RATE_HZ), 4 * RATE_HZ))
    taken = judge(take_word(in_chunks(sound), lambda: None))
    assert (taken.fault, taken.heard) == ("", True)
    assert taken.seconds == pytest.approx(0.7, abs=0.05)


def test_a_source_that_ends_gives_what_there_was() -> None:
    assert len(take_word(iter([]), lambda: None)) == 0
    assert judge(take_word(iter([WORD]), lambda: None)).fault


def test_files_are_counted_on_and_never_written_over(tmp_path: Path) -> None:
    for name in ("hey-007.wav", "hey-x.wav", "heyday-900.flac", "hey-002.flac"):
        (tmp_path / name).write_text("mine")
    for expected in ("hey-008.flac", "hey-009.flac"):
        assert Shelf(tmp_path, "hey").put(WORD).name == expected
    assert soundfile.info(tmp_path / "hey-008.flac").samplerate == RATE_HZ
    assert (tmp_path / "hey-007.wav").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_a_failure_and_leaves_no_half_file(small_disk: Path) -> None:
    shelf = Shelf(small_disk / "takes", "hey")
    noise = np.random.default_rng(1).normal(size=20 * RATE_HZ).astype(np.float32) / 4
    shelf.put(noise[:RATE_HZ])
    with pytest.raises(Failure, match=r"cannot write .*hey-002.flac .*No space left"):
        shelf.put(noise)
    assert [path.name for path in shelf.folder.iterdir()] == ["hey-001.flac"]


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot write"):
        Shelf(tmp_path / "file" / "takes", "hey")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Failure])
def test_talk_that_is_stopped_is_kept_up_to_there(tmp_path: Path, stop: type[BaseException]) -> None:
    def chunks() -> Iterator[Samples]:
        yield from np.split(np.tile(WORD, 4)[: 2 * RATE_HZ], 4)
        raise stop

    shelf = Shelf(tmp_path, "talk")
    with pytest.raises(stop):
        keep_talk(chunks(), 60.0, shelf)
    assert soundfile.info(shelf.kept[0]).frames == 2 * RATE_HZ


def test_a_muted_microphone_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "talk")
    with pytest.raises(Failure, match="is it muted"):
        keep_talk(iter([np.zeros(3 * RATE_HZ, np.float32)]), 2.0, shelf)
    assert shelf.kept == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hey Jarvis!", "hey-Jarvis"),
        ("\u00e9t\u00e9", "\u00e9t\u00e9"),
        ("../../x", "x"),
        ("???", "word"),
        ("a/b\\c:d", "a-b-c-d"),
    ],
)
def test_a_word_names_a_file_that_any_system_takes(text: str, name: str) -> None:
    assert safe_name(text) == name
