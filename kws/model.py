"""The net: a floor under the sound, Conv1D that shortens time, BatchNorm, GRU, one sigmoid a step.

Several of them may listen side by side, trained on the same batches: each errs on other voices and sounds, and the
mean of their logits on fewer. B clips, T frames, M mel bands, W frames among which the loudest is sought, P members, N
steps, C channels, H hidden units, L layers. A net is causal and pads nothing: step n sees the frames up to n * stride +
kernel - 1, so one pass over a clip equals any stream of it. The floor follows the level and a filter's weights sum to
0: a level is a constant added to log-mel frames, and changes nothing above the front end's floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kws.config import FrontEnd, Shape


@dataclass(frozen=True, kw_only=True)
class State:
    """What the net carries from one stretch of sound to the next."""

    loud: Tensor
    """(B, W - 1) mean power of the last frames."""
    conv: Tensor
    """(B, frames still under the convolution, M)."""
    gru: Tensor
    """(P * L, B, H), member by member."""


class Dropout(nn.Module):
    """Dropout whose draws hang on a seed, so that members may learn in threads side by side."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self._draws: torch.Generator | None = None

    def seed(self, seed: int, device: torch.device) -> None:
        """Begin its draws anew, for values on that device."""
        self._draws = torch.Generator(device).manual_seed(seed)

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape, some of them 0 and the others scaled up for it; while it trains."""
        if not self.training or not self.share:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.share, generator=self._draws)
        return values * kept / (1 - self.share)


class Member(nn.Module):
    """One of the nets: from floored frames to logits."""

    def __init__(self, bands: int, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.stride = shape.stride
        self.conv = nn.Conv1d(bands, shape.channels, shape.kernel, stride=shape.stride, bias=False)
        self.norm = nn.BatchNorm1d(shape.channels)
        self.gru = nn.GRU(shape.channels, shape.hidden, shape.layers, batch_first=True)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(shape.hidden, 1)

    @property
    def filters(self) -> Tensor:
        """The convolution's weights (C, M, kernel), each filter's sum made 0, so that it is deaf to level."""
        return self.conv.weight - self.conv.weight.mean(dim=(1, 2), keepdim=True)

    def blank(self, clips: int) -> Tensor:
        """The state (L, B, H) before any sound."""
        return self.head.weight.new_zeros(self.gru.num_layers, clips, self.gru.hidden_size)

    def forward(self, window: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, N) of frames (B, T, M), and the state (L, B, H) after them."""
        columns = functional.conv1d(window.transpose(1, 2), self.filters, stride=self.stride)
        hidden = torch.relu(self.norm(columns)).transpose(1, 2)
        hidden, after = self.gru(self.dropout(hidden), state)
        return self.head(self.dropout(hidden)).squeeze(-1), after


class Net(nn.Module):
    """Log-mel frames in, one logit a step and member out."""

    member: type[Member] = Member

    def __init__(self, front_end: FrontEnd, shape: Shape, dropout: float = 0.1) -> None:
        super().__init__()
        self.front_end, self.shape = front_end, shape
        self.members = nn.ModuleList(self.member(front_end.bands, shape, dropout) for _ in range(shape.members))

    @property
    def nets(self) -> list[Member]:
        """The members."""
        return [member for member in self.members if isinstance(member, Member)]

    def part(self, numbers: Sequence[int]) -> Net:
        """A net of those of the members, which stay this net's too."""
        net = type(self)(self.front_end, replace(self.shape, members=len(numbers)))
        net.members = nn.ModuleList(self.members[number] for number in numbers)
        return net.train(self.training)

    def blank_state(self, clips: int) -> State:
        """The state before any sound, as the listener starts from."""
        like = next(self.parameters())
        return State(
            loud=like.new_zeros(clips, self.shape.loud_frames(self.front_end) - 1),
            conv=like.new_zeros(clips, 0, self.front_end.bands),
            gru=torch.cat([member.blank(clips) for member in self.nets]),
        )

    def forward(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (P, B, N) of (B, T, M) frames and the state after them; no state means a blank one."""
        state = self.blank_state(len(frames)) if state is None else state
        frames, loud = self.floored(frames, state.loud)
        window = torch.cat((state.conv, frames), dim=1)
        steps = self.shape.steps(window.shape[1])
        kept = window[:, steps * self.shape.stride :]
        if steps == 0:
            return frames.new_zeros(self.shape.members, len(frames), 0), State(loud=loud, conv=kept, gru=state.gru)
        states = state.gru.reshape(self.shape.members, self.shape.layers, *state.gru.shape[1:]).unbind()
        heard = [member(window, own) for member, own in zip(self.nets, states, strict=True)]
        after = torch.cat([own for _, own in heard])
        return torch.stack([logits for logits, _ in heard]), State(loud=loud, conv=kept, gru=after)

    def floored(self, frames: Tensor, loud: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, T, M) with the floor's power added, and the power (B, W - 1) of the last of them."""
        if frames.shape[1] == 0:
            return frames, loud
        power = frames.exp()
        track = torch.cat((loud, power.mean(dim=2)), dim=1)
        loudest = functional.max_pool1d(track[:, None], loud.shape[1] + 1, stride=1).transpose(1, 2)
        return (power + self.shape.floor_share * loudest).log(), track[:, frames.shape[1] :]

    def scores(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Scores (B, N) in [0, 1] of (B, T, M) frames and the state after them; no state means a blank one."""
        logits, state = self(frames, state)
        return torch.sigmoid(logits.mean(dim=0)), state

    def times_s(self, frames: int) -> NDArray[np.floating]:
        """Seconds of sound behind each step (N,) of so many frames."""
        steps = np.arange(self.shape.steps(frames))
        return self.shape.first_score_s(self.front_end) + steps * self.shape.step_s(self.front_end)

    @property
    def parameters_count(self) -> int:
        """Trainable parameters."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad)
