"""The words that are listened for: their detectors, and what is to be done for each."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kws.daemon.settings import Word
from kws.detector import Caution, Detector, detector_path, load

_log = logging.getLogger(__name__)


class Vocabulary:
    """Words and their detectors, in one order."""

    def __init__(self, words: Sequence[Word], before: Vocabulary | None = None) -> None:
        """Load the detectors; one whose file and threshold are as they were `before` is kept as it is.

        Raises Failure if one cannot be loaded; nothing has changed then.
        """
        known = {entry.made_of: entry.detector for entry in before._entries} if before else {}
        self._entries: list[_Entry] = []
        for word in words:
            made_of = (_File.of(detector_path(word.detector)), word.threshold, word.target_fa, word.cooldown_s)
            detector = known.pop(made_of, None) or _loaded(word)
            self._entries.append(_Entry(word=word, made_of=made_of, detector=detector))

    @property
    def words(self) -> list[Word]:
        """What is listened for, and what is to be done then."""
        return [entry.word for entry in self._entries]

    @property
    def detectors(self) -> list[Detector]:
        """The detector of each word."""
        return [entry.detector for entry in self._entries]

    @property
    def names(self) -> list[str]:
        """What the detectors call their words."""
        return [detector.word for detector in self.detectors]


@dataclass(frozen=True, kw_only=True)
class _File:
    """What tells that a file is another than before, though its name is the same."""

    path: Path
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> _File:
        try:
            told = path.stat()
        except OSError:  # loading it tells what is wrong
            return cls(path=path.absolute(), inode=0, size=0, changed_ns=0)
        return cls(path=path.absolute(), inode=told.st_ino, size=told.st_size, changed_ns=told.st_mtime_ns)


_MadeOf = tuple[_File, float | None, float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    word: Word
    made_of: _MadeOf
    detector: Detector


def _loaded(word: Word) -> Detector:
    """The word's detector; what its loading warns of goes to the log."""
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always", Caution)
        detector = load(word.detector, threshold=word.threshold, target_fa=word.target_fa, cooldown_s=word.cooldown_s)
    for warning in met:
        if issubclass(warning.category, Caution):
            _log.warning("caution: %s", warning.message)
    return detector
