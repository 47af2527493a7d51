"""Talk in raised voices: higher than it was, the same each time, made once, and never instead of what is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_mouths import pitch_of, vowel

from kws.audio import RATE_HZ, active_rms, write_audio
from kws.errors import Failure
from synth import raised
from synth.raised import RAISED, RaisedCache, pieces
from synth.recorded import BLOCK_S

pytest.importorskip("pyworld")


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.flac"
    write_audio(path, vowel(swing_semitones=2, seconds=1.8))
    return path


def test_talk_is_said_again_higher_livelier_and_as_loud(talk: Path, tmp_path: Path) -> None:
    plain = vowel(swing_semitones=2, seconds=1.8)
    again = RaisedCache(tmp_path / "raised").said_again((talk, 0))
    assert len(again) == len(plain)
    (was_hz, reach), (is_hz, new_reach) = pitch_of(plain), pitch_of(again)
    assert RAISED.pitch[0] * 0.97 < is_hz / was_hz < RAISED.pitch[1] * 1.03
    assert new_reach > 0.9 * reach
    assert active_rms(again) == pytest.approx(active_rms(plain), rel=0.1)


def test_a_piece_is_said_once_and_the_same_wherever_it_lies(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = RaisedCache(tmp_path / "raised")
    first = cache.said_again((talk, 0))
    elsewhere = talk.rename(tmp_path / "other.flac")
    assert np.array_equal(RaisedCache(tmp_path / "anew").said_again((elsewhere, 0)), first)
    monkeypatch.setattr(raised, "said_by", None)  # it would fail now
    assert np.array_equal(cache.said_again((elsewhere, 0)), first)
    assert cache.size()[0] == 1


def test_a_damaged_piece_is_said_anew_and_a_lost_recording_gives_nothing(talk: Path, tmp_path: Path) -> None:
    cache = RaisedCache(tmp_path / "raised")
    first = cache.said_again((talk, 0))
    [kept] = cache.folder.rglob("*.flac")
    kept.write_bytes(kept.read_bytes()[:100])
    assert np.array_equal(cache.said_again((talk, 0)), first)
    assert len(cache.said_again((tmp_path / "lost.flac", 0))) == 0


def test_a_full_disk_is_told(talk: Path, small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(bytes(90_000))
    with pytest.raises(Failure, match="cannot write"):
        RaisedCache(small_disk / "raised").said_again((talk, 0))


def test_pieces_are_chosen_by_lot_from_long_and_short_recordings(tmp_path: Path) -> None:
    for name, seconds in (("long", 2.5 * BLOCK_S), ("short", 4.0)):
        write_audio(tmp_path / f"{name}.flac", np.full(round(seconds * RATE_HZ), 0.1, np.float32))
    paths = [tmp_path / "long.flac", tmp_path / "short.flac"]
    every = pieces(paths, 3600)
    assert sorted(every) == [(paths[0], 0), (paths[0], 1), (paths[1], 0)], "no rest that is shorter than a block"
    assert pieces(paths, 3600) == every
    assert 0 < len(pieces(paths, 4.0)) < 3
    assert pieces(paths, 0) == []
