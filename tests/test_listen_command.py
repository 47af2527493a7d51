"""`kws listen` as its user meets it: what it prints, what it says when something is wrong, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_portaudio import NO_DEVICE, stub_module
from onnx import TensorProto, helper

import kws
from kws import demo
from kws.audio import RATE_HZ, Samples
from kws.cli import main
from kws.events import Event, Recording, to_line

THRESHOLD = 0.46
"""Above what the tiny detector gives for silence, below what it gives for the tone."""

Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., subprocess.Popen[bytes]]

NO_PORTAUDIO = "raise OSError('PortAudio library not found')\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `kws listen` in this process: (exit code, standard output, standard error)."""

    def listen(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kws", "listen", *map(str, arguments)])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err

    return listen


@pytest.fixture
def sounddevice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put another module in sounddevice's place, in this process and in those it starts."""

    def replace(source: str) -> Path:
        folder = tmp_path / "stub"
        folder.mkdir()
        (folder / "sounddevice.py").write_text(source)
        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.syspath_prepend(folder)
        return folder

    return replace


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `kws listen` as a process of its own; whatever is left of it ends with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def listen(*arguments: object, stub: Path | None = None) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([*([str(stub)] if stub else []), *sys.path])
        command = [sys.executable, "-m", "kws", "listen", *map(str, arguments)]
        pipe = subprocess.PIPE
        environment = os.environ | {"PYTHONPATH": path}
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment))
        return processes[-1]

    yield listen
    for process in processes:
        process.kill()
        process.communicate()


