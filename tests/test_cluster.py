"""A crew on Ray does what a crew of this machine does, byte for byte, and goes on when workers are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fake_engines import ToneEngine, spelled
from fake_stage import FakeScene, FakeStage, FakeTake
from s3_server import s3_server
from small_bank import small_bank
from sweeping import DRIVER, PATIENCE_S, asked, kws_sweep, lives, records, until
from test_evaluate import Ear, folder_of, sound

from kws import Detection
from kws.audio import Samples
from kws.cli import verbs
from kws.errors import Failure, Misuse
from kws.evaluate import measure
from synth.bank import write_bank
from synth.casting import Brief, Studio, build_bank
from synth.cluster import RayCrew
from synth.crew import Crew, Processes
from synth.generate import Order
from synth.neighbours import Amounts
from synth.shards import generate_shards
from synth.speech import SpeechCache
from synth.store import Store
from synth.voices import Saying

ray = pytest.importorskip("ray", reason="pip install 'activate-kws[cluster]'")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as address:
        yield address


@pytest.fixture(scope="module")
def cluster(bucket: str) -> Iterator[str]:
    """Two machines, as Ray sees it, which find the bucket; and the address of the first."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # jobs of this module are found there
        machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
        machines.add_node(num_cpus=2, num_gpus=1)
    yield machines.address
    machines.shutdown()


@dataclass(frozen=True)
class Square:
    """A job that writes down which process did what, and kills that process once for one number."""

    folder: Path
    deadly: int = -1
    wrong: int = -1

    def __call__(self, number: int) -> tuple[int, str]:
        with (self.folder / f"{number}.log").open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        if number == self.wrong:
            raise Failure("the disk is full: free some space.")
        if number == self.deadly and not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        return number, "done"


@dataclass(frozen=True)
class _Seen:
    """A job that tells which GPUs its process sees."""

    def __call__(self, _number: int) -> str | None:
        return os.environ.get("CUDA_VISIBLE_DEVICES")


def tries(folder: Path) -> dict[int, int]:
    return {int(path.stem): len(path.read_text().splitlines()) for path in folder.glob("*.log")}


def test_every_number_is_done_once_by_several_workers_of_one_thread(cluster: str, tmp_path: Path) -> None:
    done = dict(RayCrew(cluster, 3).work(Square(tmp_path), range(12)))
    assert done == {number: (number, "done") for number in range(12)}
    assert tries(tmp_path) == dict.fromkeys(range(12), 1)
    told = [path.read_text().split() for path in tmp_path.glob("*.log")]
    assert len({process for process, _ in told}) == 3
    assert {threads for _, threads in told} == {"1"}


def test_a_worker_that_is_killed_is_put_in_place_again_and_nothing_is_lost(cluster: str, tmp_path: Path) -> None:
    done = dict(RayCrew(cluster, 2).work(Square(tmp_path, deadly=5), range(12)))
    assert sorted(done) == list(range(12))
    assert (tmp_path / "killed").exists()
    assert tries(tmp_path)[5] == 2


