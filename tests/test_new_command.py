"""From a word's text to its detector by one command, spoken by engines that sing tones."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from fake_engines import ToneEngine
from small_bank import small_bank

import kws
from kws.audio import read_audio, write_audio
from kws.cli import main
from synth.bank import Bank
from synth.casting import Brief
from synth.neighbours import Amounts
from synth.voices import Engine

FEW = Amounts(**dict.fromkeys(asdict(Amounts()), 1))


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few utterances, few scenes, a cache of our own and a short list of general negatives."""
    engines: list[Engine] = [ToneEngine("tone")]
    general = Bank(word="activate", general=True, clips=tuple(small_bank().clips))
    monkeypatch.setenv("KWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kws.cli.scenes.open_engines", lambda _: engines)
    monkeypatch.setattr("kws.cli.new.open_engines", lambda _: engines)
    monkeypatch.setattr("synth.bank.starter_bank", lambda: general)
    monkeypatch.setattr("synth.casting.starter_bank", lambda: general)
    monkeypatch.setattr(
        "kws.cli.scenes.brief_of",
        lambda wanted: Brief(
            word=wanted.word,
            sayings=wanted.sayings,
            amounts=FEW,
            neural=6,
            made=4,
            held_out=2,
            takes=1,
            made_negatives=2,
        ),
    )
    monkeypatch.setattr("kws.cli.runs._POOL", 8)
    monkeypatch.setattr("kws.cli.runs._SCENES", 4)
    monkeypatch.setattr("kws.cli.runs._TRIALS", 2)
    monkeypatch.setattr("kws.cli.phrase.before_start", lambda _: "the doctor's word")
    monkeypatch.setattr("kws.cli.new.os.cpu_count", lambda: 1)
    monkeypatch.chdir(tmp_path)


def kws_new(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kws", "new", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_one_command_makes_a_detector_of_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_new(monkeypatch, "magic lantern", "--steps", 2) == 0
    said = capsys.readouterr()
    assert "hear it with: kws listen magic_lantern/magic_lantern.onnx" in said.out
    detector = kws.load(tmp_path / "magic_lantern" / "magic_lantern.onnx")
    assert detector.word == "magic lantern"
    assert detector.metadata["licences"] == ["tone: ours"]
    assert detector.metadata["language"] == "en-us"
    assert kws_new(monkeypatch, "magic lantern", "--steps", 2) == 0, "done again, it finds everything done"
    assert "speaking" not in capsys.readouterr().err


def test_your_own_recordings_join_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    write_audio(mine / "one.flac", small_bank().clips[0].samples)
    (mine / "broken.wav").write_bytes(b"RIFF")
    assert kws_new(monkeypatch, "lantern", "--steps", 1, "--positives", mine) == 0
    assert "left out 1 of the files in" in capsys.readouterr().err
    licences = kws.load(tmp_path / "lantern" / "lantern.onnx").metadata["licences"]
    assert "recordings in mine: as their makers allow" in licences


def test_listening_first_writes_samples_of_each_pronunciation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kws.cli.new._play", lambda _: False)
    asked = ["--listen", "--say", "lan-turn", "--say", "/lˈæntɚn/", "--steps", 1]
    assert kws_new(monkeypatch, "lantern", *asked) == 0
    written = sorted(path.name for path in (tmp_path / "lantern" / "samples").iterdir())
    assert {name[0] for name in written} == {"1", "2"}
    assert all(len(read_audio(tmp_path / "lantern" / "samples" / name)) > 4000 for name in written)
    assert "no loudspeaker here; wrote" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["/", "/abc", "a/b", " "])
def test_half_a_pronunciation_is_refused(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_new(monkeypatch, "lantern", "--say", said) == 2
    assert "neither a respelling nor phonemes between two slashes" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--listen",)])
def test_what_no_engine_can_say_is_told(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_new(monkeypatch, "lantern", "--say", "/ʘ/", *options) == 1
    assert "could say 'lantern' as asked: respell it with --say" in capsys.readouterr().err
