"""End to end on a real audio server: sound is played into PulseAudio, and `kws listen` hears it as its microphone.

The server is private to the test: a sink that plays to nobody, whose monitor is the only source. Sound takes the way it
takes on a desk: paplay, the server, ALSA's plugin, PortAudio, the listener.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

import kws
from kws.audio import RATE_HZ, Samples, read_audio
from kws.demo import LABELS, read_demo

PATIENCE_S = 60
ALSA = """
pcm_type.pulse { lib "libasound_module_pcm_pulse.so" }
pcm.!default { type pulse }
"""
SILENCE = np.zeros(5 * RATE_HZ, np.float32)


def missing() -> str:
    """What of the audio server is not installed; empty if nothing is."""
    programs = [name for name in ("pulseaudio", "paplay", "pactl") if shutil.which(name) is None]
    folders = [*Path("/usr/lib").glob("*/alsa-lib"), Path("/usr/lib/alsa-lib"), Path("/usr/lib64/alsa-lib")]
    if not any((folder / "libasound_module_pcm_pulse.so").exists() for folder in folders):
        programs.append("ALSA's plugin for PulseAudio")
    if not ctypes.util.find_library("portaudio"):
        programs.append("PortAudio")
    return ", ".join(programs)


pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason=f"{missing()} not installed: apt-get install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2",
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server and the environment in which programs find it, and only it."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    folder: Path

    def call(self, *command: str) -> str:
        """Run a client of the server and give back what it prints."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def wait_for(self, *command: str) -> None:
        """Run a client until it succeeds and prints something."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            done = subprocess.run(command, env=self.environment, check=False, capture_output=True)
            if done.returncode == 0 and done.stdout:
                return
            time.sleep(0.1)
        pytest.fail(f"{' '.join(command)} said nothing for {PATIENCE_S} s")


def start(environment: dict[str, str], folder: Path) -> Server:
    """PulseAudio in a folder of its own, ready to be spoken to."""
    socket = environment["PULSE_SERVER"].removeprefix("unix:")
    Path(socket).unlink(missing_ok=True)
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    command += ["-L", f"module-null-sink sink_name=speaker rate={RATE_HZ} channels=1 format=s16le"]
    command += ["-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"]
    with (folder / "log").open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    started = Server(process=process, environment=environment, folder=folder)
    started.wait_for("pactl", "info")
    return started


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in a folder with a short path, since a socket's may not be long."""
    with tempfile.TemporaryDirectory(prefix="kws-", dir="/tmp") as folder:
        alsa, socket = Path(folder, "asound.conf"), Path(folder, "pulse.sock")
        alsa.write_text(ALSA)
        environment = os.environ | {
            "HOME": folder,
            "XDG_RUNTIME_DIR": folder,
            "XDG_CONFIG_HOME": folder,
            "PULSE_RUNTIME_PATH": folder,
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_SOURCE": "speaker.monitor",
            "ALSA_CONFIG_PATH": str(alsa),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        started = start(environment, Path(folder))
        try:
            yield started
        finally:
            started.process.kill()
            started.process.wait()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A detector, a clip with its word, and a threshold that the clip crosses and silence does not."""

    path: Path
    clip: Samples
    threshold: float


def tiny(path: Path) -> Subject:
    """The random net and a tone that it happens to answer."""
    detector = kws.load(path)
    tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(RATE_HZ) / RATE_HZ)
    clip = np.concatenate((np.zeros(RATE_HZ), tone, np.zeros(RATE_HZ))).astype(np.float32)
    silent, loud = (float(detector.scores(sound).max()) for sound in (SILENCE, clip))
    assert loud > silent + 0.05
    return Subject(path=path, clip=clip, threshold=(silent + loud) / 2)


def shipped() -> Subject:
    """The shipped detector and the first time that the bundled recording says its word."""
    path = kws.detector.SHIPPED / "activate.onnx"
    if not path.is_file() or not LABELS.is_file():
        pytest.skip("no detector or no recording is bundled yet")
    demo = read_demo()
    said = demo.positives[0]
    samples = read_audio(demo.audio)[round((said.start - 1) * RATE_HZ) : round((said.end + 1.4) * RATE_HZ)]
    return Subject(path=path, clip=samples, threshold=kws.load(path).threshold)


@contextlib.contextmanager
def listen(subject: Subject, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Start `kws listen` on the microphone, wait until the server feeds it, and end it with the test."""
    command = [sys.executable, "-m", "kws", "listen", str(subject.path), "--input", "microphone", "--json"]
    command += ["--threshold", str(subject.threshold)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=server.environment) as process:
        try:
            server.wait_for("pactl", "list", "short", "source-outputs")
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_what_is_played_on_the_server_is_heard_once(
    server: Server, tiny_detector_path: Path, tmp_path: Path, which: str
) -> None:
    subject = shipped() if which == "shipped" else tiny(tiny_detector_path)
    detector = kws.load(subject.path, threshold=subject.threshold)
    (expected,) = detector.feed(subject.clip)
    assert not kws.load(subject.path, threshold=subject.threshold).feed(SILENCE)
    soundfile.write(tmp_path / "clip.wav", subject.clip, RATE_HZ)
    with listen(subject, server) as process:
        assert process.stdout is not None
        assert not select.select([process.stdout], [], [], 1.5)[0], "silence was detected"
        server.call("paplay", str(tmp_path / "clip.wav"))
        assert select.select([process.stdout], [], [], PATIENCE_S)[0], "the clip was not detected"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    (line,) = out.splitlines()
    heard = json.loads(line)
    assert heard["word"] == expected.word
    assert heard["score"] >= subject.threshold
    assert heard["time"] >= detector.decision.warm_up_s  # of sound: the stream opens some time after the process starts
    assert process.returncode == 0
    assert b" s, 1 detection, " in err.splitlines()[-1]


def test_a_server_that_dies_is_waited_for_and_heard_again(
    server: Server, tiny_detector_path: Path, tmp_path: Path
) -> None:
    subject = tiny(tiny_detector_path)
    soundfile.write(tmp_path / "clip.wav", subject.clip, RATE_HZ)
    with listen(subject, server) as process:
        assert process.stdout is not None and process.stderr is not None
        server.process.kill()
        server.process.wait()
        for line in process.stderr:
            if b"microphone" in line and b"listening to" not in line:
                break
        else:
            pytest.fail("it ended")
        later = start(server.environment, server.folder)
        try:
            later.wait_for("pactl", "list", "short", "source-outputs")
            assert not select.select([process.stdout], [], [], 1.5)[0], "finding it again was taken for a word"
            later.call("paplay", str(tmp_path / "clip.wav"))
            assert select.select([process.stdout], [], [], PATIENCE_S)[0], "the clip was not detected"
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            later.process.kill()
            later.process.wait()
    assert process.returncode == 0
    assert len(out.splitlines()) == 1
    assert b"Traceback" not in err


def test_muted_the_microphone_is_let_go(server: Server, tiny_detector_path: Path) -> None:
    def readers() -> int:
        return len(server.call("pactl", "list", "short", "source-outputs").splitlines())

    def wait_until(count: int) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while readers() != count:
            assert time.monotonic() < give_up
            time.sleep(0.1)

    with listen(tiny(tiny_detector_path), server) as process:
        wait_until(1)
        process.send_signal(signal.SIGUSR1)
        wait_until(0)
        process.send_signal(signal.SIGUSR2)
        wait_until(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert b"kws: muted: the microphone is closed" in err
    assert process.returncode == 0


def test_the_server_is_listed_as_the_default_microphone(server: Server) -> None:
    listed = server.call(sys.executable, "-m", "kws", "listen", "--list-devices")
    assert listed.startswith("*")
    assert "default" in listed