def test_a_failure_of_the_job_is_raised_as_it_is(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^the disk is full: free some space\.$"):
        list(RayCrew(cluster, 2).work(Square(tmp_path, wrong=3), range(12)))


def test_all_processors_of_the_cluster_are_counted_unless_fewer_are_asked_for(cluster: str) -> None:
    assert RayCrew(cluster).workers == 4
    assert RayCrew(cluster, 3).workers == 3
    with pytest.raises(Misuse, match="at least one worker"):
        RayCrew(cluster, 0)


def test_a_worker_of_several_processors_lies_on_one_machine(cluster: str, tmp_path: Path) -> None:
    assert RayCrew(cluster, each=2).workers == 2
    list(RayCrew(cluster, 9).work(Square(tmp_path), range(12)))
    assert len({path.read_text().split()[0] for path in tmp_path.glob("*.log")}) == 4, "no more than there is room for"
    with pytest.raises(Failure, match=r"has what a worker needs, 3 processors: add a larger one"):
        list(RayCrew(cluster, each=3).work(Square(tmp_path), range(2)))


def test_workers_that_need_a_gpu_share_those_that_there_are(cluster: str, tmp_path: Path) -> None:
    crew = RayCrew(cluster, gpus=0.5)
    assert crew.workers == 2
    assert dict(crew.work(_Seen(), range(2))) == {0: "0", 1: "0"}
    with pytest.raises(Failure, match=r"has what a worker needs, 1 processors and 2 GPUs: add a larger one"):
        list(RayCrew(cluster, gpus=2).work(Square(tmp_path), range(2)))


def test_a_sweep_is_made_by_a_cluster_and_what_fails_stops_no_other(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--out", tmp_path, "--engine", "ray", "--address", cluster, "--cpus", 2]
    assert kws_sweep(monkeypatch, "nova", "mute", "jarvis", *options) == 1
    assert {record["word"]: "failure" in record for record in records(tmp_path)} == {
        "nova": False, "mute": True, "jarvis": False,
    }  # fmt: skip
    ((_, words, _),) = asked(tmp_path / "nova-seed=1")
    assert words[words.index("--cpus") + 1] == "2"
    assert "--engine" not in words, "a trial is made where its worker is"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_what_a_cluster_is_making_ends_when_the_sweep_is_stopped(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    options = ["--out", str(tmp_path), "--engine", "ray", "--address", cluster]
    with subprocess.Popen([sys.executable, "-c", DRIVER, "sweep", "nova", *options], stderr=subprocess.PIPE) as process:
        until((tmp_path / "nova-seed=1" / "asked.jsonl").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    ((child, _, _),) = asked(tmp_path / "nova-seed=1")
    until(lambda: not lives(child))


def test_where_no_cluster_answers_it_is_told() -> None:
    program = "from synth.cluster import RayCrew; list(RayCrew('127.0.0.1:1', 1).work(abs, [1]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "Failure: no Ray cluster answers at 127.0.0.1:1" in done.stderr


def files(folder: Path) -> dict[str, bytes]:
    """What a dataset holds."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kws_generate(out: Path, bank: Path, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kws", "generate", out, "--bank", bank, "--clips", 12, "--seed", 3, *options]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


def test_a_dataset_has_the_same_bytes_here_and_on_a_cluster(cluster: str, tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    write_bank(bank, small_bank())
    assert kws_generate(tmp_path / "here", bank, "--workers", 1).returncode == 0
    for workers in (1, 4):
        out = tmp_path / str(workers)
        done = kws_generate(out, bank, "--engine", "ray", "--address", cluster, "--workers", workers)
        assert done.returncode == 0, done.stderr
        assert files(out) == files(tmp_path / "here")


@dataclass
class DeadlyEar(Ear):
    """Hears as any other does, and kills the process that hears the first loud sound, once."""

    killed: Path

    def __post_init__(self) -> None:
        super().__init__()

    def feed(self, chunk: Samples) -> list[Detection]:
        if chunk.max() > 0.4 and not self.killed.exists():
            self.killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().feed(chunk)


def test_a_detector_is_measured_alike_here_and_on_a_cluster_and_after_a_kill(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yes = folder_of(tmp_path / "yes", **{f"w{n}": sound(0.001, n / 10) for n in range(8)})
    no = folder_of(tmp_path / "no", **{f"speech__s{n}": sound(*[0.01] * (5 + n), 0.5, *[0.01] * 9) for n in range(4)})
    here = measure(Ear(), yes, no)
    ear = DeadlyEar(tmp_path / "killed")
    assert measure(ear, yes, no, work=RayCrew(cluster, 3).work) == here
    assert ear.killed.exists()
    assert capsys.readouterr().out == "", "what Ray tells of the kill is no part of a report"


def test_the_command_line_has_a_cluster_hear_a_detector(
    cluster: str, tiny_detector_path: Path, tmp_path: Path, draw: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    noise = (draw.uniform(0, 0.3, (3, 25)).repeat(1600, 1) * draw.normal(0, 1, (3, 40_000))).clip(-1, 1)
    folder_of(tmp_path / "no", **{f"speech__s{n}": samples for n, samples in enumerate(noise.astype(np.float32))})
    asked = ["evaluate", str(tiny_detector_path), "--negatives", "no", "--threshold", "0.3", "--json"]
    here = CliRunner().invoke(verbs, asked)
    there = CliRunner().invoke(verbs, [*asked, "--engine", "ray", "--address", cluster, "--workers", "2"])
    assert (there.exit_code, there.stdout) == (0, here.stdout)
    assert json.loads(here.stdout)["negatives"]["accepts"]


@dataclass(frozen=True, kw_only=True)
class DeadlyStage(FakeStage):
    """Kills the worker that renders one scene of several, once."""

    killed: Path

    def render(self, scene: FakeScene) -> FakeTake:
        if scene.start_s > 0.25 and not self.killed.exists():
            self.killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().render(scene)


def test_shards_in_a_bucket_are_the_same_by_one_worker_by_four_and_after_a_kill(
    cluster: str, bucket: str, tmp_path: Path
) -> None:
    asked = Order(word="activate", language="en-us", seed=3, clips=14, shard_clips=3)
    list(generate_shards(str(tmp_path / "here"), asked, FakeStage(), crew=Processes(1)))
    deadly = DeadlyStage(killed=tmp_path / "killed")
    for name, workers, stage in (("one", 1, FakeStage()), ("four", 4, FakeStage()), ("killed", 2, deadly)):
        grown = list(generate_shards(f"{bucket}/{name}", asked, stage, crew=RayCrew(cluster, workers)))
        assert (grown[0], grown[-1], len(grown)) == (0, 14, 6), "each shard counts once"
        for file, content in files(tmp_path / "here").items():
            assert Store(f"{bucket}/{name}").read(file) == content
    assert (tmp_path / "killed").exists()


def test_a_bank_is_spoken_alike_here_and_on_a_cluster(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.casting.starter_bank", small_bank)
    amounts = Amounts(**dict.fromkeys(asdict(Amounts()), 1))
    sayings = (Saying(text="lantern"),)
    brief = Brief(
        word="lantern", sayings=sayings, amounts=amounts, neural=4, made=4, held_out=1, takes=1, made_negatives=2
    )
    crews: dict[str, Crew] = {"here": Processes(1), "cluster": RayCrew(cluster, 3)}
    for name, crew in crews.items():
        cache = SpeechCache(tmp_path / f"cache-{name}")
        studio = Studio(engines=[ToneEngine("tone")], transcribe=spelled, cache=cache, crew=crew)
        for _ in build_bank(tmp_path / name, brief, studio):
            pass
    assert files(tmp_path / "here") == files(tmp_path / "cluster")


def test_an_address_without_a_cluster_is_a_misuse(tmp_path: Path) -> None:
    done = kws_generate(tmp_path / "out", tmp_path / "bank", "--address", "auto")
    assert done.returncode == 2
    assert "add --engine ray" in done.stderr


def test_crews_are_of_one_kind() -> None:
    crews: list[Crew] = [Processes(1), RayCrew(None, 1)]
    assert [crew.workers for crew in crews] == [1, 1]
