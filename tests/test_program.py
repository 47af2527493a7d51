"""Programs that a word starts: what they are told and given, and how they end, whatever they do."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from wakes import silence, wait_for, wake

from kws.audio import RATE_HZ, Samples
from kws.daemon import program
from kws.daemon.program import MOST, Programs
from kws.daemon.ring import Ring
from kws.sources import CHUNK, from_pcm

HANG = ("sh", "-c", 'trap "" TERM; sleep 60 & echo $! > "$0"; wait')
"""Starts a child, writes down its number, and neither of them ends when asked to."""


@pytest.fixture
def programs() -> Iterator[Programs]:
    """The outlet, closed with the test."""
    made = Programs()
    yield made
    made.close()


def python(code: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs it, without what a whole start of Python would load."""
    return (sys.executable, "-I", "-S", "-c", code, *map(str, arguments))


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_ended(programs: Programs) -> Callable[[], bool]:
    return lambda: not any(run.is_alive() for run in programs._runs)


def read_number(path: Path) -> int:
    wait_for(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_a_program_is_told_of_the_wake_in_its_environment(programs: Programs, tmp_path: Path) -> None:
    code = "import json, os, sys;json.dump(dict(os.environ) | {'in': sys.stdin.read()}, open(sys.argv[1], 'w'))"
    programs.wake(wake(exec=python(code, tmp_path / "told")), silence())
    wait_for(has_ended(programs))
    told = json.loads((tmp_path / "told").read_text())
    assert {name: value for name, value in told.items() if name.startswith("KWS_") and name != "KWS_CACHE"} == {
        "KWS_WORD": "activate",
        "KWS_SCORE": "0.75",
        "KWS_TIME": "3.25",
        "KWS_END": "3.0",
    }
    assert told["in"] == ""
    assert told["PATH"] == os.environ["PATH"]
    assert programs.counts() == {"started": 1, "failed": 0, "skipped": 0, "chunks_dropped": 0}


def test_no_shell_reads_its_arguments(programs: Programs, tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[2], file=open(sys.argv[1], 'w'))"
    programs.wake(wake(exec=python(code, tmp_path / "told", "$HOME; `id` *")), silence())
    wait_for(has_ended(programs))
    assert (tmp_path / "told").read_text() == "$HOME; `id` *\n"


def test_a_word_without_a_program_starts_none(programs: Programs) -> None:
    programs.wake(wake(), silence())
    assert programs.counts()["started"] == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc, which only Linux has")
def test_it_inherits_neither_our_signals_nor_our_files(programs: Programs, tmp_path: Path) -> None:
    code = (
        "import os, sys; lines = [line for line in open('/proc/self/status') if line[:6] in ('SigBlk', 'SigIgn')];"
        "print(*lines, *os.listdir('/proc/self/fd'), os.getsid(0) == os.getpid(), file=open(sys.argv[1], 'w'))"
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    blocked_before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    with (tmp_path / "open").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        programs.wake(wake(exec=python(code, tmp_path / "told")), silence())
        wait_for(has_ended(programs))
    signal.signal(signal.SIGTERM, before)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked_before)
    blocked, ignored, rest = (tmp_path / "told").read_text().splitlines()
    ours_too = {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}
    assert int(blocked.split()[1], 16) == 0
    # What Python itself ignores, and what it was started to ignore, is ignored in the child too.
    assert {number for number in range(1, 32) if int(ignored.split()[1], 16) >> (number - 1) & 1} <= ours_too
    *files, leads_a_session = rest.split()
    assert set(files) <= {"0", "1", "2", "3"}, "the last is its own, to read this"
    assert leads_a_session == "True"


@pytest.mark.parametrize("form", ["raw", "wav"])
def test_sound_is_handed_over_exact_to_the_sample(programs: Programs, tmp_path: Path, form: Any) -> None:
    draw = np.random.default_rng(3)
    sound = (draw.integers(-32768, 32768, 3 * RATE_HZ) / 32768).astype(np.float32)
    cuts = np.sort(draw.integers(0, len(sound), 40))
    code = (
        "import os, sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read());"
        "open(sys.argv[1] + 'rate', 'w').write(os.environ['KWS_RATE'])"
    )
    asked = wake(end=1.2, exec=python(code, tmp_path / "told"), hand_over=form, before_s=0.5, after_s=1.0)
    ring = Ring(2.0)
    is_due = True
    for chunk in np.split(sound, cuts):
        ring.add(chunk)
        programs.hear(chunk)
        if is_due and ring.heard >= 1.45 * RATE_HZ:
            programs.wake(asked, ring)
            is_due = False
    wait_for(has_ended(programs))
    data = (tmp_path / "told").read_bytes()
    heard: Samples = from_pcm(data) if form == "raw" else soundfile.read(io.BytesIO(data), dtype="float32")[0]
    assert np.array_equal(heard, sound[round(0.7 * RATE_HZ) : round(2.2 * RATE_HZ)])
    assert (tmp_path / "toldrate").read_text() == "16000"
    assert programs.counts()["chunks_dropped"] == 0


def test_a_gap_ends_the_sound_but_not_the_program(programs: Programs, tmp_path: Path) -> None:
    code = "import sys; n = len(sys.stdin.buffer.read()); print(n, file=open(sys.argv[1], 'w'))"
    ring = Ring(4.0)
    ring.add(np.zeros(round(3.25 * RATE_HZ), np.float32))
    programs.wake(wake(exec=python(code, tmp_path / "told"), hand_over="raw", after_s=60.0), ring)
    programs.hear(np.zeros(CHUNK, np.float32))
    programs.gap()
    programs.hear(np.zeros(CHUNK, np.float32))
    wait_for(has_ended(programs))
    assert read_number(tmp_path / "told") == 2 * (RATE_HZ // 4 + CHUNK)


def test_a_program_that_does_not_read_loses_sound_and_blocks_nothing(programs: Programs) -> None:
    programs.wake(wake(exec=python("import time; time.sleep(60)"), hand_over="raw", after_s=600.0), silence())
    began = time.monotonic()
    for _ in range(300):
        programs.hear(np.zeros(CHUNK, np.float32))
    assert time.monotonic() - began < 1.0
    assert 300 - program._QUEUED - 40 <= programs.counts()["chunks_dropped"] <= 301 - program._QUEUED


def test_a_program_that_closes_its_input_has_not_failed(programs: Programs, caplog: pytest.LogCaptureFixture) -> None:
    code = "import os, time; os.close(0); time.sleep(0.3)"
    programs.wake(wake(exec=python(code), hand_over="raw", after_s=600.0), silence())
    while not has_ended(programs)():
        programs.hear(np.zeros(CHUNK, np.float32))
        time.sleep(0.01)
    assert programs.counts() == {"started": 1, "failed": 0, "skipped": 0, "chunks_dropped": 0}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (python("raise SystemExit(3)"), "ended with exit code 3"),
        (python("import os; os.kill(os.getpid(), 9)"), "was ended by signal 9"),
        (("no-such-program",), "cannot be started: [Errno 2] No such file or directory: 'no-such-program'"),
        (("/dev/null",), "cannot be started: [Errno 13] Permission denied: '/dev/null'"),
        (("a\0b",), "cannot be started: embedded null byte"),
    ],
)
def test_a_program_that_fails_is_one_line_in_the_log(
    programs: Programs, caplog: pytest.LogCaptureFixture, command: tuple[str, ...], told: str
) -> None:
    programs.wake(wake(exec=command), silence())
    wait_for(has_ended(programs))
    assert caplog.messages == [f"the program {command[0]!r} of 'activate' {told}"]
    assert programs.counts()["failed"] == 1


