"""The ring holds the latest sound, whatever it was cut into."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import RATE_HZ, Samples
from kws.daemon.ring import Ring

SIZE = 160


def counted(count: int) -> Samples:
    """Samples that tell their own number."""
    return np.arange(1, count + 1, dtype=np.float32)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 3 * SIZE), max_size=20), back=st.integers(0, 2 * SIZE))
def test_any_cutting_into_chunks_gives_the_same(sizes: list[int], back: int) -> None:
    ring = Ring(SIZE / RATE_HZ)
    sound = counted(sum(sizes))
    for chunk in np.split(sound, np.cumsum(sizes)):
        ring.add(chunk)
    since = max(0, len(sound) - back)
    assert ring.heard == len(sound)
    assert np.array_equal(ring.since(since / RATE_HZ), sound[max(since, len(sound) - SIZE) :])


def test_what_it_gives_is_a_copy() -> None:
    ring = Ring(SIZE / RATE_HZ)
    ring.add(counted(SIZE))
    given_out = ring.since(0)
    ring.add(np.zeros(SIZE, np.float32))
    assert np.array_equal(given_out, counted(SIZE))


def test_it_gives_nothing_of_times_that_are_still_to_come() -> None:
    ring = Ring(SIZE / RATE_HZ)
    ring.add(counted(10))
    assert len(ring.since(1.0)) == 0


def test_what_it_forgot_is_not_given_and_the_clock_goes_on() -> None:
    ring = Ring(SIZE / RATE_HZ)
    ring.add(counted(3 * SIZE // 2))
    ring.forget()
    assert len(ring.since(0)) == 0
    ring.add(counted(7))
    assert ring.heard == 3 * SIZE // 2 + 7
    assert np.array_equal(ring.since(0), counted(7))


def test_a_ring_may_begin_later_on_the_clock() -> None:
    ring = Ring(SIZE / RATE_HZ, heard=100)
    ring.add(counted(7))
    assert np.array_equal(ring.since(0), counted(7))
    assert np.array_equal(ring.since(103 / RATE_HZ), counted(7)[3:])
