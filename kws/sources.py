"""Where sound comes from: every source is an iterable of (S,) float32 chunks at 16 kHz.

Sound in memory and pipes are read as fast as they are asked for. A microphone's own thread hands its blocks over
through a bounded queue, so that a slow listener loses blocks, counted, and never memory. Where sound was lost before a
chunk, `Microphone.gaps` has grown when that chunk is given.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples
from kws.errors import Failure

CHUNK_S = 0.08
CHUNK = round(CHUNK_S * RATE_HZ)
QUEUE_S = 8.0
"""Sound a microphone may run ahead of the listener before blocks are lost."""
STALL_S = 5.0
"""A microphone that gives nothing for so long has failed."""

HUNG_S = 15.0
"""A driver that gives no answer for so long never will: PortAudio can wait for a thread of its own that is dead."""

GAP_S = 1.0
"""Blocks that come so late were held up by more than a busy machine: it slept, and sound is missing."""

_PATIENCE_S = 0.2
_HEADERS = {b"RIFF": "a WAV file", b"fLaC": "a FLAC file", b"OggS": "an Ogg file", b"FORM": "an AIFF file"}
_OR_FILE = "or listen to a file with kws listen --input FILE"


class NoMicrophone(Failure):
    """There is no microphone to listen to; the message says how to mend it and how to use a file instead."""


class ByteStream(Protocol):
    """Bytes as they come: sys.stdin.buffer, a socket's file, io.BytesIO."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes as soon as there are some; none at the end."""


def in_chunks(samples: Samples) -> Iterator[Samples]:
    """The (S,) samples of a recording, a chunk at a time."""
    for start in range(0, len(samples), CHUNK):
        yield samples[start : start + CHUNK]


