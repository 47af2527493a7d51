"""The laws of streaming: however the sound is cut, the scores are those of one pass, and they are torch's."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import kws
from kws.audio import RATE_HZ
from kws.config import Decision
from kws.decision import Detection
from kws.detector import Detector, State
from kws.export import export
from kws.features import Frames, LogMel
from kws.model import Net

HALF = 1e-3
"""How far scores may lie from torch's: the file's matrices are in half precision."""


@pytest.fixture(scope="module")
def detector(tiny_detector_path: Path) -> Detector:
    return kws.load(tiny_detector_path)


def speech_like(seconds: float, seed: int = 3) -> np.ndarray:
    """Noise under a slow random envelope, loud and silent by turns."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    envelope = np.repeat(rng.random(count // 1600 + 1) ** 3, 1600)[:count]
    return (envelope * rng.normal(0, 0.2, count)).clip(-1, 1).astype(np.float32)


def streamed(detector: Detector, samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    """All scores of a stream fed in chunks that end at `cuts`."""
    model, frames_of = detector.model, detector.fork()._stream
    state, heard = model.blank_state(), []
    for chunk in np.split(samples, cuts):
        scores, state = model.run(frames_of.feed(chunk), state)
        heard.append(scores)
    return np.concatenate(heard)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3 * RATE_HZ), max_size=40))
def test_scores_do_not_depend_on_chunking(detector: Detector, cuts: list[int]) -> None:
    samples = speech_like(3.0)
    whole = detector.scores(samples)
    np.testing.assert_allclose(streamed(detector, samples, sorted(cuts)), whole, atol=1e-5)


def test_scores_do_not_depend_on_chunks_of_one_sample(detector: Detector) -> None:
    samples = speech_like(0.4)
    np.testing.assert_allclose(
        streamed(detector, samples, list(range(1, len(samples)))), detector.scores(samples), atol=1e-5
    )


def test_chunks_of_ten_seconds_and_empty_ones_change_nothing(detector: Detector) -> None:
    samples = speech_like(25.0)
    cuts = [0, 0, 160_000, 160_000, 320_000]
    np.testing.assert_allclose(streamed(detector, samples, cuts), detector.scores(samples), atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 6 * RATE_HZ), max_size=20))
def test_detections_do_not_depend_on_chunking(tiny_detector_path: Path, cuts: list[int]) -> None:
    detector = kws.load(tiny_detector_path)
    samples = speech_like(6.0)
    detector = kws.load(tiny_detector_path, threshold=float(np.quantile(detector.scores(samples), 0.9)) - 1e-3)
    whole = detector.feed(samples)
    assert whole
    detector.reset()
    cut = [found for chunk in np.split(samples, sorted(cuts)) for found in detector.feed(chunk)]
    assert [(found.time, found.end) for found in cut] == [(found.time, found.end) for found in whole]


