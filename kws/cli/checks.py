"""What `kws doctor` looks at: each check tells what it found, and how to mend what does not work.

S samples.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kws.audio import RATE_HZ, Samples, decibels, rms
from kws.detector import SHIPPED, Detector, load
from kws.errors import Failure
from kws.files import bytes_in, cache_folder, size_of
from kws.runtime import PACKAGE, version_of
from kws.sources import CHUNK_S, Microphone, NoMicrophone, in_chunks, input_devices

LISTEN_S = 2.0
_PATIENCE_S = 3.0
_SPEED_S = 5.0
_SLOW = 0.5
"""Processor seconds per second of sound from which a word is too dear to listen for."""
_CLIPPED = 0.99
_LOUD_SHARE = 0.001
_QUIET_DB = -65.0
_START_LIMIT_S = 20.0

Mark = Literal["ok", "-", "!", "x"]

_START = """
import json, sys, time
import numpy, kws
kws.load(sys.argv[1]).feed(numpy.zeros(1280, numpy.float32))
ready_s = time.time() - float(sys.argv[2])
try:
    lines = open("/proc/self/status").readlines()  # getrusage begins with what the parent held
    peak_mb = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
except OSError:
    peak_mb = None
print(json.dumps([ready_s, peak_mb]))
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    mark: Mark
    """Works, is not here and need not be, deserves a look, or keeps listening from working."""
    about: str
    told: str
    mend: str = ""


def packages() -> Iterator[Finding]:
    """The Python that runs, what listening needs, and the extras."""
    yield Finding(mark="ok", about="Python", told=f"{platform.python_version()} on {platform.platform(terse=True)}")
    try:
        needed = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(mark="!", about="packages", told="kws runs from its source", mend="pip install -e .")
        return
    wanted: dict[str, list[str]] = {}
    for line in needed:
        brought = re.search(r"extra == ['\"](\w+)['\"]", line)
        wanted.setdefault(brought[1] if brought else "", []).append(re.split(r"[^\w.-]", line)[0])
    yield _light(wanted.pop("", []))
    for extra, names in wanted.items():
        if extra != "dev":
            missing = [name for name in names if version_of(name) is None]
            yield Finding(
                mark="-" if missing else "ok",
                about=f"extra {extra}",
                told=f"without {', '.join(missing)}" if missing else "installed",
                mend=f"pip install '{PACKAGE}[{extra}]'" if missing else "",
            )


def _light(names: Sequence[str]) -> Finding:
    versions = {name: version_of(name) for name in names}
    if missing := [name for name, version in versions.items() if version is None]:
        return Finding(
            mark="x", about="packages", told=f"without {', '.join(missing)}", mend=f"pip install {' '.join(missing)}"
        )
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Finding(mark="ok", about="packages", told=told)


def detectors(names: Sequence[str]) -> Iterator[Finding]:
    """Whether the shipped detectors and those named load, and what a second of sound costs each."""
    for name in names or sorted(path.stem for path in SHIPPED.glob("*.onnx")):
        try:
            detector = load(name)
        except Failure as failure:
            yield Finding(mark="x", about="detector", told=str(failure))
            continue
        cost = _cost(detector)
        yield Finding(
            mark="ok" if cost < _SLOW else "!",
            about="detector",
            told=f"{detector.word!r} at {detector.threshold:.2f}, {1000 * cost:.1f} ms of one core a second of sound",
            mend="" if cost < _SLOW else "listen for fewer words, or on a faster machine",
        )


def _cost(detector: Detector) -> float:
    """Processor seconds per second of sound."""
    noise = np.random.default_rng(5).normal(scale=0.05, size=round(_SPEED_S * RATE_HZ)).astype(np.float32)
    detector.feed(noise[:RATE_HZ])
    begin_s = time.process_time()
    for chunk in in_chunks(noise):
        detector.feed(chunk)
    return (time.process_time() - begin_s) / _SPEED_S


