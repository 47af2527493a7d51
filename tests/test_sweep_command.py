"""`kws sweep`: every word with every seed and setting is made once, what fails stops no other, what stops goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sweeping import DRIVER, KWS_NEW, PATIENCE_S, asked, job, kws_sweep, lives, records, until

from kws.cli.new import command as new
from kws.cli.options import passed_on
from kws.cli.sweep import grid, words_of
from kws.errors import Misuse


def test_every_word_is_made_with_every_seed_and_setting_and_no_two_that_begin_share_a_word() -> None:
    trials = grid(["hey nova", "computer"], [1, 2, 1], {"dropout": (0.0, 0.1), "trunk": (False,)})
    assert len(set(trials)) == len(trials) == 2 * 2 * 2
    assert trials[0].name == "hey_nova-seed=1-dropout=0.0-trunk=false"
    assert [trial.word for trial in trials] == ["hey nova", "computer"] * 4
    assert [trial.seed for trial in trials] == [1] * 4 + [2] * 4, "each setting once before any twice"


def test_two_words_that_would_share_a_folder_are_refused() -> None:
    with pytest.raises(Misuse, match=r"'a/b' and 'A b' would share the folder A_b-seed=1"):
        grid(["a/b", "A b"], [1], {})


def test_words_of_the_line_and_of_a_file_are_made_once_each(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("computer\n\n  hey   nova \njarvis\n")
    assert words_of(["jarvis", "hey nova"], tmp_path / "words") == ["jarvis", "hey nova", "computer"]
    with pytest.raises(Misuse, match="no word is named"):
        words_of([" "], None)
    with pytest.raises(Misuse, match="name a text file with one word a line"):
        words_of([], tmp_path)


def test_options_reach_kws_new_as_they_were_given() -> None:
    given = {
        "says": ("a", "b"), "language": "de", "banks": (Path("bank"),), "kokoro": None, "piper": (),
        "positives": None, "negatives": Path("talk"), "preset": "hard", "validation_folder": None, "steps": 7,
        "target_fa": 0.25, "tensorboard": True, "budget": None,
    }  # fmt: skip
    told = new.make_context("new", [*passed_on(given, new), "--", "-word"]).params
    places = {"banks": (Path("bank").absolute(),), "negatives": Path("talk").absolute()}
    assert {name: told[name] for name in given} == {**given, **places}
    assert told["word"] == "-word"
    assert passed_on({"language": "en-us", "target_fa": 0.5, "tensorboard": False, "says": ()}, new) == ()


def test_what_fails_stops_no_other_and_is_all_that_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    swept = partial(kws_sweep, monkeypatch, "mute", "hey nova", "--set", "dropout=0.1", "--workers", 2, "--cpus", 3)
    assert swept() == 1
    said = capsys.readouterr()
    assert "1 of 2 trials failed" in said.err
    assert "2/2 [" in said.err, "a bar over the trials"
    assert "- mute-seed=1-dropout=0.1: no speech engine here speaks it: see kws voices." in said.out
    assert (tmp_path / "sweep" / "sweep.md").read_text() == said.out
    made = tmp_path / "sweep" / "hey_nova-seed=1-dropout=0.1"
    (_, words, _), *others = asked(made)
    assert not others
    assert words[:3] == ["new", "--out", str(made)]
    assert words[-9:] == ["3", "--seed", "1", "--set", "dropout=0.1", "--progress", "json", "--", "hey nova"]
    found = {record["word"]: record for record in records(tmp_path / "sweep")}
    assert found["hey nova"]["validation"]["frr"] == pytest.approx(0.18), "the last line of the run's log"
    assert found["hey nova"]["validation"]["shortfall"] is None, "JSON knows no infinity"
    assert found["hey nova"]["verdict"] == {
        "missed": {"clean": [1, 20], "far": [8, 20]}, "false_accepts": 2, "talk_hours": 1.5,
    }  # fmt: skip
    assert "failure" not in found["hey nova"]
    (tmp_path / "sweep" / "mended").touch()
    assert swept() == 0
    assert len(asked(made)) == 1, "what is made is not made again"
    assert "Failed:" not in capsys.readouterr().out
    (made / "hey_nova.onnx").unlink()
    assert swept() == 0
    assert len(asked(made)) == 2, "what is gone is"


def test_more_may_be_added_but_not_with_other_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_sweep(monkeypatch, "nova", "--out", tmp_path) == 0
    assert kws_sweep(monkeypatch, "nova", "--out", tmp_path, "--budget", 3) == 2
    assert "holds a sweep with other options" in capsys.readouterr().err
    assert kws_sweep(monkeypatch, "nova", "--out", tmp_path, "--seed", 1, "--seed", 2) == 0
    assert [record["seed"] for record in records(tmp_path)] == [1, 2]
    with (tmp_path / "sweep.jsonl").open("a") as lines:
        lines.write("{")
    assert kws_sweep(monkeypatch, "nova", "--out", tmp_path) == 1
    assert "sweep.jsonl is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--say", "--positives", "--validation"])
def test_what_is_of_one_word_is_refused_for_several(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "positives").mkdir()
    assert kws_sweep(monkeypatch, "nova", "jarvis", option, tmp_path) == 2
    assert f"{option}" in (said := capsys.readouterr().err)
    assert "is of one word" in said


def test_a_disk_that_is_full_or_a_run_without_a_log_is_a_failure_of_the_trial(tmp_path: Path) -> None:
    (tmp_path / "nova-seed=1").write_text("in the way")
    assert "cannot write" in job(tmp_path, "nova")(0)["failure"]
    empty = replace(job(tmp_path, "jarvis"), program=("-c", ""))(0)
    assert "ended without a detector" in empty["failure"]
    suicide = ("-c", "import os; os.kill(os.getpid(), 9)")
    killed = replace(job(tmp_path, "computer"), program=suicide)(0)
    assert killed["failure"].startswith("it was killed (signal 9)")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_stop_or_a_kill_ends_what_is_being_made_and_the_same_command_goes_on(blow: int, tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    command = [sys.executable, "-c", DRIVER, "sweep", "nova", "jarvis", "--out", str(tmp_path)]
    folder = tmp_path / "nova-seed=1"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        until((folder / "asked.jsonl").exists)
        ((child, _, _),) = asked(folder)
        if blow == signal.SIGINT:
            os.killpg(process.pid, blow)  # as a terminal's Ctrl-C
        else:
            process.kill()
        _, said = process.communicate(timeout=PATIENCE_S)
    until(lambda: not lives(child))
    assert (folder / "stopped").exists(), "it was asked to stop, not killed"
    if blow == signal.SIGINT:
        assert process.returncode == 130
        assert "stopped at trials; run the same command again to go on" in said
    assert not (tmp_path / "sweep.jsonl").exists()
    (tmp_path / "wait").unlink()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert [record["word"] for record in records(tmp_path)] == ["nova", "jarvis"]


def test_a_trial_waits_for_another_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    folder = tmp_path / "nova-seed=1"
    command = [sys.executable, "-c", KWS_NEW, "new", "--out", str(folder), "--seed", "1", "--", "nova"]
    first, second = (subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2))
    until((folder / "asked.jsonl").exists)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1)
    assert len(asked(folder)) == 1
    (tmp_path / "wait").unlink()
    for process in (first, second):
        assert process.wait(PATIENCE_S) == 0
        process.communicate()
    assert len(asked(folder)) == 2
