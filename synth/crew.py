"""A crew: one job, done for many numbers at once; here by processes of this machine.

A worker is a fresh interpreter whose libraries are held to one thread each: the cores belong to the workers, and sums
that a library splits among threads would otherwise differ in their last bits from machine to machine. It ends when its
pipe closes, so none outlives a parent that was killed; Ctrl-C reaches the parent alone, which sends its workers home.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from kws.errors import Failure, Misuse

Job = Callable[[int], Any]

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "PRA_NUM_THREADS",
)  # fmt: skip
IN_HAND = 2
"""Numbers a worker usually holds at a time, so that it need not wait for the next."""
_PATIENCE_S = 5.0


class Crew(Protocol):
    """Does one job for many numbers: processes of this machine, or of a cluster (`synth.cluster`)."""

    @property
    def workers(self) -> int:
        """How many numbers are worked at once."""

    def work(
        self, job: Job, numbers: Sequence[int], *, held: int | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """(number, what the job gave for it), in the order in which they are done; close it to send everybody home.

        The job is pickled and lives in every worker. `held`: a file descriptor that stays open, and with it a lock
        stays locked, until the last worker of this machine has gone too. Raises the Failure that a job raised, and
        Failure if workers die.
        """


@dataclass(frozen=True)
class Processes:
    """Worker processes of this machine. Raises Misuse for none."""

    workers: int = 2
    in_hand: int = IN_HAND
    """Numbers that a worker holds at a time; 1 where each takes minutes, so that none waits for a busy one."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise Misuse(f"there must be at least one worker, not {self.workers}.")

    def work(
        self, job: Job, numbers: Sequence[int], *, held: int | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """See Crew."""
        waiting = iter(numbers)
        with contextlib.ExitStack() as home:
            with one_thread(), _deaf():
                crew = [home.enter_context(_Worker(held)) for _ in range(min(self.workers, len(numbers)))]
            packed = pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
            for worker in crew:
                worker.learn(packed)
            del packed
            for _ in range(self.in_hand):
                for worker in crew:
                    worker.take_next(waiting)
            while busy := {worker.pipe: worker for worker in crew if worker.in_hand}:
                for pipe in wait(list(busy)):
                    worker = busy[pipe]  # type: ignore[index]
                    done = worker.hand_in()
                    worker.take_next(waiting)
                    yield done


class _Worker:
    """The parent's side of one worker process."""

    def __init__(self, held: int | None) -> None:
        self.in_hand = 0
        self.pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(theirs, _Held(held)), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.close()
        self._process.join(_PATIENCE_S)
        self._process.terminate()

    def learn(self, packed: bytes) -> None:
        try:
            self.pipe.send_bytes(packed)
        except OSError as error:
            raise self._lost() from error

    def take_next(self, waiting: Iterator[int]) -> None:
        number = next(waiting, None)
        if number is not None:
            try:
                self.pipe.send(number)
            except OSError as error:
                raise self._lost() from error
            self.in_hand += 1

    def hand_in(self) -> tuple[int, Any]:
        try:
            number, result = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if isinstance(result, Failure):
            raise result
        self.in_hand -= 1
        return number, result

    def _lost(self) -> Failure:
        self._process.join(_PATIENCE_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            return Failure(
                f"a worker process was killed (signal {-code}), perhaps because memory ran out: "
                "run the same command again, with --workers 1."
            )
        return Failure(f"a worker process ended early (exit code {code}), for the reason printed above.")


class _Held:
    """A file descriptor, or none, that is open on the other side too once it has been pickled for a new process."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    def __reduce__(self) -> tuple[Callable[[Any], _Held], tuple[Any]]:
        if self._handle is None or sys.platform == "win32":
            return _Held, (None,)
        from multiprocessing.reduction import DupFd

        return _received_handle, (DupFd(self._handle),)


def _received_handle(duplicate: Any) -> _Held:
    return _Held(duplicate.detach())


_context = get_context("spawn")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Processes that start now hold each library to one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes that start now never hear Ctrl-C, and one that comes meanwhile is heard here afterwards."""
    late: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: late.append(number)) if main else None
    mask = _block_interrupts() if sys.platform != "win32" else None
    try:
        yield
    finally:
        if mask is not None and sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if main:
            signal.signal(signal.SIGINT, handler)
    if late:
        signal.raise_signal(signal.SIGINT)


def _block_interrupts() -> set[int]:
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would start with the first process otherwise, and lift the block
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}))


def _serve(pipe: Connection, _held: _Held) -> None:
    """The worker's side: learn the job, then do it for every number until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: Job | None = _received(pipe)
    while job is not None and (number := _received(pipe)) is not None:
        try:
            result = job(number)
        except Failure as failure:
            result = failure
        try:
            pipe.send((number, result))
        except ConnectionError:
            return


def _received(pipe: Connection) -> Any:
    """What the parent sent, None once it has gone."""
    try:
        return pipe.recv()
    except (EOFError, ConnectionError):
        return None
