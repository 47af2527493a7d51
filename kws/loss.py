"""What training minimises: a positive judged by its best step near the word's end, negatives by their worst.

B clips, N steps. Max-pooling near the word's edge and hard negatives: J. Hou et al., Mining effective negative training
samples for keyword spotting, ICASSP 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def max_pooling_loss(logits: Tensor, asked: Tensor, block: int, negative_weight: float = 1.0) -> Tensor:
    """Loss of logits (B, N) under `kws.targets.regions` (B, N), negatives in blocks of so many steps.

    The sum of the cross-entropies of every positive, and of every block of negatives times their weight, over the
    number of clips. Nothing hangs on how many there are of either, so a GPU is never waited for.
    """
    best, worst = _best(logits, asked), _worst(logits, asked == 0, block)
    there = best > -torch.inf
    positives = functional.softplus(-best.masked_fill(~there, 0)) * there
    return (positives.sum() + negative_weight * functional.softplus(worst).sum()) / len(logits)


def _best(logits: Tensor, asked: Tensor) -> Tensor:
    """The highest logit (B, N) of each clip's positives by their number, from 1; -inf where there is none."""
    best = torch.full((len(logits), logits.shape[1] + 1), -torch.inf, dtype=logits.dtype, device=logits.device)
    return best.scatter_reduce(1, asked.clamp(min=0), logits, "amax")[:, 1:]


def _worst(logits: Tensor, mask: Tensor, block: int) -> Tensor:
    """The highest masked logit of each block, -inf where nothing is masked."""
    spare = -logits.shape[1] % block
    padded = functional.pad(logits.masked_fill(~mask, -torch.inf), (0, spare), value=-torch.inf)
    return padded.reshape(-1, block).amax(dim=1)
