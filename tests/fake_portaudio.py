"""PortAudio as tests drive it: devices that are plugged in and out, blocks that are given by hand; and modules that
stand in sounddevice's place in another process.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.sources import CHUNK


class FakeStream:
    """A sound card that is driven by the test: `give` sends a block, `unplug` ends it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.is_open = True

    def start(self) -> None:
        """Begin."""

    def close(self) -> None:
        self.is_open = False

    def give(self, block: NDArray[np.float32], *, overflow: bool = False) -> None:
        self.settings["callback"](block, len(block), None, SimpleNamespace(input_overflow=overflow))

    def unplug(self) -> None:
        self.settings["finished_callback"]()


class FakePortAudio:
    """What we use of the module sounddevice; `accepts` says which (rate, channels) the device can do.

    As with the real one, what is `plugged` in or out is only noticed when it is started anew.
    """

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(
        self, devices: list[dict[str, Any]], accepts: Callable[[int, int], bool] = lambda *_: True, default: int = 0
    ) -> None:
        self.plugged, self.accepts, self.default = devices, accepts, default
        self.streams: list[FakeStream] = []
        self.tried: list[tuple[int, int]] = []
        self.on_open: Callable[[FakeStream], object] = lambda _: None
        self.starts = 0
        self._initialize()

    def _initialize(self) -> None:
        self.devices = [{**device, "index": index} for index, device in enumerate(self.plugged)]
        self.starts += 1

    def _terminate(self) -> None:
        assert not any(stream.is_open for stream in self.streams), "it would end every open stream"

    def query_devices(self, device: str | int | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        inputs = [known for known in self.devices if known["max_input_channels"]]
        if isinstance(device, str):
            inputs = [known for known in inputs if device.lower() in known["name"].lower()]
            if not inputs:
                raise ValueError(f"No input device matching {device!r}")
            if len(inputs) > 1:
                raise ValueError(f"Multiple input devices found for {device!r}:\n[0] one\n[1] another")
            return inputs[0]
        number = self.default if device is None else device
        if not inputs or not 0 <= number < len(self.devices):
            raise self.PortAudioError(f"Error querying device {number}")
        return self.devices[number]

    def InputStream(self, **settings: Any) -> FakeStream:  # noqa: N802 - sounddevice's name
        self.tried.append((settings["samplerate"], settings["channels"]))
        if not self.accepts(*self.tried[-1]):
            raise self.PortAudioError("Error opening InputStream: Invalid sample rate [PaErrorCode -9997]")
        self.streams.append(FakeStream(**settings))
        self.on_open(self.streams[-1])
        return self.streams[-1]


def card(name: str, index: int = 0, channels: int = 2, rate_hz: float = 48_000.0) -> dict[str, Any]:
    return {"name": name, "index": index, "max_input_channels": channels, "default_samplerate": rate_hz}


def block(value: float = 0.25, channels: int = 1) -> NDArray[np.float32]:
    return np.full((CHUNK, channels), value, np.float32)


NO_DEVICE = """
class PortAudioError(Exception):
    pass

def query_devices(device=None, kind=None):
    if kind:
        raise PortAudioError("Error querying device -1")
    return []

def _terminate():
    pass

def _initialize():
    pass
"""
"""A module in sounddevice's place, on a machine without a microphone."""


def stub_module(sound: str = "0 * block", every_s: float = 0.01) -> str:
    """A module in sounddevice's place, with one microphone, which gives a block every so often.

    `sound`: what it gives, an expression of `block`, which is uniform noise of full scale.
    """
    return f"""
import threading, time
import numpy as np

class PortAudioError(Exception):
    pass

class Status:
    input_overflow = False

class InputStream:
    def __init__(self, *, samplerate, channels, blocksize, callback, **_):
        self.callback, self.size = callback, (blocksize, channels)
        self.is_open = True

    def start(self):
        threading.Thread(target=self.play, daemon=True).start()

    def play(self):
        draw = np.random.default_rng(1)
        while self.is_open:
            block = draw.uniform(-1, 1, self.size).astype(np.float32)
            self.callback({sound}, len(block), None, Status())
            time.sleep({every_s})

    def close(self):
        self.is_open = False

def query_devices(device=None, kind=None):
    device = {{"name": "stub", "index": 0, "max_input_channels": 1, "default_samplerate": 16000.0}}
    return device if kind else [device]

def _terminate():
    pass

def _initialize():
    pass
"""
