"""The comparison with other engines: what its tables say of what was measured, and how an adapter talks."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from compare_peers import PEERS, Environment, size
from compare_report import CONDITIONS, OURS, TALK, Word, write_report
from costs import ADAPTERS

from kws.adapter import Adapter
from kws.det import Det

THRESHOLDS = (0.2, 0.5, 0.8)
STUB = """
import sys
sys.path.insert(0, {adapters!r})
from talk import Stepper, main

class Loud(Stepper):
    word, threshold = "beep", 0.5
    def __init__(self, model):
        super().__init__(1600)
    def begin(self):
        pass
    def score(self, piece):
        return 2 * abs(float(piece[0])) / 32767

main(Loud)
"""
"""An engine of loudness, on what every adapter shares."""


def measured(misses: tuple[int, ...], accepts: tuple[int, ...]) -> dict[str, dict[str, object]]:
    """What an engine made of a word: the same in every condition."""
    det = Det(thresholds=THRESHOLDS, misses=misses, utterances=20, false_accepts=accepts, hours=4.0)
    said = {"frr": misses[1] / 20, "latency_s": {"median": 0.1, "p90": 0.2}}
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
    costs = {OURS: 0.001, "other-engine": 0.0016, "third": 0.004}
    lines = [
        {"engine": engine, "turn": turn, "cpu_per_s": share, "peak_mib": 50, "ready_s": 0.1}
        for engine, share in costs.items()
        for turn in (0, 1)
    ]
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
    engines = {"third": {"distributions": 3, "megabytes": 12.0, "minutes": 0.1, "licence": "MIT"}}
    write_report(found, {**engines, "gone": {"reason": "no such package", "licence": "?"}})
    told = (found / "compare.md").read_text()
    first, rest = told.split("## Missed", 1)
    assert first.startswith("## Where we are behind")
    assert '"hey beep", clean, 0.5 false accepts per hour: ours 20.0 % missed, third 10.0 %' in first
    assert "2 false accepts per hour" not in first
    assert "processor time: 0.62 of other-engine's" in first
    assert "of third's" not in first
    assert "| hey beep | other-engine | 30.0 / 30.0 / 30.0 / 30.0 | 2.00 (" in rest
    assert "- / - / - / -" in rest
    assert "| gone | not installed: no such package |" in rest
    assert (found / "hey_beep.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_behind_is_said_too(tmp_path: Path) -> None:
    write(tmp_path / "heard" / "beep", OURS, measured((0, 1, 4), (30, 4, 1)))
    write_report(tmp_path, {})
    assert "In nothing that was measured." in (tmp_path / "compare.md").read_text()


def test_an_adapter_scores_what_it_is_sent_and_measures_its_own_cost(tmp_path: Path) -> None:
    program = tmp_path / "loud.py"
    program.write_text(STUB.format(adapters=str(ADAPTERS)))
    with closing(Adapter([sys.executable, str(program), "any"])) as engine:
        levels = np.repeat([0.1, 0.4, 0.9], 1600).astype(np.float32)
        np.testing.assert_allclose(engine.scores(levels), [0.2, 0.8, 1.0], atol=1e-3)
        np.testing.assert_allclose(engine.scores(levels[1600:]), [0.8, 1.0], atol=1e-3)
    np.round(32767 * np.repeat([0.1, 0.4], 16000)).astype(np.int16).tofile(tmp_path / "sound.pcm")
    done = subprocess.run(
        [sys.executable, str(program), "any", "--cost", str(tmp_path / "sound.pcm")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["fired"] == 10
    assert 0 < told["cpu_per_s"] < 1
    assert told["peak_mib"] > 5


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
