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
from kws.recipe import Recipe
from kws.trunk import LAG_S, align, phone_loss, read_trunk, spread, trunk_of

SMALL = Shape(channels=8, hidden=8, layers=1, members=1)
TIMES_S = np.arange(100) * 0.03
ROWS = [np.array([[0.3, 0.6, 1], [0.6, 0.9, 2], [0.9, 1.2, 3], [1.8, 2.7, 4]], np.float32)]


def during(start_s: float, end_s: float) -> np.ndarray:
    """Which steps (N,) lie there."""
    return (start_s <= TIMES_S) & (end_s > TIMES_S)


def named(kinds: np.ndarray) -> torch.Tensor:
    """Logits (1, N, 5) of somebody who is sure of each step's kind."""
    return 6.0 * functional.one_hot(torch.from_numpy(kinds)[None], 5).float()


def heard(lag_s: float) -> np.ndarray:
    """The kinds (N,) named by somebody who takes so long."""
    kinds = np.zeros(len(TIMES_S), np.int64)
    for start_s, end_s, kind in ROWS[0]:
        kinds[during(start_s + lag_s, end_s + lag_s)] = int(kind)
    return kinds


def test_the_loss_is_least_for_who_names_each_phone_a_moment_after_it_was_said() -> None:
    losses = [float(phone_loss(named(heard(lag_s)), ROWS, TIMES_S)) for lag_s in (-0.2, 0.05, 0.3)]
    assert losses[1] < min(losses[0], losses[2])
    silent = float(phone_loss(named(np.zeros(100, np.int64)), ROWS, TIMES_S))
    assert losses[1] < silent


def test_phones_are_first_thought_equally_long() -> None:
    rows = spread(0.3, 1.2, [1, 2, 3])
    assert rows == pytest.approx(ROWS[0][:3])


@pytest.mark.parametrize("edges_s", [(0.3, 0.45, 1.0, 1.2), (0.6, 0.75, 0.81, 1.05), (0.3, 0.9, 1.05, 1.2)])
def test_phones_are_found_where_they_are_named(edges_s: tuple[float, ...]) -> None:
    scores = np.full((100, 5), -4.0)
    scores[:, 0] = -1.0
    for kind in (1, 2, 3):
        scores[during(edges_s[kind - 1] + LAG_S, edges_s[kind] + LAG_S), kind] = -0.1
    rows = align(scores, TIMES_S, 0.3, 1.2, [1, 2, 3])
    assert rows[:, 2].tolist() == [1, 2, 3]
    assert np.append(rows[:, 0], rows[-1, 1]) == pytest.approx(np.array(edges_s), abs=0.031)


def test_more_phones_than_steps_are_spread() -> None:
    kinds = [1, 2, 3, 4] * 10
    assert align(np.zeros((100, 5)), TIMES_S, 0.3, 0.6, kinds) == pytest.approx(spread(0.3, 0.6, kinds))


def test_a_net_starts_from_what_the_trunk_learnt_and_keeps_its_own_head(tmp_path: Path) -> None:
    torch.manual_seed(1)
    learnt, net = Net(FrontEnd(), SMALL), Net(FrontEnd(), SMALL)
    learnt.nets[0].norm.running_mean.fill_(0.5)
    head = net.nets[0].head.weight.clone()
    (tmp_path / "trunk.pt").write_bytes(trunk_of(learnt, ("tones: ours",)).pack())
    trunk = read_trunk(tmp_path / "trunk.pt")
    trunk.start(net)
    assert trunk.licences == ("tones: ours",)
    assert torch.equal(net.nets[0].head.weight, head)
    for name in ("members.0.conv.weight", "members.0.gru.weight_hh_l0", "members.0.norm.running_mean"):
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
