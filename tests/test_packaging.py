"""The built wheel holds both packages and their data, and listens with nothing of the training side at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = (
    "kws/py.typed", "kws/detectors/activate.onnx", "kws/demo/demo.json", "kws/demo/demo.ogg",
    "synth/py.typed", "synth/texts/words.txt", "synth/texts/near_misses/activate.txt",
    "synth/bank_activate/index.jsonl",
)  # fmt: skip
WITHOUT_TRAINING = """
import sys

MISSING = "torch torchaudio onnx librosa matplotlib scipy pyroomacoustics synth espeakng_loader piper"

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING.split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that no earlier build's leavings come along."""
    folder = tmp_path_factory.mktemp("wheel")
    for tree in ("kws", "synth"):
        shutil.copytree(ROOT / tree, folder / "source" / tree, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    done = subprocess.run(
        [*command, str(folder / "source")], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    folder = wheel.parent / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def run(unpacked: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where the unpacked wheel is found first and the training side not at all."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TRAINING + code], cwd=unpacked, env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for tree in ("kws", "synth")
        for path in (ROOT / tree).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == there


@pytest.mark.parametrize("name", DATA)
def test_the_wheel_holds_the_data_that_the_default_word_needs(wheel: Path, name: str) -> None:
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_stays_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 12e6


def test_the_wheel_tells_its_licence_and_its_command(unpacked: Path) -> None:
    about = next(unpacked.glob("activate_kws-*.dist-info"))
    metadata = Parser().parsestr((about / "METADATA").read_text(encoding="utf-8"))
    assert metadata["Name"] == "activate-kws"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Apache License" in (about / "licenses" / "LICENSE").read_text(encoding="utf-8")
    assert "kws = kws.cli:main" in (about / "entry_points.txt").read_text(encoding="utf-8")


def test_the_light_install_asks_for_seven_packages(unpacked: Path) -> None:
    about = next(unpacked.glob("activate_kws-*.dist-info"))
    required = Parser().parsestr((about / "METADATA").read_text(encoding="utf-8")).get_all("Requires-Dist", [])
    light = {line.split(">=")[0] for line in required if "extra ==" not in line}
    assert light == {"numpy", "onnxruntime", "sounddevice", "soundfile", "soxr", "click", "tqdm"}


def test_a_shipped_detector_loads_and_hears_from_the_wheel_alone(unpacked: Path) -> None:
    code = """
import sys, numpy, kws
detector = kws.load("activate")
print(kws.__file__, detector.word, detector.feed(numpy.zeros(16000, numpy.float32)))
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"soundfile", "sounddevice", "soxr", "click", "tqdm"}, loaded
"""
    done = run(unpacked, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(unpacked / "kws" / "__init__.py"), "activate", "[]"]


def test_the_command_listens_to_the_bundled_recording_from_the_wheel_alone(unpacked: Path) -> None:
    code = "sys.argv = ['kws', 'listen', '--input', 'demo', '--json']; import kws.cli; kws.cli.main()"
    done = run(unpacked, code)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["word"] for line in done.stdout.splitlines()} == {"activate"}


def test_a_command_of_the_training_side_says_which_extra_it_needs(unpacked: Path) -> None:
    done = run(unpacked, "sys.argv = ['kws', 'export', 'run', 'out.onnx']; import kws.cli; kws.cli.main()")
    assert done.returncode == 1
    assert "pip install 'activate-kws[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_wheel_installs_into_a_clean_environment_and_listens(wheel: Path, tmp_path: Path) -> None:
    """What CI does too, with the README's first command; needs a package index."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "clean")], check=True)
    programs = tmp_path / "clean" / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(programs / "kws"), "listen", "--input", "demo", "--json"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["word"] for line in done.stdout.splitlines()} == {"activate"}