def read_pcm(stream: ByteStream) -> Iterator[Samples]:
    """Raw 16-bit little-endian mono PCM at 16 kHz, passed on as it comes; a last odd byte is left out.

    Raises Failure if nothing comes at all, or a sound file does, header and all.
    """
    held = b""
    nothing = True
    while read := stream.read1(2 * CHUNK):
        held += read
        if nothing and len(held) < 4:
            continue
        if nothing and (kind := _HEADERS.get(held[:4])):
            raise Failure(
                f"standard input is {kind}, not raw PCM: name the file with --input FILE, or send "
                "s16le at 16 kHz mono (ffmpeg -i FILE -f s16le -ar 16000 -ac 1 -, arecord -t raw -f S16_LE -r 16000)."
            )
        nothing = False
        whole = len(held) // 2 * 2
        yield from_pcm(held[:whole])
        held = held[whole:]
    if nothing and len(held) >= 2:
        yield from_pcm(held[: len(held) // 2 * 2])
    elif nothing:
        raise Failure("standard input held no sound: pipe raw PCM into it (s16le, 16 kHz, mono) or name a file.")


def from_pcm(data: bytes) -> Samples:
    """(S,) samples of 2 S bytes of 16-bit little-endian PCM."""
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


@dataclass(frozen=True, kw_only=True)
class InputDevice:
    """A device that sound can come from."""

    index: int
    name: str
    channels: int
    rate_hz: float
    is_default: bool


def identity_of(name: str) -> str:
    """A device's name without ALSA's numbers of cards, which change when it is plugged in again."""
    return re.sub(r"\s*\(hw:\d+,\d+\)", "", name)


def give_up() -> None:
    """End the process that a driver holds fast, with exit code 1."""
    os.write(2, f"kws: the microphone's driver does not answer: start the sound server anew, {_OR_FILE}.\n".encode())
    os._exit(1)


def rescan(portaudio: Any = None, *, hung: Callable[[], None] = give_up) -> None:
    """Have PortAudio look for devices anew: it makes its list when it starts, so it is started again.

    Only while no stream is open. `hung` is `Microphone`'s. Raises NoMicrophone if it cannot be started.
    """
    portaudio = portaudio or _portaudio()
    try:
        with _asking(hung):
            portaudio._terminate()
            portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise NoMicrophone(f"PortAudio does not start ({error}): start the sound server.") from error


def input_devices(portaudio: Any = None) -> list[InputDevice]:
    """The devices that PortAudio offers for input. Raises NoMicrophone if PortAudio is missing."""
    portaudio = portaudio or _portaudio()
    try:
        default = portaudio.query_devices(kind="input")["index"]
    except (ValueError, portaudio.PortAudioError):
        default = None
    return [
        InputDevice(
            index=index,
            name=device["name"],
            channels=device["max_input_channels"],
            rate_hz=device["default_samplerate"],
            is_default=index == default,
        )
        for index, device in enumerate(portaudio.query_devices())
        if device["max_input_channels"] > 0
    ]


class Microphone:
    """A microphone, open inside `with`; iterate over it for its chunks, which never end by themselves."""

    def __init__(
        self,
        device: str | None = None,
        *,
        portaudio: Any = None,
        stall_s: float = STALL_S,
        hung: Callable[[], None] = give_up,
    ) -> None:
        """`device`: a name, a part of one, or a number; None for the default. `portaudio`: sounddevice or its like.
        `hung` is called, on a thread of its own, when the driver gives no answer for HUNG_S: the thread that asked it
        is lost, so that the process has to end.

        Raises NoMicrophone if PortAudio is missing, if there is no such device, or no device at all.
        """
        self._portaudio = portaudio or _portaudio()
        self._device = _find(self._portaudio, device)
        self.name: str = self._device["name"]
        self.overruns = 0
        """Times that sound was lost because the listener or the machine was too slow."""
        self.gaps = 0
        """Places where sound is missing before the latest chunk that was given."""
        self._queue: queue.Queue[tuple[Samples, bool]] = queue.Queue(round(QUEUE_S / CHUNK_S))
        self._has_lost = False
        self._latest_s = elapsed_s()
        self._ended = threading.Event()
        self._stall_s = stall_s
        self._hung = hung
        self._resampler: Any = None

    def __enter__(self) -> Self:
        """Open the device at 16 kHz, or, if it refuses, at its own rate and channels, to be converted.

        Raises NoMicrophone if it cannot be opened at all.
        """
        own_hz = round(self._device["default_samplerate"])
        ways = dict.fromkeys([(RATE_HZ, 1), (own_hz, 1), (own_hz, self._device["max_input_channels"])])
        reason = ""
        for rate_hz, channels in ways:
            try:
                with _asking(self._hung):
                    self._open(rate_hz, channels)
                return self
            except self._portaudio.PortAudioError as error:
                reason = str(error)
        raise NoMicrophone(
            f"the microphone {self.name!r} cannot be opened ({reason}): close what else is using it, "
            f"choose another with --device (see kws listen --list-devices), {_OR_FILE}."
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _asking(self._hung), contextlib.suppress(self._portaudio.PortAudioError):
            self._stream.close()

    def __iter__(self) -> Iterator[Samples]:
        """Chunks as they come. Raises Failure if the device goes away or falls silent for good."""
        waited_s = 0.0
        while True:
            try:
                block, is_after_gap = self._queue.get(timeout=_PATIENCE_S)
            except queue.Empty as empty:
                waited_s += _PATIENCE_S
                if self._ended.is_set() or waited_s >= self._stall_s:
                    raise Failure(
                        f"the microphone {self.name!r} stopped giving sound: check that it is plugged in "
                        f"and the sound server runs, then start again, {_OR_FILE}."
                    ) from empty
                continue
            waited_s = 0.0
            if is_after_gap:
                self.gaps += 1
                if self._resampler is not None:
                    self._resampler.clear()
            yield block if self._resampler is None else self._resampler.resample_chunk(block)

    @property
    def waiting(self) -> int:
        """Blocks that wait for the listener."""
        return self._queue.qsize()

    def _open(self, rate_hz: int, channels: int) -> None:
        stream = self._portaudio.InputStream(
            device=self._device["index"],
            samplerate=rate_hz,
            channels=channels,
            dtype="float32",
            blocksize=round(CHUNK_S * rate_hz),
            callback=self._take,
            finished_callback=self._ended.set,
        )
        self._latest_s = elapsed_s()
        try:
            stream.start()
        except BaseException:
            stream.close()
            self._ended.clear()
            raise
        self._stream = stream
        if rate_hz != RATE_HZ:
            import soxr

            self._resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")

    def _take(self, block: NDArray[np.float32], frames: int, when: object, status: Any) -> None:
        """Called on PortAudio's thread; `block` (S, channels) is only lent."""
        self.overruns += bool(status.input_overflow)
        now_s = elapsed_s()
        self._has_lost |= bool(status.input_overflow) or now_s - self._latest_s > GAP_S
        self._latest_s = now_s
        mono = np.nan_to_num(block.mean(axis=1, dtype=np.float32))  # a faulty driver's NaN counts as silence
        try:
            self._queue.put_nowait((mono, self._has_lost))
            self._has_lost = False
        except queue.Full:
            self.overruns += 1
            self._has_lost = True


def elapsed_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _portaudio() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise NoMicrophone(f"{error.name} is not installed: pip install sounddevice, {_OR_FILE}.") from error
    except Exception as error:  # OSError without the library; PortAudioError, which has no name yet, if it cannot start
        raise NoMicrophone(
            f"the microphone cannot be used ({error}): install PortAudio (sudo apt-get install libportaudio2) "
            f"and start the sound server, {_OR_FILE}."
        ) from error


def _find(portaudio: Any, device: str | None) -> Any:
    wanted = int(device) if device is not None and device.isdecimal() else device
    try:
        return portaudio.query_devices(wanted, "input")
    except (ValueError, portaudio.PortAudioError) as error:
        known = ", ".join(f"{known.index} {known.name!r}" for known in input_devices(portaudio))
        if not known:
            raise NoMicrophone(f"there is no microphone: plug one in or start the sound server, {_OR_FILE}.") from error
        reason = "no default microphone is set" if device is None else str(error).splitlines()[0].rstrip(":")
        raise NoMicrophone(f"{reason}: choose one of {known} with --device NUMBER, {_OR_FILE}.") from error


@contextlib.contextmanager
def _asking(hung: Callable[[], None]) -> Iterator[None]:
    """Ask the driver something inside `with`, without its chatter, and call `hung` if it does not answer in time."""
    with _quiet() as speak:

        def despair() -> None:
            speak()
            hung()

        timer = threading.Timer(HUNG_S, despair)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextlib.contextmanager
def _quiet() -> Iterator[Callable[[], object]]:
    """Keep ALSA's and PortAudio's own chatter off the terminal; what matters comes back as an error.

    Gives a function that gives the error stream back before the end.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield lambda: None
        return
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 2)
        os.close(silence)
        yield lambda: os.dup2(kept, 2)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
