"""Datasets in shards: the same bytes by whomever they are made and wherever they lie, each shard once."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_stage import FakeStage
from s3_server import BUCKET, s3_server

from kws.cli import main
from kws.errors import Failure, Misuse
from synth.crew import Crew, Processes
from synth.generate import Order, generate, perform
from synth.shards import generate_shards
from synth.store import Store


def order(clips: int = 10, *, seed: int = 3, shard_clips: int = 4) -> Order:
    return Order(word="activate", language="en-us", seed=seed, clips=clips, shard_clips=shard_clips)


def fill(place: Path | str, asked: Order | None = None, crew: Crew | None = None, **stage: object) -> list[int]:
    making = generate_shards(str(place), asked or order(), FakeStage(**stage), crew=crew or Processes(1))  # type: ignore[arg-type]
    return list(making)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_shard_holds_the_scenes_of_its_seed_as_webdataset_has_them(tmp_path: Path) -> None:
    assert fill(tmp_path / "set") == [0, 4, 8, 10]
    with tarfile.open(tmp_path / "set" / "shard-000001.tar") as tar:
        names = tar.getnames()
        assert names == [f"{clip:07d}.{kind}" for clip in range(4, 8) for kind in ("flac", "json")]
        sound, told = (tar.extractfile(name) for name in names[2:4])
        assert sound and told
        samples, rate_hz = soundfile.read(io.BytesIO(sound.read()), dtype="float32")
        take = perform(FakeStage(), 3, 5)
        assert rate_hz == 16_000
        np.testing.assert_allclose(samples, take.samples, atol=2 / 32768)
        about = json.loads(told.read())
        assert about["events"] == [vars(event) for event in take.events]
        assert (about["word"], about["duration"]) == ("activate", 0.5)
        assert {member.mtime for member in tar.getmembers()} == {0}


def test_the_index_lists_every_shard_with_its_digest(tmp_path: Path) -> None:
    import hashlib

    fill(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert index["clips"] == 10
    assert [shard["clips"] for shard in index["shards"]] == [4, 4, 2]
    for shard in index["shards"]:
        content = (tmp_path / shard["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard["bytes"], shard["sha256"])


def test_the_sound_is_that_of_a_dataset_of_files(tmp_path: Path) -> None:
    fill(tmp_path / "shards")
    list(generate(tmp_path / "files", order(), FakeStage()))
    with tarfile.open(tmp_path / "shards" / "shard-000000.tar") as tar:
        sound = tar.extractfile("0000003.flac")
        assert sound
        assert sound.read() == (tmp_path / "files" / "audio" / "000" / "000003.flac").read_bytes()


def test_any_number_of_workers_makes_the_same_bytes(tmp_path: Path) -> None:
    for workers in (1, 3):
        fill(tmp_path / str(workers), crew=Processes(workers))
    assert files(tmp_path / "1") == files(tmp_path / "3")


def test_what_was_begun_is_gone_on_with_and_no_shard_is_made_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fill(tmp_path / "whole")
    making = generate_shards(str(tmp_path / "set"), order(), FakeStage(log=log), crew=Processes(1))
    assert [next(making), next(making)] == [0, 4]
    making.close()
    done = {path.name for path in (tmp_path / "set").glob("shard-*.json")}
    (tmp_path / "set" / "shard-000002.tar").write_bytes(b"begun")  # without its .json it does not count
    log.unlink()
    assert fill(tmp_path / "set", log=log)[0] == 4 * len(done)
    assert files(tmp_path / "set") == files(tmp_path / "whole")
    assert len(log.read_text().splitlines()) == 10 - 4 * len(done)


def test_more_clips_later_make_the_last_shard_anew(tmp_path: Path) -> None:
    fill(tmp_path / "set", order(6))
    assert fill(tmp_path / "set", order(10)) == [4, 8, 10]
    fill(tmp_path / "whole", order(10))
    assert files(tmp_path / "set") == files(tmp_path / "whole")


def test_another_order_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    for asked, said in (
        (order(seed=4), "seed"), (order(shard_clips=5), "clips a shard"), (order(3), "at least as many"),
        (order(0), "at least one clip"), (replace(order(), word="lamp"), "the word"),
    ):  # fmt: skip
        with pytest.raises(Misuse, match=said):
            fill(tmp_path, asked)


def test_a_damaged_sidecar_or_description_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "shard-000001.json").write_text("{")
    with pytest.raises(Failure, match=r"shard-000001\.json is damaged"):
        fill(tmp_path)
    (tmp_path / "dataset.json").write_text("[")
    with pytest.raises(Failure, match=r"dataset\.json is damaged"):
        fill(tmp_path)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server(monkeypatch) as address:
        yield address


def test_in_a_bucket_lie_the_same_bytes_as_in_a_folder(s3: str, tmp_path: Path) -> None:
    fill(tmp_path)
    assert fill(s3, crew=Processes(2))[-1] == 10
    assert {name: Store(s3).read(name) for name in files(tmp_path)} == files(tmp_path)
    assert fill(s3) == [10], "it is all there"


def test_a_bucket_that_is_not_there_is_told(s3: str) -> None:
    with pytest.raises(Failure, match=r"s3://nowhere/.* cannot be (read|written)"):
        fill("s3://nowhere/home")


def test_a_kind_of_address_that_is_not_known_is_told() -> None:
    with pytest.raises(Failure, match="install what fsspec needs for it"):
        fill("nothing://bucket/home")


def test_an_address_needs_shards(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["kws", "generate", BUCKET])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    assert "add --shards 1000" in capsys.readouterr().err
