"""`kws listen` as a daemon: settings from a file, signals, and what is done when a word is heard."""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_portaudio import NO_DEVICE, stub_module

from kws.audio import RATE_HZ
from kws.cli import main

THRESHOLD = 0.46
PATIENCE_S = 60
STUB = stub_module("1e-3 * block", every_s=0.02)

DIES = """
def die(self):
    for _ in range(5):
        self.callback(1e-3 * np.random.default_rng(1).uniform(-1, 1, self.size).astype(np.float32), 0, None, Status())
    self.finished()

def begin(self, *, finished_callback, **settings):
    Whole.__init__(self, **settings)
    self.finished = finished_callback

Whole = InputStream
InputStream = type("InputStream", (Whole,), {"__init__": begin, "play": die})
"""
"""Added to the stub: its microphone ends after five blocks."""


class Daemon:
    """A `kws listen` of its own, whose error stream is read line by line."""

    def __init__(self, folder: Path, stub: str, *arguments: object) -> None:
        (folder / "stub").mkdir(exist_ok=True)
        (folder / "stub" / "sounddevice.py").write_text(stub, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder / "stub"), *sys.path])}
        command = [sys.executable, "-m", "kws", "listen", *map(str, arguments)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, part: str) -> str:
        """The next line that holds this."""
        while part not in (line := self._queue.get(timeout=PATIENCE_S)):
            assert line, f"it ended without {part!r}: {self.lines}"
        return line

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join()
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put("")


Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    daemons: list[Daemon] = []

    def begin(stub: str, *arguments: object) -> Daemon:
        daemons.append(Daemon(tmp_path, stub, *arguments))
        return daemons[-1]

    yield begin
    for daemon in daemons:
        daemon.close()


