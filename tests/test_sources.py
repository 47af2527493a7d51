"""Every source gives the same kind of chunks, and says in one sentence what is wrong."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_portaudio import FakePortAudio, FakeStream, block, card
from hypothesis import given
from hypothesis import strategies as st

from kws.audio import RATE_HZ, rms
from kws.errors import Failure
from kws.sources import CHUNK, Microphone, NoMicrophone, in_chunks, input_devices, read_pcm, rescan


class Trickle:
    """A pipe that gives so many bytes at each read."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes = data, sizes

    def read1(self, size: int, /) -> bytes:
        count = min(size, self.sizes.pop(0) if self.sizes else size)
        read, self.data = self.data[:count], self.data[count:]
        return read


def pcm(count: int) -> bytes:
    return np.arange(count, dtype="<i2").tobytes()


def test_chunks_of_a_recording_are_the_recording(draw: np.random.Generator) -> None:
    samples = draw.normal(size=3 * CHUNK + 5).astype(np.float32)
    chunks = list(in_chunks(samples))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, CHUNK, 5]
    assert np.array_equal(np.concatenate(chunks), samples)


@given(count=st.integers(1, 3000), odd=st.booleans(), sizes=st.lists(st.integers(1, 3000), max_size=20))
def test_pcm_does_not_depend_on_how_the_pipe_cuts_it(count: int, odd: bool, sizes: list[int]) -> None:
    chunks = list(read_pcm(Trickle(pcm(count) + b"x" * odd, sizes)))
    assert np.array_equal(np.concatenate(chunks) * 32768, np.arange(count, dtype=np.int16))
    assert all(chunk.dtype == np.float32 for chunk in chunks)


def test_pcm_is_passed_on_as_it_comes() -> None:
    stream = Trickle(pcm(2000), [8, 8])
    assert [len(chunk) for chunk in islice(read_pcm(stream), 2)] == [4, 4]
    assert len(stream.data) == 4000 - 16


@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_pipe_without_sound_is_a_failure(data: bytes) -> None:
    with pytest.raises(Failure, match="held no sound"):
        list(read_pcm(io.BytesIO(data)))


@pytest.mark.parametrize("header", [b"RIFF", b"fLaC", b"OggS"])
def test_a_sound_file_in_the_pipe_is_not_taken_for_pcm(header: bytes) -> None:
    with pytest.raises(Failure, match="not raw PCM"):
        list(read_pcm(Trickle(header + pcm(100), [3, 1])))


def test_a_microphone_gives_its_blocks_in_order() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        for value in (0.1, 0.2, 0.3):
            portaudio.streams[0].give(block(value))
        chunks = list(islice(microphone, 3))
    assert [round(float(chunk[0]), 1) for chunk in chunks] == [0.1, 0.2, 0.3]
    assert [chunk.shape for chunk in chunks] == [(CHUNK,)] * 3
    assert microphone.overruns == 0
    assert portaudio.tried == [(RATE_HZ, 1)]
    assert not portaudio.streams[0].is_open


def test_a_block_is_copied_since_it_is_only_lent() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        lent = block(0.5)
        portaudio.streams[0].give(lent)
        lent[:] = 0
        assert next(iter(microphone))[0] == 0.5


def test_a_slow_listener_loses_blocks_and_they_are_counted() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        for _ in range(110):
            portaudio.streams[0].give(block())
        portaudio.streams[0].give(block(), overflow=True)
        assert microphone.overruns == 10 + 2
        assert len(list(islice(microphone, 100))) == 100


@pytest.mark.parametrize("channels", [1, 2])
def test_a_device_that_refuses_16_khz_is_opened_as_it_is_and_converted(channels: int) -> None:
    portaudio = FakePortAudio([card("hw", channels=2)], accepts=lambda rate, count: (rate, count) == (48_000, channels))
    seconds = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * seconds)
    sound = np.stack([2 * tone, 0 * tone] if channels == 2 else [tone], axis=1).astype(np.float32)
    with Microphone(portaudio=portaudio) as microphone:
        assert portaudio.streams[0].settings["blocksize"] == 3840
        pieces = np.split(sound, range(3840, 48_000, 3840))
        for piece in pieces:
            portaudio.streams[0].give(piece)
        heard = np.concatenate(list(islice(microphone, len(pieces))))
    assert len(heard) == pytest.approx(RATE_HZ, abs=800)
    crossings = np.count_nonzero(np.diff(np.signbit(heard[1600:])))
    assert crossings / (len(heard) - 1600) * RATE_HZ == pytest.approx(880, rel=0.02)
    assert rms(heard[1600:]) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_what_a_faulty_driver_gives_for_numbers_counts_as_silence() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        portaudio.streams[0].give(block(float("nan")))
        assert not next(iter(microphone)).any()


