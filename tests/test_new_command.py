"""From a word's text to its detector by one command, spoken by engines that sing tones."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engines import ToneEngine
from small_bank import small_bank

import kws
from kws.audio import RATE_HZ, read_audio, write_audio
from kws.cli import main, verdict
from kws.cli.runs import recipe_of, recorded_talk, scene_validation
from kws.cli.scenes import Material, Wanted, open_material, speak_bank
from kws.recipe import Recipe
from kws.trunk import read_trunk
from synth.bank import INDEX, Bank, read_bank
from synth.casting import Brief
from synth.conditions import CONDITIONS
from synth.corpus import open_corpus
from synth.crew import Processes
from synth.made_talk import TalkCache
from synth.neighbours import Amounts
from synth.recorded import Recordings, parted
from synth.voices import Engine, Split

REACHED = verdict.reached
FEW = Amounts(**dict.fromkeys(asdict(Amounts()), 1))


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few utterances, few scenes, a cache of our own and a short list of general negatives."""
    engines: list[Engine] = [ToneEngine("tone")]
    general = Bank(word="activate", general=True, clips=tuple(small_bank().clips))
    monkeypatch.setenv("KWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kws.cli.scenes.open_engines", lambda _: engines)
    monkeypatch.setattr("kws.cli.samples.open_engines", lambda _: engines)
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
    monkeypatch.setattr("kws.cli.verdict.reached", lambda *_: "the verdict")
    monkeypatch.setattr("kws.cli.phrase.before_start", lambda _: "the doctor's word")
    monkeypatch.setattr("kws.cli.options.os.cpu_count", lambda: 1)
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
    monkeypatch.setattr("kws.cli.verdict.reached", REACHED)
    asked = ["magic lantern", "--set", "steps=2", "--set", "dropout=0.2", "--cpus", 1]
    assert kws_new(monkeypatch, *asked) == 0
    said = capsys.readouterr()
    assert said.out.startswith("'magic lantern' is ")
    assert (tmp_path / "magic_lantern" / "verdict.txt").read_text().rstrip() in said.out
    assert "No person's talk was heard for this verdict." in said.out
    assert "Give --negatives" in said.out
    assert "4/6 training" in said.err
    report = json.loads((tmp_path / "magic_lantern" / "report" / "report.json").read_text())
    assert set(report["positives"]["groups"]["condition"]) == set(CONDITIONS)
    assert set(report["positives"]["groups"].get("voice", {"tone:t"})) == {"tone:t"}, "the test voice alone"
    assert report["positives"]["alike"]
    assert report["negatives"]["speech"] is None, "no made voice passes for people"
    assert "hear it with: kws listen magic_lantern/magic_lantern.onnx" in said.out
    detector = kws.load(tmp_path / "magic_lantern" / "magic_lantern.onnx")
    assert detector.word == "magic lantern"
    assert detector.metadata["licences"] == ["tone: ours", *read_trunk().licences]
    assert detector.metadata["language"] == "en-us"
    assert [detector.metadata["recipe"][name] for name in ("steps", "dropout")] == [2, 0.2]
    monkeypatch.setattr("kws.cli.verdict.reached", lambda *_: "the verdict")
    assert kws_new(monkeypatch, *asked) == 0, "done again, it finds everything done"
    again = capsys.readouterr().err
    assert not any(stage in again for stage in ("1/6", "2/6", "3/6", "4/6"))


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


def test_a_draft_says_the_word_less_often_unless_the_whole_bank_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def brief(wanted: Wanted) -> Brief:
        few = {"neural": 10, "made": 4, "held_out": 2, "takes": 1, "made_negatives": 2}
        whole = Brief(word=wanted.word, sayings=wanted.sayings, amounts=FEW, **few)
        return whole.drafted() if wanted.draft else whole

    def said(folder: Path) -> int:
        return len(read_bank(folder).select("train", "positive"))

    monkeypatch.setattr("kws.cli.scenes.brief_of", brief)
    draft = speak_bank(Wanted(word="lantern", draft=True), Processes(1))
    whole = speak_bank(Wanted(word="lantern"), Processes(1))
    assert (said(draft), said(whole)) == (3 + 2, 10 + 4)
    assert speak_bank(Wanted(word="lantern", draft=True), Processes(1)) == whole


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


