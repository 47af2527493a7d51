"""A microphone that comes back: unplugged, asleep or dead, it is looked for until it gives sound again.

S samples.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kws.audio import RATE_HZ, Samples
from kws.daemon.source import Gap, State
from kws.errors import Failure
from kws.sources import Microphone, NoMicrophone, give_up, identity_of, input_devices, rescan

_log = logging.getLogger(__name__)

_TICK_S = 0.25
_PAUSE_S = 1.0
"""Digital silence that is nothing yet: some devices shut their own gate between words."""
_UNCHANGING = 1e-6
"""Samples that differ by less are one and the same number: half of the last bit of 16 is 1.5e-5."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long things are borne; each try after the first waits twice as long, up to the longest."""

    first_s: float = 0.5
    longest_s: float = 30.0
    dead_s: float = 30.0
    """A device that gives one and the same number for so long is opened anew, for it may be dead and not just muted."""
    longest_dead_s: float = 600.0
    stall_s: float = 5.0
    """A device that gives nothing for so long is lost."""


class SteadyMicrophone:
    """Chunks of a microphone as they come, and a Gap wherever sound is missing; it never ends by itself."""

    def __init__(
        self,
        device: str | None = None,
        *,
        must_be_there: bool = False,
        portaudio: Any = None,
        patience: Patience | None = None,
        hung: Callable[[], None] = give_up,
    ) -> None:
        """`device`: a name, a part of one, or a number; None for whatever is the default when it is opened.

        With `must_be_there` it raises NoMicrophone if the device cannot be opened the first time. `hung` is called, on
        a thread of its own, when the driver holds this one fast.
        """
        self._device, self._portaudio = device, portaudio
        self._must_be_there = must_be_there
        self._patience = patience or Patience()
        self._hung = hung
        self._pause_s, self._dead_s = self._patience.first_s, self._patience.dead_s
        self._identity = ""
        self._why = ""
        self._microphone: Microphone | None = None
        self._earlier_overruns = 0
        self.state: State = "looking"
        self.openings = 0
        """Times that it was opened."""

    @property
    def name(self) -> str:
        """The device's name; what was asked for as long as none was found."""
        return self._identity or self._device or "default"

    @property
    def overruns(self) -> int:
        """Times that sound was lost because the listener or the machine was too slow."""
        return self._earlier_overruns + (self._microphone.overruns if self._microphone else 0)

    @property
    def waiting(self) -> int:
        """Chunks that wait for the listener."""
        return self._microphone.waiting if self._microphone else 0

    def __iter__(self) -> Generator[Samples | Gap, None, None]:
        """Chunks (S,) and gaps, for ever; close the iterator to let go of the device."""
        while True:
            is_lost = yield from self._until_it_fails()
            if is_lost:
                yield from self._wait()
            try:
                rescan(self._portaudio, hung=self._hung)
            except NoMicrophone as error:
                self._tell(str(error))

    def _until_it_fails(self) -> Generator[Samples | Gap, None, bool]:
        """Open the device and give what it gives; returns whether it is lost, and not only to be opened anew."""
        settings: Any = {"portaudio": self._portaudio, "stall_s": self._patience.stall_s, "hung": self._hung}
        try:
            with Microphone(self._whom(), **settings) as microphone:
                self._microphone = microphone
                self._identity = identity_of(microphone.name)
                self.openings += 1
                yield from self._hear(microphone)
            return False
        except Failure as lost:
            if self._must_be_there and not self.openings:
                raise
            self._tell(str(lost))
            return True
        finally:
            self._earlier_overruns = self.overruns
            self._microphone = None
            self.state = "looking"

    def _whom(self) -> str | None:
        """The device to open: the one that was open before wherever it stands now, else the one asked for."""
        if self._device is None or not self._identity:
            return self._device
        there = [known for known in input_devices(self._portaudio) if identity_of(known.name) == self._identity]
        if there:
            return str(there[0].index)
        if self._device.isdecimal():  # whatever has that number now is not what was meant
            raise NoMicrophone(f"the microphone {self._identity!r} is gone: plug it in again.")
        return self._device

    def _hear(self, microphone: Microphone) -> Iterator[Samples | Gap]:
        """What an open device gives; ends when it has given the same number for too long."""
        gaps, still_s = microphone.gaps, 0.0
        if self.openings > 1:
            yield Gap(why=f"the microphone {self.name!r} was opened anew")
        for chunk in microphone:
            if microphone.gaps > gaps:
                gaps = microphone.gaps
                yield Gap(why=f"sound of the microphone {self.name!r} was lost")
            still_s = still_s + len(chunk) / RATE_HZ if _is_still(chunk) else 0.0
            self.state = "silent" if still_s > _PAUSE_S else "open"
            if still_s == 0:
                self._is_well()
            yield chunk
            if still_s >= self._dead_s:
                self._dead_s = min(2 * self._dead_s, self._patience.longest_dead_s)
                self._tell(
                    f"the microphone {self.name!r} gives nothing but digital silence: see whether it is muted; "
                    "it is opened anew from time to time"
                )
                return

    def _is_well(self) -> None:
        if self._why:
            _log.info("the microphone %r gives sound", self.name)
        self._why = ""
        self._pause_s, self._dead_s = self._patience.first_s, self._patience.dead_s

    def _tell(self, why: str) -> None:
        """Log what is wrong, once for as long as it is."""
        if why != self._why:
            _log.warning("%s", why.rstrip("."))
        self._why = why

    def _wait(self) -> Iterator[Gap]:
        """Gaps until it is time to look again, each wait twice as long as the last."""
        until_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._patience.longest_s)
        yield Gap(why=self._why)
        while (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(_TICK_S, left_s))
            yield Gap(why=self._why)


def _is_still(chunk: Samples) -> bool:
    """Whether a chunk (S,) holds one and the same number throughout, as no open microphone does."""
    return len(chunk) == 0 or float(np.ptp(chunk)) < _UNCHANGING