def start(names: Sequence[str]) -> Iterator[Finding]:
    """How soon a new process listens, and what memory it takes; nothing where the detector does not load anyway."""
    name = (*names, "activate")[0]
    try:
        load(name)
        ready_s, peak_mib = _started(name)
    except Failure:
        return
    except subprocess.SubprocessError as error:
        yield Finding(mark="x", about="start", told=f"a process that loads {name!r} fails ({type(error).__name__})")
    else:
        memory = f", {peak_mib:.0f} MiB at most" if peak_mib else ""
        yield Finding(mark="ok", about="start", told=f"first chunk {ready_s:.2f} s after the process began{memory}")


def _started(name: str) -> tuple[float, float | None]:
    """Seconds from starting a process to its first chunk, and, where the system tells it, its peak memory in MiB."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _START, name, repr(time.time())], env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=_START_LIMIT_S,
    )  # fmt: skip
    ready_s, peak_mib = json.loads(done.stdout)
    return ready_s, peak_mib


def microphones(device: str | None, listen: bool | None) -> Iterator[Finding]:
    """The devices, and two seconds of the one that would be listened to unless `listen` is False."""
    try:
        devices = input_devices()
    except NoMicrophone as missing:
        yield Finding(mark="x" if listen else "!", about="microphone", told=str(missing))
        return
    for found in devices:
        default = ", the default" if found.is_default else ""
        told = f"{found.index} {found.name!r}: {found.channels} in, {found.rate_hz:.0f} Hz{default}"
        yield Finding(mark="ok", about="device", told=told)
    if not devices:
        yield Finding(
            mark="x" if listen else "!",
            about="microphone",
            told="there is none",
            mend="plug one in or start the sound server; files and pipes can be listened to without",
        )
    elif listen is not False:
        yield _heard(device)


def _heard(device: str | None) -> Finding:
    """What the microphone gives."""
    waits_s: list[float] = []
    chunks: list[Samples] = []
    begin_s = time.monotonic()
    try:
        with Microphone(device, stall_s=_PATIENCE_S) as microphone:
            name = microphone.name
            for chunk in microphone:
                chunks.append(chunk)
                waits_s.append(time.monotonic() - begin_s - sum(waits_s))
                if len(chunks) * CHUNK_S >= LISTEN_S:
                    break
            overruns = microphone.overruns
    except Failure as failure:
        return Finding(mark="x", about="microphone", told=str(failure))
    sound = np.concatenate(chunks)
    told = (
        f"{name!r} gives {decibels(rms(sound)):.0f} dBFS, first block after {waits_s[0]:.2f} s, "
        f"then each within {max(waits_s[1:]):.2f} s{f', {overruns} overruns' if overruns else ''}"
    )
    mark, mend = _judged(sound, overruns)
    return Finding(mark=mark, about="microphone", told=told, mend=mend)


def _judged(sound: Samples, overruns: int) -> tuple[Mark, str]:
    """What (S,) samples from a microphone say of it, and the mend."""
    if np.ptp(sound) == 0:
        return "x", "it is dead (every sample alike): unmute it, or choose another with --device"
    if np.mean(np.abs(sound) >= _CLIPPED) > _LOUD_SHARE:
        return "!", "it clips: lower its gain"
    if decibels(rms(sound)) < _QUIET_DB:
        return "!", "it is very quiet: raise its gain, or check that it is not muted"
    if overruns:
        return "!", "sound was lost: the machine is too busy"
    return "ok", ""


def cache() -> Iterator[Finding]:
    """What was kept to save work, and how large it is."""
    try:
        folder = cache_folder()
    except ModuleNotFoundError:
        yield Finding(mark="-", about="cache", told="none: nothing is spoken or trained without the extra train")
        return
    yield Finding(mark="ok", about="cache", told=f"{folder}: {size_of(bytes_in(folder))} (kws cache)")


def service() -> Iterator[Finding]:
    """Whether the listener is kept running."""
    from kws.daemon.supervisor import supervisor

    try:
        keeper: Any = supervisor()
    except Failure as failure:
        yield Finding(mark="-", about="service", told=str(failure))
        return
    if not keeper.path.exists():
        yield Finding(mark="-", about="service", told="not installed", mend="kws service install")
    elif keeper.is_running():
        yield Finding(mark="ok", about="service", told=", ".join(keeper.standing()))
    else:
        yield Finding(mark="!", about="service", told=", ".join(keeper.standing()), mend="kws service status")
