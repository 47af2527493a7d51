"""Clips of what fired: exact, bounded in age and size, and no worry to the listener."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wakes import FIELDS, wait_for, wake

from kws.audio import RATE_HZ, Samples
from kws.daemon.keep import Clips
from kws.daemon.ring import Ring
from kws.daemon.settings import Keep
from kws.errors import Failure

NAME = "20260301T073015.250000Z_activate"
OLD = "20200101T000000.000000Z_activate"


@pytest.fixture
def sound(draw: np.random.Generator) -> Samples:
    """Six seconds of samples that 16 bits hold."""
    return (draw.integers(-32768, 32768, 6 * RATE_HZ) / 32768).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clips"


def now() -> datetime:
    return datetime.now(UTC)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def feed(clips: Clips, ring: Ring, sound: Samples, **asked: object) -> None:
    """One wake at 3.25 s, in chunks that fit nothing."""
    for start in range(0, len(sound), 1111):
        chunk = sound[start : start + 1111]
        ring.add(chunk)
        clips.hear(chunk)
        if start <= 3.25 * RATE_HZ < start + len(chunk):
            clips.wake(wake(**{"at": now(), **asked}), ring)


def put(folder: Path, stem: str, size: int = 1000) -> None:
    (folder / f"{stem}.wav").write_bytes(b"x" * size)
    (folder / f"{stem}.json").write_text("{}")


def test_a_clip_holds_the_sound_around_the_word_and_the_wake_beside_it(folder: Path, sound: Samples) -> None:
    clips = Clips(Keep(folder=str(folder), before_s=1.5, after_s=1.0, days=36500))
    feed(clips, Ring(3.0), sound, at=wake().at)
    clips.close()
    assert names(folder) == [f"{NAME}.json", f"{NAME}.wav"]
    heard, rate_hz = soundfile.read(folder / f"{NAME}.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    assert np.array_equal(heard, sound[round(1.5 * RATE_HZ) : 4 * RATE_HZ])
    assert json.loads((folder / f"{NAME}.json").read_text()) == FIELDS
    assert clips.counts() == {"kept": 1, "failed": 0, "dropped": 0, "removed": 0}


def test_a_word_of_any_letters_names_a_file(folder: Path, sound: Samples) -> None:
    clips = Clips(Keep(folder=str(folder)))
    feed(clips, Ring(3.0), sound, word="../привет / you")
    clips.close()
    assert len(names(folder)) == 2
    assert all(name.isascii() and " " not in name for name in names(folder))


def test_a_gap_or_the_end_cuts_a_clip_short(folder: Path, sound: Samples) -> None:
    for cut in (Clips.gap, Clips.close):
        clips = Clips(Keep(folder=str(folder), before_s=1.0, after_s=30.0))
        feed(clips, Ring(3.0), sound[: 4 * RATE_HZ])
        cut(clips)
        clips.hear(sound)
        clips.close()
    lengths = [soundfile.info(path).frames for path in folder.glob("*.wav")]
    assert lengths == [2 * RATE_HZ] * 2


def test_too_many_at_once_are_dropped_and_counted(folder: Path) -> None:
    clips = Clips(Keep(folder=str(folder), after_s=30.0))
    for _ in range(6):
        clips.wake(wake(), Ring(1.0))
    assert clips.counts()["dropped"] == 2
    clips.close()


def test_old_clips_go_and_only_what_it_named_itself(folder: Path) -> None:
    folder.mkdir()
    fresh = (now() - timedelta(days=1)).strftime("%Y%m%dT%H%M%S.%fZ_activate")
    for stem in (OLD, fresh, "20200101T000000_mine", "my_recording", f"{OLD}.bak"):
        put(folder, stem)
    (folder / f".{OLD}.wav.part").touch()
    (folder / "20200101T000000.000000Z_dir.txt").touch()
    before = set(names(folder))
    clips = Clips(Keep(folder=str(folder), days=7))
    wait_for(lambda: clips.counts()["removed"] == 1)
    clips.close()
    assert before - set(names(folder)) == {f"{OLD}.wav", f"{OLD}.json", f".{OLD}.wav.part"}


def test_the_oldest_go_when_there_is_too_much(folder: Path, sound: Samples) -> None:
    folder.mkdir()
    stems = [(now() - timedelta(hours=age)).strftime("%Y%m%dT%H%M%S.%fZ_activate") for age in (3, 2, 1)]
    for stem in stems:
        put(folder, stem, 40_000)
    clips = Clips(Keep(folder=str(folder), before_s=0.5, after_s=0.5, megabytes=0.12))
    feed(clips, Ring(2.0), sound)
    clips.close()
    left = {name.partition(".wav")[0] for name in names(folder) if name.endswith(".wav")}
    assert left >= set(stems[1:])
    assert stems[0] not in left
    assert len(left) == 3
    assert clips.counts() == {"kept": 1, "failed": 0, "dropped": 0, "removed": 1}


def test_a_folder_that_cannot_be_made_is_a_failure_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="cannot write"):
        Clips(Keep(folder=str(tmp_path / "file" / "clips")))


@pytest.fixture
def full_disk(small_disk: Path) -> tuple[Path, Callable[[], None]]:
    """A folder on a disk on which nothing fits any more, and what makes room."""
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return small_disk, ballast.unlink


def test_a_full_disk_is_one_line_and_keeping_goes_on_when_there_is_room(
    full_disk: tuple[Path, Callable[[], None]], sound: Samples, caplog: pytest.LogCaptureFixture
) -> None:
    folder, make_room = full_disk
    clips = Clips(Keep(folder=str(folder), before_s=0.5, after_s=0.5))
    for count in (1, 2):
        feed(clips, Ring(2.0), sound)
        wait_for(lambda count=count: clips.counts()["failed"] == count)
    assert names(folder) == ["ballast"]
    make_room()
    feed(clips, Ring(2.0), sound)
    clips.close()
    assert clips.counts() == {"kept": 1, "failed": 2, "dropped": 0, "removed": 0}
    first, second = caplog.messages
    assert first.startswith(f"keeping clips in {folder} fails: cannot write")
    assert "No space left on device" in first
    assert second == f"keeping clips in {folder} works again"


def test_a_clip_whose_json_does_not_fit_is_taken_back(
    folder: Path, sound: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if target.suffix == ".json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    clips = Clips(Keep(folder=str(folder)))
    feed(clips, Ring(3.0), sound)
    clips.close()
    assert names(folder) == []
    assert clips.counts()["failed"] == 1


def test_a_folder_that_goes_away_is_one_line(folder: Path, sound: Samples, caplog: pytest.LogCaptureFixture) -> None:
    clips = Clips(Keep(folder=str(folder)))
    wait_for(folder.exists)
    folder.rename(folder.with_name("gone"))
    feed(clips, Ring(3.0), sound)
    wait_for(lambda: clips.counts()["failed"] == 1)
    clips.close()
    assert sum("keeping clips" in line for line in caplog.messages) == 1