def test_without_recorded_talk_made_voices_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kws.cli.verdict.reached", REACHED)
    many: dict[Split, dict[str, int]] = {"train": {"tone": 45}, "validation": {"tone": 25}, "test": {"tone": 25}}
    monkeypatch.setattr("synth.made_talk._UTTERANCES", many)
    assert kws_new(monkeypatch, "magic lantern", "--steps", 2) == 0
    said = capsys.readouterr()
    assert "h of words strung together" in said.out
    assert "No person's talk was heard for this verdict." in said.out
    assert TalkCache().size()[0] == 3 + 2 + 2
    evaluation = kws.load(tmp_path / "magic_lantern" / "magic_lantern.onnx").metadata["evaluation"]
    assert evaluation["negatives"] == "synthetic speech", "made voices are not people"
    report = json.loads((tmp_path / "magic_lantern" / "report" / "report.json").read_text())
    assert report["negatives"]["classes"]["made_talk"]["hours"] > 0
    assert report["negatives"]["speech"] is None


def test_made_voices_join_people_who_talk_too_little_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kws.cli.verdict.reached", REACHED)
    many: dict[Split, dict[str, int]] = {"train": {"tone": 45}, "validation": {"tone": 25}, "test": {"tone": 25}}
    monkeypatch.setattr("synth.made_talk._UTTERANCES", many)
    (tmp_path / "own").mkdir()
    for number in range(10):
        write_audio(tmp_path / "own" / f"{number}.flac", np.full(RATE_HZ, 0.1, np.float32))
    wanted = Wanted(word="lantern", negatives=tmp_path / "own")
    little = open_material(wanted, Processes(1), hold_out=True, make_talk=True)
    assert little.talk_is_made
    assert little.recordings is not None
    held_out = little.held_out["validation"]
    assert (len(little.recordings.people), len(held_out.people), len(held_out.made_talk)) == (7, 2, 2)
    assert kws_new(monkeypatch, "lantern", "--negatives", "own", "--steps", 2) == 0
    assert "h of words strung together" in capsys.readouterr().out
    report = json.loads((tmp_path / "lantern" / "report" / "report.json").read_text())
    hours = {name: heard["hours"] for name, heard in report["negatives"]["classes"].items()}
    assert 0 < hours["speech_held_out"] < hours["made_talk"]
    evaluation = kws.load(tmp_path / "lantern" / "lantern.onnx").metadata["evaluation"]
    assert evaluation["negatives"] == "synthetic speech"
    monkeypatch.setattr("kws.cli.scenes.ENOUGH_H", 1 / 3600)
    enough = open_material(wanted, Processes(1), hold_out=True, make_talk=True)
    assert not enough.talk_is_made
    assert not enough.held_out["validation"].made_talk


def test_what_is_taught_is_learnt_from_and_its_recording_is_measured_on_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many: dict[Split, dict[str, int]] = {"train": {"tone": 45}, "validation": {"tone": 25}, "test": {"tone": 25}}
    monkeypatch.setattr("synth.made_talk._UTTERANCES", many)
    own = tmp_path / "own"
    (own / "taught").mkdir(parents=True)
    for number in range(10):
        write_audio(own / f"{number}.flac", np.full(RATE_HZ, 0.1, np.float32))
    wanted = Wanted(word="lantern", negatives=own)
    before = open_material(wanted, Processes(1), hold_out=True, make_talk=True)
    taken = [before.held_out["test"].people[0].stem, before.held_out["validation"].made_talk[0].stem]
    for name in taken:
        write_audio(own / "taught" / f"{name}@1500.flac", np.full(RATE_HZ, 0.2, np.float32))
    after = open_material(wanted, Processes(1), hold_out=True, make_talk=True)
    assert after.recordings is not None and before.recordings is not None
    assert {path.name for path in after.recordings.people} - {path.name for path in before.recordings.people} == {
        f"{name}@1500.flac" for name in taken
    }
    for split, held_out in before.held_out.items():
        assert {path.stem for path in held_out.files} - {path.stem for path in after.held_out[split].files} <= {*taken}
        assert not {path.stem for path in after.held_out[split].files} & {*taken}
    assert (before.taught, after.taught) == (0, 2)