def beeps(*at_s: float, seconds: float = 10.0) -> Samples:
    """Silence with a tone of half a second at each of the times."""
    samples = np.zeros(round(seconds * RATE_HZ), np.float32)
    tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(RATE_HZ // 2) / RATE_HZ)
    for second in at_s:
        first = round(second * RATE_HZ)
        samples[first : first + len(tone)] = tone
    return samples


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A recording with two beeps, at 3 s and at 7 s."""
    soundfile.write(tmp_path / "beeps.wav", beeps(3, 7), RATE_HZ)
    return tmp_path / "beeps.wav"


@pytest.fixture
def beep_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the bundled recording one that beeps, where the tiny detector's word is "said" three times."""
    said = [Event(word="test", start=start, end=start + 0.5) for start in (1.0, 3.0, 7.0)]
    other = Event(word="text", start=5.0, end=5.4, kind="near-miss")
    soundfile.write(tmp_path / "demo.ogg", beeps(3, 7, 8.9), RATE_HZ)
    recording = Recording(audio=tmp_path / "demo.ogg", duration=10.0, events=(*said, other))
    (tmp_path / "demo.json").write_text(to_line(recording, tmp_path))
    monkeypatch.setattr(demo, "LABELS", tmp_path / "demo.json")


def test_json_is_one_line_for_each_detection(run: Run, tiny_detector_path: Path, wav: Path) -> None:
    code, out, err = run(tiny_detector_path, "--input", wav, "--threshold", THRESHOLD, "--json")
    detections = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [list(detection) for detection in detections] == [["word", "time", "end", "score"]] * 2
    assert [detection["word"] for detection in detections] == ["test", "test"]
    assert [detection["time"] for detection in detections] == pytest.approx([3.2, 7.2], abs=0.3)
    assert all(detection["end"] < detection["time"] and detection["score"] >= THRESHOLD for detection in detections)


def test_a_file_is_drawn_as_a_timeline_and_its_detections_listed(
    run: Run, tiny_detector_path: Path, wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = run(tiny_detector_path, "--input", wav, "--threshold", THRESHOLD)
    *drawn, first, second = out.splitlines()
    assert code == 0
    assert max(map(len, drawn)) < 60
    assert [line.split()[0] for line in drawn if line.strip()][:2] == ["level", "test"]
    assert sum(line.count("▲") for line in drawn) == 2
    assert first.split()[1] == second.split()[1] == "test"


def test_a_file_without_the_word_says_so(run: Run, tiny_detector_path: Path, wav: Path) -> None:
    code, out, _ = run(tiny_detector_path, "--input", wav, "--threshold", 1)
    assert code == 0
    assert out.splitlines()[-1] == "Nothing was heard."


def test_a_target_chooses_the_threshold_and_says_what_it_cannot_promise(run: Run, wav: Path) -> None:
    code, out, err = run("activate", "--input", wav, "--target-fa", 0.001, "--json")
    assert (code, out) == (0, "")
    assert re.search(r"^kws: caution: 'activate' at 0.001 false accepts per hour: .* too few for 0.001", err)
    code, _, err = run("activate", "--input", wav, "--target-fa", 1, "--threshold", 0.5)
    assert (code, "give one of them" in err) == (2, True)


def test_two_detectors_hear_the_same_file(run: Run, tiny_detector_path: Path, wav: Path) -> None:
    arguments = (tiny_detector_path, tiny_detector_path, "--input", wav, "--threshold", THRESHOLD, "--json")
    assert len(run(*arguments)[1].splitlines()) == 4


def test_the_demo_draws_what_was_said_and_counts(run: Run, tiny_detector_path: Path, beep_demo: None) -> None:
    code, out, _ = run(tiny_detector_path, "--input", "demo", "--threshold", THRESHOLD)
    assert code == 0
    assert out.splitlines()[-1] == "2 of 3 heard, 1 false"
    (said,) = (line for line in out.splitlines() if line.lstrip().startswith("said"))
    assert "━" in said
    assert "╌" in said


def test_the_demo_as_json_keeps_the_count_apart(run: Run, tiny_detector_path: Path, beep_demo: None) -> None:
    code, out, err = run(tiny_detector_path, "--input", "demo", "--threshold", THRESHOLD, "--json")
    assert code == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    assert err == "2 of 3 heard, 1 false\n"


def test_a_missing_demo_is_one_sentence(
    run: Run, tiny_detector_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "LABELS", tmp_path / "none.json")
    code, _, err = run(tiny_detector_path, "--input", "demo")
    assert code == 1
    assert "install activate-kws again" in one_line(err)


@pytest.mark.parametrize(("source", "said"), [(NO_PORTAUDIO, "apt-get install libportaudio2"), (NO_DEVICE, "plug one")])
def test_without_a_microphone_the_demo_is_heard(
    run: Run, sounddevice: Callable[[str], Path], tiny_detector_path: Path, beep_demo: None, source: str, said: str
) -> None:
    sounddevice(source)
    code, out, err = run(tiny_detector_path, "--threshold", THRESHOLD)
    assert code == 0
    assert said in one_line(err)
    assert err.endswith("; here is the bundled recording instead.\n")
    assert out.endswith("2 of 3 heard, 1 false\n")


@pytest.mark.parametrize(("source", "said"), [(NO_PORTAUDIO, "apt-get install libportaudio2"), (NO_DEVICE, "plug one")])
@pytest.mark.parametrize("asked", [("--input", "microphone"), ("--device", "USB")])
def test_a_microphone_that_was_asked_for_and_is_missing_is_a_failure(
    run: Run,
    sounddevice: Callable[[str], Path],
    tiny_detector_path: Path,
    source: str,
    said: str,
    asked: tuple[str, str],
) -> None:
    sounddevice(source)
    code, out, err = run(tiny_detector_path, *asked)
    assert (code, out) == (1, "")
    assert said in one_line(err)
    assert "kws listen --input FILE" in err


def test_devices_are_listed_with_the_default_marked(run: Run, sounddevice: Callable[[str], Path]) -> None:
    sounddevice(stub_module())
    assert run("--list-devices") == (0, "*   0  stub  (1 in, 16000 Hz)\n", "")


def test_listing_devices_where_there_are_none_is_a_failure(run: Run, sounddevice: Callable[[str], Path]) -> None:
    sounddevice(NO_DEVICE)
    code, _, err = run("--list-devices")
    assert code == 1
    assert "there is no microphone" in one_line(err)


def test_a_device_for_a_file_is_misuse(run: Run, wav: Path) -> None:
    code, _, err = run("--input", wav, "--device", "USB")
    assert code == 2
    assert "leave one of the two out" in one_line(err)


def one_line(err: str) -> str:
    """The only line of an error output, which is not a traceback."""
    (line,) = err.splitlines()
    assert line.startswith("kws: ")
    assert "Traceback" not in line
    return line


def write_bad(folder: Path, kind: str) -> Path:
    """A file that is no good recording, of a kind."""
    path = folder / {"truncated FLAC": "bad.flac", "missing": "none.wav"}.get(kind, "bad.wav")
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is not sound\n" * 100)
    elif kind == "NaN":
        soundfile.write(path, np.full(RATE_HZ, np.nan, np.float32), RATE_HZ, subtype="FLOAT")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0, np.float32), RATE_HZ)
    elif kind != "missing":
        whole = folder / path.name.replace("bad", "whole")
        soundfile.write(whole, 0.1 * np.random.default_rng(1).normal(size=5 * RATE_HZ), RATE_HZ)
        data = whole.read_bytes()
        path.write_bytes(data[:20] if kind == "truncated header" else data[: len(data) // 3])
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("no samples", "holds no samples"),
        ("text", "cannot be read as audio"),
        ("truncated header", "cannot be read as audio"),
        ("truncated FLAC", "cannot be read as audio"),
        ("NaN", "not numbers"),
    ],
)
def test_a_bad_recording_is_told_in_one_line(
    run: Run, tiny_detector_path: Path, tmp_path: Path, kind: str, said: str
) -> None:
    code, out, err = run(tiny_detector_path, "--input", write_bad(tmp_path, kind))
    assert (code, out) == (1, "")
    assert said in one_line(err)


def test_a_folder_is_not_a_recording(run: Run, tiny_detector_path: Path, tmp_path: Path) -> None:
    code, _, err = run(tiny_detector_path, "--input", tmp_path)
    assert code == 1
    assert str(tmp_path) in one_line(err)


