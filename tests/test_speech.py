"""What was spoken is kept by content: once for all words, whole, and silence too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from kws.audio import MARGIN_S, RATE_HZ, word_edges
from kws.errors import Failure
from synth.speech import SpeechCache
from synth.voices import Saying, Speech, Split

HELLO = Saying(text="hello")


@dataclass
class Tone:
    """An engine that hums, after a second of silence, as long and high as the seed says; seed 0 says nothing."""

    identity: str = "tone 1"
    name: str = "tone"
    licence: str = "ours"
    asked: list[int] = field(default_factory=list)

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        return ("low", "high")

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        self.asked.append(seed)
        rate_hz = 24_000
        hum = np.sin(np.arange(rate_hz * min(seed, 8) // 10) * (0.1 + 0.001 * seed)) * 0.2
        still = np.zeros(rate_hz)
        return Speech(
            samples=np.concatenate([still, hum, still]).astype(np.float32), rate_hz=rate_hz, voice=f"tone:{voice}"
        )

    def close(self) -> None:
        pass


@pytest.fixture
def cache(tmp_path: Path) -> SpeechCache:
    return SpeechCache(tmp_path / "speech")


def test_a_thing_is_spoken_once_and_read_the_same_ever_after(cache: SpeechCache) -> None:
    engine = Tone()
    assert not cache.has(engine, HELLO, "low", 4)
    first = cache.spoken(engine, HELLO, "low", 4)
    assert cache.has(engine, HELLO, "low", 4)
    again = SpeechCache(cache.folder).spoken(engine, HELLO, "low", 4)
    assert first is not None and again is not None
    np.testing.assert_array_equal(first, again)
    assert engine.asked == [4]


def test_speech_is_cut_to_the_word_with_its_margins_and_set_to_half_of_full_scale(cache: SpeechCache) -> None:
    samples = cache.spoken(Tone(), HELLO, "low", 5)
    assert samples is not None and samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(10 ** (-6 / 20), abs=1e-3)
    start_s, end_s = word_edges(samples)
    assert start_s == pytest.approx(MARGIN_S, abs=0.011)
    assert end_s - start_s == pytest.approx(0.5, abs=0.021)
    assert len(samples) / RATE_HZ - end_s == pytest.approx(MARGIN_S, abs=0.011)


def test_silence_is_remembered_too(cache: SpeechCache) -> None:
    engine = Tone()
    assert cache.spoken(engine, HELLO, "low", 0) is None
    assert cache.has(engine, HELLO, "low", 0)
    assert cache.spoken(engine, HELLO, "low", 0) is None
    assert engine.asked == [0]


@pytest.mark.parametrize("other", [
    (Tone(identity="tone 2"), HELLO, "low", 4), (Tone(name="hum"), HELLO, "low", 4), (Tone(), HELLO, "high", 4),
    (Tone(), HELLO, "low", 5), (Tone(), replace(HELLO, text="hallo"), "low", 4),
    (Tone(), replace(HELLO, language="en"), "low", 4), (Tone(), replace(HELLO, ipa="hɛloʊ"), "low", 4),
])  # fmt: skip
def test_whatever_changes_the_sound_is_spoken_anew(cache: SpeechCache, other: tuple[Tone, Saying, str, int]) -> None:
    cache.spoken(Tone(), HELLO, "low", 4)
    assert not cache.has(*other)


def test_many_that_speak_the_same_at_once_all_get_it_whole_and_leave_nothing_behind(cache: SpeechCache) -> None:
    engine = Tone()
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(cache.spoken, engine, HELLO, "low", 1 + number % 5) for number in range(40)]
    heard = [job.result() for job in jobs]
    for number, samples in enumerate(heard):
        assert samples is not None
        np.testing.assert_array_equal(samples, heard[number % 5])
    assert len([path for path in cache.folder.rglob("*") if path.is_file()]) == 5


def test_a_damaged_file_is_spoken_anew(cache: SpeechCache) -> None:
    engine = Tone()
    first = cache.spoken(engine, HELLO, "low", 4)
    (file,) = cache.folder.glob("*/*.flac")
    file.write_bytes(file.read_bytes()[:20])
    again = cache.spoken(engine, HELLO, "low", 4)
    assert first is not None and again is not None
    np.testing.assert_array_equal(first, again)
    assert engine.asked == [4, 4]


def test_a_full_disk_is_told_in_a_sentence_and_leaves_no_half_of_a_file(small_disk: Path) -> None:
    cache = SpeechCache(small_disk)
    (small_disk / "ballast").write_bytes(bytes(95_000))

    def speak_all() -> None:
        for seed in range(1, 60):
            cache.spoken(Tone(), HELLO, "low", seed)

    with pytest.raises(Failure, match=r"cannot write .* free some space"):
        speak_all()
    for seed in range(1, 60):
        if cache.has(Tone(), HELLO, "low", seed):
            assert cache.spoken(Tone(), HELLO, "low", seed) is not None
    assert [path for path in small_disk.rglob(".*") if path.is_file()] == []


def test_clearing_forgets_what_is_ours_and_nothing_else(cache: SpeechCache) -> None:
    for seed in range(4):
        cache.spoken(Tone(), HELLO, "low", seed)
    diary = cache.folder / "ab" / "diary.flac"
    diary.parent.mkdir(exist_ok=True)
    diary.write_bytes(b"mine")
    count, total = cache.size()
    assert count == 4
    assert total == sum(path.stat().st_size for path in cache.folder.rglob("*") if path.is_file()) - 4
    assert cache.clear() == total
    assert cache.size() == (0, 0)
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == [diary]


def test_the_cache_lies_where_kws_cache_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KWS_CACHE", str(tmp_path))
    assert SpeechCache().folder == tmp_path / "speech"
