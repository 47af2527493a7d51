"""The stages of a long command, each shown by a bar of one style, and the minutes they may take together."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

_FORM = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{whole_left}]{postfix}"
_LINE_S = 0.5
"""From one line of JSON to the next."""
_RESERVE = 0.25
"""Share of a budget that is kept for what follows training."""
_FEWEST_STEPS = 150
"""Below these nothing is learnt, whatever the budget."""


@dataclass(kw_only=True)
class Budget:
    """Time for all that follows the bank."""

    minutes: float
    clock: Callable[[], float] = time.monotonic
    """Gives seconds."""
    begun_s: float = 0.0

    def begin(self) -> None:
        """From now on it runs."""
        self.begun_s = self.clock()

    @property
    def left_s(self) -> float:
        """Seconds left, all told."""
        return 60 * self.minutes - (self.clock() - self.begun_s)

    def steps(self, pace_s: float, most: int) -> int:
        """Training steps of `pace_s` seconds that still fit, with time kept for what follows."""
        left_s = self.left_s - _RESERVE * 60 * self.minutes
        return min(most, max(_FEWEST_STEPS, int(left_s / pace_s)))


@dataclass(kw_only=True)
class Stages:
    """Where a command is; a command of one stage has no names."""

    names: tuple[str, ...] = ()
    budget: Budget | None = None
    is_quiet: bool = False
    """Whether nothing is shown: another process shows it."""
    as_json: bool = False
    """Whether a program reads how far it is: a line of JSON each time, instead of a bar."""
    now: str = field(default="", init=False)
    """The stage begun last, as it is shown: 2/6 validation."""

    def enter(self, name: str) -> str:
        """Begin a stage; how it is shown."""
        self.now = f"{self.names.index(name) + 1}/{len(self.names)} {name}" if name in self.names else name
        return self.now

    def bar(self, name: str, total: float, unit: str, *, done: int = 0) -> Any:
        """A bar of a stage, begun now."""
        from tqdm import tqdm

        budget = self.budget

        class Bar(tqdm):  # type: ignore[misc]  # tqdm carries no types
            @property
            def format_dict(self) -> dict[str, Any]:
                left = f", {_minutes(budget.left_s)} left in all" if budget and budget.begun_s else ""
                return {**super().format_dict, "whole_left": left}

        stages = self

        class Lines(Bar):
            def display(self, *_: Any, **__: Any) -> None:
                click.echo(json.dumps(stages.told(name, unit, self.format_dict)), err=True)

        shown = {"desc": self.enter(name), "total": total, "initial": done, "unit": unit, "disable": self.is_quiet}
        if self.as_json:
            return Lines(**shown, mininterval=_LINE_S, leave=False)
        return Bar(**shown, bar_format=_FORM, dynamic_ncols=True)

    def told(self, name: str, unit: str, standing: dict[str, Any]) -> dict[str, Any]:
        """What a program is told of a stage: seconds left of it, and in all where there is a budget."""
        done, total, rate = standing["n"], standing["total"], standing["rate"]
        spent_s = standing["elapsed"]
        rate = rate or ((done - standing["initial"]) / spent_s if spent_s else None)
        return {
            "stage": name, "number": self.names.index(name) + 1 if name in self.names else 1,
            "of": max(1, len(self.names)), "done": round(done, 2), "total": round(total, 2), "unit": unit.strip(),
            "rate_per_s": round(rate, 3) if rate else None,
            "left_s": round(max(0.0, total - done) / rate, 1) if rate else None,
            "whole_left_s": round(max(0.0, self.budget.left_s), 1) if self.budget and self.budget.begun_s else None,
        }  # fmt: skip


def _minutes(seconds: float) -> str:
    """As 2:31; 0:00 when they are spent."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{seconds:02d}"


@contextmanager
def stoppable(stages: Stages) -> Iterator[None]:
    """Ctrl-C ends the program, telling where it was and that it goes on from there."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nkws: stopped at {stages.now}; run the same command again to go on.", err=True)
        sys.exit(130)