def test_a_wav_cut_short_is_heard_up_to_the_cut(run: Run, tiny_detector_path: Path, tmp_path: Path, wav: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(wav.read_bytes()[: 44 + 2 * 5 * RATE_HZ])
    code, out, _ = run(tiny_detector_path, "--input", cut, "--threshold", THRESHOLD, "--json")
    assert code == 0
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize(("rate_hz", "channels", "gain"), [(8_000, 1, 1), (48_000, 2, 1), (16_000, 1, 40)])
def test_other_rates_channels_and_clipping_are_heard(
    run: Run, tiny_detector_path: Path, tmp_path: Path, rate_hz: int, channels: int, gain: float
) -> None:
    import soxr

    samples = soxr.resample(beeps(3, 7), RATE_HZ, rate_hz) * gain
    soundfile.write(tmp_path / "other.wav", np.stack([samples] * channels, axis=1).clip(-1, 1), rate_hz)
    code, out, _ = run(tiny_detector_path, "--input", tmp_path / "other.wav", "--threshold", THRESHOLD, "--json")
    assert code == 0
    assert [json.loads(line)["time"] for line in out.splitlines()] == pytest.approx([3.2, 7.2], abs=0.3)


def test_bad_detectors_are_told_in_one_line(run: Run, tiny_detector_path: Path, tmp_path: Path, wav: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [other])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "damaged.onnx").write_bytes(tiny_detector_path.read_bytes()[:3000])
    for name, said in [
        (tmp_path / "other.onnx", "not a detector of ours"),
        (tmp_path / "damaged.onnx", "damaged or not an ONNX file"),
        (tmp_path / "none.onnx", "does not exist"),
        (wav, "damaged or not an ONNX file"),
        ("bananas", "no detector named 'bananas'"),
    ]:
        code, out, err = run(name, "--input", wav)
        assert (code, out) == (1, "")
        assert said in one_line(err)


def test_raw_pcm_is_heard_from_a_pipe(start: Start, tiny_detector_path: Path) -> None:
    process = start(tiny_detector_path, "--input", "-", "--threshold", THRESHOLD, "--json")
    out, err = process.communicate((beeps(3, 7) * 32767).astype("<i2").tobytes() + b"x", timeout=60)
    assert process.returncode == 0
    assert [json.loads(line)["time"] for line in out.splitlines()] == pytest.approx([3.2, 7.2], abs=0.3)
    assert err == b"kws: heard 10.0 s, 2 detections.\n"


def test_a_detection_is_printed_while_the_pipe_is_still_open(start: Start, tiny_detector_path: Path) -> None:
    process = start(tiny_detector_path, "--input", "-", "--threshold", THRESHOLD, "--json")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write((beeps(1, seconds=2) * 32767).astype("<i2").tobytes())
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["word"] == "test"
    _, err = process.communicate(timeout=60)
    assert err == b"kws: heard 2.0 s, 1 detection.\n"


def test_a_wav_in_the_pipe_is_refused_in_one_line(start: Start, tiny_detector_path: Path, wav: Path) -> None:
    process = start(tiny_detector_path, "--input", "-")
    _, err = process.communicate(wav.read_bytes(), timeout=60)
    assert process.returncode == 1
    assert "WAV file, not raw PCM" in one_line(err.decode())


def test_ctrl_c_ends_the_microphone_with_a_summary(
    start: Start, tiny_detector_path: Path, sounddevice: Callable[[str], Path]
) -> None:
    process = start(tiny_detector_path, stub=sounddevice(stub_module()))
    assert process.stderr is not None
    assert process.stderr.readline() == b"kws: listening to 'stub', Ctrl-C ends it.\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")
    assert one_line(err.decode()).startswith("kws: heard ")
    assert err.endswith(b" s, 0 detections, 0 overruns.\n")


def test_a_reader_that_goes_away_gets_no_traceback(start: Start, tiny_detector_path: Path) -> None:
    process = start(tiny_detector_path, "--input", "-", "--threshold", THRESHOLD, "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate((beeps(1, 4, 7) * 32767).astype("<i2").tobytes(), timeout=60)
    assert b"Traceback" not in err
    assert b"Exception" not in err
    assert process.returncode == 1


def test_listening_loads_neither_torch_nor_synth(tiny_detector_path: Path, wav: Path) -> None:
    code = (
        "import sys; from kws.cli import verbs; verbs.main(standalone_mode=False); import json; "
        "print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "listen", str(tiny_detector_path), "--input", str(wav)],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"kws", "numpy", "onnxruntime", "soundfile"} <= loaded
    assert not loaded & {"torch", "torchaudio", "synth", "matplotlib", "librosa", "scipy", "onnx", "sounddevice"}


@pytest.mark.skipif(not (kws.detector.SHIPPED / "activate.onnx").is_file(), reason="no detector is shipped yet")
@pytest.mark.skipif(not demo.LABELS.is_file(), reason="no recording is bundled yet")
def test_the_shipped_detector_hears_the_bundled_recording(run: Run) -> None:
    code, out, _ = run("--input", "demo")
    assert code == 0
    heard, said, false = map(int, re.findall(r"\d+", out.splitlines()[-1]))
    assert said == 5
    assert heard == 5
    assert false <= 2, "it takes 'act it late' and 'acclimate' for the word; no later one may take more"
