"""The same sound is found again, and another is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from murmurs import murmur

from kws.audio import RATE_HZ, write_audio
from synth.likeness import PROBE, SAME, correlation, find_shared, probes


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files of clips joined with gaps, through Opus."""
    folder = tmp_path_factory.mktemp("held")
    gap = np.zeros(4801, np.float32)
    for name, seeds in (("a_00.ogg", range(4)), ("a_01.ogg", range(4, 8))):
        write_audio(folder / name, np.concatenate([part for seed in seeds for part in (murmur(seed), gap)]))
    return sorted(folder.iterdir())


def test_a_clip_is_found_in_the_file_that_holds_it_and_a_strangers_is_not(held: list[Path]) -> None:
    clips = [murmur(seed) * np.float32(0.3 + 0.2 * seed) for seed in (6, 1, 100, 3, 101)]
    assert find_shared(clips, held) == ["a_01.ogg", "a_00.ogg", None, "a_00.ogg", None]


def test_a_clip_shorter_than_what_is_compared_is_found_too(held: list[Path]) -> None:
    assert find_shared([murmur(3)[-PROBE // 2 :], murmur(200, 0.3)], held) == ["a_00.ogg", None]


def test_no_clips_or_no_files_find_nothing(held: list[Path]) -> None:
    assert find_shared([], held) == []
    assert find_shared([murmur(1)], []) == [None]


def test_a_long_piece_is_found_by_either_end(tmp_path: Path) -> None:
    long = murmur(1, 20.0)
    quiet_ends = long * np.where(np.abs(np.arange(len(long)) / len(long) - 0.5) < 0.3, 1.0, 0.3).astype(np.float32)
    write_audio(tmp_path / "head.ogg", quiet_ends[: 3 * RATE_HZ])
    write_audio(tmp_path / "tail.ogg", quiet_ends[-3 * RATE_HZ :])
    assert find_shared([quiet_ends], [tmp_path / "head.ogg"]) == ["head.ogg"]
    assert find_shared([quiet_ends], [tmp_path / "tail.ogg"]) == ["tail.ogg"]


def test_the_loudest_half_second_is_compared() -> None:
    samples = np.full(2 * RATE_HZ, 0.01, np.float32)
    samples[20_000:28_000] = 0.5
    (start,) = probes(samples)
    assert start >= 20_000 and start + PROBE <= 28_000


def test_correlation_is_that_of_the_waves_whatever_the_level() -> None:
    samples, held = murmur(1), np.concatenate((murmur(2), murmur(1) * np.float32(0.1), murmur(3)))
    assert correlation(samples, held, len(murmur(2)) + 200) == pytest.approx(1.0, abs=1e-4)
    assert abs(correlation(murmur(4), held, 0)) < SAME
