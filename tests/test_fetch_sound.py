"""Fetched sound: joined whole, nothing twice, no speaker in two splits; nothing here needs a network."""

from __future__ import annotations

import argparse
import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from murmurs import murmur
from script_module import load_script

from kws.audio import RATE_HZ, read_audio, write_audio
from kws.errors import Failure

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture(scope="module")
def script() -> Any:
    return load_script("fetch_sound")


@pytest.fixture(scope="module")
def sets() -> Any:
    return load_script("build_sets")


def clips(script: Any, *seconds: float) -> list[Any]:
    return [script.Clip(path=f"{n}.ogg", samples=murmur(n, length)) for n, length in enumerate(seconds)]


def test_every_source_of_the_catalogue_has_one_split_and_one_name(script: Any, sets: Any) -> None:
    names = [source.name for source in script.CATALOGUE]
    assert len(names) == len(set(names))
    assert {sets.split_of(f"{name}_00.ogg") for name in names} == {"train", "validation", "test"}


def test_what_is_left_of_a_shared_source_goes_to_a_split_that_has_heard_it(script: Any, sets: Any) -> None:
    for source in script.CATALOGUE:
        heard = {split for name in source.shared for _, split in sets.SOURCES[name]}
        if heard and source.name not in ("tuxpaint-lt", "tuxpaint-ml"):
            assert sets.split_of(f"{source.name}_00.ogg") in heard, source.name


def test_who_reads_a_languages_letters_is_in_the_split_of_who_names_its_stamps(script: Any, sets: Any) -> None:
    stamps = {
        language: sets.split_of(f"{source.name}_00.ogg")
        for source in script.CATALOGUE
        if source.name.startswith("tuxpaint")
        for language in re.findall(r"[a-z]{2}(?=[|)])", source.pattern)
    }
    assert len(stamps) == 12
    read = {name.removeprefix("klettres-") for name in sets.SOURCES if name.startswith("klettres-")}
    assert read & stamps.keys() == {"da", "es", "fr", "lt", "ml", "nl", "ru"}
    for language in read & stamps.keys():
        assert sets.split_of(f"klettres-{language}_00.ogg") == stamps[language]
    for pair in (("ru", "uk"), ("de", "nds"), ("en", "en-gb")):
        assert len({sets.split_of(f"klettres-{language}_00.ogg") for language in pair}) == 1


def test_joined_clips_lie_where_they_are_said_to_with_silence_between(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "FILE_S", 3.0)
    given = clips(script, 1.0, 0.5, 2.0, 1.0, 0.3)
    files = list(script.join(given))
    assert [[clip.path for clip, _, _ in places] for _, places in files] == [
        ["0.ogg", "1.ogg", "2.ogg"], ["3.ogg", "4.ogg"],
    ]  # fmt: skip
    for samples, places in files:
        rest = samples.copy()
        for clip, start, end in places:
            across = slice(round(start * RATE_HZ), round(end * RATE_HZ))
            assert np.array_equal(samples[across], clip.samples)
            rest[across] = 0
        assert not rest.any()
        assert len(samples) == sum(len(clip.samples) for clip, _, _ in places) + 4800 * len(places)


def test_clips_are_brought_to_one_peak_and_the_silent_short_and_repeated_left_out(script: Any) -> None:
    first, second = clips(script, 1.0, 1.0)
    quiet = script.Clip(path="quiet.ogg", samples=np.zeros(RATE_HZ, np.float32))
    short = script.Clip(path="short.ogg", samples=murmur(5, 0.1))
    again = script.Clip(path="again.ogg", samples=first.samples.copy())
    found = list(script.prepare([first, quiet, short, again, second], None))
    assert [clip.path for clip in found] == ["0.ogg", "1.ogg"]
    assert [float(np.abs(clip.samples).max()) for clip in found] == pytest.approx([0.5, 0.5])


def test_music_is_cut_and_taken_evenly(script: Any) -> None:
    pieces = list(script.prepare(clips(script, 10.0), 2.5))
    assert [len(piece.samples) for piece in pieces] == [40_000] * 4
    assert len(script.spread(pieces, 5.0)) == 2
    assert script.spread(pieces, 100.0) == pieces
    assert script.spread([], 1.0) == []


def test_the_words_of_a_clip_are_those_of_its_package(script: Any, tmp_path: Path) -> None:
    (tmp_path / "cow.txt").write_text("A cow.\nca.utf8=Una vaca.\nca@valencia.utf8=Una vaqueta.\n")
    assert script.said_in(tmp_path / "cow_desc_ca.ogg") == ("ca", "Una vaca.")
    assert script.said_in(tmp_path / "cow_desc_el.ogg") is None
    assert script.said_in(tmp_path / "pig_desc_ca.ogg") is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "txt.done.data").write_text('( ru_0001 "Волн+ос." )\n( ru_0002 "Она завела." )\n')
    assert script.said_in(tmp_path / "wav" / "ru_0001.wav") == ("ru", "Волнос.")
    assert script.said_in(tmp_path / "wav" / "ru_0009.wav") is None


