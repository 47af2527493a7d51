"""Datasets on disk: the same bytes whatever happens, and a sentence for everything that cannot be done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engines import ToneEngine
from fake_stage import FakeStage
from small_bank import small_bank

from kws.audio import read_audio
from kws.cli import main
from kws.errors import Failure, Misuse
from kws.events import read_manifest
from synth.bank import Bank, write_bank
from synth.crew import Processes
from synth.generate import Order, Stage, generate, perform

TESTS = Path(__file__).parent
Tree = dict[str, bytes]


def order(clips: int, *, word: str = "activate", seed: int = 3, shard_clips: int = 4) -> Order:
    return Order(word=word, language="en-us", seed=seed, clips=clips, shard_clips=shard_clips)


def fill(out: Path, stage: Stage, clips: int, workers: int = 1) -> list[int]:
    return list(generate(out, order(clips), stage, crew=Processes(workers)))


def audio_of(number: int) -> str:
    return f"audio/{number // 4:03d}/{number:06d}.flac"


def tree(out: Path) -> Tree:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_dataset_holds_the_scenes_of_its_seed(tmp_path: Path) -> None:
    assert fill(tmp_path / "set", FakeStage(), 3) == [0, 1, 2, 3]
    recordings = read_manifest(tmp_path / "set")
    assert [recording.audio.name for recording in recordings] == ["000000.flac", "000001.flac", "000002.flac"]
    for number, recording in enumerate(recordings):
        take = perform(FakeStage(), 3, number)
        assert recording.events == take.events
        assert recording.about == take.about
        assert recording.duration == 0.5
        np.testing.assert_allclose(read_audio(recording.audio), take.samples, atol=2 / 32768)
        (event,) = take.events
        labels = (tmp_path / "set" / "labels" / "000" / f"{number:06d}.txt").read_text()
        assert labels == f"{event.start:.6f}\t{event.end:.6f}\tpositive: activate\n"


def test_what_a_dataset_is_made_from_stands_beside_it(tmp_path: Path) -> None:
    list(generate(tmp_path, replace(order(1), licences=("free.",)), FakeStage()))
    about = json.loads((tmp_path / "dataset.json").read_text())
    assert (about["word"], about["language"], about["stage"]) == ("activate", "en-us", "fake")
    assert (about["seed"], about["clips"], about["shard_clips"]) == (3, 1, 4)
    assert about["licences"] == ["free."]
    assert "numpy" in about["versions"]


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    for workers in (1, 2, 8):
        fill(tmp_path / str(workers), FakeStage(), 18, workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "2") == tree(tmp_path / "8")
    assert {audio_of(number) for number in range(18)} < tree(tmp_path / "1").keys()


def test_another_seed_gives_other_scenes(tmp_path: Path) -> None:
    for seed in (1, 2):
        list(generate(tmp_path / str(seed), order(1, seed=seed), FakeStage()))
    assert tree(tmp_path / "1")[audio_of(0)] != tree(tmp_path / "2")[audio_of(0)]


# Shards


def test_no_folder_of_a_dataset_gets_more_than_a_thousand_files() -> None:
    assert Order(word="activate", language="en-us", seed=3, clips=1).shard_clips == 1000


def test_a_slice_of_the_manifest_with_its_two_folders_is_a_dataset(tmp_path: Path) -> None:
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    fill(whole, FakeStage(), 10)
    lines = (whole / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    for shard, count in enumerate((4, 4, 2)):
        for kind in ("audio", "labels"):
            shutil.copytree(whole / kind / f"{shard:03d}", alone / kind / f"{shard:03d}")
            assert len(list((alone / kind / f"{shard:03d}").iterdir())) == count
        (alone / "manifest.jsonl").write_bytes(b"".join(lines[4 * shard : 4 * shard + 4]))
        recordings = read_manifest(alone)
        assert {recording.audio for recording in recordings} == set((alone / "audio").rglob("*.flac"))
        assert [recording.events for recording in recordings] == [
            perform(FakeStage(), 3, number).events for number in range(4 * shard, 4 * shard + count)
        ]
        shutil.rmtree(alone)


def test_the_size_of_the_shards_changes_where_clips_lie_and_nothing_else(tmp_path: Path) -> None:
    for shard_clips in (3, 1000):
        list(generate(tmp_path / str(shard_clips), order(7, shard_clips=shard_clips), FakeStage()))
    few, many = (tree(tmp_path / size) for size in ("3", "1000"))
    assert few["audio/002/000006.flac"] == many["audio/000/000006.flac"]
    assert few["labels/002/000006.txt"] == many["labels/000/000006.txt"]
    assert few["manifest.jsonl"] == re.sub(
        rb"/000/(\d{6})", lambda found: b"/%03d/%s" % (int(found[1]) // 3, found[1]), many["manifest.jsonl"]
    )


def flat(out: Path, clips: int) -> None:
    """A dataset as kws generate wrote it before there were shards."""
    fill(out, FakeStage(), clips)
    about = json.loads((out / "dataset.json").read_text())
    del about["shard_clips"], about["language"]
    (out / "dataset.json").write_text(json.dumps(about | {"format_version": 1}))
    for kind in ("audio", "labels"):
        for path in list((out / kind).glob("*/*")):
            path.rename(out / kind / path.name)
        for shard in list((out / kind).glob("000")) + list((out / kind).glob("001")):
            shard.rmdir()
    manifest = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text(re.sub(r"audio/\d{3}/", "audio/", manifest))


def test_a_dataset_without_shards_is_read_but_not_gone_on_with(tmp_path: Path) -> None:
    flat(tmp_path, 6)
    whole = tree(tmp_path)
    for number, recording in enumerate(read_manifest(tmp_path)):
        assert recording.audio == tmp_path / "audio" / f"{number:06d}.flac"
        np.testing.assert_allclose(read_audio(recording.audio), perform(FakeStage(), 3, number).samples, atol=2 / 32768)
    with pytest.raises(Misuse, match=r"an older kws generate.* kws train reads it as it is, .* name another folder"):
        fill(tmp_path, FakeStage(), 8)
    assert tree(tmp_path) == whole


def test_a_preview_in_the_folder_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "preview.html").write_text("seen")
    fill(tmp_path, FakeStage(), 2)
    assert len(read_manifest(tmp_path)) == 2
    assert (tmp_path / "preview.html").read_text() == "seen"


# Gone on with


def test_more_clips_later_are_the_same_as_all_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fill(tmp_path / "grown", FakeStage(log=log), 5, workers=2)
    assert fill(tmp_path / "grown", FakeStage(log=log), 9, workers=2) == [5, 6, 7, 8, 9]
    assert fill(tmp_path / "grown", FakeStage(log=log), 9) == [9]
    assert len(log.read_text().split()) == 9, "no clip is rendered twice"
    fill(tmp_path / "whole", FakeStage(), 9)
    assert tree(tmp_path / "grown") == tree(tmp_path / "whole")


def stop_early(out: Path, stage: Stage, clips: int, after: int) -> None:
    """What Ctrl-C does: the generator is closed while clips are still in the workers' hands."""
    growing = generate(out, order(clips), stage, crew=Processes(2))
    assert any(there >= after for there in growing)
    growing.close()


