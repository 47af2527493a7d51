"""A dataset as shards that any trainer can stream: WebDataset tar files, each made whole by one worker.

A folder or bucket holds `dataset.json` (what it is made from), `shard-000000.tar` and so on, and beside each a
`shard-000000.json` that tells its clips, bytes and SHA-256; `index.json` lists them once all are there. In a tar file
clip i is `000000i.flac` and `000000i.json` (its events, and what was drawn), the same sound as `kws generate` writes
one by one. A shard counts once its .json is there, so whatever kills a worker or the whole, what is begun is made
again, byte for byte, and nothing twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kws.audio import RATE_HZ, encoded
from kws.errors import Failure, Misuse
from synth.crew import Crew, Processes
from synth.generate import DATASET, Order, Stage, about_of, perform, refuse_another
from synth.store import Store

INDEX = "index.json"


def generate_shards(place: str, order: Order, stage: Stage, *, crew: Crew | None = None) -> Generator[int, None, None]:
    """Write a dataset in shards, or go on with one; gives the number of clips that are there, as it grows.

    Raises Misuse if the order makes no sense or `place` holds something else, and Failure if it cannot be written.
    """
    if order.clips < 1 or order.seed < 0 or order.shard_clips < 1:
        raise Misuse("there must be at least one clip, one clip a shard, and seed 0.")
    store = Store(place)
    _settle(store, order, stage.fingerprint)
    job = _MakeShard(store=store, order=order, stage=stage)
    count = -(-order.clips // order.shard_clips)
    done = {number: told for number in range(count) if (told := job.told(number))}
    clips = sum(told["clips"] for told in done.values())
    yield clips
    missing = [number for number in range(count) if number not in done]
    with closing((crew or Processes()).work(job, missing)) as making:
        for number, told in making:
            done[number] = told
            clips += told["clips"]
            yield clips
    index = {"clips": clips, "shards": [done[number] for number in range(count)]}
    store.write(INDEX, _json(index))


@dataclass(frozen=True, kw_only=True)
class _MakeShard:
    """Makes and writes a shard, and tells what is in it; runs in a worker."""

    store: Store
    order: Order
    stage: Stage

    def __call__(self, number: int) -> dict[str, Any]:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for clip in self.clips(number):
                take = perform(self.stage, self.order.seed, clip)
                told = {
                    "duration": len(take.samples) / RATE_HZ, "word": self.order.word,
                    "events": [vars(event) for event in take.events], "about": take.about,
                }  # fmt: skip
                _add(tar, f"{clip:07d}.flac", encoded(take.samples, ".flac"))
                _add(tar, f"{clip:07d}.json", _json(told))
        shard = content.getvalue()
        self.store.write(self.name(number), shard)
        about = {
            "file": self.name(number), "clips": len(self.clips(number)), "bytes": len(shard),
            "sha256": hashlib.sha256(shard).hexdigest(),
        }  # fmt: skip
        self.store.write(self.sidecar(number), _json(about))
        return about

    def told(self, number: int) -> dict[str, Any] | None:
        """What a shard that is there tells of itself; None if it is not there, or was ordered with fewer clips."""
        content = self.store.read(self.sidecar(number))
        try:
            told: dict[str, Any] | None = json.loads(content) if content else None
        except ValueError as error:
            raise Failure(f"{self.store.place}/{self.sidecar(number)} is damaged: remove it, and run again.") from error
        return told if told and told["clips"] == len(self.clips(number)) else None

    def clips(self, number: int) -> range:
        """The clips of a shard."""
        first = number * self.order.shard_clips
        return range(first, min(first + self.order.shard_clips, self.order.clips))

    @staticmethod
    def name(number: int) -> str:
        """Of a shard's file."""
        return f"shard-{number:06d}.tar"

    @staticmethod
    def sidecar(number: int) -> str:
        """Of the file that tells of it."""
        return f"shard-{number:06d}.json"


def _settle(store: Store, order: Order, fingerprint: str) -> None:
    """See that the place is empty or holds a beginning of what is ordered, and write down the order."""
    about = about_of(order, fingerprint)
    content = store.read(DATASET)
    try:
        before = dict(json.loads(content)) if content else {}
    except (ValueError, TypeError) as error:
        raise Failure(f"{store.place}/{DATASET} is damaged ({error}): name another place.") from error
    refuse_another(store.place, before, about)
    if before.get("clips", 0) > order.clips:
        raise Misuse(f"{store.place} was ordered with {before['clips']} clips: ask for at least as many.")
    if before != about:
        store.write(DATASET, _json(about))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that tells nothing of when and by whom it was made."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _json(told: dict[str, Any]) -> bytes:
    return (json.dumps(told, sort_keys=True, ensure_ascii=False) + "\n").encode()
