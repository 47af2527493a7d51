"""Records of a run beside its log.jsonl, in forms that other programs draw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

LOG = "log.jsonl"
"""In a run's folder: what each validation found, a line of JSON each."""


class Record(Protocol):
    """Is told figures as a run goes."""

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures by their names, after so many steps."""

    def close(self) -> None:
        """No more will come."""


class TensorBoard:
    """Event files for `tensorboard --logdir`."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """Go on in a folder from a step; what an earlier run told of later ones is hidden.

        Raises ModuleNotFoundError if tensorboard is not installed.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step)

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """See Record."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """See Record."""
        self._writer.close()
