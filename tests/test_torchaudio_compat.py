"""torchaudio is imported as it is where it works, and without its compiled extension where that does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FAKE_EXTENSION = "_IS_TORCHAUDIO_EXT_AVAILABLE = True\n_IS_ALIGN_AVAILABLE = True\ndef fail_if_no_align(f): return f\n"
REPORT = """
from kws.torchaudio_compat import import_torchaudio
torchaudio = import_torchaudio()
print(torchaudio.__file__, torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE, torchaudio.functional.align())
"""


def fake_torchaudio(folder: Path, extension: str) -> None:
    package = folder / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "_extension" / "__init__.py").write_text(extension)
    (package / "functional.py").write_text(
        "from torchaudio._extension import fail_if_no_align\n@fail_if_no_align\ndef align(): return 'aligned'\n"
    )
    (package / "__init__.py").write_text("from . import _extension\nfrom . import functional\n")


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds packages in these folders first."""
    prelude = f"import sys; sys.path[:0] = {[str(folder) for folder in (*folders, ROOT)]!r}\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False, timeout=120
    )


def test_an_import_that_works_is_left_alone(tmp_path: Path) -> None:
    fake_torchaudio(tmp_path, FAKE_EXTENSION)
    done = run(REPORT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "torchaudio" / "__init__.py"), "True", "aligned"]


@pytest.mark.parametrize("error", ["OSError('no libcudart')", "RuntimeError('compiled with different CUDA versions')"])
def test_an_extension_that_does_not_fit_is_replaced_by_a_stand_in(tmp_path: Path, error: str) -> None:
    fake_torchaudio(tmp_path, f"raise {error}\n")
    done = run(REPORT.replace("torchaudio.functional.align()", "torchaudio.functional.align.__name__"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["False", "fail"]
    aligned = run("from kws.torchaudio_compat import import_torchaudio as i; i().functional.align()", tmp_path)
    assert "RuntimeError: forced alignment needs torchaudio's compiled extension" in aligned.stderr


def test_a_torchaudio_that_fails_even_so_is_a_failure_in_one_sentence(tmp_path: Path) -> None:
    fake_torchaudio(tmp_path, FAKE_EXTENSION)
    (tmp_path / "torchaudio" / "functional.py").write_text("raise OSError('the disk is gone')\n")
    code = """
from kws.errors import Failure
from kws.torchaudio_compat import import_torchaudio
try:
    import_torchaudio()
except Failure as failure:
    print(failure, [name for name in sys.modules if name.startswith("torchaudio")])
"""
    done = run(code, tmp_path)
    assert done.stdout.startswith("torchaudio cannot be loaded beside this torch (the disk is gone)"), done.stderr
    assert done.stdout.rstrip().endswith("[]")


def test_a_missing_torchaudio_is_still_told_as_missing(tmp_path: Path) -> None:
    (tmp_path / "torchaudio.py").write_text("raise ModuleNotFoundError(name='torchaudio')\n")
    done = run("from kws.torchaudio_compat import import_torchaudio as i; i()", tmp_path)
    assert "ModuleNotFoundError" in done.stderr


def test_the_installed_torchaudio_gives_spectrograms_and_filters() -> None:
    code = """
import torch
from kws.torchaudio_compat import import_torchaudio
torchaudio = import_torchaudio()
print(tuple(torchaudio.transforms.MelSpectrogram(n_mels=8, n_fft=64)(torch.zeros(1, 640)).shape))
print(tuple(torchaudio.functional.lowpass_biquad(torch.zeros(1, 640), 16000, 1000.0).shape))
assert import_torchaudio() is torchaudio
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(1, 8, 21)", "(1, 640)"]
