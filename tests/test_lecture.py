"""The lecture's set-up: its shapes are those of the assignment, its labels fall where they should."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from lecture import COURSE_DESIGN, SMALL_DESIGN, Design, LectureNet, labelled, loss_of
from lecture_report import write_report
from lecture_scenes import CLIP_S, COARSER, COURSE, OURS, RUN_S, Front, Scenes
from test_scripts import run

from kws.audio import RATE_HZ
from kws.config import Decision
from kws.events import Event

SOUND = np.random.default_rng(3).normal(0, 0.1, round(CLIP_S * RATE_HZ)).astype(np.float32)
PLAIN = Design(channels=None, norm=False)


def test_the_shapes_are_those_of_the_assignment() -> None:
    frames = COURSE.frames(SOUND)
    assert frames.shape == (5511, 101)
    assert COURSE_DESIGN.steps(len(frames)) == 1375
    assert round(RUN_S / COURSE_DESIGN.rule(COURSE, Decision(threshold=0.5)).step_s) == 50
    assert frames[:, 40:].mean() < frames[:, 1:30].mean() - 5, "above 8 kHz the bins are empty"


@pytest.mark.parametrize(("front", "design"), [(COURSE, COURSE_DESIGN), (COARSER, PLAIN), (OURS, SMALL_DESIGN)])
def test_a_net_gives_a_logit_a_step(front: Front, design: Design) -> None:
    frames = torch.from_numpy(front.frames(SOUND)[None, :400])
    assert LectureNet(front, design).eval()(frames).shape == (1, design.steps(400))


def test_work_counts_the_multiplications_of_a_second() -> None:
    tiny = Design(channels=2, kernel=3, stride=2, hidden=4, layers=1)
    front = replace(OURS, bins=5, hop_s=0.1)
    assert tiny.work(front) == pytest.approx(5 * (3 * 5 * 2 + 3 * 4 * (2 + 4) + 4))


def test_ones_stand_after_the_word_s_end() -> None:
    times_s = np.arange(0, 10, 0.03)
    word = Event(word="activate", start=2.0, end=2.6)
    asked = labelled([word], times_s, "run")
    assert times_s[asked > 0].min() >= 2.6
    assert times_s[asked > 0].max() < 2.6 + RUN_S
    assert asked.sum() == 12
    assert np.flatnonzero(labelled([word], times_s, "step")).tolist() == [int(np.flatnonzero(asked)[0])]


def test_one_label_a_clip_judges_its_highest_step_alone() -> None:
    logits = torch.tensor([[-3.0, 5.0, -3.0]], requires_grad=True)
    loss_of(logits, torch.tensor([[0.0, 0.0, 1.0]]), "clip").backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, [0, 2]].abs().sum() == 0
    assert logits.grad[0, 1] < 0


def test_words_never_overlap_and_few_recordings_are_few() -> None:
    scenes, few = Scenes(), Scenes(each=5)
    for number in range(12):
        samples, events = scenes(number)
        assert len(samples) == CLIP_S * RATE_HZ
        assert sum(event.kind == "positive" for event in events) <= 4
        assert sum(event.kind != "positive" for event in events) <= 2
        assert all(before.end <= after.start for before, after in pairwise(events))
    assert sum(clip.kind == "positive" for clip in few.stage.clips) == 5
    noises = {few.stage.draw(np.random.default_rng([0, number % 5])).noises for number in range(40)}
    assert len(noises) == 5


def test_a_quick_part_is_measured_once_and_reported(tmp_path: Path) -> None:
    command = ["reproduce_lecture", "--quick", "--parts", "variety", "--out", str(tmp_path), "--workers", "1"]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    again = run(*command)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines() == lines
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| missed, % | 5 | 20 | 80 | 320 | all |" in report
    assert "quick run" in report


def lines(part: str, key: str, found: dict[object, list[float]], **more: object) -> list[dict[str, object]]:
    """Results of a part, a group for each value of a key, a seed for each share missed."""
    common = {"part": part, "name": "x", "words": 200, "hours": 5, "work_per_s": 1e6, "clips": 1000, "labels": "run"}
    common |= {"steps": 600, "batch": 20}
    return [common | more | {key: value, "mean_frr": share} for value, shares in found.items() for share in shares]


def test_the_report_says_how_many_times_the_clips_other_labels_need(tmp_path: Path) -> None:
    found = [
        line
        for kind, misses in {"run": [0.9, 0.3, 0.1], "step": [1.0, 0.9, 0.3], "clip": [1.0, 0.9, 0.05]}.items()
        for line in lines(
            "labels", "clips", {100 * 10**power: [share] for power, share in enumerate(misses)}, labels=kind
        )
    ]
    write_report(tmp_path, found, quick=False)
    told = (tmp_path / "report.md").read_text()
    assert "With 10,000 clips ones for one step misses no fewer than ones for 0.36 s with 1,000: it needs 10" in told
    assert "one label a clip misses fewer than ones for 0.36 s with any number of them here" in told
    assert "| A run of ones trains better than a single one | holds | of 10,000 clips 10.0 % missed" in told
    assert "| One label a clip needs far more clips than one a step | **does not hold** |" in told
    assert (tmp_path / "clip.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_says_where_variety_saturates_and_which_input_is_cheapest(tmp_path: Path) -> None:
    few = lines("variety", "each", {5: [0.9, 0.8], 80: [0.3, 0.25], 320: [0.2, 0.4], None: [0.2, 0.31]})
    rates = {
        "40 bands, 8 kHz": ([0.3, 0.2], 3e6),
        "40 bands, 4 kHz": ([0.5], 2e6),
        "40 bands, 16 kHz": ([0.2, 0.26], 4e6),
        "40 bands, 24 kHz": ([0.2, 0.3], 5e6),
    }
    inputs = [line for name, (misses, work) in rates.items()
              for line in lines("input", "name", {name: misses}, work_per_s=work)]  # fmt: skip
    write_report(tmp_path, [*few, *inputs], quick=False)
    told = (tmp_path / "report.md").read_text()
    assert "within the spread of their seeds: from 80 on" in told
    assert "within the seeds of the best (40 bands, 16 kHz): 40 bands, 8 kHz." in told
    assert "a telephone's 8 kHz | holds | 25.0 (20.0-30.0) % missed with 40 bands, 8 kHz" in told
    assert (tmp_path / "input.png").read_bytes().startswith(b"\x89PNG")
    assert "| A few recordings of each make clips enough | **does not hold** | 85.0 (80.0-90.0) % missed with 5" in told


@pytest.mark.parametrize(("after", "told"), [([0.1, 0.14], "with every seed"), ([0.1, 0.16], "no more than chance")])
def test_the_report_says_whether_what_errors_taught_helps(tmp_path: Path, after: list[float], told: str) -> None:
    error = {"kind": "taken", "said": "actively", "noise": "hum", "score": 0.9}
    taken = [{**error, "changed": 0.3}, {**error, "changed": 0.8}]
    found = lines("errors", "name", {"before": [0.15, 0.2], "after": after})
    write_report(tmp_path, [{**found[0], "telling": taken}, *found[1:]], quick=False)
    report = (tmp_path / "report.md").read_text()
    assert f"The change helps {told}" in report
    assert "Of the 2 that were taken 2 are words, the others noise; the second net would take 1 of them still" in report


def test_the_report_names_the_changes_that_helped_with_every_seed(tmp_path: Path) -> None:
    curve = [{"step": 75, "loss": 0.3, "mean_frr": 1.0}]
    found = {
        "the first network": [0.99, 0.95], "batch norm": [0.95, 0.5], "a smaller net": [0.94, 0.93],
        "all of them": [0.5, 0.6],
    }  # fmt: skip
    write_report(tmp_path, lines("first", "name", found, curve=curve, training_cpu_s=60.0), quick=False)
    told = (tmp_path / "report.md").read_text()
    assert "Better with every seed than the first network with its best: a smaller net, all of them." in told
    assert "| The first network does not train | holds | 97.0 (95.0-99.0) % missed |" in told
    for change, holds in {"batch norm": False, "a smaller net": False, "all of them": True}.items():
        assert f"| It does with {change} | {'holds' if holds else '**does not hold**'} |" in told
