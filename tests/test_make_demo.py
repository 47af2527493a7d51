"""The bundled recording says what its labels say, with test voices only."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kws.audio import RATE_HZ, Samples, active_rms, decibels, frame_levels, read_audio, rms
from kws.events import Event, Recording, from_line
from synth.bank import Bank, Clip, read_bank, write_bank

SCRIPT = Path(__file__).parent.parent / "scripts" / "make_demo"


def murmur(seconds: float, draw: np.random.Generator) -> Samples:
    """Something that takes as long as speech, with quiet margins."""
    count = round(seconds * RATE_HZ)
    margin = np.zeros(RATE_HZ // 20, np.float32)
    return np.concatenate((margin, 0.2 * draw.normal(size=count).astype(np.float32), margin))


def small_bank(folder: Path) -> Path:
    """A bank of noises in the place of voices: what the script needs, and what it must leave out."""
    draw = np.random.default_rng(2)
    said = [("activate", "positive", split, 0.7) for split in ("train", "test") for _ in range(8)]
    said += [(text, "near-miss", "test", 0.8) for text in ("captivate", "motivate", "vacate", "active", "act", "actor")]
    said += [("please wait", "sentence", "validation", 2.5), ("he will activate it", "sentence", "validation", 2.5)]
    clips = [
        Clip(
            text=text,
            kind=kind,
            split=split,
            voice=f"{engine}:{split}_{number % 6}",
            speed=1.0,
            samples=murmur(seconds, draw),
        )
        for engine in ("kokoro", "espeak")
        for number, (text, kind, split, seconds) in enumerate(said)
    ]
    write_bank(folder, Bank(word="activate", clips=tuple(clips)), ".ogg")
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("demo")
    bank = small_bank(folder / "bank")
    subprocess.run([sys.executable, str(SCRIPT), str(bank), "--out", str(folder)], check=True)
    return from_line((folder / "demo.json").read_text(encoding="utf-8"), folder)


def test_the_minute_is_a_minute_and_small(recording: Recording) -> None:
    assert len(read_audio(recording.audio)) == 60 * RATE_HZ
    assert recording.duration == 60
    assert recording.audio.stat().st_size < 1_000_000


def test_the_word_is_said_five_times_by_five_test_voices(recording: Recording) -> None:
    assert [event.word for event in recording.positives] == ["activate"] * 5
    voices = set(recording.about["voices"])
    assert all(voice.startswith(("kokoro:test", "kokoro:validation")) for voice in voices)


def test_nothing_else_that_is_said_holds_the_word(recording: Recording) -> None:
    others = [event for event in recording.events if event.kind != "positive"]
    assert len(others) == 7
    assert not any("activate" in event.word for event in others)


def test_utterances_keep_so_far_apart_that_no_detection_is_another_ones(recording: Recording) -> None:
    events = recording.events
    assert events[0].start >= 1
    assert events[-1].end <= 60
    assert all(after.start - before.end >= 1.4 for before, after in pairwise(events))


def test_every_event_is_where_it_is_audible_at_20_db_over_the_noise(recording: Recording) -> None:
    samples = read_audio(recording.audio)
    levels = frame_levels(samples)
    for event in recording.events:
        first, last = round(event.start * 100), round(event.end * 100)
        assert levels[first : first + 5].mean() > 3 * levels[first - 12 : first - 2].mean()
        assert levels[last - 12 : last].mean() > 3 * levels[last + 2 : last + 12].mean()
        noise = samples[(first - 100) * 160 : (first - 10) * 160]
        speech = samples[first * 160 : last * 160]
        assert decibels(active_rms(speech) / rms(noise)) == pytest.approx(20, abs=2)


def test_the_same_seed_gives_the_same_minute(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = SourceFileLoader("make_demo", str(SCRIPT))
    spec = spec_from_loader("make_demo", loader)
    assert spec is not None
    script = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "make_demo", script)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(script)
    bank = read_bank(recording.audio.parent / "bank")

    def compose() -> tuple[tuple[Event, ...], Samples]:
        draw = np.random.default_rng(1)
        placed = script.place(script.choose(bank, draw), draw)
        return script.events(placed), script.mix(placed, 20.0, draw)

    (events, samples), (again, samples_again) = compose(), compose()
    assert events == again == recording.events
    assert np.array_equal(samples, samples_again)


def test_a_missing_bank_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path / "none"), "--out", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("make_demo: no bank in")
