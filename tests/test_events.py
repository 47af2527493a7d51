"""Labels: they come back from disk as they were, and damage is told."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import SUFFIXES
from kws.errors import Failure
from kws.events import Event, Recording, audio_files, from_line, read_manifest, to_audacity, to_line

KINDS = ("positive", "near-miss", "containing", "negative", "sentence")

seconds = st.floats(0, 1e5, allow_subnormal=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
spoken = st.lists(st.text(st.characters(categories=["L", "Pd", "Nd"]), min_size=1), min_size=1, max_size=3).map(
    " ".join
)
events = st.builds(Event, word=words, start=seconds, end=seconds, kind=st.sampled_from(KINDS))
known = st.dictionaries(words, st.none() | st.booleans() | st.integers() | seconds | words, max_size=4)
names = st.text(string.ascii_letters + string.digits + "-_ äß", min_size=1).map(lambda name: f"audio/{name}.flac")


def recordings(root: Path) -> st.SearchStrategy[Recording]:
    return st.builds(
        Recording,
        audio=names.map(lambda name: root / name),
        duration=seconds,
        events=st.lists(events, max_size=5).map(tuple),
        about=known,
    )


@given(recording=recordings(Path("set")))
def test_a_recording_comes_back_from_its_line(recording: Recording) -> None:
    line = to_line(recording, Path("set"))
    assert "\n" not in line
    assert from_line(line, Path("set")) == recording


@given(written=st.lists(recordings(Path("set")), min_size=1, max_size=5))
@settings(deadline=None)
def test_labels_survive_the_disk(tmp_path_factory: pytest.TempPathFactory, written: list[Recording]) -> None:
    folder = tmp_path_factory.getbasetemp()
    lines = [to_line(recording, Path("set")) for recording in written]
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    read = read_manifest(folder)
    assert [recording.events for recording in read] == [recording.events for recording in written]
    assert [recording.about for recording in read] == [recording.about for recording in written]
    assert [recording.duration for recording in read] == [recording.duration for recording in written]
    assert [recording.audio for recording in read] == [
        folder / recording.audio.relative_to("set") for recording in written
    ]


def test_a_folder_may_be_moved(tmp_path: Path) -> None:
    """Lines name sound files relative to the manifest."""
    line = to_line(Recording(audio=tmp_path / "audio" / "a.flac", duration=1.0), tmp_path)
    assert str(tmp_path) not in line
    assert from_line(line, Path("elsewhere")).audio == Path("elsewhere/audio/a.flac")


def test_only_positives_are_to_be_heard() -> None:
    said = tuple(Event(word=kind, kind=kind, start=0, end=1) for kind in KINDS)
    assert [event.word for event in Recording(audio=Path("a.wav"), duration=1.0, events=said).positives] == ["positive"]


@given(said=st.lists(st.builds(Event, word=spoken, start=seconds, end=seconds), max_size=5))
def test_audacity_labels_hold_the_times_to_the_microsecond(said: list[Event]) -> None:
    rows = [line.split("\t") for line in to_audacity(tuple(said)).splitlines()]
    assert [text for _, _, text in rows] == [f"{event.kind}: {event.word}" for event in said]
    for (start, end, _), event in zip(rows, said, strict=True):
        assert float(start) == pytest.approx(event.start, abs=1e-6)
        assert float(end) == pytest.approx(event.end, abs=1e-6)


@given(said=st.lists(events, max_size=5))
def test_audacity_labels_stay_one_line_each_whatever_the_word(said: list[Event]) -> None:
    lines = to_audacity(tuple(said)).split("\n")
    assert len(lines) == len(said) + 1
    assert all(line.count("\t") == 2 for line in lines[:-1])


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "3", "[]", "null", '{"audio": "a.wav"}', '{"audio": "a.wav", "duration": "long", "events": []}',
        '{"audio": 3, "duration": 1, "events": []}', '{"audio": "a.wav", "duration": 1, "events": [3]}',
        '{"audio": "a.wav", "duration": 1, "events": [{"word": "a"}]}',
        '{"audio": "a.wav", "duration": 1, "events": [{"word": "a", "start": 0, "end": 1, "colour": "red"}]}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_line_is_named(tmp_path: Path, line: str) -> None:
    good = to_line(Recording(audio=tmp_path / "a.wav", duration=1.0), tmp_path)
    (tmp_path / "manifest.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(Failure, match=r"manifest\.jsonl line 2 is damaged"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(b"\xff\xfe\x00\x01\n")
    with pytest.raises(Failure, match="damaged"):
        read_manifest(tmp_path)


def test_a_missing_or_empty_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"holds no manifest\.jsonl: make a dataset with kws generate"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(Failure, match="names no clips"):
        read_manifest(tmp_path)


def test_sound_files_are_found_in_a_fixed_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.wav", "a.FLAC", "deep/er/c.ogg", "note.txt", "deep/.hidden.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in audio_files(tmp_path)]
    assert found == ["a.FLAC", "b.wav", "deep/er/c.ogg"]


def test_a_folder_without_sound_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is not a folder"):
        list(audio_files(tmp_path / "nowhere"))
    (tmp_path / "note.txt").touch()
    with pytest.raises(Failure, match="holds no sound files") as caught:
        list(audio_files(tmp_path))
    assert all(suffix in str(caught.value) for suffix in SUFFIXES)
