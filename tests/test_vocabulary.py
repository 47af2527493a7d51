"""A vocabulary is loaded as a whole or not at all, and detectors that stay are left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kws.daemon.settings import Word
from kws.daemon.vocabulary import Vocabulary
from kws.errors import Failure


def test_detectors_stand_in_the_order_of_their_words(tiny_detector_path: Path) -> None:
    words = [Word(detector=str(tiny_detector_path), threshold=0.9, cooldown_s=5), Word(detector="activate")]
    vocabulary = Vocabulary(words)
    assert [detector.word for detector in vocabulary.detectors] == ["test", "activate"]
    assert vocabulary.names == ["test", "activate"]
    assert vocabulary.detectors[0].threshold == 0.9
    assert vocabulary.detectors[0].decision.cooldown_s == 5
    assert vocabulary.words == words


def test_a_detector_that_stays_is_kept_and_others_are_loaded(tiny_detector_path: Path) -> None:
    first = Word(detector=str(tiny_detector_path))
    vocabulary = Vocabulary([first])
    (kept,) = vocabulary.detectors
    words = [Word(detector="activate"), Word(detector=str(tiny_detector_path), exec=("true",))]
    later = Vocabulary(words, vocabulary)
    assert later.detectors[1] is kept
    assert later.words == words
    other = Vocabulary([Word(detector=str(tiny_detector_path), threshold=0.7)], later)
    assert other.detectors[0] is not kept


def test_the_same_word_twice_gets_two_detectors(tiny_detector_path: Path) -> None:
    word = Word(detector=str(tiny_detector_path))
    first, second = Vocabulary([word, word], Vocabulary([word])).detectors
    assert first is not second


def test_a_file_that_was_replaced_is_loaded_anew(tiny_detector_path: Path, tmp_path: Path) -> None:
    path, aside = tmp_path / "word.onnx", tmp_path / "aside.onnx"
    shutil.copyfile(tiny_detector_path, path)
    vocabulary = Vocabulary([Word(detector=str(path))])
    (before,) = vocabulary.detectors
    shutil.copyfile(tiny_detector_path, aside)
    aside.replace(path)
    assert Vocabulary(vocabulary.words, vocabulary).detectors[0] is not before


@pytest.mark.parametrize("content", [None, b"half of a model"])
def test_what_cannot_be_loaded_is_told_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.onnx"
    if content:
        path.write_bytes(content)
    with pytest.raises(Failure, match=r"bad\.onnx"):
        Vocabulary([Word(detector="activate"), Word(detector=str(path))])


def test_what_loading_warns_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    Vocabulary([Word(detector="activate", target_fa=0.1)])
    assert any(record.message.startswith("caution: ") for record in caplog.records)
