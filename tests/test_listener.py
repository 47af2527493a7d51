"""The listener is a thin loop: what it tells is what the detectors tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kws
from kws.audio import RATE_HZ, Samples
from kws.features import Frames, LogMel
from kws.listener import Listener, listen
from kws.sources import in_chunks

THRESHOLD = 0.3


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Six seconds: now noise, now a tone, now nothing."""
    draw = np.random.default_rng(5)
    seconds = np.arange(RATE_HZ) / RATE_HZ
    parts = [
        0.2 * draw.normal(size=RATE_HZ),
        np.zeros(RATE_HZ),
        0.5 * np.sin(2 * np.pi * 3000 * seconds),
        0.1 * draw.normal(size=RATE_HZ),
        0.5 * np.sin(2 * np.pi * 3000 * seconds),
        np.zeros(RATE_HZ),
    ]
    return np.concatenate(parts).astype(np.float32)


def test_the_listener_hears_what_the_detector_hears(tiny_detector_path: Path, sound: Samples) -> None:
    detector = kws.load(tiny_detector_path, threshold=THRESHOLD)
    expected = detector.feed(sound)
    assert expected, "the sound is made to be detected"
    found = [detection for heard in listen([detector], in_chunks(sound)) for detection in heard.detections]
    assert [detection.time for detection in found] == [detection.time for detection in expected]
    assert [detection.score for detection in found] == pytest.approx([each.score for each in expected], abs=1e-5)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 6 * RATE_HZ), max_size=12))
def test_what_is_heard_does_not_depend_on_chunking(tiny_detector_path: Path, sound: Samples, cuts: list[int]) -> None:
    detector = kws.load(tiny_detector_path, threshold=THRESHOLD)

    def times(chunks: list[Samples]) -> list[float]:
        return [detection.time for heard in listen([detector], chunks) for detection in heard.detections]

    assert times(np.split(sound, sorted(cuts))) == times([sound])


def test_each_chunk_tells_time_level_and_scores(tiny_detector_path: Path, sound: Samples) -> None:
    detectors = [kws.load(tiny_detector_path, threshold=threshold) for threshold in (THRESHOLD, 1.0)]
    told = list(listen(detectors, in_chunks(sound)))
    assert [heard.time for heard in told] == pytest.approx([0.08 * count for count in range(1, 76)])
    assert told[5].level_db == pytest.approx(-14, abs=1)
    assert told[20].level_db == -200
    assert told[30].level_db == pytest.approx(-9, abs=0.1)
    assert all(len(heard.scores) == 2 for heard in told)
    assert all(max(heard.scores) >= THRESHOLD for heard in told if heard.detections)


def test_listening_starts_afresh_each_time(tiny_detector_path: Path, sound: Samples) -> None:
    detector = kws.load(tiny_detector_path, threshold=THRESHOLD)
    first, second = (list(listen([detector], in_chunks(sound))) for _ in range(2))
    assert first == second


def test_a_second_detector_changes_nothing_for_the_first(tiny_detector_path: Path, sound: Samples) -> None:
    alone, first, second = (kws.load(tiny_detector_path, threshold=THRESHOLD) for _ in range(3))
    one = [heard.scores[0] for heard in listen([alone], in_chunks(sound))]
    two = [heard.scores for heard in listen([first, second], in_chunks(sound))]
    assert two == [(score, score) for score in one]


def test_detectors_of_one_front_end_share_its_stream(
    tiny_detector_path: Path, sound: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    log_mel = LogMel.__call__

    def counted(self: LogMel, samples: Samples) -> Frames:
        nonlocal calls
        calls += 1
        return log_mel(self, samples)

    monkeypatch.setattr(LogMel, "__call__", counted)
    detectors = [kws.load(tiny_detector_path) for _ in range(3)]
    assert len(list(listen(detectors, in_chunks(sound)))) == calls == 75


def test_no_chunks_and_empty_chunks_are_heard_as_nothing(tiny_detector_path: Path) -> None:
    detector = kws.load(tiny_detector_path)
    assert list(listen([detector], [])) == []
    (heard,) = listen([detector], [np.zeros(0, np.float32)])
    assert (heard.time, heard.level_db, heard.detections) == (0.0, -200, ())


def test_after_a_gap_all_is_forgotten_but_the_clock_goes_on(tiny_detector_path: Path, sound: Samples) -> None:
    fresh = list(listen([kws.load(tiny_detector_path, threshold=THRESHOLD)], in_chunks(sound)))
    listener = Listener([kws.load(tiny_detector_path, threshold=THRESHOLD)])
    listener.feed(sound[: RATE_HZ // 3])
    listener.reset()
    later_s = (RATE_HZ // 3) / RATE_HZ
    for chunk, expected in zip(in_chunks(sound), fresh, strict=True):
        heard = listener.feed(chunk)
        assert heard.scores == expected.scores
        assert heard.time == pytest.approx(expected.time + later_s)
        assert [found.time for found in heard.detections] == pytest.approx(
            [found.time + later_s for found in expected.detections]
        )


def test_words_come_and_go_while_others_listen_on(tiny_detector_path: Path, sound: Samples) -> None:
    first, second = (kws.load(tiny_detector_path, threshold=THRESHOLD) for _ in range(2))
    alone = [heard.scores[0] for heard in listen([first.fork()], in_chunks(sound))]
    listener = Listener([first])
    stays, times = [], []
    for number, chunk in enumerate(in_chunks(sound)):
        if number == 30:
            listener.exchange([second, first])
        if number == 60:
            listener.exchange([first])
        heard = listener.feed(chunk)
        stays.append(heard.scores[-1])
        times += [found.time for found in heard.detections]
    assert stays == alone, "the first word's detector never notices the second"
    assert max(np.diff(times), default=0) < 6


def test_a_word_that_comes_later_tells_times_on_the_clock_of_all(tiny_detector_path: Path, sound: Samples) -> None:
    early, late = (kws.load(tiny_detector_path, threshold=THRESHOLD) for _ in range(2))
    listener = Listener([early])
    before = 3 * RATE_HZ + 50
    listener.feed(sound[:before])
    listener.exchange([late])
    found = [each for chunk in in_chunks(sound[before:]) for each in listener.feed(chunk).detections]
    front_end = late.log_mel.front_end
    first = front_end.frames(before) * front_end.hop
    expected = [each.time + first / RATE_HZ for each in late.fork().feed(sound[first:])]
    assert expected
    assert [each.time for each in found] == pytest.approx(expected)


def test_a_cooldown_outlasts_a_gap(tiny_detector_path: Path, sound: Samples) -> None:
    detector = kws.load(tiny_detector_path, threshold=THRESHOLD)
    listener = Listener([detector])
    times = []
    for start in range(0, len(sound), RATE_HZ):
        times += [found.time for found in listener.feed(sound[start : start + RATE_HZ]).detections]
        listener.reset()
    assert len(times) >= 2
    assert min(np.diff(times)) >= detector.decision.cooldown_s
