"""The trunk: a net that has learnt phones, from which the training of every word starts.

Its convolution and GRU told the phone of every step from thousands of made-up utterances; a word then needs few steps
and few voices. Why that helps: J. Lin et al., Training keyword spotters with limited and synthesized speech data,
ICASSP 2020.

B clips, N steps, P phones of a clip or an utterance, Q kinds of phones; kind 0 is none.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kws.config import FrontEnd, Shape
from kws.errors import Failure
from kws.model import Net

SHIPPED = Path(__file__).with_name("trunk.pt")
LAG_S = 0.05
"""A step is told the phone of so long ago, which it has heard whole or nearly."""


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """What a word starts from."""

    front_end: FrontEnd
    shape: Shape
    weights: dict[str, Tensor]
    """Of convolution, norm and GRU, in half precision."""
    licences: tuple[str, ...]
    """One sentence for each source of sound."""

    def start(self, net: Net) -> None:
        """Give each member of a net the trunk's weights. Raises Failure if it has another shape or front end."""
        if (net.front_end, replace(net.shape, members=1)) != (self.front_end, replace(self.shape, members=1)):
            raise Failure("the trunk has another shape than the net: build it again with scripts/build_trunk.")
        for member in net.nets:
            member.load_state_dict({name: weight.float() for name, weight in self.weights.items()}, strict=False)

    def pack(self) -> bytes:
        """The trunk as a file."""
        return packed({
            "front_end": self.front_end.to_json(), "shape": self.shape.to_json(), "weights": self.weights,
            "licences": self.licences,
        })  # fmt: skip


def packed(state: dict[str, Any]) -> bytes:
    """What torch.load reads, as a file to be written whole."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def trunk_of(net: Net, licences: tuple[str, ...]) -> Trunk:
    """The trunk of a net of one member: all but its head."""
    (member,) = net.nets
    weights = {name: weight for name, weight in member.state_dict().items() if not name.startswith("head.")}
    halved = {name: weight.half() if weight.is_floating_point() else weight for name, weight in weights.items()}
    return Trunk(front_end=net.front_end, shape=net.shape, weights=halved, licences=licences)


def read_trunk(path: Path = SHIPPED) -> Trunk:
    """Read a trunk. Raises Failure if it is missing or damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return Trunk(
            front_end=FrontEnd.from_json(state["front_end"]), shape=Shape.from_json(state["shape"]),
            weights=state["weights"], licences=tuple(state["licences"]),
        )  # fmt: skip
    except Exception as error:  # a damaged pickle or archive fails in many ways
        raise Failure(
            f"{path} cannot be read ({type(error).__name__}): install the package again or run scripts/build_trunk."
        ) from error


def phone_loss(logits: Tensor, rows: Sequence[NDArray[np.float32]], times_s: NDArray[np.floating]) -> Tensor:
    """Cross-entropy of logits (B, N, Q) with each step's phone.

    `rows`: each clip's phones (P, 3), of start, end and kind. `times_s`: the seconds of sound behind each step (N,).
    """
    kinds = np.zeros(logits.shape[:2], np.int64)
    for clip, phones in enumerate(rows):
        for start_s, end_s, kind in phones:
            kinds[clip, (times_s >= start_s + LAG_S) & (times_s < end_s + LAG_S)] = int(kind)
    return functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(kinds).flatten(), label_smoothing=0.1)


def spread(start_s: float, end_s: float, kinds: Sequence[int]) -> NDArray[np.float32]:
    """Rows (P, 3) of the phones of an utterance, all equally long."""
    edges_s = np.linspace(start_s, end_s, len(kinds) + 1)
    return np.stack((edges_s[:-1], edges_s[1:], kinds), axis=1).astype(np.float32)


def align(
    scores: NDArray[np.floating], times_s: NDArray[np.floating], start_s: float, end_s: float, kinds: Sequence[int]
) -> NDArray[np.float32]:
    """Rows (P, 3) of the phones of an utterance where log probabilities (N, Q) of the phones are highest in all.

    Each phone holds at least a step; before the first and after the last there may be none. Spread evenly where there
    are fewer steps than phones. Source: A. Viterbi, Error bounds for convolutional codes, 1967.
    """
    inside = np.flatnonzero((times_s >= start_s + LAG_S) & (times_s < end_s + LAG_S))
    if len(inside) < len(kinds):
        return spread(start_s, end_s, kinds)
    states = np.array([0, *kinds, 0])
    emitted = scores[inside][:, states]
    best = np.where(np.arange(len(states)) < 2, emitted[0], -np.inf)  # the silence before it may be left out
    came = np.zeros(emitted.shape, bool)
    for step in range(1, len(inside)):
        before = np.concatenate(([-np.inf], best[:-1]))
        came[step] = before > best
        best = np.maximum(best, before) + emitted[step]
    state = len(states) - (1 if best[-1] > best[-2] else 2)
    path = np.zeros(len(inside), np.int64)
    for step in range(len(inside) - 1, -1, -1):
        path[step] = state
        state -= int(came[step, state])
    firsts = np.searchsorted(path, np.arange(1, len(states)))
    edges_s = np.append(times_s[inside], times_s[inside[-1]] + times_s[1] - times_s[0])[firsts] - LAG_S
    return np.stack((edges_s[:-1], edges_s[1:], kinds), axis=1).astype(np.float32)
