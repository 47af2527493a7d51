"""The stages of kws new are told by one kind of bar, and a budget finds steps that fit into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kws.cli.runs import effort, shortened
from kws.cli.stages import Budget, Stages, stoppable
from kws.recipe import Recipe


class Clock:
    """Tells the time that it is set to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@given(minutes=st.floats(0.5, 60), spent=st.floats(0, 0.6), pace_s=st.floats(0.01, 3), most=st.integers(150, 3000))
def test_steps_that_fit_leave_a_fifth_of_the_budget_for_what_follows(
    minutes: float, spent: float, pace_s: float, most: int
) -> None:
    clock = Clock()
    budget = Budget(minutes=minutes, clock=clock)
    budget.begin()
    clock.now_s += spent * 60 * minutes
    steps = budget.steps(pace_s, most)
    assert 150 <= steps <= most
    if steps > 150:
        assert steps * pace_s <= budget.left_s - 0.2 * 60 * minutes
    if 150 < steps < most:
        assert (steps + 2) * pace_s > budget.left_s - 0.3 * 60 * minutes, "no more is kept than is needed"


def test_a_bar_tells_its_stage_and_what_is_left_in_all(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    stages = Stages(names=("bank", "training"), budget=Budget(minutes=3, clock=clock))
    with stages.bar("bank", 10, "clip"):
        pass
    assert "left in all" not in capsys.readouterr().err, "the budget has not begun yet"
    stages.budget.begin()
    clock.now_s += 29
    with stages.bar("training", 10, "step", done=4) as bar:
        bar.update(2)
        bar.refresh()
    shown = capsys.readouterr().err
    assert "2/2 training:" in shown
    assert "6/10" in shown
    assert "2:31 left in all" in shown


def test_ctrl_c_tells_the_stage_and_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages(names=("bank", "export"))
    stages.enter("export")
    with pytest.raises(SystemExit) as ended, stoppable(stages):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "stopped at 2/2 export; run the same command again to go on" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [150, 600, 1500])
def test_a_shortened_recipe_rises_validates_and_averages_within_its_steps(steps: int) -> None:
    recipe = shortened(Recipe(), steps)
    assert recipe.warm_up < steps / 5
    assert min(Recipe().validate_every, steps / 4) <= recipe.validate_every <= steps
    assert recipe.average**steps < 1e-3, "nothing of the first weights is left in the average"
    assert shortened(Recipe(), 10**6) == Recipe(steps=10**6)


def test_less_is_made_for_less_time_but_never_too_little() -> None:
    assert effort() == effort(15) == effort(60)
    draft, half = effort(3), effort(7.5)
    for name in ("pool", "fresh", "scenes", "trials", "talk_h"):
        assert getattr(draft, name) <= getattr(half, name) <= getattr(effort(), name)
    assert effort(0.1).pool == draft.pool > Recipe().batch
