"""The gate lets nets rest in the quiet, and takes nothing from them that they would need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kws
from kws.audio import RATE_HZ, Samples, read_audio
from kws.audition import WINDOW_S
from kws.config import FrontEnd
from kws.demo import read_demo
from kws.features import Frames, LogMel
from kws.gate import Gate, GateRule
from kws.listener import Listener, listen
from kws.sources import in_chunks

FRONT_END = FrontEnd()
RULE = GateRule()


def frames_of(*parts: tuple[float, float], seed: int = 0) -> Frames:
    """Frames of noise: (seconds, level in dB over full scale) after one another."""
    draw = np.random.default_rng(seed)
    sound = [10 ** (level_db / 20) * draw.normal(size=round(seconds * RATE_HZ)) for seconds, level_db in parts]
    return LogMel(FRONT_END)(np.concatenate(sound).astype(np.float32))


def heard_of(frames: Frames, size: int = 8) -> list[Frames]:
    gate = Gate(FRONT_END)
    return [gate.feed(frames[start : start + size]) for start in range(0, len(frames), size)]


def test_it_shuts_in_the_quiet_and_opens_for_what_is_louder() -> None:
    given = [len(each) > 0 for each in heard_of(frames_of((6, -60), (1, -40), (6, -60)))]
    seconds = np.arange(len(given)) * 0.08
    during = np.array(given)
    assert not during[(seconds > 1.5) & (seconds < 5.9)].any()
    assert during[(seconds > 6.1) & (seconds < 7.9)].all()
    assert not during[seconds > 8.3].any()


def test_what_was_held_back_is_handed_on_when_it_opens() -> None:
    frames = frames_of((6, -60), (1, -40))
    burst = next(each for each in heard_of(frames)[30:] if len(each))
    held = round(RULE.before_s / FRONT_END.hop_s)
    assert held <= len(burst) <= held + 16
    start = next(at for at in range(len(frames)) if np.array_equal(frames[at : at + 8], burst[:8]))
    assert np.array_equal(frames[start : start + len(burst)], burst)


@given(cuts=st.lists(st.integers(0, 900), max_size=30), seed=st.integers(0, 9))
def test_frames_are_handed_on_in_order_or_counted_as_rested(cuts: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    levels = np.repeat(draw.choice([-9.0, -3.0], 9), 100)[:, None]
    frames = (levels + 0.1 * draw.normal(size=(900, 40))).astype(np.float32)
    frames[:, 0] = np.arange(900)
    gate = Gate(FRONT_END)
    given = [gate.feed(part) for part in np.split(frames, sorted(cuts))]
    heard = np.concatenate(given)[:, 0]
    assert (np.diff(heard) > 0).all()
    assert len(heard) + gate.rested + gate.waiting == 900


def test_steady_noise_is_no_voice_and_a_change_of_noise_opens_it_for_a_while() -> None:
    given = [len(each) > 0 for each in heard_of(frames_of((5, -30), (10, -20)))]
    assert not any(given[30:60])
    assert any(given[62:70])
    assert not any(given[-20:])


def test_a_gated_listener_hears_what_an_ungated_one_hears() -> None:
    demo = read_demo()
    quiet = (1e-4 * np.random.default_rng(1).normal(size=5 * RATE_HZ)).astype(np.float32)
    sound = np.concatenate((quiet, read_audio(demo.audio), quiet, read_audio(demo.audio)))
    plain = [each for heard in listen([kws.load("activate")], in_chunks(sound)) for each in heard.detections]
    listener = Listener([kws.load("activate")], gate=RULE)
    gated = [each for chunk in in_chunks(sound) for each in listener.feed(chunk).detections]
    words = [
        (start_s + said.start, start_s + said.end + WINDOW_S[1])
        for start_s in (5.0, 10.0 + demo.duration)
        for said in demo.positives
    ]
    times = [[each.time for low, high in words for each in heard if low < each.time < high] for heard in (plain, gated)]
    assert len(times[0]) == len(words)
    assert times[1] == pytest.approx(times[0], abs=0.1), "of what else sets it off, as little as it likes"


def test_nets_rest_while_nothing_is_to_be_heard(tiny_detector_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = kws.load(tiny_detector_path)
    heard = 0
    feed = detector.feed_frames

    def counted(frames: Frames) -> list[kws.Detection]:
        nonlocal heard
        heard += len(frames)
        return feed(frames)

    monkeypatch.setattr(detector, "feed_frames", counted)
    sound: Samples = (1e-3 * np.random.default_rng(1).normal(size=60 * RATE_HZ)).astype(np.float32)
    listener = Listener([detector], gate=RULE)
    for chunk in in_chunks(sound):
        listener.feed(chunk)
    assert heard < 300
