"""How a net is trained, and what from."""

from __future__ import annotations

from dataclasses import dataclass

from kws.augment import Variety
from kws.config import FrontEnd, Shape
from kws.targets import Window


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a net is trained."""

    steps: int = 1200
    batch: int = 40
    crop_s: float = 5.0
    """Length of the stretch of each clip that a batch takes."""
    learning_rate: float = 8e-3
    weight_decay: float = 1e-2
    warm_up: int = 200
    """Steps over which the learning rate rises."""
    smoothing: tuple[int, ...] = (8, 5)
    """Steps whose scores the rule may average. The loss judges single steps: averaged there too, it gains nothing."""
    most_lag_s: float = 0.13
    """Median time from a word's end to its detection above which fewer scores are averaged."""
    negative_weight: float = 0.3
    """Of a second of negatives in the loss, over a positive's. More of it, and people, whom no training voice quite
    resembles, are given up sooner."""
    average: float = 0.99
    """Share of the old in the running average of the weights."""
    dropout: float = 0.1
    carried: float = 0.5
    """Share of clips that start from the state another clip ended in."""
    validate_every: int = 1200
    target_per_hour: float = 0.5
    seed: int = 1
    spares: int = 2
    """Members that learn beside those of the shape; the best that many are kept."""
    trunk: bool = True
    """Whether the net starts from what the trunk knows of phones."""
    front_end: FrontEnd = FrontEnd()
    shape: Shape = Shape()
    window: Window = Window()
    variety: Variety = Variety()  # noqa: RUF009 - frozen


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a run learns from, kept with it and handed on to the detector's file."""

    word: str
    made_from: str
    """A fingerprint of the dataset or stage."""
    language: str = "en-us"
    licences: tuple[str, ...] = ()
    """One sentence for each source of sound."""
