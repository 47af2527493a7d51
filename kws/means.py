"""What a net learns by: a processor or a GPU, in which precision, compiled or not.

Weights, checkpoints and the detector are the same on each, and a run begun on one goes on on another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kws.errors import Failure
from kws.ranks import local_rank

if TYPE_CHECKING:
    import torch

Named = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class Means:
    """A device and how it reckons."""

    device: str = "cpu"
    """As torch names it."""
    mixed: bool = False
    """Whether matrices are multiplied in bfloat16; weights, sums over a batch and the loss stay in float32."""
    compiled: bool = False
    """Whether torch.compile makes one kernel of what is done to frames."""

    @property
    def on(self) -> torch.device:
        """The device."""
        import torch

        return torch.device(self.device)

    @property
    def is_gpu(self) -> bool:
        """Whether work is only queued there, in the order in which it is asked for."""
        return self.on.type != "cpu"

    @contextmanager
    def precision(self) -> Iterator[None]:
        """What is reckoned inside `with` is reckoned as asked for."""
        import torch

        with torch.autocast(self.on.type, torch.bfloat16, enabled=self.mixed):
            yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is asked for inside `with` does not wait for what a GPU was asked for before."""
        if not self.is_gpu:
            yield
            return
        import torch

        with torch.cuda.stream(torch.cuda.Stream(self.on)):  # type: ignore[no-untyped-call]
            yield

    def made(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if that is asked for."""
        import torch

        return torch.compile(work, dynamic=False) if self.compiled else work


def means_of(named: Named, *, compiled: bool = False) -> Means:
    """The GPU, if it is named or if there is one, in mixed precision; else the processor.

    Of several, the one that torchrun means for this process.

    Raises Failure if a GPU is named and torch finds none.
    """
    import torch

    there = torch.cuda.is_available()
    if named == "cuda" and not there:
        raise Failure(
            f"torch {torch.__version__} finds no GPU here: install a torch built for CUDA and NVIDIA's driver, "
            "or leave --device out."
        )
    if not there or named == "cpu":
        return Means(compiled=compiled)
    return Means(device=f"cuda:{local_rank()}", mixed=True, compiled=compiled)
