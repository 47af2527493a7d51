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
    number of clips.
    """
    losses = [functional.softplus(-_best(logits, asked == number)) for number in range(1, int(asked.max()) + 1)]
    losses.append(negative_weight * functional.softplus(_worst(logits, asked == 0, block)))
    return torch.cat(losses).sum() / len(logits)


def _best(logits: Tensor, mask: Tensor) -> Tensor:
    """The highest logit of each clip that has any step in the mask."""
    return logits[mask.any(dim=1)].masked_fill(~mask[mask.any(dim=1)], -torch.inf).amax(dim=1)


def _worst(logits: Tensor, mask: Tensor, block: int) -> Tensor:
    """The highest masked logit of each block that has any."""
    spare = -logits.shape[1] % block
    padded = functional.pad(logits.masked_fill(~mask, -torch.inf), (0, spare), value=-torch.inf)
    worst = padded.reshape(-1, block).amax(dim=1)
    return worst[worst > -torch.inf]
