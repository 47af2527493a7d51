"""The trunk: what it teaches, and how a net starts from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from kws.config import FrontEnd, Shape
from kws.errors import Failure
from kws.model import Net
from kws.train import Recipe
from kws.trunk import phone_loss, read_trunk, trunk_of

SMALL = Shape(channels=8, hidden=8, layers=1)
TIMES_S = np.arange(100) * 0.03
SAID = [[1, 2, 3], [4, 4, 1]]
ROWS = [np.array([[0.3, 1.2, 0], [1.8, 2.7, 1]], np.float32)]


def named(kinds: np.ndarray) -> torch.Tensor:
    """Logits (1, N, 5) of somebody who is sure of each step's kind."""
    return 6.0 * functional.one_hot(torch.from_numpy(kinds)[None], 5).float()


def heard(lag_s: float, rows: list[np.ndarray] = ROWS) -> np.ndarray:
    """The kinds (N,) named by somebody who takes so long."""
    times_s = TIMES_S
    kinds = np.zeros(len(times_s), np.int64)
    for start_s, end_s, text in rows[0]:
        for number, phone in enumerate(SAID[int(text)]):
            low, high = (start_s + lag_s + (end_s - start_s) * (number + more) / 3 for more in (0, 1))
            kinds[(times_s >= low) & (times_s < high)] = phone
    return kinds


def test_the_loss_is_least_for_who_names_each_phone_a_moment_after_it_was_said() -> None:
    losses = [float(phone_loss(named(heard(lag_s)), ROWS, SAID, TIMES_S)) for lag_s in (-0.2, 0.05, 0.3)]
    assert losses[1] < min(losses[0], losses[2])
    silent = float(phone_loss(named(np.zeros(100, np.int64)), ROWS, SAID, TIMES_S))
    assert losses[1] < silent


def test_an_utterance_that_began_before_the_clip_is_taught_from_where_it_stands() -> None:
    rows = [np.array([[-0.6, 0.3, 0]], np.float32)]
    right, wrong = named(heard(0.05, rows)), named(heard(0.35, rows))
    assert float(phone_loss(right, rows, SAID, TIMES_S)) < float(phone_loss(wrong, rows, SAID, TIMES_S))


def test_a_net_starts_from_what_the_trunk_learnt_and_keeps_its_own_head(tmp_path: Path) -> None:
    torch.manual_seed(1)
    learnt, net = Net(FrontEnd(), SMALL), Net(FrontEnd(), SMALL)
    learnt.norm.running_mean.fill_(0.5)
    head = net.head.weight.clone()
    (tmp_path / "trunk.pt").write_bytes(trunk_of(learnt, ("tones: ours",)).pack())
    trunk = read_trunk(tmp_path / "trunk.pt")
    trunk.start(net)
    assert trunk.licences == ("tones: ours",)
    assert torch.equal(net.head.weight, head)
    for name in ("conv.weight", "gru.weight_hh_l0", "norm.running_mean"):
        assert torch.allclose(net.state_dict()[name], learnt.state_dict()[name], atol=1e-3)


def test_a_net_of_another_shape_cannot_start_from_it() -> None:
    trunk = trunk_of(Net(FrontEnd(), SMALL), ())
    with pytest.raises(Failure, match="another shape"):
        trunk.start(Net(FrontEnd(), Shape(channels=16, hidden=8, layers=1)))


@pytest.mark.parametrize("content", [b"", b"no trunk at all"])
def test_a_damaged_trunk_is_told_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "trunk.pt").write_bytes(content)
    with pytest.raises(Failure, match=r"trunk\.pt cannot be read"):
        read_trunk(tmp_path / "trunk.pt")


def test_the_shipped_trunk_fits_the_usual_recipe_and_says_what_it_is_made_from() -> None:
    trunk = read_trunk()
    recipe = Recipe()
    trunk.start(Net(recipe.front_end, recipe.shape))
    assert trunk.licences
