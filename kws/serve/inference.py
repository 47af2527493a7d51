"""The one thread that infers for all clients, and the streams it feeds.

A client has at most one stretch of sound with that thread, and waits for it before it reads on: a slow machine pushes
back on clients, and holds no more of their sound than it can hear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kws.detector import Detector
from kws.errors import Misuse
from kws.listener import Heard, Listener
from kws.serve.pcm import Converter, Format


class Inference:
    """The detectors, whose weights all clients share, and the thread they run on."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Raises Misuse if there is no detector, or two of one word, which a client could not tell apart."""
        self._detectors = {_key(detector.word): detector for detector in detectors}
        if not detectors:
            raise Misuse("there is no word to listen for: name a detector.")
        if len(self._detectors) < len(detectors):
            words = ", ".join(repr(detector.word) for detector in detectors)
            raise Misuse(
                f"clients tell detectors apart by their words, and of {words} two are the same: leave one out."
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kws-inference")

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """One for each word, in the order they were named."""
        return tuple(self._detectors.values())

    @property
    def words(self) -> tuple[str, ...]:
        """What can be listened for."""
        return tuple(detector.word for detector in self.detectors)

    def find(self, name: str) -> str | None:
        """The word that a client means, whatever the case and with _ for spaces; None if it is not here."""
        detector = self._detectors.get(_key(name))
        return detector.word if detector else None

    def open(self, words: Iterable[str], pcm: Format) -> Stream:
        """A stream on which these words are listened for."""
        listener = Listener([self._detectors[_key(word)].fork() for word in words])
        return Stream(listener, pcm, self._thread)

    def close(self) -> None:
        """End the thread, once it is through with the stretch it hears."""
        self._thread.shutdown(cancel_futures=True)


class Stream:
    """One client's sound, from fresh state."""

    def __init__(self, listener: Listener, pcm: Format, thread: ThreadPoolExecutor) -> None:
        self.pcm = pcm
        self.words = tuple(detector.word for detector in listener.detectors)
        self._listener, self._converter, self._thread = listener, Converter(pcm), thread

    async def feed(self, data: bytes) -> list[Heard]:
        """What more PCM tells, a second at a time. Raises Misuse if it is not a whole number of samples."""
        return [await self._hear(piece) for piece in self.pcm.pieces(data)]

    async def end(self) -> Heard:
        """What the sound tells that the resampler held back."""
        return await self._hear(memoryview(b""), last=True)

    async def _hear(self, piece: memoryview, *, last: bool = False) -> Heard:
        def hear() -> Heard:
            return self._listener.feed(self._converter(piece, last=last))

        return await asyncio.get_running_loop().run_in_executor(self._thread, hear)


def _key(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())