def test_a_program_is_told_of_the_progress_in_lines_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_new(monkeypatch, "lantern", "--steps", 2, "--progress", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    stages = list(dict.fromkeys((line["stage"], line["number"], line["of"]) for line in lines))
    assert [stage for stage, *_ in stages] == ["bank", "validation", "scenes", "training"]
    assert [number for _, number, _ in stages] == [1, 2, 3, 4]
    last = [line for line in lines if line["stage"] == "training"][-1]
    assert (last["done"], last["total"], last["unit"], last["of"]) == (2, 2, "step", 6)
    assert all(line["left_s"] is None or line["left_s"] >= 0 for line in lines)


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


def test_a_budget_finds_the_steps_and_a_begun_run_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stopped(KeyboardInterrupt):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr("kws.cli.stages._FEWEST_STEPS", 2)
    monkeypatch.setattr("kws.train.Training.pace_s", lambda *_: 1e9)
    with monkeypatch.context() as patched:
        patched.setattr("kws.cli.verdict.reached", stop)
        assert kws_new(monkeypatch, "lantern", "--budget", 0.5) == 130
    assert "stopped at 5/6 export; run the same command again to go on" in capsys.readouterr().err
    monkeypatch.setattr("kws.train.Training.pace_s", stop)
    assert kws_new(monkeypatch, "lantern", "--budget", 0.5) == 0, "nothing is timed again"
    said = capsys.readouterr()
    assert "going on from step 2 of 2" in said.err
    assert "the verdict" in said.out


def test_the_recipe_is_changed_by_what_is_set_and_no_more_processors_are_used_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("kws.cli.new._make", lambda _, order, __: asked.append(order))
    assert kws_new(monkeypatch, "lantern", "--set", "trunk=false", "--set", "batch=20", "--cpus", 3) == 0
    assert recipe_of(1, 0.5, 7, asked[0].settings) == Recipe(steps=7, trunk=False, batch=20)
    assert asked[0].cpus == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "dropout=0.1,0.2"], "try them all with kws sweep"),
        (["--set", "steps=2", "--steps", 2], "name the same"),
        (["--set", "spares=0", "--budget", 3], "--budget finds spares itself"),
        (["--set", "depth=2"], "where NAME is steps, batch,"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_anything_is_made(
    options: list[object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert kws_new(monkeypatch, "lantern", *options) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "lantern").exists()


def test_a_bank_that_another_kws_spoke_meanwhile_is_not_spoken_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = speak_bank(Wanted(word="lantern"), Processes(1))
    index = (folder / INDEX).read_bytes()
    (folder / INDEX).unlink()

    @contextlib.contextmanager
    def waits(lock: Path, told: Callable[[], object]) -> Iterator[None]:
        assert lock.parent == folder
        told()
        (folder / INDEX).write_bytes(index)
        yield

    monkeypatch.setattr("kws.cli.scenes.alone", waits)
    monkeypatch.setattr("synth.casting.build_bank", None)
    assert speak_bank(Wanted(word="lantern"), Processes(1)) == folder
    assert "waiting for another kws that speaks 'lantern'" in capsys.readouterr().err


def test_steps_and_a_budget_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_new(monkeypatch, "lantern", "--budget", 3, "--steps", 10) == 2
    assert "leave --steps or --budget out" in capsys.readouterr().err


def test_the_doctor_only_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kws.cli.phrase.diagnosed", lambda wanted: f"{wanted.word} is fair")
    assert kws_new(monkeypatch, "lantern", "--doctor") == 0
    assert capsys.readouterr().out == "lantern is fair\n"
    assert not (tmp_path / "lantern").exists()


@pytest.mark.parametrize(("enough_h", "people"), [(0.0005, True), (1.0, False)])
def test_talk_that_is_held_out_calibrates_and_too_little_is_joined_by_made_talk(
    enough_h: float, people: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kws.cli.runs.ENOUGH_H", enough_h)
    for number in range(10):
        write_audio(tmp_path / f"{number}.flac", np.full(RATE_HZ, 0.1, np.float32))
    held_out = Recordings(parted(open_corpus(tmp_path)), split="validation")
    material = Material(
        word="activate", language="en-us", banks=(small_bank(),), own=(), recordings=None, licences=(),
        held_out={"validation": held_out},
    )  # fmt: skip
    validation = scene_validation(material, recipe_of(1, 0.5, None), 0)
    assert len(held_out.talk) == 2
    assert validation.spoken_by_people is people
    recorded_h = 2 / 3600
    assert validation.hours == pytest.approx(recorded_h, rel=0.1) if people else validation.hours > 2 * recorded_h


def test_recorded_talk_is_calibrated_on_beside_scenes_of_the_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kws.cli.runs.ENOUGH_H", 1 / 3600)
    for place in ("speech_en/a.flac", "speech_other/b.flac", "music/c.flac"):
        (tmp_path / "negatives" / place).parent.mkdir(parents=True)
        write_audio(tmp_path / "negatives" / place, np.full(RATE_HZ, 0.1, np.float32))
    material = Material(word="activate", language="en-us", banks=(small_bank(),), own=(), recordings=None, licences=())
    validation = scene_validation(material, recipe_of(1, 0.5, None), 0, talk=recorded_talk(tmp_path / "negatives"))
    assert validation.spoken_by_people
    assert validation.hours == pytest.approx(2 / 3600, rel=0.1)
    assert validation.utterances