def test_a_microphone_unplugged_mid_stream_is_a_failure_after_its_last_block() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        portaudio.streams[0].give(block())
        portaudio.streams[0].unplug()
        chunks = iter(microphone)
        assert len(next(chunks)) == CHUNK
        with pytest.raises(Failure, match=r"'USB' stopped giving sound.*kws listen --input FILE"):
            next(chunks)
    assert not portaudio.streams[0].is_open


def test_a_microphone_that_hangs_is_a_failure() -> None:
    portaudio = FakePortAudio([card("USB")])
    with (
        Microphone(portaudio=portaudio, stall_s=0.3) as microphone,
        pytest.raises(Failure, match="stopped giving sound"),
    ):
        next(iter(microphone))


def test_a_microphone_waits_for_a_block_that_comes_late() -> None:
    portaudio = FakePortAudio([card("USB")])
    with Microphone(portaudio=portaudio) as microphone:
        late = threading.Timer(0.3, lambda: portaudio.streams[0].give(block()))
        late.start()
        assert len(next(iter(microphone))) == CHUNK
        late.join()


@pytest.mark.parametrize("device", ["desk", "1"])
def test_a_microphone_is_chosen_by_name_or_number(device: str) -> None:
    portaudio = FakePortAudio([card("USB"), card("Desk array", 1)])
    assert Microphone(device, portaudio=portaudio).name == "Desk array"


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("nose", "No input device matching 'nose': choose one of 0 'USB', 1 'USB 2' with --device"),
        ("usb", "Multiple input devices found for 'usb': choose one of 0 'USB', 1 'USB 2'"),
        ("7", "Error querying device 7: choose one of"),
    ],
)
def test_a_wrong_device_is_told_with_those_there_are(device: str, said: str) -> None:
    with pytest.raises(NoMicrophone, match=said) as failure:
        Microphone(device, portaudio=FakePortAudio([card("USB"), card("USB 2", 1)]))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("devices", [[], [card("speakers", channels=0)]])
def test_no_device_is_one_sentence(devices: list[dict[str, Any]]) -> None:
    with pytest.raises(NoMicrophone, match=r"there is no microphone: plug one in .* --input FILE\.$"):
        Microphone(portaudio=FakePortAudio(devices))


def test_a_device_without_a_default_is_to_be_named() -> None:
    with pytest.raises(NoMicrophone, match="no default microphone is set: choose one of 0 'USB'"):
        Microphone(portaudio=FakePortAudio([card("USB")], default=-1))


def test_a_device_that_cannot_be_opened_is_told_with_the_reason() -> None:
    portaudio = FakePortAudio([card("busy")], accepts=lambda *_: False)
    with pytest.raises(NoMicrophone, match=r"'busy' cannot be opened .*Invalid sample rate"):
        Microphone(portaudio=portaudio).__enter__()
    assert portaudio.tried == [(RATE_HZ, 1), (48_000, 1), (48_000, 2)]


def test_input_devices_leave_out_what_only_plays() -> None:
    portaudio = FakePortAudio([card("speakers", 0, channels=0), card("USB", 1)], default=1)
    assert [(device.index, device.name, device.is_default) for device in input_devices(portaudio)] == [(1, "USB", True)]


def test_missing_portaudio_is_told_with_the_package_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NoMicrophone, match=r"PortAudio library not found.*apt-get install libportaudio2.*--input FILE"):
        Microphone()


def test_missing_sounddevice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoMicrophone, match="pip install sounddevice"):
        Microphone()


@pytest.mark.parametrize("part", ["start", "close", "_initialize"])
def test_a_driver_that_never_answers_is_given_up(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kws.sources.HUNG_S", 0.05)
    portaudio, hung = FakePortAudio([card("USB")]), threading.Event()
    whose = portaudio if part == "_initialize" else FakeStream
    monkeypatch.setattr(whose, part, lambda *_: hung.wait(30))
    with Microphone(portaudio=portaudio, hung=hung.set):
        assert hung.is_set() == (part == "start")
    portaudio.streams.clear()
    rescan(portaudio, hung=hung.set)
    assert hung.is_set()


def test_a_driver_that_answers_late_but_in_time_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kws.sources.HUNG_S", 0.2)
    monkeypatch.setattr(FakeStream, "start", lambda _: time.sleep(0.05))
    with Microphone(portaudio=FakePortAudio([card("USB")]), hung=lambda: pytest.fail("it had answered")):
        time.sleep(0.3)


def test_a_process_that_a_driver_holds_fast_ends_with_one_sentence() -> None:
    program = (
        "import kws.sources, time, types; kws.sources.HUNG_S = 0.1; "
        "kws.sources.rescan(types.SimpleNamespace(_terminate=lambda: time.sleep(60), PortAudioError=OSError))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("kws: the microphone's driver does not answer: start the sound server anew, ")
    assert done.stderr.count("\n") == 1
