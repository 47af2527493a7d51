"""Processes that torchrun starts learn one net: the same weights everywhere, as good as one process learns them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bank import small_bank

from kws.errors import Misuse
from kws.ranks import Parted, Ranks
from synth.bank import write_bank

STEPS = 80
LEARN = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
sys.path[:0] = {paths!r}
from test_train import RECIPE, SOURCE, Scenes
from kws.config import FrontEnd
from kws.examples import Examples, FeatureClips
from kws.ranks import Parted, joined
from kws.train import Training

out, steps = Path(sys.argv[1]), int(sys.argv[2])
with joined() as ranks:
    shape = replace(RECIPE.shape, members=2)
    recipe = replace(RECIPE, steps=steps, batch=16, average=0.9, learning_rate=1e-2, shape=shape)
    torch.set_num_threads(1)
    training = Training(recipe, SOURCE, out, ranks)
    clips = FeatureClips(clips=Parted(Scenes(), ranks), front_end=FrontEnd(), count=48 // ranks.count)
    examples = Examples(48 // ranks.count)
    examples.add(clips[number] for number in range(48 // ranks.count))
    losses = [training.begin_step(examples) for _ in range(steps)]
    training.settle()
    torch.save(
        {{"net": training.net.state_dict(), "losses": losses, "drawn": float(training.rng.random())}},
        out / f"rank-{{ranks.rank}}.pt",
    )
"""


def torchrun(count: int, *command: object) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return subprocess.run(
        [*launcher, *map(str, command)], capture_output=True, text=True, check=False, timeout=250,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def learnt(folder: Path, count: int, steps: int) -> list[dict[str, object]]:
    """What each rank ended with."""
    folder.mkdir()
    program = folder / "learn.py"
    program.write_text(LEARN.format(paths=[str(Path(__file__).parent), *sys.path]))
    done = torchrun(count, program, folder, steps)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(count)]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    return learnt(tmp_path_factory.mktemp("together") / "two", 2, STEPS)


def test_all_ranks_end_with_the_same_weights_though_they_heard_other_clips(together: list[dict[str, object]]) -> None:
    first, second = together
    assert first["drawn"] != second["drawn"]
    for name, ours in first["net"].items():  # type: ignore[attr-defined]
        if "running" not in name and "num_batches" not in name:  # those are handed out at the next step
            torch.testing.assert_close(ours, second["net"][name], rtol=0, atol=0)  # type: ignore[index]


def test_two_processes_learn_as_one_does(together: list[dict[str, object]], tmp_path: Path) -> None:
    (alone,) = learnt(tmp_path / "one", 1, STEPS)

    def late(told: dict[str, object]) -> float:
        return float(np.mean(told["losses"][-20:]))  # type: ignore[index]

    begun = float(np.mean(alone["losses"][:3]))  # type: ignore[index]
    assert late(alone) < begun / 2
    assert np.mean([late(told) for told in together]) < begun / 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_bank(folder / "bank", small_bank())
    command = [sys.executable, "-m", "kws", "generate", folder / "data", "--bank", folder / "bank", "--clips", "24"]
    subprocess.run([*map(str, command), "--workers", "1"], check=True, capture_output=True)
    return folder


def test_the_command_line_trains_stops_and_goes_on(data: Path, tmp_path: Path) -> None:
    def train(steps: int) -> subprocess.CompletedProcess[str]:
        options = ["--out", tmp_path / "run", "--bank", data / "bank", "--workers", "0", "--steps", steps]
        return torchrun(2, "-m", "kws", "train", data / "data", *options)

    done = train(3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kws export") == 1, "one rank speaks"
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [3]
    again = train(3)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("going on from step 3 of 3") == 1


def test_kws_new_is_one_process() -> None:
    done = torchrun(2, "-m", "kws", "new", "lantern")
    assert done.returncode != 0
    assert "kws new is one process" in done.stderr


def test_clips_and_batches_are_parted() -> None:
    ranks = [Ranks(rank=rank, count=3) for rank in range(3)]
    heard = [Parted(lambda number: number, each)(number) for number in range(4) for each in ranks]
    assert sorted(heard) == list(range(12))
    assert ranks[0].share(12) == 4
    with pytest.raises(Misuse, match="cannot be parted among 3 processes"):
        ranks[0].share(40)
    assert Ranks().share(40) == 40
