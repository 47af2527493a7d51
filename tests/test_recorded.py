"""Recorded sound is read where it lies: what a short file lacks comes from the next, and what is damaged gives way."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import RATE_HZ, Samples
from kws.errors import Failure
from synth.corpus import open_corpus
from synth.recorded import Recordings, parted
from synth.voices import Split

STEP = 1 / 32


def level(value: int, seconds: float = 0.5) -> Samples:
    """A constant that tells which file it came from."""
    return np.full(round(seconds * RATE_HZ), value * STEP, np.float32)


def put(path: Path, samples: Samples) -> Path:
    """Write a sound file, its folders and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return path


def told(samples: Samples) -> list[int]:
    """Which files an excerpt came from, in order."""
    values = np.round(samples / STEP).astype(int)
    changes = np.flatnonzero(np.diff(values)) + 1
    return [int(part[0]) for part in np.split(values, changes)]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Three short files of talk and two of background."""
    for number in (1, 2, 3):
        put(tmp_path / "talk" / f"{number}.wav", level(number))
    put(tmp_path / "music_x" / "8.wav", level(8))
    put(tmp_path / "_background_noise_" / "9.wav", level(9))
    return tmp_path


def test_an_excerpt_goes_on_with_the_files_that_follow_and_stays_among_its_like(talk: Path) -> None:
    recordings = Recordings(talk)
    assert (recordings.talk_files, recordings.sound_files) == (3, 2)
    two_s = 2 * RATE_HZ
    assert told(recordings.excerpt(1, 0.0, two_s)) == [2, 3, 1, 2]
    assert told(recordings.excerpt(2, 0.5, RATE_HZ // 2)) == [3]  # enough left if it begins a little earlier
    assert told(recordings.excerpt(3, 0.0, RATE_HZ)) in ([8, 9], [9, 8])
    assert np.array_equal(recordings.excerpt(1, 0.3, two_s), Recordings(talk).excerpt(1, 0.3, two_s))


def test_made_talk_joins_talk_before_the_background(talk: Path) -> None:
    whole = Recordings(talk)
    made = Recordings(put(talk.parent / "made" / "5.wav", level(5)).parent, made=True)
    both = whole.joined_by(made)
    assert (both.people, both.made_talk, both.background) == (whole.talk, made.talk, whole.background)
    assert told(both.excerpt(3, 0.0, RATE_HZ)) == [5, 1]
    assert not whole.made_talk


@settings(max_examples=30)
@given(
    seconds=st.lists(st.floats(0.01, 2), min_size=1, max_size=4),
    share=st.floats(0, 0.999),
    total=st.integers(1, 60_000),
)
def test_an_excerpt_is_always_as_long_as_asked_and_in_the_order_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float], share: float, total: int
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    for number, length_s in enumerate(seconds, 1):
        put(folder / f"{number}.wav", level(number, length_s))
    excerpt = Recordings(folder).excerpt(0, share, total)
    assert len(excerpt) == total
    seen = told(excerpt)
    assert seen[0] == 1
    if len(seconds) > 1:
        assert all(after == before % len(seconds) + 1 for before, after in pairwise(seen))


def test_a_long_file_is_read_from_the_share_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "long.wav", np.repeat(np.arange(1, 26) * np.float32(STEP), 5 * RATE_HZ))
    recordings = Recordings(tmp_path)
    assert told(recordings.excerpt(0, 0.0, RATE_HZ)) == [1]
    assert told(recordings.excerpt(0, 0.5, RATE_HZ)) == [13]
    assert told(recordings.excerpt(0, 0.999, RATE_HZ)) == [25]


def test_files_of_no_use_are_told_and_the_rest_serves(talk: Path) -> None:
    (talk / "talk" / "0.wav").write_bytes(b"")
    (talk / "talk" / "4.mp3").write_text("no sound")
    recordings = Recordings(talk)
    assert sorted(recordings.skipped) == ["talk/0.wav (empty)", "talk/4.mp3 (cannot be read as audio)"]
    assert (recordings.talk_files, recordings.sound_files) == (3, 2)


def test_a_file_that_is_damaged_later_gives_way_to_the_next(talk: Path) -> None:
    recordings = Recordings(talk)
    recordings.files[1].write_bytes(b"gone")
    assert told(recordings.excerpt(1, 0.5, RATE_HZ)) == [3, 1]
    for path in recordings.files:
        path.unlink()
    with pytest.raises(Failure, match="can no longer be read"):
        Recordings.excerpt(pickle.loads(pickle.dumps(recordings)), 3, 0.5, RATE_HZ)


def test_files_known_to_hold_the_word_are_left_out(tmp_path: Path) -> None:
    texts = {1: "he said Activate, now", 2: "quite another thing", 3: "deactivated", 4: ""}
    for number in texts:
        put(tmp_path / f"{number}.wav", level(number))
    rows = [{"audio": f"{number}.wav", "text": text} for number, text in texts.items()]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recordings = Recordings(tmp_path / "list.jsonl", without="activate")
    assert [path.name for path in recordings.files] == ["2.wav"]  # what 4 says, nobody wrote down
    assert recordings.skipped == ()
    assert len(Recordings(tmp_path / "list.jsonl").files) == 4
    with pytest.raises(Failure, match="none of the 4 recordings"):
        Recordings(tmp_path / "list.jsonl", without="activate", split="test")


def test_no_place_means_no_recordings() -> None:
    nothing = Recordings(None)
    assert (nothing.files, nothing.talk_files, nothing.sound_files, nothing.skipped) == ([], 0, 0, ())


def held_out(place: Path) -> dict[str, set[str]]:
    """The names of the files of each split."""
    corpus = parted(open_corpus(place))
    return {split: {spoken.path.name for spoken in corpus.of(split)} for split in get_args(Split)}


@settings(max_examples=20)
@given(st.lists(st.floats(0.05, 0.6), min_size=1, max_size=24))
def test_every_file_is_held_out_or_not_and_the_same_ones_each_time(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    for number, length_s in enumerate(seconds):
        put(folder / f"{number:02d}.wav", level(1, length_s))
    splits = held_out(folder)
    assert splits == held_out(folder)
    assert sorted(name for names in splits.values() for name in names) == sorted(p.name for p in folder.iterdir())
    if len(seconds) < 5:
        assert not splits["validation"] | splits["test"]
    for split, share in (("validation", 0.2), ("test", 0.1)):
        length = sum(seconds[int(name[:2])] for name in splits[split])
        assert length <= (share + 0.3) * sum(seconds) + 0.01, "at most one file too many"


def test_a_fifth_of_talk_and_of_background_is_held_out_for_calibration_and_a_tenth_for_the_verdict(
    tmp_path: Path,
) -> None:
    for number in range(20):
        put(tmp_path / "talk" / f"t{number:02d}.wav", level(1, 0.2))
        put(tmp_path / "music" / f"m{number:02d}.wav", level(2, 0.2))
    for split, count in (("train", 14), ("validation", 4), ("test", 2)):
        recordings = Recordings(parted(open_corpus(tmp_path)), split=split)
        assert (recordings.talk_files, recordings.sound_files) == (count, count)
        assert {path.parent.name for path in recordings.talk} == {"talk"}
        assert {path.parent.name for path in recordings.background} == {"music"}


def test_no_speaker_is_heard_in_two_splits(tmp_path: Path) -> None:
    for speaker in range(10):
        for number in range(4):
            put(tmp_path / f"speaker{speaker}" / f"{speaker}{number}.wav", level(1, 0.1))
    splits = held_out(tmp_path)
    speakers = {split: {name[0] for name in names} for split, names in splits.items()}
    assert sum(map(len, speakers.values())) == 10
    assert (len(speakers["validation"]), len(speakers["test"])) == (2, 1)


def test_splits_of_the_corpus_itself_are_kept(tmp_path: Path) -> None:
    for number in range(10):
        put(tmp_path / f"{number}.wav", level(1, 0.1))
    rows = [{"audio": f"{number}.wav", "split": "test" if number == 3 else "train"} for number in range(10)]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    splits = held_out(tmp_path / "list.jsonl")
    assert (splits["test"], splits["validation"]) == ({"3.wav"}, set())
