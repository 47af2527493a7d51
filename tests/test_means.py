"""On a GPU the same recipe learns: here in its precision and compiled, on the processor."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_train import RECIPE, SOURCE, Scenes

from kws.augment import applied, drawn, stretches
from kws.config import FrontEnd
from kws.errors import Failure
from kws.examples import Examples, FeatureClips
from kws.loss import max_pooling_loss
from kws.means import Means, means_of
from kws.model import Net
from kws.train import Training

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture(scope="module")
def examples() -> Examples:
    clips = FeatureClips(clips=Scenes(), front_end=FrontEnd(), count=48)
    held = Examples(48)
    held.add(clips[number] for number in range(48))
    return held


def losses(examples: Examples, folder: Path, means: Means, steps: int = 60) -> list[float]:
    """Of a small net that learns tones."""
    recipe = replace(RECIPE, steps=steps, batch=16, average=0.9, learning_rate=1e-2)
    training = Training(recipe, SOURCE, folder, means=means)
    return [training.begin_step(examples) for _ in range(steps)]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
def test_in_mixed_precision_a_net_learns_as_well(examples: Examples, tmp_path: Path, device: str) -> None:
    whole = losses(examples, tmp_path, Means())
    mixed = losses(examples, tmp_path, Means(device=device, mixed=True))
    assert mixed != whole
    assert np.mean(mixed[:3]) == pytest.approx(np.mean(whole[:3]), rel=0.1)
    assert np.mean(mixed[-10:]) < 0.5 * np.mean(mixed[:3])
    assert np.mean(mixed[-10:]) == pytest.approx(np.mean(whole[-10:]), rel=0.3)


def test_weights_and_what_a_checkpoint_holds_stay_in_whole_precision(examples: Examples, tmp_path: Path) -> None:
    training = Training(RECIPE, SOURCE, tmp_path, means=Means(mixed=True))
    training.learn(examples, 2)
    training.save()
    again = Training(RECIPE, SOURCE, tmp_path)
    again.resume()
    for ours, theirs in zip(training.net.parameters(), again.net.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)
    (ended,) = [learner.ended for learner in again.learners]
    assert ended is not None
    assert ended.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # by torch.compile itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_the_same_is_done_to_frames() -> None:
    rng, front_end, variety = np.random.default_rng(0), FrontEnd(), RECIPE.variety
    frames = torch.from_numpy(rng.normal(-5, 2, (6, 90, front_end.bands)).astype(np.float32))
    draws = drawn(np.array([True, False] * 3), front_end, variety, rng)
    compiled = Means(compiled=True).made(applied)
    expected = applied(frames, draws, front_end.floor)
    torch.testing.assert_close(compiled(frames, draws, front_end.floor), expected, rtol=1e-4, atol=1e-4)


def test_on_a_gpu_nothing_of_a_step_stays_behind_nor_is_waited_for(examples: Examples) -> None:
    """On torch's meta device, as on a GPU, nothing may hang on a value, and no two devices meet."""
    meta, rng, front_end = torch.device("meta"), np.random.default_rng(0), FrontEnd()
    clips = examples.draw(rng, 6)
    cut, _ = stretches(clips, 300, front_end.hop_s, RECIPE.variety, rng, meta)
    draws = drawn(np.array([True, False] * 3), front_end, RECIPE.variety, rng, meta)
    net = Net(front_end, RECIPE.shape, dropout=0).to(meta)
    frames, _ = net.floored(applied(cut, draws, front_end.floor), net.blank_state(6).loud)
    logits, ended = net.nets[0](frames, net.nets[0].blank(6))
    loss = max_pooling_loss(logits, torch.zeros(logits.shape, dtype=torch.int64, device=meta), 33)
    loss.backward()
    assert loss.device == ended.device == meta


def test_without_a_gpu_the_processor_learns_unless_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert means_of("auto") == means_of("cpu") == Means()
    with pytest.raises(Failure, match="finds no GPU here: install a torch built for CUDA"):
        means_of("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert means_of("auto", compiled=True) == Means(device="cuda:0", mixed=True, compiled=True)
    assert means_of("cpu") == Means()
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert means_of("cuda").device == "cuda:3"