@pytest.fixture
def config(tmp_path: Path, tiny_detector_path: Path) -> Path:
    path = tmp_path / "kws.toml"
    path.write_text(f'[[word]]\ndetector = "{tiny_detector_path}"\nthreshold = 0.99\n', encoding="utf-8")
    return path


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A recording with a beep at 3 s."""
    samples = np.zeros(8 * RATE_HZ, np.float32)
    samples[3 * RATE_HZ : 3 * RATE_HZ + RATE_HZ // 2] = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(8000) / RATE_HZ)
    soundfile.write(tmp_path / "beep.wav", samples, RATE_HZ)
    return tmp_path / "beep.wav"


def listen(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kws", "listen", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    return int(done.value.code or 0)


def test_a_program_gets_the_word_and_the_sound(
    monkeypatch: pytest.MonkeyPatch, tiny_detector_path: Path, wav: Path, tmp_path: Path
) -> None:
    program = (
        "import json, os, sys, soundfile, io; "
        "heard, rate = soundfile.read(io.BytesIO(sys.stdin.buffer.read()), dtype='int16'); "
        "told = {name: value for name, value in os.environ.items() if name.startswith('KWS_')}; "
        "json.dump([rate, len(heard), told], open(sys.argv[1], 'w'))"
    )
    command = shlex.join([sys.executable, "-c", program, str(tmp_path / "told.json")])
    asked = ["--threshold", THRESHOLD, "--exec", command, "--hand-over", "wav", "--before", 1, "--after", 1]
    assert listen(monkeypatch, tiny_detector_path, "--input", wav, *asked) == 0
    rate, count, told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert (rate, count, told["KWS_WORD"]) == (RATE_HZ, 2 * RATE_HZ, "test")
    assert 3 < float(told["KWS_TIME"]) < 3.6


def test_clips_are_kept_where_asked(
    monkeypatch: pytest.MonkeyPatch, tiny_detector_path: Path, wav: Path, tmp_path: Path
) -> None:
    asked = ["--threshold", THRESHOLD, "--keep", tmp_path / "clips"]
    assert listen(monkeypatch, tiny_detector_path, "--input", wav, *asked) == 0
    (clip,) = (tmp_path / "clips").glob("*.wav")
    assert soundfile.info(clip).duration == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hand-over", "wav"], "hand_over needs a program"),
        (["--cooldown", "-1"], "cooldown_s must be at least 0"),
        (["--threshold", "0.5", "--target-fa", "1"], "both choose the threshold"),
        (["--webhook", "localhost"], "webhook must be a web address"),
        (["--mqtt", "broker:x"], "--mqtt must be HOST:PORT"),
        (["--metrics", "here"], "metrics must be HOST:PORT"),
        (["--config", "none.toml"], "cannot read the settings none.toml"),
        (
            ["--config", "kws.toml", "--gate"],
            "--config names a file that says it all",
        ),
        (["--exec", "'"], "--exec"),
    ],
)
def test_what_makes_no_sense_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert listen(monkeypatch, "--input", "demo", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_the_line_of_a_wrong_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write("cooldown = 3\n")
    assert listen(monkeypatch, "--config", config) == 2
    assert f"{config}, line 4: 'cooldown' is not known here" in capsys.readouterr().err


def test_settings_are_read_again_on_a_signal_and_a_bad_file_changes_nothing(start: Start, config: Path) -> None:
    daemon = start(STUB, "--config", config)
    daemon.wait_for("listening to 'stub'")
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.wait_for("reloaded") == "kws: reloaded: listening for test\n"
    config.write_text("nonsense = 1\n", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    assert "line 1: 'nonsense' is not known here" in daemon.wait_for("not reloaded, and all is as it was")
    config.write_text('[[word]]\ndetector = "activate"\n', encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.wait_for("reloaded:") == "kws: reloaded: listening for activate\n"
    assert daemon.end() == 0
    assert daemon.lines[-1].startswith("kws: heard ")


def test_with_settings_it_waits_for_a_microphone_and_ends_when_told(start: Start, config: Path) -> None:
    daemon = start(NO_DEVICE, "--config", config)
    daemon.wait_for("there is no microphone")
    assert daemon.end() == 0
    assert len([line for line in daemon.lines if "no microphone" in line]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_summary(start: Start, tiny_detector_path: Path, number: int) -> None:
    daemon = start(STUB, tiny_detector_path, "--threshold", 0.99)
    daemon.wait_for("listening to")
    assert daemon.end(number) == 0
    assert daemon.lines[-1].endswith(" s, 0 detections, 0 overruns.\n")


def test_metrics_are_served_while_it_listens(start: Start, tiny_detector_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon = start(STUB, tiny_detector_path, "--threshold", 0.99, "--metrics", f"127.0.0.1:{port}")
    daemon.wait_for("listening to")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        told = answer.read().decode()
    assert 'kws_device_state{device="stub",state="open"} 1.0' in told
    assert 'kws_detections_total{word="test"} 0.0' in told
    assert daemon.end() == 0


def test_its_state_is_told_to_systemd(
    start: Start, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = "\0kws-test-" + str(os.getpid())
        manager.bind(address)
        manager.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + address[1:])
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        daemon = start(STUB, "--config", config)
        told = [manager.recv(4096).decode() for _ in range(6)]
        daemon.process.send_signal(signal.SIGHUP)
        while not told[-1].startswith("RELOADING=1"):
            told.append(manager.recv(4096).decode())
        daemon.wait_for("reloaded")
        assert daemon.end() == 0
        while told[-1] != "STOPPING=1":
            told.append(manager.recv(4096).decode())
    assert told[0] == "READY=1"
    assert "WATCHDOG=1" in told
    assert any(line.startswith("STATUS=listening to stub") for line in told)


@pytest.mark.parametrize(("number", "left"), [(signal.SIGUSR1, "muted: the microphone is closed"), (None, "listening")])
def test_held_fast_by_the_driver_it_begins_anew_as_it_was(
    start: Start, config: Path, tmp_path: Path, number: signal.Signals | None, left: str
) -> None:
    """The first process hangs as it lets go of the microphone, when it is muted or when that has died."""
    hangs = f"""
import os, kws.sources
kws.sources.HUNG_S, kws.sources.STALL_S = 0.3, 0.1

def close(self):
    self.is_open = False
    if not os.path.exists({str(tmp_path / "hung")!r}):
        open({str(tmp_path / "hung")!r}, "w").close()
        time.sleep(60)

InputStream.close = close
"""
    daemon = start(STUB + hangs + ("" if number else DIES), "--config", config)
    daemon.wait_for("listening to")
    process = daemon.process.pid
    if number:
        daemon.process.send_signal(number)
    daemon.wait_for("the driver of the microphone 'stub' does not answer: beginning anew")
    daemon.wait_for(left)
    assert daemon.process.pid == process
    assert daemon.end() == 0
    assert "Traceback" not in "".join(daemon.lines)
