"""A crew on Ray: the same job, done by processes of a whole cluster.

Each worker is an actor that holds the job. One that dies, however it died, is put in place again and what it had in
hand is done anew, so a job must give the same whenever it is done, and leave its files whole or not at all. Every
machine of the cluster needs this package, and the files that the job reads and writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.errors import Failure, Misuse
from synth.crew import IN_HAND, ONE_THREAD, Job

_PATIENCE_S = 10.0
_TRIES = 20
"""Times that a worker is put in place again, and that a number is tried, before it is given up."""


@dataclass(frozen=True)
class RayCrew:
    """Actors of a Ray cluster, or of a Ray of this machine alone if no address is named."""

    address: str | None = None
    """As `ray start --head` prints it, or "auto" for the one that runs here."""
    count: int | None = None
    """Workers, though never more than the cluster has room for; None for as many as that."""
    each: int = 1
    """Processors of a worker, all on one machine."""
    in_hand: int = IN_HAND
    """See `synth.crew.Processes`."""
    gpus: float = 0.0
    """GPUs of a worker; it sees no others. Less than one is a part of one."""

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise Misuse(f"there must be at least one worker, not {self.count}.")

    @property
    def workers(self) -> int:
        """How many numbers are worked at once."""
        if self.count is not None:
            return self.count
        with _joined(self) as ray:
            return self._room(ray)

    def work(
        self, job: Job, numbers: Sequence[int], *, held: int | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """See `synth.crew.Crew`; a lock that is held stays with this process. Raises Failure if Ray cannot be had."""
        with _joined(self) as ray:
            kept = ray.put(job)
            count = min(self.count or len(numbers), len(numbers), self._room(ray))
            tries = {"max_restarts": _TRIES, "max_task_retries": _TRIES}
            threads = {"env_vars": dict.fromkeys(ONE_THREAD, "1")}
            actor = ray.remote(_Worker).options(
                num_cpus=self.each, num_gpus=self.gpus, runtime_env=threads, **tries
            )  # fmt: skip
            crew = [actor.remote(str(Path.cwd())) for _ in range(count)]
            try:
                yield from _done(ray, crew, [kept], iter(numbers), self.in_hand)
            finally:
                for worker in crew:
                    ray.kill(worker)

    def _room(self, ray: Any) -> int:
        """How many workers the cluster's machines take. Raises Failure if none does."""
        needs = {"CPU": self.each, "GPU": self.gpus}
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        room = sum(min(int(has.get(kind, 0) / need) for kind, need in needs.items() if need) for has in machines)
        if not room:
            told = f"{self.each} processors" + (f" and {self.gpus:g} GPUs" if self.gpus else "")
            raise Failure(
                f"no machine of the cluster has what a worker needs, {told}: add a larger one, or ask for less."
            )
        return room


class _Worker:
    """The cluster's side of one worker, which works in the folder of who asked for it."""

    def __init__(self, home: str) -> None:
        self._job: Job | None = None
        with contextlib.suppress(OSError):  # a machine without that folder still finds whatever is named in full
            os.chdir(home)

    def do(self, kept: Sequence[Any], number: int) -> Any:
        """What the job gives for a number, or the Failure that it raised; `kept`: where the job lies."""
        if self._job is None:
            import ray

            self._job = ray.get(kept[0])
        assert self._job is not None
        try:
            return self._job(number)
        except Failure as failure:
            return failure


def _done(
    ray: Any, crew: Sequence[Any], kept: Sequence[Any], waiting: Iterator[int], count_in_hand: int
) -> Iterator[tuple[int, Any]]:
    """Numbers and what came of them, each worker with a few in hand; `kept`: where the job lies."""
    in_hand: dict[Any, tuple[int, Any]] = {}

    def take_next(worker: Any) -> None:
        number = next(waiting, None)
        if number is not None:
            in_hand[worker.do.remote(kept, number)] = number, worker

    for _ in range(count_in_hand):
        for worker in crew:
            take_next(worker)
    while in_hand:
        (reference, *_), _ = ray.wait(list(in_hand), num_returns=1)
        number, worker = in_hand.pop(reference)
        try:
            result = ray.get(reference)
        except ray.exceptions.RayActorError as error:
            raise Failure(
                f"a worker of the cluster died {_TRIES} times over number {number}, perhaps because memory ran out: "
                "run the same command again with fewer --workers."
            ) from error
        if isinstance(result, Failure):
            raise result
        take_next(worker)
        yield number, result


def _knock(address: str | None) -> None:
    """Raise OSError if nobody is at an address of a host and a port: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()


@contextlib.contextmanager
def _joined(crew: RayCrew) -> Iterator[Any]:
    """Ray, connected to the cluster inside `with`; one that was connected before stays so.

    Standard output is standard error meanwhile: Ray prints there what died, between the lines of whoever prints a
    result. Raises Failure if nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of what is done here is told to Ray's makers
    import ray

    if ray.is_initialized():
        yield ray
        return
    alone: dict[str, Any] = (
        {} if crew.address else {"num_cpus": crew.count and crew.count * crew.each, "include_dashboard": False}
    )
    try:
        _knock(crew.address)
        ray.init(address=crew.address or "local", log_to_driver=False, logging_level=logging.ERROR, **alone)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Failure(
            f"no Ray cluster answers at {crew.address or 'this machine'} ({reason}): start one with "
            "ray start --head and name the address that it prints, or leave --address out."
        ) from error
    with contextlib.redirect_stdout(sys.stderr):
        try:
            yield ray
        finally:
            ray.shutdown()
