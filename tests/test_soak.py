"""Half a day of sound in small: drift is told, its absence too, and what a cut wakes."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import kws
from kws.audio import RATE_HZ, Samples, write_audio
from kws.decision import Detection
from kws.events import Event, Recording, to_line

SCRIPT = Path(__file__).parent.parent / "scripts" / "soak"
EVERY = 4 * RATE_HZ


class Alarm:
    """Fires wherever a chunk is loud; each reset or so many samples make it less sure."""

    word = "activate"

    def __init__(self, tires_after_s: float = 1e9, starts: bool = False) -> None:
        self.tires_after_s, self.starts, self.heard, self.latest_score = tires_after_s, starts, 0, 0.0

    def reset(self) -> None:
        self.heard = 0

    def feed(self, sound: Samples) -> list[Detection]:
        found = []
        if self.starts and not self.heard:
            found.append(self.detection(0.5))
        for start in range(0, len(sound), 1600):
            self.heard += len(sound[start : start + 1600])
            loud = float(np.abs(sound[start : start + 1600]).max()) > 0.5
            self.latest_score = float(loud and self.heard / RATE_HZ < self.tires_after_s)
            found += [self.detection(self.heard / RATE_HZ)] * int(self.latest_score)
        return found

    def detection(self, time_s: float) -> Detection:
        return Detection(word=self.word, time=time_s, end=time_s, score=1.0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_loader("soak", SourceFileLoader("soak", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "soak", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HOUR", 60 * RATE_HZ)
    monkeypatch.setattr(module, "SETTLED_S", 1.0)
    return module


@pytest.fixture
def sets(tmp_path: Path, draw: np.random.Generator) -> Path:
    positives, negatives = tmp_path / "positives", tmp_path / "negatives"
    positives.mkdir()
    negatives.mkdir()
    for number in range(3):
        write_audio(negatives / f"{number}.wav", draw.normal(0, 0.02, 7 * RATE_HZ).astype(np.float32))
    said = np.zeros(RATE_HZ, np.float32)
    said[6000:8000] = 0.9
    write_audio(positives / "said.wav", said)
    event = Event(word="activate", start=0.3, end=0.5)
    line = to_line(Recording(audio=positives / "said.wav", duration=1.0, events=(event,)), positives)
    (positives / "manifest.jsonl").write_text(line + "\n", encoding="utf-8")
    return tmp_path


def page(script: ModuleType, sets: Path, alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(kws, "load", lambda _: alarm)
    places = ["--positives", str(sets / "positives"), "--negatives", str(sets / "negatives")]
    options = ["--hours", "3", "--every", "4", "--out", str(sets / "page.md")]
    monkeypatch.setattr(sys, "argv", ["soak", "activate", *places, *options])
    script.main()
    return (sets / "page.md").read_text(encoding="utf-8").splitlines()


def test_what_is_heard_alike_all_day_is_told_so(
    script: ModuleType, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = page(script, sets, Alarm(), monkeypatch)
    assert [line.split("|")[2].split("(")[0].strip() for line in told[4:7]] == ["0 of 6"] * 3
    assert [line.split("|")[3].strip() for line in told[4:7]] == ["0"] * 3
    assert "differ by 0.0e+00 at most" in told[8]
    assert all(line.startswith("2 cuts") and ": 0 detections" in line for line in told[9:])


def test_a_detector_that_tires_is_found_out(script: ModuleType, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = page(script, sets, Alarm(tires_after_s=130.0), monkeypatch)
    assert "0 of 6" in told[4]
    assert "5 of 6" in told[6] or "6 of 6" in told[6]
    assert "differ by 1.0e+00 at most" in told[8]


def test_a_start_that_wakes_is_found_out(script: ModuleType, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = page(script, sets, Alarm(starts=True), monkeypatch)
    went_on, anew = told[9:]
    assert "2 cuts" in anew
    assert "2 detections" in anew
    assert "0 detections" in went_on


def test_each_round_of_the_recordings_has_another_level(script: ModuleType, sets: Path) -> None:
    paths = sorted((sets / "negatives").glob("*.wav"))
    rounds = script.pieces(paths, [], 1e6)
    levels = [float(np.sqrt(np.mean(next(rounds)[0] ** 2))) for _ in range(9)]
    loud, soft, louder = (np.mean(levels[number : number + 3]) for number in (0, 3, 6))
    assert soft == pytest.approx(loud / 10, rel=0.05)
    assert louder == pytest.approx(loud * 2, rel=0.05)


def test_sound_without_labels_is_told_in_one_sentence(tiny_detector_path: Path, sets: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tiny_detector_path)]
    done = subprocess.run(
        [*command, "--positives", str(sets / "negatives"), "--negatives", str(sets / "negatives")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "does not say when the word is said" in done.stderr
    assert "Traceback" not in done.stderr
