"""`kws doctor`: what it finds is so, and only what keeps listening from working makes it fail."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_portaudio import NO_DEVICE, stub_module

import kws
from kws.cli import main
from kws.cli.checks import detectors, microphones
from kws.detector import SHIPPED

Run = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def sounddevice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a microphone that gives this sound in sounddevice's place."""

    def replace(sound: str = "block * 0.1", *, missing: bool = False) -> None:
        folder = tmp_path / "stub"
        folder.mkdir()
        (folder / "sounddevice.py").write_text(NO_DEVICE if missing else stub_module(sound, every_s=0.004))
        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.syspath_prepend(folder)

    return replace


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `kws doctor --json`: exit code, and the last finding of each kind."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def doctor(*arguments: object) -> tuple[int, dict[str, dict[str, str]]]:
        monkeypatch.setattr(sys, "argv", ["kws", "doctor", "--json", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        code = done.value.code
        return int(code or 0), {found["about"]: found for found in json.loads(capsys.readouterr().out)}

    return doctor


def test_a_machine_that_can_listen_is_told_so(run: Run, sounddevice: Callable[..., None]) -> None:
    sounddevice()
    code, found = run()
    assert code == 0
    expected = {"Python", "detector", "start", "device", "microphone", "cache"}
    assert {about for about, one in found.items() if one["mark"] == "ok"} >= expected
    told = [one.told for one in detectors([])]
    for path in SHIPPED.glob("*.onnx"):
        shipped = kws.load(path)
        assert any(f"{shipped.word!r} at {shipped.threshold:.2f}" in one for one in told)
    assert found["device"]["told"] == "0 'stub': 1 in, 16000 Hz, the default"
    assert "'stub' gives -25 dBFS" in found["microphone"]["told"]
    assert found["service"] == {"mark": "-", "about": "service", "told": "not installed", "mend": "kws service install"}


@pytest.mark.parametrize(
    ("sound", "mark", "mend"),
    [
        ("block * 0", "x", "it is dead"),
        ("block * 0 + 0.25", "x", "it is dead"),
        ("(block * 3).clip(-1, 1)", "!", "it clips"),
        ("block * 1e-4", "!", "it is very quiet"),
    ],
)
def test_a_microphone_that_gives_no_good_sound_is_told_with_the_mend(
    sounddevice: Callable[..., None], sound: str, mark: str, mend: str
) -> None:
    sounddevice(sound)
    *_, found = microphones(None, None)
    assert (found.about, found.mark) == ("microphone", mark)
    assert found.mend.startswith(mend)


@pytest.mark.parametrize(("listen", "mark"), [(None, "!"), (False, "!"), (True, "x")])
def test_no_microphone_is_no_failure_unless_it_is_asked_for(
    sounddevice: Callable[..., None], listen: bool | None, mark: str
) -> None:
    sounddevice(missing=True)
    (found,) = microphones(None, listen)
    assert (found.mark, found.told) == (mark, "there is none")


def test_what_is_dead_makes_the_command_fail(
    run: Run, sounddevice: Callable[..., None], tiny_detector_path: Path
) -> None:
    sounddevice("block * 0")
    assert run(tiny_detector_path, "--listen")[0] == 1


def test_a_microphone_is_left_alone_if_told_so(sounddevice: Callable[..., None]) -> None:
    sounddevice("1 / 0")
    assert [found.about for found in microphones(None, False)] == ["device"]


def test_a_detector_that_does_not_load_is_a_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"x")
    code, found = run(tmp_path / "damaged.onnx", "--no-listen")
    assert (code, found["detector"]["mark"]) == (1, "x")
    assert "damaged or not an ONNX file" in found["detector"]["told"]
    assert "start" not in found


def test_it_loads_nothing_of_the_training_side() -> None:
    code = (
        "import sys; from kws.cli import verbs; verbs.main(standalone_mode=False);"
        "print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--no-listen"], capture_output=True, check=True, text=True, timeout=120
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"kws", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "torchaudio", "synth", "matplotlib", "librosa", "scipy", "onnx"}
