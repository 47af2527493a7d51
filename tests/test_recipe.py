"""What of a recipe may be set, and between which values."""

from __future__ import annotations

from dataclasses import fields

import pytest

from kws.errors import Misuse
from kws.recipe import FITTED, SETTABLE, Recipe, read_settings


def test_all_plain_fields_may_be_set_but_those_with_options_of_their_own() -> None:
    plain = {field.name for field in fields(Recipe) if isinstance(field.default, bool | int | float)}
    assert set(SETTABLE) == plain - {"seed", "target_per_hour"}
    assert set(SETTABLE) > FITTED


@pytest.mark.parametrize("name", SETTABLE)
def test_the_usual_value_of_each_may_be_set_and_keeps_its_type(name: str) -> None:
    usual = getattr(Recipe(), name)
    ((read,),) = read_settings([f"{name}={str(usual).lower()}"]).values()
    assert (read, type(read)) == (usual, type(usual))


def test_values_are_read_in_order_each_once_and_names_in_one_order() -> None:
    told = ["trunk=FALSE", "learning_rate=4e-3,0.008", "learning_rate=0.004"]
    assert read_settings(told) == {"learning_rate": (0.004, 0.008), "trunk": (False,)}
    assert list(read_settings(told)) == ["learning_rate", "trunk"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("seed=2", "sets nothing: say NAME=VALUE, where NAME is steps,"),
        ("steps", "sets nothing"),
        ("steps=", "steps is a whole number from 1 upwards"),
        ("steps=1.5", "steps is a whole number from 1 upwards"),
        ("warm_up=0", "warm_up is a whole number from 1 upwards"),
        ("dropout=0.1,1.5", "--set dropout=1.5: dropout is a number from 0 to 1"),
        ("learning_rate=nan", "learning_rate is a number from 0 upwards"),
        ("learning_rate=inf", "learning_rate is a number from 0 upwards"),
        ("trunk=1", "trunk is true or false"),
    ],
)
def test_what_cannot_be_set_is_told_with_what_can(told: str, said: str) -> None:
    with pytest.raises(Misuse) as misuse:
        read_settings([told])
    assert said in str(misuse.value)