def test_sound_that_cannot_fire_waits_for_more_and_nothing_is_told_later_for_it(
    tiny_net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, net = speech_like(20.0), copy.deepcopy(tiny_net)
    frames = torch.from_numpy(LogMel(net.front_end)(samples))[None]
    with torch.inference_mode():
        logits = net(frames)[0].numpy()
        net.nets[0].head.weight.mul_(4 / logits.std())
        net.nets[0].head.bias.sub_(float(np.quantile(net(frames)[0].numpy(), 0.9)))
    export(tmp_path / "waits.onnx", net, "test", Decision(threshold=0.5, smoothing=8), {"language": "en"})
    detector = kws.load(tmp_path / "waits.onnx")
    chunks, runs = np.split(samples, range(1280, len(samples), 1280)), list[int]()
    run = detector.model.run

    def counted(frames: Frames, state: State) -> tuple[NDArray[np.float32], State]:
        runs.append(len(frames))
        return run(frames, state)

    def times(found: list[Detection]) -> list[float]:
        return [detection.time for detection in found]

    monkeypatch.setattr(detector.model, "run", counted)
    waiting, calls = [times(detector.feed(chunk)) for chunk in chunks], len(runs)
    monkeypatch.setattr(detector, "may_wait", lambda _: False)
    detector.reset()
    assert waiting == [times(detector.feed(chunk)) for chunk in chunks]
    assert any(waiting)
    assert calls < 0.7 * len(chunks) < len(runs) - calls
    assert sum(runs[:calls]) <= sum(runs[calls:]) <= sum(runs[:calls]) + 24


def test_a_score_depends_on_no_later_sound(detector: Detector) -> None:
    samples = speech_like(2.0)
    changed = samples.copy()
    changed[RATE_HZ:] = 0.5
    before = int((1.0 - detector.first_score_s) / detector.frame_seconds) + 1
    ours, theirs = detector.scores(samples), detector.scores(changed)
    np.testing.assert_array_equal(ours[:before], theirs[:before])
    assert not np.allclose(ours[before + 1 :], theirs[before + 1 :])


def test_torch_offline_equals_the_onnx_stream(detector: Detector, tiny_net: Net) -> None:
    samples = speech_like(8.0)
    frames = torch.from_numpy(LogMel(tiny_net.front_end)(samples))[None]
    with torch.no_grad():
        offline = tiny_net.scores(frames)[0][0].numpy()
    chunks = list(range(1280, len(samples), 1280))
    scores = streamed(detector, samples, chunks)
    assert scores.std() > 0.01, "the net must say something for this to mean anything"
    np.testing.assert_allclose(scores, offline, atol=HALF, rtol=0)


def test_members_side_by_side_give_the_mean_of_their_logits_streamed_and_offline(tiny_net: Net, tmp_path: Path) -> None:
    torch.manual_seed(7)
    trio = Net(tiny_net.front_end, replace(tiny_net.shape, members=3)).eval()
    for member in trio.nets:
        member.head.weight.data.mul_(6)
    export(tmp_path / "trio.onnx", trio, "test", Decision(threshold=0.5), {"language": "en"})
    detector, samples = kws.load(tmp_path / "trio.onnx"), speech_like(4.0)
    frames = torch.from_numpy(LogMel(trio.front_end)(samples))[None]
    with torch.inference_mode():
        logits, _ = trio(frames)
        offline = torch.sigmoid(logits.mean(dim=0))[0].numpy()
    assert logits.shape[:2] == (3, 1)
    assert float(logits.std(dim=0).mean()) > 0.1, "members that agree show nothing"
    scores = streamed(detector, samples, list(range(1280, len(samples), 1280)))
    np.testing.assert_allclose(scores, offline, atol=HALF, rtol=0)


def test_torch_carries_state_as_the_stream_does(tiny_net: Net) -> None:
    frames = torch.randn(2, 200, 40)
    with torch.no_grad():
        whole, _ = tiny_net(frames)
        first, state = tiny_net(frames[:, :101])
        second, _ = tiny_net(frames[:, 101:], state)
    torch.testing.assert_close(torch.cat((first, second), 2), whole, atol=1e-5, rtol=0)


def test_the_level_of_the_frames_changes_nothing(tiny_net: Net) -> None:
    frames = torch.randn(1, 200, 40, generator=torch.Generator().manual_seed(1)) * 3 - 6
    with torch.inference_mode():
        torch.testing.assert_close(tiny_net(frames)[0], tiny_net(frames + 4.0)[0], atol=1e-4, rtol=0)


def test_two_detectors_share_weights_but_no_state(detector: Detector) -> None:
    first, second = detector.fork(), detector.fork()
    assert first.model is second.model
    alone = second.scores(speech_like(1.0))
    first.feed(speech_like(2.0, seed=9))
    second.feed(speech_like(1.0))
    assert second.latest_score == pytest.approx(float(alone[-1]), abs=1e-5)
    assert first.latest_score != pytest.approx(second.latest_score, abs=1e-3)


def test_scores_leave_the_stream_alone(detector: Detector) -> None:
    stream, untouched = detector.fork(), detector.fork()
    for part in (stream, untouched):
        part.feed(speech_like(1.0))
    stream.scores(speech_like(1.0, seed=5))
    for part in (stream, untouched):
        part.feed(speech_like(0.5, seed=6))
    assert stream.latest_score == untouched.latest_score


def test_int16_and_float32_sound_alike(detector: Detector) -> None:
    quantised = (speech_like(1.0) * 32767).astype(np.int16)
    np.testing.assert_allclose(
        detector.scores(quantised), detector.scores(quantised.astype(np.float32) / 32768), atol=1e-6
    )


@pytest.mark.parametrize("chunk", [np.zeros((2, 80), np.float32), np.zeros(80), np.full(80, np.nan, np.float32)])
def test_a_wrong_chunk_is_refused_and_leaves_the_stream_alone(detector: Detector, chunk: np.ndarray) -> None:
    stream = detector.fork()
    stream.feed(speech_like(0.5))
    with pytest.raises(ValueError, match=r"expected|NaN"):
        stream.feed(chunk)
    stream.feed(speech_like(0.5))


def test_no_detection_comes_before_the_warm_up(tiny_detector_path: Path) -> None:
    detector = kws.load(tiny_detector_path, threshold=1e-6)
    found = detector.feed(speech_like(5.0))
    assert found[0].time >= detector.decision.warm_up_s
    assert all(later.time - sooner.time >= 2.0 - 1e-9 for sooner, later in itertools.pairwise(found))
