"""`kws record` as its user meets it: prompts, checks, re-takes, what it keeps and how it ends."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_portaudio import NO_DEVICE
from small_bank import tone_word

from kws.audio import RATE_HZ, Samples, word_edges
from kws.cli import main
from kws.recorder import SETTLE_S, TAKE_S

Run = Callable[..., tuple[int, str, str]]
Tape = Callable[..., Path]

WORD = tone_word(300, 0.7, 1.0)
STUB = """
import threading, time
from pathlib import Path
import numpy as np

TAPE = np.load(Path(__file__).with_name("tape.npy"))
UNPLUGGED = {unplugged}
opened = []

class PortAudioError(Exception):
    pass

class Status:
    input_overflow = False

class InputStream:
    '''Plays the next stretch of the tape each time it is opened, and then the room.'''

    def __init__(self, *, callback, blocksize, finished_callback, **_):
        self.callback, self.size, self.finished = callback, blocksize, finished_callback
        self.is_open = True

    def start(self):
        self.number = len(opened)
        opened.append(self)
        threading.Thread(target=self.play, daemon=True).start()

    def play(self):
        sound, at = TAPE[self.number % len(TAPE)], 0
        while self.is_open:
            if UNPLUGGED is not None and self.number >= UNPLUGGED and at > 4 * self.size:
                self.finished()
                return
            block = np.resize(sound[at : at + self.size] if at < len(sound) else sound[: self.size], self.size)
            self.callback(block[:, None].astype(np.float32), self.size, None, Status())
            at += self.size
            time.sleep(0.001)

    def close(self):
        self.is_open = False

def query_devices(device=None, kind=None):
    known = {{"name": "stub", "index": 0, "max_input_channels": 1, "default_samplerate": 16000.0}}
    if kind and device not in (None, 0, "stub"):
        raise ValueError(f"No input device matching {{device!r}}")
    return known if kind else [known]
"""


def said(gain: float = 1.0) -> Samples:
    """What a microphone hears of one take: the room, and the word half a second after the prompt."""
    samples = np.random.default_rng(3).normal(size=round((SETTLE_S + TAKE_S) * RATE_HZ)) * 1e-3
    first = round((SETTLE_S + 0.5) * RATE_HZ)
    samples[first : first + len(WORD)] += gain * WORD
    return samples.astype(np.float32)


GOOD, NOTHING, CLIPPED = said(), said(0), np.clip(said(20), -1, 1)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call `kws record` in an empty folder, with these keys typed if any: (exit code, standard output and error)."""

    def record(*arguments: object, keys: str | None = None) -> tuple[int, str, str]:
        (tmp_path / "here").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "here")
        stdin = io.StringIO(keys or "")
        monkeypatch.setattr(stdin, "isatty", lambda: keys is not None)
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "argv", ["kws", "record", *map(str, arguments)])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err

    return record


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tape:
    """A microphone that hears one of these takes each time it is opened, and may be unplugged in the nth."""

    def put(*takes: Samples, unplugged: int | None = None, source: str = STUB) -> Path:
        folder = tmp_path / "stub"
        folder.mkdir()
        np.save(folder / "tape.npy", np.stack(takes) if takes else np.zeros(0))
        (folder / "sounddevice.py").write_text(source.format(unplugged=unplugged) if takes else source)
        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.syspath_prepend(folder)
        return folder

    return put


