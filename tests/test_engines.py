"""Which engines are here and how to get the others, as Piper and the commands tell it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kws.cli import cache as cache_command
from kws.cli import voices as voices_command
from kws.errors import Failure
from kws.files import cache_folder
from synth import espeak, piper
from synth.engines import installed, kokoro_folder, survey
from synth.piper import Piper
from synth.voices import EngineMissing, Saying

JOE = next(iter(piper.installed_voices()), Path("missing"))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of its own: no cache, no Kokoro."""
    monkeypatch.setenv("KWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KWS_KOKORO", str(tmp_path / "kokoro"))


@pytest.fixture(scope="module")
def joe() -> Iterator[Piper]:
    engine = Piper()
    yield engine
    engine.close()


def many_speakers(folder: Path, language: str = "de", speakers: int = 3) -> Path:
    """A voice file as Piper's larger ones are described; its sound is joe's."""
    shutil.copy(JOE, folder / "many.onnx")
    settings = json.loads(Path(f"{JOE}.json").read_text(encoding="utf-8"))
    settings |= {"num_speakers": speakers, "espeak": {"voice": language}}
    (folder / "many.onnx.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder / "many.onnx"


def test_joe_trains_and_speaks_english_only(joe: Piper) -> None:
    assert joe.voices("train", "en") == ("en_US-joe-medium",)
    assert joe.voices("test", "en") == joe.voices("validation", "en") == joe.voices("train", "de") == ()
    with pytest.raises(ValueError, match="speaks de"):
        joe.speak(Saying(text="Spiegel", language="de"), "en_US-joe-medium", 1)


def test_joe_says_words_and_phonemes_and_refuses_what_he_never_learnt(joe: Piper) -> None:
    for saying in (Saying(text="activate"), Saying(text="athena", ipa="əˈθiːnə")):
        speech = joe.speak(saying, "en_US-joe-medium", 2)
        assert 0.2 < len(speech.samples) / speech.rate_hz < 3
        assert np.abs(speech.samples).max() > 0.1
    with pytest.raises(ValueError, match="'ж'"):
        joe.speak(Saying(text="x", ipa="ж"), "en_US-joe-medium", 1)


def test_each_speaker_of_a_file_is_a_voice_in_the_files_language(tmp_path: Path) -> None:
    engine = Piper([many_speakers(tmp_path), JOE])
    assert engine.voices("train", "de") == ("many#0", "many#1", "many#2")
    assert engine.voices("train", "en-us") == ("en_US-joe-medium",)
    assert engine.identity != Piper([JOE]).identity


def test_a_voice_without_its_settings_or_with_damaged_ones_is_named(tmp_path: Path) -> None:
    voice = many_speakers(tmp_path)
    settings = tmp_path / "many.onnx.json"
    settings.write_text("{}", encoding="utf-8")
    with pytest.raises(EngineMissing, match=r"many\.onnx\.json is not the settings"):
        Piper([voice]).voices("train", "de")
    settings.unlink()
    with pytest.raises(EngineMissing, match=r"many\.onnx is no Piper voice"):
        Piper([voice])


def test_what_is_not_here_is_left_out_and_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [engine.name for engine in installed()] == ["espeak", "piper"]
    standing = {one.engine: one for one in survey("de")}
    assert not standing["kokoro"].installed
    assert "kws voices --get kokoro" in standing["kokoro"].offline
    assert "thewh1teagle/kokoro-onnx" in standing["kokoro"].online
    assert standing["espeak"].voices == {"train": 6, "validation": 0, "test": 7}
    monkeypatch.setattr(espeak, "data_folder", lambda: None)
    monkeypatch.setattr(piper, "is_installed", lambda: False)
    assert installed() == []
    assert [one.what.partition(": ")[2] for one in survey("de")][:2] == [
        "pip install espeakng-loader", "pip install piper-tts",
    ]  # fmt: skip


def test_what_was_named_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="holds no whole Kokoro"):
        installed(kokoro=tmp_path / "nowhere")
    with pytest.raises(Failure, match="is no Piper voice"):
        installed(piper=[tmp_path / "nobody.onnx"])


def test_kokoro_lies_where_the_environment_says_else_with_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kokoro_folder() == tmp_path / "kokoro"
    monkeypatch.delenv("KWS_KOKORO")
    assert kokoro_folder().parts[-2:] == ("activate-kws", "kokoro")
    assert kokoro_folder() != cache_folder() / "kokoro"


@pytest.mark.parametrize(
    ("language", "voices"), [("de", "6 for train"), ("fr", "18 for train"), ("es", "12 for train")]
)
def test_the_table_names_every_engine_its_licence_and_its_voices(language: str, voices: str) -> None:
    done = CliRunner().invoke(voices_command.command, ["--language", language])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [line.split()[:2] for line in lines if line[:1].isalpha()][:3] == [
        ["espeak", "installed:"], ["piper", "installed:"], ["kokoro", "missing:"],
    ]  # fmt: skip
    for told in (voices, "GPL-3.0", "Apache-2.0"):
        assert told in done.output
    assert str(cache_folder()) in done.output


def test_the_survey_can_be_read_by_programs() -> None:
    done = CliRunner().invoke(voices_command.command, ["--json"])
    told = json.loads(done.output)
    assert [one["engine"] for one in told["engines"]] == ["espeak", "piper", "kokoro"]
    assert told["engines"][0]["voices"] == {"train": 48, "validation": 0, "test": 56}


def test_the_cache_tells_its_size_and_clears_only_what_is_ours_and_only_when_told() -> None:
    speech = cache_folder() / "speech" / "ab" / f"{'ab' * 32}.flac"
    raised = cache_folder() / "raised" / "cd" / f"{'cd' * 32}.flac"
    bank = cache_folder() / "banks" / "activate-0123456789ab" / "index.jsonl"
    diary = cache_folder() / "banks" / "diary" / "today.txt"
    for path in (speech, raised, bank, diary):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(500_000))
    run = CliRunner()
    told = run.invoke(cache_command.command).output
    for line in ("utterances: 1, 0.5 MB", "pieces of talk in raised voices: 1, 0.5 MB", "banks: 1, 0.5 MB"):
        assert line in told
    assert run.invoke(cache_command.command, ["clear"], input="n\n").exit_code == 1
    assert speech.exists() and bank.exists()
    assert "1.5 MB freed" in run.invoke(cache_command.command, ["clear", "--yes"]).output
    assert not speech.exists() and not raised.exists() and not bank.exists() and diary.exists()
    assert "is empty" in run.invoke(cache_command.command, ["clear"]).output