def test_speech_is_read_out_of_the_game_file(script: Any, tmp_path: Path) -> None:
    import io

    import soundfile

    held = io.BytesIO()
    soundfile.write(held, murmur(1, 1.04), 16_000, format="MP3")
    entries = [(b"A.PCX", b"picture"), (b"JOE.SB", held.getvalue())]
    table, start = b"", 15 + 21 * len(entries)
    for name, content in entries:
        table += struct.pack(">12sBII", name, 1, start, len(content))
        start += len(content)
    path = tmp_path / "queen.1c"
    path.write_bytes(b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(entries)) + table + b"picture" + held.getvalue())
    (clip,) = script.decode([path])
    assert clip.path.endswith("JOE.SB")
    assert len(clip.samples) == pytest.approx(1.04 * RATE_HZ, rel=0.15)
    path.write_bytes(b"JUNK")
    with pytest.raises(Failure, match="fetch the package again"):
        list(script.decode([path]))


@pytest.fixture
def asked(tmp_path: Path) -> argparse.Namespace:
    """A package as if downloaded, and a shared file that holds two of its clips: one in train, one in validation."""
    folder = tmp_path / "cache" / "tuxpaint-stamps-default_1%3a2.0_all"
    for part in ("usr/share/doc/tuxpaint-stamps-default", "stamps"):
        (folder / part).mkdir(parents=True)
    (folder / "usr/share/doc/tuxpaint-stamps-default/copyright").write_text("License: GPL-2\n")
    (tmp_path / "cache" / f"{folder.name}.deb").touch()
    for number in range(5):
        write_audio(folder / "stamps" / f"s{number}_desc_ca.ogg", murmur(number, 1.04))
        (folder / "stamps" / f"s{number}.txt").write_text(f"Stamp.\nca.utf8=Segell {number}\n")
    for file, number in (("tuxpaint-stamps_00", 1), ("tuxpaint-stamps_06", 2)):
        (tmp_path / "shared" / "speech_other").mkdir(parents=True, exist_ok=True)
        write_audio(tmp_path / "shared" / "speech_other" / f"{file}.ogg", np.pad(murmur(number, 1.04), 4800))
    return argparse.Namespace(out=tmp_path / "out", shared=tmp_path / "shared", cache=tmp_path / "cache", only=None)


def test_what_is_shared_is_not_doubled_and_only_the_train_split_gets_texts(
    script: Any, asked: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = next(source for source in script.CATALOGUE if source.name == "tuxpaint-rest")
    monkeypatch.setattr(script, "CATALOGUE", (source,))
    script.run(asked)
    told = json.loads((asked.out / "sources.json").read_text())["tuxpaint-rest"]
    assert (told["version"], told["split"], told["clips"], told["already_shared"]) == ("1:2.0", "train", 3, 2)
    assert len(read_audio(asked.out / "speech_other" / "tuxpaint-rest_00.flac")) == pytest.approx(
        3 * 1.34 * RATE_HZ, abs=9
    )
    lines = [json.loads(line) for line in (asked.out / "train_texts" / "texts.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["Segell 0", "Segell 1", "Segell 3", "Segell 4"]
    said = read_audio(asked.out / "train_texts" / lines[1]["file"])
    across = said[round(lines[1]["start_s"] * RATE_HZ) : round(lines[1]["end_s"] * RATE_HZ)]
    assert np.corrcoef(across, murmur(1, 1.04)[: len(across)])[0, 1] > 0.7
    before = {path: path.stat().st_mtime_ns for path in asked.out.rglob("*.flac")}
    script.run(asked)
    assert {path: path.stat().st_mtime_ns for path in asked.out.rglob("*.flac")} == before, (
        "what is whole is left alone"
    )


def test_fetched_sound_goes_with_the_shared_into_the_sets(
    script: Any, sets: Any, asked: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = next(source for source in script.CATALOGUE if source.name == "tuxpaint-rest")
    monkeypatch.setattr(script, "CATALOGUE", (source,))
    script.run(asked)
    found = sets.find_sound([asked.shared, asked.out])
    assert [path.name for path in found["train"]["speech_other"]] == ["tuxpaint-stamps_00.ogg", "tuxpaint-rest_00.flac"]
    assert [path.name for path in found["validation"]["speech_other"]] == ["tuxpaint-stamps_06.ogg"]
    assert not [path for split in found.values() for paths in split.values() for path in paths if "texts" in str(path)]
    (asked.out / "speech_other" / "tuxpaint-stamps_00.ogg").write_bytes(b"another")
    with pytest.raises(Failure, match="one name"):
        sets.find_sound([asked.shared, asked.out])


def test_a_missing_tool_or_package_is_said_in_one_sentence(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.shutil, "which", lambda _: None)
    with pytest.raises(Failure, match="apt-get is not on this machine"):
        script.fetch("klettres-data", tmp_path)
    with pytest.raises(Failure, match="apt-get install ffmpeg"):
        list(script.decode([tmp_path / "hello.g722"]))
    monkeypatch.setattr(script.shutil, "which", str)
    refused = subprocess.CompletedProcess([], 100, "", "E: Unable to locate package\n")
    monkeypatch.setattr(script.subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(Failure, match=r"cannot download klettres-data: .*\(E: Unable to locate package\)\.$"):
        script.fetch("klettres-data", tmp_path)


def test_what_is_shared_must_be_there_lest_it_cross_the_splits(script: Any, tmp_path: Path) -> None:
    asked = argparse.Namespace(out=tmp_path / "out", shared=tmp_path / "none", cache=tmp_path / "cache", only=None)
    with pytest.raises(Failure, match="none is not there"):
        script.run(asked)
    assert not (tmp_path / "out").exists()