def test_good_takes_are_kept_and_trimmed_and_others_taken_again(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(GOOD, NOTHING, CLIPPED, GOOD)
    code, out, err = run("activate", "--yes", "--takes", "2")
    assert (code, err) == (0, "")
    folder = tmp_path / "here" / "recordings" / "activate"
    assert sorted(path.name for path in folder.iterdir()) == ["activate-001.flac", "activate-002.flac"]
    for path in folder.iterdir():
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert rate_hz == RATE_HZ
        assert np.diff(word_edges(samples))[0] == pytest.approx(np.diff(word_edges(WORD))[0], abs=0.03)
    told = [line.strip() for line in out.splitlines()]
    assert told[1].startswith("1 of 2, as you always say it:")
    assert told[2] == 'say "activate" now …'
    assert [line.split(":")[0] for line in told if "good:" in line] == ["good", "no good", "no good", "good"]
    assert any("nothing was heard" in line for line in told) and any("clipped" in line for line in told)
    assert told[-2:] == [
        f"Kept 2 files in {Path('recordings', 'activate')}. Next:",
        f"kws new activate --positives {Path('recordings', 'activate')}",
    ]


def test_the_next_run_counts_on_and_speakers_are_kept_apart(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(GOOD)
    for arguments in ((), (), ("--speaker", "Ann B.")):
        code, out, _ = run("hey jarvis", "--yes", "--takes", 1, "--out", tmp_path / "my takes", *arguments)
        assert code == 0
    assert f"kws new 'hey jarvis' --positives '{tmp_path / 'my takes'}'" in out
    found = sorted(
        path.relative_to(tmp_path / "my takes").as_posix() for path in (tmp_path / "my takes").rglob("*.flac")
    )
    assert found == ["Ann-B/hey-jarvis-001.flac", "hey-jarvis-001.flac", "hey-jarvis-002.flac"]


def test_a_microphone_that_never_hears_the_word_ends_with_a_sentence(run: Run, tape: Tape) -> None:
    tape(NOTHING)
    code, out, err = run("activate", "--yes")
    assert code == 1
    assert err.startswith("kws: 6 takes in a row were no good, the last since nothing was heard over the room")
    assert len(err.splitlines()) == 1
    assert "Nothing was kept." in out and "kws new" not in out


def test_keys_choose_what_is_kept(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(GOOD)
    code, out, _ = run("activate", "--takes", "5", keys="\nr\nx\nk\nq\n")
    assert code == 0
    assert out.count("now …") == 4  # kept, taken again, kept, left
    assert "Enter keeps it, r takes it again, q ends" in out
    assert len(list((tmp_path / "here").rglob("*.flac"))) == 2


def test_enter_takes_a_bad_take_again_and_one_without_a_word_cannot_be_kept(
    run: Run, tape: Tape, tmp_path: Path
) -> None:
    tape(NOTHING, CLIPPED, CLIPPED)
    code, out, _ = run("activate", "--takes", "1", keys="k\n\n\nk\n")
    assert code == 0
    assert "Enter takes it again, q ends" in out and "Enter takes it again, k keeps it, q ends" in out
    assert len(list((tmp_path / "here").rglob("*.flac"))) == 1


def test_the_end_of_the_keys_ends_it_and_keeps_what_there_is(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(GOOD)
    code, out, _ = run("activate", keys="\n")
    assert code == 130
    assert "Kept 1 file in" in out
    assert len(list((tmp_path / "here").rglob("*.flac"))) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("activate",), "add --yes"),
        ((" ", "--yes"), "the word is empty"),
        (("a", "--yes", "--minutes", "1"), "--negatives"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(run: Run, tape: Tape, arguments: tuple[str, ...], why: str) -> None:
    tape(GOOD)
    code, _, err = run(*arguments)
    assert code == 2
    assert why in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("what", [("--yes",), ("--negatives",)])
def test_without_a_microphone_nothing_is_made(run: Run, tape: Tape, tmp_path: Path, what: tuple[str, ...]) -> None:
    tape(source=NO_DEVICE)
    code, out, err = run("activate", *what)
    assert (code, out) == (1, "")
    assert err.startswith("kws: there is no microphone") and len(err.splitlines()) == 1
    assert not list((tmp_path / "here").iterdir())


def test_a_device_is_chosen_by_name_or_refused_by_it(run: Run, tape: Tape) -> None:
    tape(GOOD)
    for option in ("--input", "--device"):
        assert run("activate", "--yes", "--takes", 1, option, "stub")[0] == 0
    code, _, err = run("activate", "--yes", "--input", "telephone")
    assert code == 1
    assert "No input device matching 'telephone': choose one of 0 'stub'" in err


def test_a_microphone_unplugged_on_the_way_ends_with_a_sentence_and_what_was_kept(run: Run, tape: Tape) -> None:
    tape(GOOD, unplugged=2)
    code, out, err = run("activate", "--yes")
    assert code == 1
    assert err.startswith("kws: the microphone 'stub' stopped giving sound") and len(err.splitlines()) == 1
    assert "Kept 2 files in" in out


def test_a_full_disk_ends_with_a_sentence(run: Run, tape: Tape, small_disk: Path) -> None:
    tape(GOOD)
    (small_disk / "filler").write_bytes(b"x" * 96_000)
    code, _, err = run("activate", "--yes", "--out", small_disk)
    assert code == 1
    assert err.startswith("kws: cannot write") and "No space left" in err and len(err.splitlines()) == 1
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_negatives_are_kept_minute_by_minute(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(GOOD)
    code, out, err = run("activate", "--negatives", "--minutes", "1.05")
    assert (code, err) == (0, "")
    folder = tmp_path / "here" / "recordings" / "without-activate"
    seconds = {path.name: soundfile.info(path).duration for path in folder.iterdir()}
    assert seconds == {"talk-001.flac": pytest.approx(60, abs=0.1), "talk-002.flac": pytest.approx(3, abs=0.1)}
    assert f"kws new activate --negatives {Path('recordings', 'without-activate')}" in out


def test_a_muted_microphone_is_told_with_negatives_too(run: Run, tape: Tape, tmp_path: Path) -> None:
    tape(np.zeros_like(GOOD))
    code, out, err = run("activate", "--negatives", "--minutes", "0.1")
    assert code == 1
    assert "is it muted?" in err and "Nothing was kept." in out
    assert not list((tmp_path / "here").rglob("*.flac"))


@pytest.mark.parametrize("what", [("--yes", "--takes", "500"), ("--negatives", "--minutes", "500")])
def test_ctrl_c_keeps_what_there_is_and_neither_torch_nor_synth_is_needed(
    tape: Tape, tmp_path: Path, what: tuple[str, ...]
) -> None:
    stub = tape(GOOD)
    (stub / "torch.py").write_text("raise RuntimeError('torch was imported')")
    (stub / "synth.py").write_text("raise RuntimeError('synth was imported')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(stub), *sys.path]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "kws", "record", "activate", *what, "--out", str(tmp_path / "out")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment, text=True) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            if "--yes" in what:
                next(line for line in lines if "kept as" in line)
            else:
                while not list((tmp_path / "out").glob("*-001.flac")):
                    assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err and "Next:\n  kws new activate --" in out
    for path in (tmp_path / "out").iterdir():
        assert path.suffix == ".flac" and soundfile.info(path).frames > 0
