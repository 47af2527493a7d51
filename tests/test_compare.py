"""The comparison with other engines: what its tables say of what was measured, and how an adapter talks."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from compare_peers import PEERS, Environment, Peer, size
from compare_report import CONDITIONS, OURS, TALK, TRAIN, Word, write_report
from compare_training import Trainer
from costs import ADAPTERS
from script_module import load_script

from kws.adapter import Adapter
from kws.audio import write_audio
from kws.det import Det
from kws.errors import Failure

THRESHOLDS = (0.2, 0.5, 0.8)
STUB = """
import sys
sys.path.insert(0, {adapters!r})
from talk import Stepper, main

class Loud(Stepper):
    word, threshold = "beep", 0.5
    def __init__(self, models):
        self.parts = [1 + (model == "peep") for model in models.split(",")]
        super().__init__(1600)
    def begin(self):
        pass
    def score(self, piece):
        print("heard", file=open({log!r}, "a"))
        loud = 2 * abs(float(piece[0])) / 32767 or float("nan")
        return [loud / part for part in self.parts]

main(Loud)
"""
"""An engine of loudness, on what every adapter shares; "peep" it hears half as well."""


def loud_program(folder: Path) -> str:
    """The program of that engine, which tells in a file what it hears."""
    program = folder / "loud.py"
    program.write_text(STUB.format(adapters=str(ADAPTERS), log=str(folder / "heard.txt")))
    return str(program)


def measured(misses: tuple[int, ...], accepts: tuple[int, ...]) -> dict[str, dict[str, object]]:
    """What an engine made of a word: the same in every condition."""
    det = Det(thresholds=THRESHOLDS, misses=misses, utterances=20, false_accepts=accepts, hours=4.0)
    said = {"of": 20, "frr": misses[1] / 20, "latency_s": {"median": 0.1, "p90": 0.2}}
    speech = {"false_accepts": accepts[1], "hours": 4.0, "per_hour": accepts[1] / 4}
    parts: dict[str, dict[str, object]] = {part: {"positives": said, "det": det.to_json()} for part in CONDITIONS}
    return {**parts, TALK: {"negatives": {"speech": speech}, "det": det.to_json()}}


def write(folder: Path, engine: str, parts: dict[str, dict[str, object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, found in parts.items():
        (folder / f"{engine}-{part}.json").write_text(json.dumps(found))


@pytest.fixture
def found(tmp_path: Path) -> Path:
    place = tmp_path / "heard" / "hey_beep"
    write(place, OURS, measured((0, 1, 4), (30, 4, 1)))
    write(place, "other-engine", measured((0, 6, 6), (9, 8, 8)))
    write(place, "third", measured((1, 2, 2), (9, 2, 0)))
    write(place, "unfinished", {"clean": {}})
    write(tmp_path / "heard" / "not_made", "third", {TALK: {}})
    costs = {OURS: (0.001, 50), "other-engine": (0.0016, 51), "third": (0.004, 30)}
    lines = [
        {"engine": engine, "turn": turn, "cpu_per_s": share, "peak_mib": mib, "ready_s": 0.1, "weights_kb": 500}
        for engine, (share, mib) in costs.items()
        for turn in (0, 1)
    ]
    training = {
        "made": [{"engine": OURS, "word": "hey beep", "minutes": minutes} for minutes in (4, 5, 9)],
        "tried": {"trainer": [{"command": "trainer set-up", "minutes": 1, "ended": 0, "said": "Complete!"},
                              {"command": "trainer run", "minutes": 2, "ended": None, "said": "no sound"}]},
    }  # fmt: skip
    (tmp_path / "training.json").write_text(json.dumps(training))
    (tmp_path / "costs.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path


def test_misses_are_compared_at_equal_false_accepts(found: Path) -> None:
    word = Word(found / "heard" / "hey_beep")
    assert word.engines == [OURS, "other-engine", "third"], "what was not measured whole is left out"
    assert word.at_rate(OURS, "clean", 0.5) == pytest.approx(4 / 20)
    assert word.at_rate("third", "clean", 0.5) == pytest.approx(2 / 20)
    assert word.at_rate("other-engine", "clean", 0.5) is None
    assert word.at_rate("other-engine", "clean", 2.0) == pytest.approx(6 / 20)


def test_the_report_says_first_where_we_are_behind(found: Path) -> None:
    third = {"distributions": 3, "megabytes": 12.0, "minutes": 0.1, "licence": "MIT"}
    engines = {
        OURS: {**third, "distributions": 4, "megabytes": 11.0},
        TRAIN: {**third, "megabytes": 900.0, "fetched_mb": 109.0},
        "trainer": {**third, "megabytes": 800.0, "fetched_mb": 17450.0},
    }
    write_report(found, {**engines, "third": third, "gone": {"reason": "no such package", "licence": "?"}})
    told = (found / "compare.md").read_text()
    first, rest = told.split("## In short", 1)
    assert first.startswith("## Where we are behind")
    assert '"hey beep", clean, missed at 0.5 false accepts per hour (ours 8-42): ours 20.0 %; third 10.0 %' in first
    assert "2 false accepts per hour" not in first
    assert "false accepts per hour at its own threshold (ours 0.27-2.56): ours 1.00; third 0.50\n" in first
    assert "missed at its own threshold" not in first
    assert "where half of others' was aimed at: ours 0.00100; other-engine 0.00160\n" in first
    assert "- memory: ours 50 MiB; third 30 MiB\n" in first
    assert "ready after" not in first
    assert "- packages: ours 4; third 3\n" in first
    assert "- installed, MB" not in first
    assert "- installed to make a word from its text, MB: ours 900; trainer 800\n" in first
    assert "the same with what is fetched" not in first
    assert "heard after its end" not in first
    assert "| other-engine | 1 | 100.0 / 20.0 | 30.0 / 5.0 | 30.0 / 5.0 | 2.00 / 1.00 | - | 0.10 | 1.60 | 51 |" in rest
    assert "| hey beep | other-engine | 30.0 / 30.0 / 30.0 / 30.0 | 2.00 (" in rest
    assert "- / - / - / -" in rest
    assert "| gone | not installed: no such package |" in rest
    assert "| trainer | 3 | 800 | 0.1 | 17,450 | MIT |" in rest
    assert f"| {OURS} | 5.0 (4.0-9.0) | 3 |" in rest
    assert "`trainer run` was stopped after 2 minutes, saying last: no sound" in rest
    assert (found / "det.png").read_bytes().startswith(b"\x89PNG")


def test_what_people_say_is_told_apart(found: Path) -> None:
    place = found / "heard" / "hey_nova"
    for engine, misses in {OURS: (0, 1, 9), "third": (1, 2, 2)}.items():
        parts = measured(misses, (30, 4, 1))
        write(place, engine, {part: {**told, "said_by": "people"} for part, told in parts.items()})
    assert Word(place).name == "hey nova, 20 of people"
    write_report(found, {})
    assert "| third | 1 | 10.0 / 20.0 | 10.0 / 5.0 | 10.0 / 5.0 | 0.50 / 1.00 | 10.0 / 45.0 |" in (
        (found / "compare.md").read_text()
    )


def test_nothing_behind_is_said_too(tmp_path: Path) -> None:
    write(tmp_path / "heard" / "beep", OURS, measured((0, 1, 4), (30, 4, 1)))
    write_report(tmp_path, {})
    assert "In nothing that was measured." in (tmp_path / "compare.md").read_text()


def test_an_adapter_scores_what_it_is_sent_and_measures_its_own_cost(tmp_path: Path) -> None:
    program = loud_program(tmp_path)
    with closing(Adapter([sys.executable, program, "any"])) as engine:
        levels = np.repeat([0.1, 0.4, 0.9], 1600).astype(np.float32)
        np.testing.assert_allclose(engine.scores(levels), [0.2, 0.8, 1.0], atol=1e-3)
        np.testing.assert_allclose(engine.scores(levels[1600:]), [0.8, 1.0], atol=1e-3)
        np.testing.assert_allclose(engine.scores(0 * levels), [0.0] * 3)
    np.round(32767 * np.repeat([0.1, 0.4], 16000)).astype(np.int16).tofile(tmp_path / "sound.pcm")
    done = subprocess.run(
        [sys.executable, program, "any", "--cost", str(tmp_path / "sound.pcm")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["fired"] == 10
    assert 0 < told["cpu_per_s"] < 1
    assert told["peak_mib"] > 5


def test_what_was_heard_for_one_word_is_not_heard_again_for_the_next(tmp_path: Path) -> None:
    def hear(models: str, levels: tuple[float, ...]) -> tuple[list[float], int]:
        kept = ["--kept", str(tmp_path / "kept")]
        with closing(Adapter([sys.executable, loud_program(tmp_path), models, *kept])) as engine:
            scores = engine.scores(np.repeat(levels, 1600).astype(np.float32))
        return np.round(scores.astype(float), 3).tolist(), (tmp_path / "heard.txt").read_text().count("heard")

    assert hear("beep,peep", (0.1, 0.4, 0.2)) == ([0.2, 0.8, 0.4], 3)
    assert hear("peep,beep", (0.1, 0.4, 0.2)) == ([0.1, 0.4, 0.2], 3), "the second word's"
    assert hear("peep,beep", (0.1, 0.4, 0.3)) == ([0.1, 0.4, 0.3], 6), "other sound is heard from its start"
    with (tmp_path / "kept" / "beep.scores").open("ab") as file:
        file.write(b"half a record")
    assert hear("beep,peep", (0.1, 0.4, 0.2)) == ([0.2, 0.8, 0.4], 6)


def test_every_engine_hears_every_part_once(
    tmp_path: Path, tiny_detector_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("compare")
    words = {"beep": "beep", "peep": "peep"}
    loud = Peer(name="loud", packages=(), adapter=loud_program(tmp_path), licence="", models=words, weights=())
    mute = Peer(name="mute", packages=(), adapter="", licence="", models={"beep": "beep"}, weights=())
    learner = Peer(name="learner", packages=(), adapter="", licence="", models={}, learns=True, weights=())

    class Work(script.Work):  # type: ignore[misc]
        peers = (loud, mute, learner)

        def command(self, peer: Peer, *models: str) -> tuple[str, str, str]:
            return sys.executable, peer.adapter, ",".join(models)

    asked = {"folder": tmp_path, "out": tmp_path, "people": [], "sound": [], "workers": 2}
    work = Work(asked=argparse.Namespace(**asked, words=["beep", "peep"]))
    beep = np.pad(np.full(1600, 0.9, np.float32), 8000)
    negatives = tmp_path / "words" / "sets" / "test" / "negatives"
    for place in (*(work.said("beep") / part for part in CONDITIONS), negatives / "speech_en", negatives / "music"):
        place.mkdir(parents=True)
        write_audio(place / "one.wav", beep)
    work.detector("beep").parent.mkdir(parents=True)
    shutil.copyfile(tiny_detector_path, work.detector("beep"))
    installed = {"loud": {}, "mute": {"reason": "no wheel"}, "learner": {}}
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
        talk = script.lay_talk(work)
    hours = list(script.parts(work, work.words, installed, talk, made=False))
    assert [part.name for part in hours] == ["loud, beep, talk", "loud, peep, talk"]
    script.hear(work, hours[:1])
    monkeypatch.setattr(Work, "words", ["beep"])
    monkeypatch.setattr(Work, "peers", (loud, mute))
    script.hear(work, list(script.parts(work, work.words, installed, talk, made=True)))
    word = Word(tmp_path / "heard" / "beep")
    assert word.engines == [OURS, "loud"]
    assert [word.frr("loud", part) for part in CONDITIONS] == [0.0] * 4
    assert word.utterances("loud", "clean") == 1
    assert word.accepts("loud")["false_accepts"] == 1, "talk is heard, music is not"
    write_report(tmp_path, {})
    assert "| beep | loud | 0.0 / 0.0 / 0.0 / 0.0 |" in (tmp_path / "compare.md").read_text()
    assert not list(script.parts(work, work.words, installed, talk, made=True))


def test_people_say_a_word_whose_sets_are_not_made_yet(tmp_path: Path) -> None:
    script = load_script("compare")
    asked = {"folder": tmp_path, "out": tmp_path, "people": [Path("people/smart_mirror")], "words": ["beep"]}
    work = script.Work(asked=argparse.Namespace(**asked, porcupine=False, engines=["pocketsphinx"]))
    parts = script.parts(work, work.words, {"pocketsphinx": {"reason": "none"}}, tmp_path, made=True)
    said = [(part.place.parent.name, part.by, part.said) for part in parts if part.said]
    assert said[0] == ("beep", "test", tmp_path / "words" / "beep" / "sets" / "test" / "positives" / "clean")
    mirror = tmp_path / "words" / "smart_mirror" / "sets" / "people" / "smart_mirror"
    assert said[len(CONDITIONS)] == ("smart_mirror", "people", mirror / "clean")


def test_a_word_is_said_as_its_makers_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_script("compare")
    asked = {"folder": tmp_path, "people": [], "sound": []}
    run: list[list[str]] = []

    def note(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        run.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", note)
    for word in ("hey mycroft", "alexa"):
        script.make_word(script.Work(asked=argparse.Namespace(**asked)), word)
    assert ["--say" in command for command in run] == [True, False]
    assert run[0][run[0].index("--say") + 1] == "/hˈeɪ mˈaɪkɹɔft/"


def test_what_an_engine_knows_a_word_by_is_weighed(tmp_path: Path) -> None:
    peer = Peer(
        name="one", packages=(), adapter="", licence="", models={"hey beep": "hey_beep"},
        weights=("one/{model}_v*.net", "one/ears.net"),
    )  # fmt: skip
    site = tmp_path / "one" / "lib" / "python3.11" / "site-packages" / "one"
    site.mkdir(parents=True)
    with pytest.raises(Failure, match="one holds none of"):
        peer.weights_kb(tmp_path, "hey_beep")
    for name, size_bytes in {"hey beep_v1.net": 1000, "ears.net": 500, "other_v1.net": 7000}.items():
        (site / name).write_bytes(bytes(size_bytes))
    assert peer.weights_kb(tmp_path, "hey_beep") == 1.5


def test_a_quick_start_is_followed_until_it_fails(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    (python.parent / "make").write_text("#!/bin/sh\ncat word.yaml\nexit $1\n")
    (python.parent / "make").chmod(0o755)
    commands = (("make", "0"), ("make", "3"), ("make", "0"))
    files = {"word.yaml": "beep\n\n"}
    trainer = Trainer(name="x", packages=(), licence="", files=files, commands=commands, fetched_mb=0)
    found = list(trainer.tried(python, tmp_path / "tried"))
    assert [(step["command"], step["ended"], step["said"]) for step in found] == [
        ("make 0", 0, "beep"), ("make 3", 3, "beep"),
    ]  # fmt: skip


def test_every_engine_has_an_adapter_and_a_licence() -> None:
    for peer in PEERS:
        assert (ADAPTERS / peer.adapter).is_file()
        assert peer.licence
        assert any("==" in package for package in (*peer.packages, *peer.bare))


def test_what_cannot_be_installed_is_told_and_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Environment(name="gone", packages=(str(tmp_path / "no-such-package"),), root=tmp_path / "engines")
    told = nowhere.install()
    assert "no-such-package" in told["reason"]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("tried again"))
    assert nowhere.install() == told


def test_the_size_of_an_environment_leaves_out_what_every_one_holds(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("pip/big.py", "pip-24.dist-info/RECORD", "ours/big.py", "ours-1.0.dist-info/RECORD"):
        (site / name).parent.mkdir(parents=True)
        (site / name).write_bytes(bytes(1_000_000))
    assert size(tmp_path) == {"megabytes": 2.0, "distributions": 1}
