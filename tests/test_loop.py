"""The loop carries sound to the words, and does between two chunks what it was asked for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Self

import numpy as np
import pytest

import kws
from kws.audio import RATE_HZ, Samples
from kws.daemon.health import Health
from kws.daemon.loop import Loop, Witness
from kws.daemon.settings import Keep, Settings, Word
from kws.daemon.source import Gap, Played
from kws.daemon.wake import Wake
from kws.errors import Failure
from kws.listener import Heard
from kws.sources import in_chunks

THRESHOLD = 0.3
Script = Iterable[Samples | Gap | Callable[[], object]]


class Seen(Witness):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.wakes: list[Wake] = []
        self.gaps: list[str] = []
        self.seconds = 0.0

    def heard(self, heard: Heard) -> None:
        self.seconds = heard.time

    def woke(self, wake: Wake) -> None:
        self.wakes.append(wake)

    def gap(self, why: str) -> None:
        self.gaps.append(why)


class Stage:
    """A loop whose microphones play scripts, one script for each time that a microphone is taken up."""

    def __init__(self, settings: Settings, *scripts: Script, then: Settings | Failure | None = None) -> None:
        self.scripts: list[Script] = list(scripts)
        self.devices: list[str | None] = []
        self.closed = 0
        self.seen = Seen()
        self.health = Health(version="0", started=datetime.now(UTC))
        self.then = then
        self.loop = Loop(settings, self.health, reread=self.reread, source=self.take)
        self.loop.witnesses.append(self.seen)

    def reread(self) -> Settings:
        assert self.then is not None
        if isinstance(self.then, Failure):
            raise self.then
        return self.then

    def take(self, device: str | None) -> Played:
        self.devices.append(device)
        return Played(name="scripted", chunks=self.play(self.scripts.pop(0)))

    def play(self, script: Script) -> Generator[Samples | Gap, None, None]:
        try:
            for item in list(script):
                if callable(item):
                    item()
                else:
                    yield item
        finally:
            self.closed += 1

    def run(self) -> Seen:
        self.loop.run()
        return self.seen


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Six seconds: noise, nothing, a tone, noise, a tone, nothing."""
    draw = np.random.default_rng(5)
    tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(RATE_HZ) / RATE_HZ)
    nothing = np.zeros(RATE_HZ)
    parts = [0.2 * draw.normal(size=RATE_HZ), nothing, tone, 0.1 * draw.normal(size=RATE_HZ), tone, nothing]
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture
def word(tiny_detector_path: Path) -> Word:
    return Word(detector=str(tiny_detector_path), threshold=THRESHOLD)


def test_it_hears_what_a_detector_hears(word: Word, sound: Samples) -> None:
    expected = kws.load(word.detector, threshold=THRESHOLD).feed(sound)
    stage = Stage(Settings(words=(word,)), in_chunks(sound))
    seen = stage.run()
    assert [wake.detection.time for wake in seen.wakes] == [found.time for found in expected]
    assert all(wake.word is word and wake.at.tzinfo for wake in seen.wakes)
    assert seen.seconds == 6
    assert stage.health.audio_s == pytest.approx(6)
    assert stage.health.words["test"].detections == len(expected) > 0
    assert stage.health.inference_s > 0
    assert stage.closed == 1


def test_after_a_gap_it_begins_anew_on_the_same_clock(word: Word, sound: Samples) -> None:
    fresh = kws.load(word.detector, threshold=THRESHOLD).feed(sound)
    gaps = [Gap(why="lost"), Gap(why="lost")]
    stage = Stage(Settings(words=(word,)), [*in_chunks(0 * sound), *gaps, *in_chunks(sound)])
    seen = stage.run()
    assert [wake.detection.time - 6 for wake in seen.wakes] == pytest.approx([found.time for found in fresh])
    assert seen.gaps[:2] == ["lost", "lost"]
    assert stage.health.gaps == 2, "the one told twice, and the end"


def test_each_word_does_what_it_was_told(word: Word, sound: Samples, tmp_path: Path) -> None:
    program = "import os, sys; print(os.environ['KWS_WORD'], len(sys.stdin.buffer.read()), file=open(sys.argv[1], 'w'))"
    told = Word(
        detector=word.detector, threshold=THRESHOLD, exec=(sys.executable, "-c", program, str(tmp_path / "told")),
        hand_over="raw", before_s=0.5, after_s=0.25, cooldown_s=30,
    )  # fmt: skip
    settings = Settings(words=(word, told), keep=Keep(folder=str(tmp_path / "clips"), before_s=0.5, after_s=0.5))
    seen = Stage(settings, in_chunks(sound)).run()
    assert len([wake for wake in seen.wakes if wake.word is told]) == 1
    assert len(seen.wakes) > 2
    assert (tmp_path / "told").read_text() == f"test {2 * 12_000}\n"
    assert len(list((tmp_path / "clips").glob("*.wav"))) == len(seen.wakes)


