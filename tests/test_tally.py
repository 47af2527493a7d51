"""What files add to a report is the same whoever hears them, here or elsewhere, and in whatever order."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_evaluate import Ear, folder_of, sound

import kws
from kws.errors import Failure
from kws.evaluate import Work, measure
from kws.report import PEAK_S
from kws.tally import Hearing, Unsaid, WithoutWord
from synth.crew import Processes


def backwards(job: Any, numbers: Sequence[int]) -> Generator[tuple[int, Any], None, None]:
    """A crew that does the last first, each by a job of its own that was pickled."""
    for number in reversed(numbers):
        yield number, pickle.loads(pickle.dumps(job))(number)


@pytest.fixture
def much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A bit of all that a report tells, in folders named from where one stands."""
    folder_of(tmp_path / "yes", a=sound(0.001, 0.5), b=sound(0.001, 0.2), c=sound(0.001, 0.6), silent=sound(0.0))
    loud = sound(*[0.01] * 10, 0.5, *[0.01] * 9, 0.32, *[0.01] * 12)
    folder_of(tmp_path / "no", speech_a__a=loud, speech_a__b=loud[4800:], music__c=loud, speech_b__d=0.1 * loud)
    (tmp_path / "no" / "speech_a" / "broken.wav").write_text("this is no sound")
    monkeypatch.chdir(tmp_path)
    return Path("yes"), Path("no")


@pytest.mark.parametrize("work", [backwards, Processes(2).work])
def test_who_hears_the_files_and_in_which_order_changes_nothing(much: tuple[Path, Path], work: Work) -> None:
    here = measure(Ear(), *much)
    assert [reason.split()[0] for reason in here.skipped] == ["yes/silent.wav", "no/speech_a/broken.wav"]
    assert here.negatives and here.positives
    assert {accept.file for accept in here.negatives.accepts} == {"speech_a/a.wav", "speech_a/b.wav", "music/c.wav"}
    assert here.positives.copies
    assert measure(Ear(), *much, work=work) == here


@dataclass
class Bar:
    """Keeps account of what it is told."""

    ticks: list[float] = field(default_factory=list)
    total: float = 0.0
    closed: bool = False

    def __call__(self, total: float) -> Bar:
        self.total = total
        return self

    def update(self, seconds: float) -> None:
        self.ticks.append(seconds)

    def close(self) -> None:
        self.closed = True


def test_the_bar_tells_the_seconds_that_were_heard_by_chunk_here_and_by_file_elsewhere(
    much: tuple[Path, Path],
) -> None:
    here, elsewhere = Bar(), Bar()
    measure(Ear(), *much, progress=here)
    measure(Ear(), *much, progress=elsewhere, work=backwards)
    heard_s = here.total - 4.3  # all but the file that is silent, and its padding
    for bar in (here, elsewhere):
        assert bar.closed
        assert sum(bar.ticks) == pytest.approx(heard_s)
    assert len(here.ticks) > 100
    assert len([tick for tick in elsewhere.ticks if tick]) == 7


def test_recordings_that_are_not_there_for_a_crew_are_a_failure(much: tuple[Path, Path]) -> None:
    def far_away(job: Any, numbers: Sequence[int]) -> Generator[tuple[int, Any], None, None]:
        for number in numbers:
            with contextlib.chdir("/"):
                tally = job(number)
            yield number, tally

    with pytest.raises(
        Failure, match=r"yes/a\.wav is here but not where it is to be heard: lay .* all machines share\.$"
    ):
        measure(Ear(), *much, work=far_away)


def test_a_recording_that_is_nowhere_is_skipped_by_a_crew_too(much: tuple[Path, Path]) -> None:
    def late(job: Any, numbers: Sequence[int]) -> Generator[tuple[int, Any], None, None]:
        (much[0] / "b.wav").unlink(missing_ok=True)
        return backwards(job, numbers)

    report = measure(Ear(), *much, work=late)
    assert report.skipped[0].startswith("yes/b.wav does not exist")


def test_what_a_file_adds_is_small_however_long_it_is(tmp_path: Path) -> None:
    seconds = 600
    path = folder_of(tmp_path, long=sound(*[0.01] * 10, 0.5, each_s=seconds / 11)) / "long.wav"
    file = WithoutWord(file="long.wav", path=path, is_speech=True)
    tally = Hearing(detector=Ear(), files=[file])(0)
    assert isinstance(tally, Unsaid)
    assert len(tally.peaks) == seconds / PEAK_S
    assert tally.counts.max() > len(tally.accepts) > 10
    assert len(pickle.dumps(replace(tally, accepts=()))) < 4000, "there are 20,000 scores"


def test_a_detector_that_was_pickled_hears_the_same_from_a_fresh_state(
    tiny_detector_path: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 32_000).astype(np.float32)
    moved = tmp_path / "tiny.onnx"
    moved.write_bytes(tiny_detector_path.read_bytes())
    detector = kws.load(moved, threshold=0.4, cooldown_s=0.5)
    before = [*detector.feed(noise)]
    packed = pickle.dumps(detector)
    moved.unlink()
    other = pickle.loads(packed)
    assert (other.word, other.decision) == (detector.word, detector.decision)
    assert [*other.feed(noise)] == before
    np.testing.assert_array_equal(other.scores(noise), detector.scores(noise))
