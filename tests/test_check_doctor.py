"""scripts/check_doctor: phrases trained once each, a table, a correlation, and a line only where there is one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from script_module import load_script

from kws.config import Decision
from kws.errors import Failure
from kws.export import export
from kws.model import Net
from synth.doctor import Calibration

PHRASES = ["go", "stop", "hey nova", "hey computer", "smart mirror", "nova"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("espeakng_loader")
    made = load_script("check_doctor")
    made.SHUFFLES = 4000
    said = {one.phrase: one for one in made.foretell([*made.PHRASES, *PHRASES])}
    made.foretell = lambda phrases: [said[phrase] for phrase in phrases]
    return made


class Trainer:
    """Stands for `kws new`: writes a detector that says it missed what its phrase's place says."""

    def __init__(self, net: Net, missed: dict[str, float]) -> None:
        self.net, self.missed = net, missed
        self.lines: list[Sequence[str]] = []
        self.stops_at = self.fails_at = ""

    def __call__(self, line: Sequence[str]) -> int:
        self.lines.append(line)
        phrase = line[line.index("new") + 1]
        if phrase == self.stops_at:
            raise KeyboardInterrupt
        if phrase == self.fails_at:
            return 1
        folder = Path(line[line.index("--out") + 1])
        folder.mkdir(parents=True)
        told: dict[str, Any] = {"frr": self.missed[phrase], "false_accepts_per_hour": 0.4, "utterances": 200}
        file = folder / f"{phrase.replace(' ', '_')}.onnx"
        export(file, self.net, phrase, Decision(threshold=0.5), {"evaluation": told})
        return 0


@pytest.fixture
def trainer(tiny_net: Net, script: ModuleType) -> Trainer:
    """One under which the doctor's order is right."""
    burdens = sorted(script.foretell(PHRASES), key=lambda one: one.burden)
    return Trainer(tiny_net, {one.phrase: 0.02 + 0.1 * number for number, one in enumerate(burdens)})


@pytest.fixture
def asked(script: ModuleType, tmp_path: Path) -> argparse.Namespace:
    line = [str(tmp_path / "drafts"), "--out", str(tmp_path), "--phrases", *PHRASES, "--calibrate"]
    asked: argparse.Namespace = script.parsed([*line, "--", "--seed", "7"])
    return asked


def test_each_phrase_is_trained_by_kws_new_for_the_budget_and_told(
    script: ModuleType, trainer: Trainer, asked: argparse.Namespace, tmp_path: Path
) -> None:
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 0
    assert [line[line.index("new") + 1] for line in trainer.lines] == PHRASES
    assert all(list(line)[-6:] == ["--budget", "3", "--target-fa", "0.5", "--seed", "7"] for line in trainer.lines)
    page = (tmp_path / "doctor.md").read_text()
    assert "| go | poor |" in page
    assert "misses: 1.00 (p = 0.00" in page
    line = Calibration(**json.loads((tmp_path / "doctor.json").read_text()))
    assert line.slope > 0
    assert line.phrases == len(PHRASES)


def test_a_line_that_does_not_hold_is_taken_away(
    script: ModuleType, trainer: Trainer, asked: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "doctor.json").write_text("{}")
    trainer.missed = dict(zip(trainer.missed, (0.1, 0.3, 0.05, 0.2, 0.15, 0.12), strict=True))
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 0
    assert not (tmp_path / "doctor.json").exists()
    assert "no line fitted" in capsys.readouterr().out


def test_a_stop_keeps_what_was_trained_and_the_same_command_goes_on(
    script: ModuleType, trainer: Trainer, asked: argparse.Namespace, tmp_path: Path
) -> None:
    trainer.stops_at = PHRASES[2]
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 130
    assert "2 of 6 phrases" in (tmp_path / "doctor.md").read_text()
    assert not (tmp_path / "doctor.json").exists(), "half of the phrases make no line"
    trainer.stops_at = ""
    trainer.lines.clear()
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 0
    assert [line[line.index("new") + 1] for line in trainer.lines] == PHRASES[2:]
    page = (tmp_path / "doctor.md").read_text()
    trainer.lines.clear()
    asked.folder = tmp_path / "another machine"
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 0
    assert (tmp_path / "doctor.md").read_text() == page
    assert trainer.lines == []
    asked.budget = 4.0
    assert script.check(asked, trainer, tmp_path / "doctor.json") == 0
    assert [line[line.index("new") + 1] for line in trainer.lines] == PHRASES


def test_a_command_that_fails_is_named(script: ModuleType, trainer: Trainer, asked: argparse.Namespace) -> None:
    trainer.fails_at = "stop"
    with pytest.raises(Failure, match=r"new stop .* ended with 1"):
        script.check(asked, trainer)


def test_a_detector_that_says_nothing_of_its_misses_is_named(script: ModuleType, tiny_detector_path: Path) -> None:
    with pytest.raises(Failure, match="does not say what it missed"):
        script.outcome(script.Foretold(phrase="test", grade="good", burden=0.0), tiny_detector_path)


def test_the_rank_correlation_is_scipys(script: ModuleType, draw: np.random.Generator) -> None:
    from scipy.stats import spearmanr

    for noise in (0.3, 3.0):
        first = draw.integers(0, 8, 20).astype(float)  # with ties
        second = first + noise * draw.normal(size=20)
        rho, chance = script.spearman(first, second)
        theirs = spearmanr(first, second)
        assert rho == pytest.approx(theirs.statistic)
        assert chance == pytest.approx(theirs.pvalue, abs=0.02)


def test_nothing_correlates_with_what_never_changes(script: ModuleType) -> None:
    assert script.spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == (0.0, 1.0)


def test_the_twenty_phrases_are_twenty_and_of_every_grade(script: ModuleType) -> None:
    assert len(set(script.PHRASES)) == 20
    assert {one.grade for one in script.foretell(script.PHRASES)} == {"good", "fair", "poor"}
