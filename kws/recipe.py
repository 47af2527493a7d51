"""How a net is trained, and what from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from kws.augment import Variety
from kws.config import FrontEnd, Shape
from kws.errors import Misuse
from kws.targets import Window

Setting = bool | int | float

FITTED = frozenset({"steps", "warm_up", "average", "validate_every", "spares"})
"""Fields that a budget of minutes finds itself."""
SETTABLE = {
    "steps": (1, math.inf), "batch": (1, math.inf), "crop_s": (1, math.inf), "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf), "warm_up": (1, math.inf), "most_lag_s": (0, math.inf),
    "negative_weight": (0, math.inf), "average": (0, 1), "dropout": (0, 1), "carried": (0, 1),
    "validate_every": (1, math.inf), "spares": (0, math.inf), "trunk": (0, 1),
}  # fmt: skip
"""Fields that a user may set, and between which values. Seed and target are asked for by themselves."""


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


def read_settings(told: Iterable[str]) -> dict[str, tuple[Setting, ...]]:
    """The fields and values that NAME=VALUE[,VALUE…] name, in the order of the names. Raises Misuse."""
    read: dict[str, list[Setting]] = {}
    for text in told:
        name, equals, values = text.partition("=")
        if name not in SETTABLE or not equals:
            raise Misuse(f"--set {text} sets nothing: say NAME=VALUE, where NAME is {', '.join(SETTABLE)}.")
        read.setdefault(name, []).extend(_setting(name, value) for value in values.split(","))
    return {name: tuple(dict.fromkeys(read[name])) for name in sorted(read)}


def _setting(name: str, text: str) -> Setting:
    kind, (least, most) = type(getattr(Recipe, name)), SETTABLE[name]
    try:
        value: Setting = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and least <= value <= most):
        upwards = f"{least} upwards" if most == math.inf else f"{least} to {most}"
        wanted = {bool: "true or false", int: f"a whole number from {upwards}", float: f"a number from {upwards}"}
        raise Misuse(f"--set {name}={text}: {name} is {wanted[kind]}.")
    return value
