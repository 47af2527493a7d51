"""What is handed on is exact to the sample."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import RATE_HZ, Samples
from kws.daemon.handover import Handover, to_pcm, wav_header
from kws.daemon.ring import Ring
from kws.sources import from_pcm

SOUND: Samples = np.arange(1, 4001, dtype=np.float32)


def handed(chunks: list[Samples], at: int, end: int, before: int, after: int) -> Samples:
    """What is handed on if the wake comes with chunk number `at`; all else in samples."""
    ring = Ring(1.0)
    pieces: list[Samples] = []
    span: Handover | None = None
    for number, chunk in enumerate(chunks):
        ring.add(chunk)
        if span is not None:
            pieces.append(span.take(chunk))
        if number == at:
            span = Handover(ring, end / RATE_HZ, before_s=before / RATE_HZ, after_s=after / RATE_HZ)
            pieces.append(span.first)
    assert span is not None
    assert span.is_over == (end + after <= len(SOUND))
    return np.concatenate(pieces)


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(SOUND)), min_size=1, max_size=30),
    data=st.data(),
    before=st.integers(0, 3000),
    after=st.integers(0, 3000),
)
def test_no_sample_is_lost_or_doubled_wherever_the_chunks_were_cut(
    cuts: list[int], data: st.DataObject, before: int, after: int
) -> None:
    chunks = np.split(SOUND, sorted(cuts))
    at = data.draw(st.integers(0, len(chunks) - 1))
    end = data.draw(st.integers(0, sum(map(len, chunks[: at + 1]))))
    expected = SOUND[max(0, end - before) : end + after]
    assert np.array_equal(handed(chunks, at, end, before, after), expected)


def test_nothing_follows_after_its_end() -> None:
    ring = Ring(1.0)
    ring.add(SOUND)
    span = Handover(ring, 0.2, before_s=0.1, after_s=1.0)
    assert not span.is_over
    span.end()
    assert span.is_over
    assert len(span.take(SOUND)) == 0


def test_what_the_ring_no_longer_holds_is_left_out() -> None:
    ring = Ring(0.1)
    ring.add(SOUND)
    span = Handover(ring, 0.25, before_s=0.25, after_s=0.0)
    assert np.array_equal(span.first, SOUND[2400:])


def test_pcm_comes_back_as_it_went() -> None:
    levels = np.arange(-32768, 32768, dtype=np.float32) / np.float32(32768)
    assert np.array_equal(from_pcm(to_pcm(levels)), levels)


@pytest.mark.parametrize(("level", "found"), [(1.0, 32767), (2.0, 32767), (-3.0, -32768)])
def test_what_is_too_loud_is_clipped(level: float, found: int) -> None:
    assert np.frombuffer(to_pcm(np.full(1, level, np.float32)), "<i2")[0] == found


def test_a_wav_that_has_no_end_yet_is_read_as_far_as_it_goes() -> None:
    samples, rate_hz = soundfile.read(io.BytesIO(wav_header() + to_pcm(SOUND / 32768)), dtype="float32")
    assert rate_hz == RATE_HZ
    assert np.array_equal(samples * 32768, SOUND)
