"""Misses by group: which are told, in what order, and which is called the worst."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kws.breakdown import FEWEST, Share, break_down


def outcomes(missed: int, of: int, **about: Any) -> list[tuple[dict[str, Any], bool]]:
    return [(about, number < missed) for number in range(of)]


def test_the_worst_group_comes_first_and_so_does_its_key() -> None:
    told = [
        *outcomes(1, 40, voice="a", sex="f"),
        *outcomes(30, 40, voice="b", sex="m"),
        *outcomes(3, 40, voice="c", sex="m"),
    ]
    found = break_down(told)
    assert [(key, list(groups)) for key, groups in found.groups.items()] == [
        ("voice", ["b", "c", "a"]),
        ("sex", ["m", "f"]),
    ]
    assert found.groups["sex"]["m"] == Share(missed=33, of=80)


def test_groups_too_small_to_judge_come_last_however_bad() -> None:
    found = break_down([*outcomes(4, 4, voice="tiny"), *outcomes(1, 40, voice="a"), *outcomes(9, 40, voice="b")])
    assert list(found.groups["voice"]) == ["b", "a", "tiny"]
    assert [share.is_judged for share in found.groups["voice"].values()] == [True, True, False]
    assert found.worst
    assert (found.worst.name, found.worst.groups) == ("b", 2)
    assert found.worst.ratio == pytest.approx((9 / 40) / (14 / 84))


def test_a_group_of_nine_is_never_the_worst() -> None:
    told = [*outcomes(9, FEWEST - 1, room="small"), *outcomes(3, 50, room="hall"), *outcomes(1, 50, room="shed")]
    assert Share(missed=9, of=9).is_judged
    worst = break_down(told).worst
    assert worst
    assert worst.name == "hall"


def test_nothing_missed_has_no_worst_group() -> None:
    assert break_down([*outcomes(0, 40, voice="a"), *outcomes(0, 40, voice="b")]).worst is None


def test_a_key_with_a_group_for_nearly_each_utterance_is_left_out() -> None:
    told = [({"source": f"file {n // 4}", "all": "same"}, n % 3 == 0) for n in range(400)]
    found = break_down(told)
    assert (found.groups, found.left_out) == ({}, ("source",))


def test_many_numbers_are_put_in_bins_with_round_edges() -> None:
    told = [({"snr_db": n / 10}, n / 10 > 15) for n in range(200)]
    groups = break_down(told).groups["snr_db"]
    assert {name: (share.missed, share.of) for name, share in groups.items()} == {
        "15 and more": (49, 50), "below 5": (0, 50), "5 to 10": (0, 50), "10 to 15": (0, 50),
    }  # fmt: skip


def test_few_numbers_are_groups_of_their_own() -> None:
    told = [*outcomes(2, 20, snr_db=5.0), *outcomes(1, 20, snr_db=10.0), *outcomes(0, 20, other=1)]
    assert break_down(told).groups == {"snr_db": {"5": Share(missed=2, of=20), "10": Share(missed=1, of=20)}}


def test_what_is_no_text_or_number_makes_no_group() -> None:
    told = [({"room": {"rt60_s": n}, "gains": [n], "level_db": float("nan")}, False) for n in range(20)]
    assert break_down(told).groups == {}


known = st.floats(-1e3, 1e3) | st.integers(-5, 5) | st.sampled_from(["a", "b", "<c>"]) | st.booleans() | st.none()


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from(["x", "y"]), known, max_size=2), st.booleans()), max_size=80))
def test_every_utterance_of_which_a_key_is_known_is_in_one_group(told: list[tuple[dict[str, Any], bool]]) -> None:
    for key, groups in break_down(told).groups.items():
        of_key = [missed for about, missed in told if about.get(key) is not None]
        assert sum(share.of for share in groups.values()) == len(of_key)
        assert sum(share.missed for share in groups.values()) == sum(of_key)
        judged = [share.is_judged for share in groups.values()]
        assert judged == sorted(judged, reverse=True)