def test_a_program_that_hangs_is_ended_with_all_it_started(
    programs: Programs, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE_S", 0.2)
    programs.wake(wake(exec=(*HANG, str(tmp_path / "child")), exec_limit_s=1.0), silence())
    child = read_number(tmp_path / "child")
    wait_for(has_ended(programs))
    wait_for(lambda: not is_alive(child))
    assert caplog.messages == ["the program 'sh' of 'activate' ran for longer than 1 s and was ended"]
    assert programs.counts()["failed"] == 1


def test_only_a_few_run_at_once_of_one_word_and_the_other_words_go_on(programs: Programs) -> None:
    command = python("import time; time.sleep(60)")
    for _ in range(MOST + 2):
        programs.wake(wake(exec=command), silence())
    programs.wake(wake(exec=command, detector="other"), silence())
    wait_for(lambda: programs.counts()["started"] == MOST + 1)
    assert programs.counts()["skipped"] == 2


def test_close_ends_what_runs_within_a_few_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE_S", 0.5)
    programs = Programs()
    for number in range(2):
        asked = wake(exec=(*HANG, str(tmp_path / str(number))), hand_over="raw", after_s=600.0)
        programs.wake(asked, silence())
    pids = [read_number(tmp_path / str(number)) for number in range(2)]
    began = time.monotonic()
    programs.close()
    assert time.monotonic() - began < 4.0
    assert [pid for pid in pids if is_alive(pid)] == []
    assert caplog.messages == []


def test_close_lets_a_short_program_come_to_its_own_end(tmp_path: Path) -> None:
    programs = Programs()
    code = "import sys, time; time.sleep(0.3); open(sys.argv[1], 'w').close()"
    programs.wake(wake(exec=python(code, tmp_path / "done")), silence())
    programs.close()
    assert (tmp_path / "done").exists()


def test_what_a_program_prints_stays_out_of_our_output(programs: Programs, capfd: pytest.CaptureFixture[str]) -> None:
    programs.wake(wake(exec=python("print('hello')")), silence())
    wait_for(has_ended(programs))
    assert capfd.readouterr() == ("", "hello\n")
