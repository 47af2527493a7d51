"""One member of a net as it learns: its optimiser, its running average, and the steps that wait for it.

Members share batches and nothing else, so each takes its steps in whatever thread is free, one after the other. What a
step drops out hangs on the seed and the step alone: a run's weights are the same with any number of threads.
B clips, T frames, M mel bands, N steps, L layers, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kws.means import Means
from kws.model import Member
from kws.ranks import Ranks
from kws.recipe import Recipe

_STEEPEST = 5.0
"""Norm of the gradient beyond which it is scaled down."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What all members are given in one step."""

    frames: Tensor
    """(B, T, M), floored."""
    asked: Tensor
    """(B, N): kws.targets.regions."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """Of logits (B, N) and what is asked."""
    order: NDArray[np.int64]
    """Of the clips (B,) of the step before: which of them each clip goes on from."""
    carried: NDArray[np.bool_]
    """Whether it goes on from there (B,) or starts blank."""
    learning_rate: float
    seed: tuple[int, int]
    """The run's, and the step."""


class Learner:
    """A member, and the running average of its weights."""

    def __init__(
        self, member: Member, average: nn.Module, number: int, recipe: Recipe, ranks: Ranks, means: Means
    ) -> None:
        """`average`: a copy of the member; `number`: of the member."""
        self.member, self.average, self.number, self._means = member, average, number, means
        self._share = recipe.average
        self._joint, self._rank = ranks.joint(member), ranks.rank
        self.optimiser = torch.optim.AdamW(
            member.parameters(), lr=1.0, weight_decay=recipe.weight_decay, fused=True if means.is_gpu else None
        )
        self.ended: Tensor | None = None
        """The states (L, B, H) in which the clips of the last step ended."""
        self._latest: Future[Tensor] | None = None

    def take(self, lesson: Lesson, executor: Executor) -> Future[Tensor]:
        """Take a step as soon as those before are taken; gives the loss."""
        self._latest = executor.submit(self._step, self._latest, lesson)
        return self._latest

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the weights."""
        return {"optimiser": self.optimiser.state_dict(), "ended": self.ended}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.optimiser.load_state_dict(state["optimiser"])
        ended = state["ended"]
        self.ended = None if ended is None else ended.to(self._means.on)

    def _step(self, before: Future[Tensor] | None, lesson: Lesson) -> Tensor:
        if before is not None:
            before.result()
        self.member.train()
        drawn_by = [*lesson.seed, self.number, *([self._rank] if self._rank else [])]
        self.member.dropout.seed(int(np.random.SeedSequence(drawn_by).generate_state(1)[0]), self._means.on)
        with self._means.precision():
            logits, ended = self._joint(lesson.frames, self._begin(lesson))
        self.ended = ended.detach().float()
        loss = lesson.loss(logits.float(), lesson.asked)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.member.parameters(), _STEEPEST)
        for group in self.optimiser.param_groups:
            group["lr"] = lesson.learning_rate
        self.optimiser.step()
        self._follow()
        return loss.detach()

    def _begin(self, lesson: Lesson) -> Tensor:
        """Some clips start blank, as a listener does, the others from where clips of the step before ended."""
        clips = len(lesson.frames)
        if self.ended is None or self.ended.shape[1] != clips:
            return self.member.blank(clips)
        order, carried = (torch.from_numpy(part).to(self._means.on) for part in (lesson.order, lesson.carried))
        return self.ended[:, order] * carried[None, :, None]

    def _follow(self) -> None:
        with torch.no_grad():
            for old, new in zip(self.average.state_dict().values(), self.member.state_dict().values(), strict=True):
                if old.is_floating_point():
                    old.lerp_(new, 1 - self._share)
                else:
                    old.copy_(new)