@pytest.mark.parametrize("keep", [0, 1, 200, -1], ids=["nothing", "a byte", "200 bytes", "all but a byte"])
def test_a_torn_manifest_is_mended(tmp_path: Path, keep: int) -> None:
    fill(tmp_path, FakeStage(), 4)
    whole = tree(tmp_path)
    (tmp_path / "manifest.jsonl").write_bytes(whole["manifest.jsonl"][:keep] + b"\0\0")
    (tmp_path / "audio" / "000" / ".000003.flac.part").write_bytes(b"half")
    fill(tmp_path, FakeStage(), 4)
    assert tree(tmp_path) == whole


def test_lost_and_emptied_files_are_made_again_and_only_those(tmp_path: Path) -> None:
    fill(tmp_path / "set", FakeStage(), 6)
    whole = tree(tmp_path / "set")
    (tmp_path / "set" / audio_of(1)).unlink()
    (tmp_path / "set" / audio_of(3)).write_bytes(b"")
    shutil.rmtree(tmp_path / "set" / "labels" / "001")
    fill(tmp_path / "set", FakeStage(log=tmp_path / "log"), 6, workers=2)
    assert tree(tmp_path / "set") == whole
    assert len((tmp_path / "log").read_text().split()) == 4


@pytest.mark.parametrize(
    ("asked", "stage", "said"),
    [
        ({"word": "smart mirror"}, {}, "was made with the word 'activate', not 'smart mirror'"),
        ({"seed": 4}, {}, "was made with seed 3, not 4"),
        ({}, {"fingerprint": "other"}, "was made with banks, recordings or ranges of fingerprint 'fake', not 'other'"),
        ({"clips": 1}, {}, "holds 2 clips already, more than the 1 asked for"),
        ({"shard_clips": 5}, {}, "was made with clips a shard 4, not 5"),
    ],
)
def test_another_order_for_the_same_folder_is_refused(
    tmp_path: Path, asked: dict[str, int], stage: dict[str, str], said: str
) -> None:
    fill(tmp_path, FakeStage(), 2)
    whole = tree(tmp_path)
    with pytest.raises(Misuse, match=said):
        list(generate(tmp_path, order(**{"clips": 3} | asked), FakeStage(**stage)))  # type: ignore[arg-type]
    assert tree(tmp_path) == whole


