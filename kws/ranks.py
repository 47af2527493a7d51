"""Processes that learn one net together, as PyTorch's torchrun starts them: on several processors, cards or machines.

Each rank draws a part of every batch from clips of its own, and DistributedDataParallel gives all of them the mean of
their gradients before these are clipped, so that every rank takes the same step. Batch norm normalises by what a rank
hears itself; the running statistics that the listener uses are those of rank 0, handed to all at each step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kws.errors import Misuse

if TYPE_CHECKING:
    from kws.model import Member


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """A process among those that learn together; alone unless torchrun started it."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that validates, writes and speaks."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """The rank's part of so many clips. Raises Misuse if they cannot be parted alike."""
        if batch % self.count:
            raise Misuse(f"a batch of {batch} clips cannot be parted among {self.count} processes: start a divisor.")
        return batch // self.count

    def joint(self, member: Member) -> Member:
        """The member, whose gradients are the mean of all ranks' from now on; itself, where there is but one.

        Members learn in threads side by side, so each has a process group of its own.
        """
        if self.count == 1:
            return member
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        group = dist.new_group()
        return cast("Member", DistributedDataParallel(member, process_group=group))

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """What is done inside is done by rank 0 first: what it leaves in the cache the others find there."""
        if not self.is_first:
            self._meet()
        yield
        if self.is_first:
            self._meet()

    def _meet(self) -> None:
        if self.count > 1:
            import torch.distributed as dist

            dist.barrier()


def started() -> int:
    """How many processes torchrun started; 1 if it did not."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """The number of this process among those that torchrun started on this machine, and of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that torchrun started, connected inside `with`."""
    count = started()
    if count == 1:
        yield Ranks()
        return
    import torch
    import torch.distributed as dist

    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    try:
        yield Ranks(rank=dist.get_rank(), count=count)
    finally:
        dist.destroy_process_group()


@dataclass(frozen=True)
class Parted:
    """The clips of one rank: every so many-th."""

    clips: Any
    """Gives a clip by its number."""
    ranks: Ranks

    def __call__(self, number: int) -> Any:
        """The rank's clip of that number."""
        return self.clips(number * self.ranks.count + self.ranks.rank)