def test_muted_it_lets_go_of_the_microphone_until_it_is_unmuted(word: Word, sound: Samples) -> None:
    stage = Stage(Settings(words=(word,)), in_chunks(sound), in_chunks(sound))
    chunks = list(in_chunks(sound))
    states = []

    def rested() -> None:
        states.append((stage.health.muted, stage.health.device_state, stage.closed))
        stage.loop.mute(False)

    stage.loop._notifier.rested = rested  # type: ignore[method-assign]
    stage.scripts = [[*chunks[:40], lambda: stage.loop.mute(True), chunks[40], *chunks], chunks]
    seen = stage.run()
    assert states == [(True, "closed", 1)]
    assert not stage.health.muted
    assert seen.seconds == pytest.approx((41 + 75) * 0.08)
    assert stage.devices == [None, None]


def test_it_may_begin_muted_and_end_so(word: Word) -> None:
    stage = Stage(Settings(words=(word,), muted=True))
    stage.loop._notifier.rested = stage.loop.end  # type: ignore[method-assign]
    stage.run()
    assert stage.devices == []


def test_a_reload_takes_other_words_without_losing_a_chunk(word: Word, sound: Samples) -> None:
    chunks = list(in_chunks(sound))
    alone = kws.load(word.detector, threshold=THRESHOLD).feed(sound)
    other = Word(detector="activate")
    stage = Stage(Settings(words=(word,)), then=Settings(words=(other, word)))
    stage.scripts = [[*chunks[:20], stage.loop.reload, *chunks[20:]]]
    seen = stage.run()
    assert list(stage.health.words) == ["activate", "test"]
    assert [wake.detection.time for wake in seen.wakes if wake.word == word] == [found.time for found in alone]
    assert seen.seconds == 6
    assert stage.devices == [None]


@pytest.mark.parametrize("kind", ["settings", "detector", "outlet"])
def test_a_reload_that_fails_leaves_all_as_it_was(
    word: Word, sound: Samples, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    (tmp_path / "file").touch()
    outcomes: dict[str, Settings | Failure] = {
        "settings": Failure("line 3: what is this"),
        "detector": Settings(words=(Word(detector="none.onnx"),)),
        "outlet": Settings(words=(word,), keep=Keep(folder=str(tmp_path / "file" / "clips"))),
    }
    alone = kws.load(word.detector, threshold=THRESHOLD).feed(sound)
    chunks = list(in_chunks(sound))
    stage = Stage(Settings(words=(word,)), then=outcomes[kind])
    stage.scripts = [[*chunks[:20], stage.loop.reload, *chunks[20:]]]
    seen = stage.run()
    assert [wake.detection.time for wake in seen.wakes] == [found.time for found in alone]
    assert any("not reloaded, and all is as it was" in record.message for record in caplog.records)


def test_a_reload_may_name_another_microphone(word: Word, sound: Samples) -> None:
    chunks = list(in_chunks(sound))
    stage = Stage(Settings(words=(word,)), then=Settings(words=(word,), device="desk"))
    stage.scripts = [[*chunks[:20], stage.loop.reload, *chunks[20:]], chunks]
    stage.run()
    assert stage.devices == [None, "desk"]
    assert stage.closed == 2


def test_a_reload_may_switch_the_gate_on(word: Word, sound: Samples) -> None:
    quiet = 1e-3 * np.random.default_rng(0).normal(size=20 * RATE_HZ).astype(np.float32)
    stage = Stage(Settings(words=(word,)), then=Settings(words=(word,), gate=True))
    stage.scripts = [[*in_chunks(sound), stage.loop.reload, *in_chunks(quiet)]]
    seen = stage.run()
    assert seen.seconds == 26
    assert stage.loop._listener.gate is not None


def test_it_ends_when_asked_though_there_is_no_sound(word: Word) -> None:
    stage = Stage(Settings(words=(word,)))
    stage.scripts = [[Gap(why="lost"), stage.loop.end, Gap(why="lost"), Gap(why="lost")]]
    assert stage.run().gaps == ["lost", "lost", "'scripted' was closed"]


def test_what_a_reload_cannot_change_is_told(word: Word, sound: Samples, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = Stage(Settings(words=(word,)), then=Settings(words=(word,), metrics="9477"))
    stage.scripts = [[stage.loop.reload, *in_chunks(sound)]]
    stage.run()
    assert any("when it starts the next time" in record.message for record in caplog.records)


def test_a_clock_that_is_set_changes_nothing_that_is_heard(
    word: Word, sound: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = Stage(Settings(words=(word,)), in_chunks(sound)).run()
    jumps = iter(range(0, 10**9, 86_400))

    class Set(datetime):
        """The wall's clock, a day further or back each time that it is read."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            day = next(jumps)
            return cls.fromtimestamp(1.7e9 + (day if day % 2 else -day), tz)

    monkeypatch.setattr("kws.daemon.loop.datetime", Set)
    monkeypatch.setattr("time.time", lambda: float(next(jumps)))
    seen = Stage(Settings(words=(word,)), in_chunks(sound)).run()
    assert [wake.detection for wake in seen.wakes] == [wake.detection for wake in steady.wakes] != []