def test_other_package_versions_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, FakeStage(), 1)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0" if name == "numpy" else "9.9")
    monkeypatch.setattr("synth.generate._PACKAGES", ("numpy",))
    with pytest.raises(Misuse, match=r"package versions .*numpy .*, not .*numpy 0\.0"):
        fill(tmp_path, FakeStage(), 2)


def test_a_smaller_order_after_a_stop_leaves_no_strays(tmp_path: Path) -> None:
    stop_early(tmp_path / "stopped", FakeStage(), 50, after=5)
    kept = len(read_manifest(tmp_path / "stopped"))
    begun = tmp_path / "stopped" / f"{audio_of(kept + 9)}"
    begun.parent.mkdir(exist_ok=True)
    begun.with_name(f".{begun.name}.part").write_bytes(b"half")
    fill(tmp_path / "stopped", FakeStage(), kept)
    fill(tmp_path / "whole", FakeStage(), kept)
    assert tree(tmp_path / "stopped") == tree(tmp_path / "whole")
    folders = [{path.name for path in (tmp_path / name / "audio").iterdir()} for name in ("stopped", "whole")]
    assert folders[0] == folders[1], "no empty shard is left"


@pytest.mark.parametrize("name", ["manifest.jsonl", "audio", "labels"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(Misuse, match=f"{name} is in the way"):
        fill(tmp_path, FakeStage(), 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_damaged_dataset_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(Failure, match=r"dataset\.json is damaged"):
        fill(tmp_path, FakeStage(), 1)


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synth.generate._PATIENCE_S", 0.1)
    first = generate(tmp_path, order(3), FakeStage())
    next(first)
    with pytest.raises(Failure, match="another kws generate is writing"):
        fill(tmp_path, FakeStage(), 3)
    assert list(first) == [1, 2, 3]


@pytest.mark.parametrize(("clips", "seed", "workers"), [(0, 1, 1), (-5, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_an_order_for_nothing_is_refused(tmp_path: Path, clips: int, seed: int, workers: int) -> None:
    with pytest.raises(Misuse, match=r"there must be at least one (clip|worker)"):
        list(generate(tmp_path / "set", order(clips, seed=seed), FakeStage(), crew=Processes(workers)))
    assert not (tmp_path / "set").exists()


def test_a_failure_in_a_worker_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^the recording cannot be read\.$"):
        fill(tmp_path, FakeStage(mishap="failure"), 30, workers=2)


def test_a_killed_worker_is_noticed_and_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"a worker process was killed \(signal 9\)"):
        fill(tmp_path / "killed", FakeStage(mishap="kill"), 30, workers=2)
    fill(tmp_path / "killed", FakeStage(), 30, workers=2)
    fill(tmp_path / "whole", FakeStage(), 30, workers=2)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_bug_in_a_worker_ends_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure, match=r"a worker process ended early \(exit code 1\)"):
        fill(tmp_path, FakeStage(mishap="bug"), 30)
    assert "ZeroDivisionError: a bug in the renderer" in capfd.readouterr().err


# Full and read-only folders


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(Failure, match="cannot write"):
        fill(tmp_path / out, FakeStage(), 1)


def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(tmp_path: Path, small_disk: Path) -> None:
    with pytest.raises(Failure, match=r"cannot write .* \(No space left on device\): free some space"):
        fill(small_disk / "set", FakeStage(), 20, workers=2)
    for audio in (small_disk / "set" / "audio").rglob("[!.]*.flac"):
        assert len(read_audio(audio)) == 8000
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    fill(small_disk / "set", FakeStage(), 20, workers=2)
    fill(tmp_path / "whole", FakeStage(), 20, workers=2)
    assert tree(small_disk / "set") == tree(tmp_path / "whole")


def test_a_manifest_line_that_does_not_fit_is_not_counted(small_disk: Path) -> None:
    growing = generate(small_disk, order(3), FakeStage())
    next(growing)
    while True:
        try:
            with (small_disk / "ballast").open("ab", buffering=0) as ballast:
                ballast.write(bytes(1024))
        except OSError:
            break
    with pytest.raises(Failure, match="cannot write"):
        list(growing)
    (small_disk / "ballast").unlink()
    assert fill(small_disk, FakeStage(), 3)[-1] == 3


def test_a_read_only_folder_is_told(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for out in (small_disk, small_disk / "set"):
        with pytest.raises(Failure, match=r"cannot write .* \(Read-only file system\)"):
            fill(out, FakeStage(), 1)


# Stopped and killed, from outside

COMMAND = """
import functools, sys, types; sys.path.insert(0, {tests!r})
import synth.generate, kws.cli, kws.cli.generate
from fake_stage import FakeStage
synth.generate.Order = functools.partial(synth.generate.Order, shard_clips=16)
kws.cli.generate.Wanted.ranges = None
kws.cli.generate.open_material = lambda *_: types.SimpleNamespace(
    word="activate", language="en-us", licences=(), stage=lambda *_: FakeStage(slow_s={slow_s})
)
sys.argv = ["kws", "generate", {out!r}, "--clips", "60", "--seed", "3", "--workers", "2"]
kws.cli.main()
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    out = tmp_path_factory.mktemp("uninterrupted")
    assert "60 clips" in start(out).communicate()[0]
    return tree(out)


def start(out: Path, slow_s: float = 0.02) -> subprocess.Popen[str]:
    code = COMMAND.format(tests=str(TESTS), out=str(out), slow_s=slow_s)
    return subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s, "waited for 30 seconds in vain"
        time.sleep(0.005)


def wait_for_clips(out: Path, clips: int) -> None:
    manifest = out / "manifest.jsonl"
    wait_until(lambda: manifest.exists() and manifest.read_bytes().count(b"\n") >= clips)


def descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return set(map(int, children.read_text().split())) if children.exists() else set()


def alive(pid: int) -> bool:
    """Whether a process runs: it is there, and not merely waiting to be buried."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(") ")[2][0] != "Z"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_run_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path: Path, uninterrupted: Tree) -> None:
    for clips in (0, 7, 16, 31):
        with start(tmp_path) as run:  # not until its pipes end: the workers hold those too, and would be gone by then
            wait_for_clips(tmp_path, clips)
            run.kill()
        for line in (tmp_path / "manifest.jsonl").read_text().splitlines(keepends=True):
            assert not line.endswith("\n") or (tmp_path / json.loads(line)["audio"]).is_file()
    run = start(tmp_path)
    assert "60 clips" in run.communicate()[0]
    assert tree(tmp_path) == uninterrupted


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_workers_of_a_killed_run_are_waited_for(tmp_path: Path) -> None:
    """They write to the same places; a second run that began before they ended would pull files away under them."""
    with start(tmp_path, slow_s=1.0) as run:
        wait_until(lambda: any(tmp_path.rglob("*.flac")))
        workers = descendants(run.pid)
        run.kill()
    assert any(alive(worker) for worker in workers)
    growing = generate(tmp_path, order(60, shard_clips=16), FakeStage())
    next(growing)
    found = tree(tmp_path)
    wait_until(lambda: not any(alive(worker) for worker in workers))
    assert tree(tmp_path) == found, "nobody has written any more"
    growing.close()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups")
@pytest.mark.parametrize("clips", [0, 10], ids=["while the workers start", "in the middle"])
def test_ctrl_c_says_how_to_go_on(tmp_path: Path, uninterrupted: Tree, clips: int) -> None:
    run = start(tmp_path)
    wait_for_clips(tmp_path, clips)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate()
    there = (tmp_path / "manifest.jsonl").read_bytes().count(b"\n")
    said = re.fullmatch(r"kws: stopped(?: after (\d+) of 60 clips)?; run the same command again to go on.", err.strip())
    assert said, err
    assert there - 1 <= int(said[1] or 0) <= there
    assert run.returncode == 130
    assert clips <= there < 60
    assert "60 clips" in start(tmp_path).communicate()[0]
    assert tree(tmp_path) == uninterrupted


# The command on the real stage


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_bank(folder, Bank(word="activate", general=True, clips=tuple(small_bank().select("train"))))
    return folder


def kws_generate(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kws", "generate", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_makes_a_dataset_from_a_bank(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    monkeypatch.setattr("kws.cli.generate._REPORT_S", 0.0)
    assert kws_generate(monkeypatch, out, "--bank", bank, "--clips", 6, "--workers", 2) == 0
    said = capsys.readouterr()
    assert said.out == f"{out} holds 6 clips.\n"
    assert "6 of 6 clips" in said.err
    assert "s left" in said.err
    recordings = read_manifest(out)
    assert {event.word for recording in recordings for event in recording.events} >= {"activate", "active"}
    assert all(len(read_audio(recording.audio)) == 160_000 for recording in recordings)
    kws_generate(monkeypatch, tmp_path / "one", "--bank", bank, "--clips", 6, "--workers", 1)
    assert tree(out) == tree(tmp_path / "one")


def test_a_preview_shows_the_scenes_that_the_dataset_then_holds(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"
    monkeypatch.setattr("kws.cli.generate._PREVIEWED", 2)
    assert kws_generate(monkeypatch, out, "--bank", bank, "--preview", "--seed", 5) == 0
    assert "preview.html (and preview.png) shows the first 2 scenes of seed 5" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"preview.html", "preview.png"}
    assert kws_generate(monkeypatch, out, "--bank", bank, "--clips", 2, "--seed", 5, "--workers", 1) == 0
    page = (out / "preview.html").read_text()
    for event in (event for recording in read_manifest(out) for event in recording.events):
        assert f"data-start={event.start:.3f} data-end={event.end:.3f}" in page


def test_a_word_that_nobody_here_can_say_is_told_how_to_get_one(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("synth.engines.installed", lambda *_, **__: [])
    assert kws_generate(monkeypatch, tmp_path / "set", "--bank", bank, "--word", "smart mirror") == 1
    assert "no bank holds 'smart mirror' and no speech engine is installed" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_language_nobody_speaks_is_told(
    tmp_path: Path, bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("synth.engines.installed", lambda *_: [ToneEngine()])
    for more in ((), ("--explain",)):
        assert kws_generate(monkeypatch, tmp_path / "set", "--bank", bank, "--language", "tlh", *more) == 1
        assert "no speech engine here speaks 'tlh': see kws voices --language tlh." in capsys.readouterr().err


def test_a_missing_bank_is_told_how_to_build_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kws_generate(monkeypatch, tmp_path / "set", "--bank", tmp_path / "nowhere") == 1
    assert "no bank in" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--clips", "0"), "'--clips': 0 is not in the range"),
        (("--clips", "-3"), "'--clips': -3 is not in the range"),
        (("--clips", "many"), "'many' is not a valid integer"),
        (("--seed", "-1"), "'--seed': -1 is not in the range"),
        (("--workers", "0"), "'--workers': 0 is not in the range"),
        (("--word", " "), "the word is empty"),
    ],
)
def test_nonsense_is_refused_before_any_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: tuple[str, ...],
    said: str,
) -> None:
    assert kws_generate(monkeypatch, tmp_path / "set", *asked) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
