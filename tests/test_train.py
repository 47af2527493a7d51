"""Training: it learns, it stops and goes on as if it had not, and what it leaves behind is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bank import small_bank, tone_word

import kws
from kws.audio import write_audio
from kws.cli.runs import without_neighbours
from kws.cli.scenes import Material
from kws.config import FrontEnd, Shape
from kws.errors import Failure, Misuse
from kws.events import MANIFEST, Event, Recording, to_line
from kws.examples import Examples, FeatureClips
from kws.recipe import Recipe, Source
from kws.records import LOG
from kws.release import release
from kws.targets import heeded
from kws.train import AVERAGE, CHECKPOINT, Training, begun, load_average
from kws.validation import Utterance, Validation
from synth.bank import write_bank
from synth.devices import NEUTRAL
from synth.scene import Ranges
from synth.stage import Stage

RECIPE = Recipe(
    steps=12,
    batch=8,
    warm_up=4,
    average=0.8,
    validate_every=6,
    spares=0,
    trunk=False,
    shape=Shape(channels=16, hidden=16, layers=1, members=1),
)
SOURCE = Source(word="activate", made_from="tones", licences=("tones: ours",))
EASY = Ranges(
    duration_s=4.0, snr_db=(20, 30), level_db=(-25, -15), positives=(0.3, 0.7), negatives=(1, 2), no_room=1,
    swapped=0, noises=(0.1, 0.9), wordless=0, recorded=0, device=NEUTRAL,
)  # fmt: skip


class Scenes:
    """Scenes of tones for words."""

    def __init__(self, split: str = "train", ranges: Ranges = EASY) -> None:
        self.stage = Stage("activate", [small_bank()], split=split, ranges=ranges)  # type: ignore[arg-type]

    def __call__(self, number: int):
        take = self.stage.render(self.stage.draw(np.random.default_rng([1, number])))
        return take.samples, take.events


@pytest.fixture(scope="module")
def examples() -> Examples:
    clips = FeatureClips(clips=Scenes(), front_end=FrontEnd(), count=48)
    held = Examples(48)
    held.add(clips[number] for number in range(48))
    return held


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Utterances and negatives of other tones than those trained on."""
    made = Validation(front_end=FrontEnd(), shape=RECIPE.shape, spoken_by_people=True)
    clips = FeatureClips(clips=Scenes("validation"), front_end=FrontEnd(), count=24)
    for frames, rows in (clips[number] for number in range(24)):
        for start_s, end_s, _ in rows[heeded(rows)][:1]:
            made.utterances.append(Utterance(frames=frames, start_s=float(start_s), end_s=float(end_s)))
        if not heeded(rows).any():
            made.add_negatives([frames])
    return made


def test_it_learns(examples: Examples, validation: Validation, tmp_path: Path) -> None:
    """On words as easy as tones a small net hears most of new voices, where a false accept a minute is allowed."""
    recipe = replace(
        RECIPE, steps=120, batch=16, average=0.9, validate_every=60, learning_rate=1e-2, target_per_hour=60.0
    )  # fmt: skip
    training = Training(recipe, SOURCE, tmp_path)
    before = float(np.mean([training.begin_step(examples) for _ in range(3)]))
    training.run(examples, None, validation)
    after = json.loads((tmp_path / LOG).read_text().splitlines()[-1])
    assert after["loss"] < before / 4
    assert after["frr"] < 0.4


def test_whoever_keeps_records_is_told(examples: Examples, validation: Validation, tmp_path: Path) -> None:
    class Kept:
        def __init__(self) -> None:
            self.told: list[tuple[int, set[str]]] = []
            self.is_closed = False

        def tell(self, step: int, figures: Mapping[str, float]) -> None:
            self.told.append((step, set(figures)))

        def close(self) -> None:
            self.is_closed = True

    kept = Kept()
    training = Training(replace(RECIPE, steps=40, validate_every=30), SOURCE, tmp_path)
    training.records.append(kept)
    training.run(examples, None, validation)
    judged = {"validation/shortfall", "validation/frr", "validation/false accepts per hour"}
    assert [step for step, _ in kept.told] == [20, 30, 40, 40]
    assert kept.told[0][1] == {"loss", "learning rate"}
    assert kept.told[1][1] <= judged
    assert kept.told[1][1]
    assert kept.is_closed


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    examples: Examples, validation: Validation, tmp_path: Path
) -> None:
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = Training(RECIPE, SOURCE, tmp_path / "whole")
    whole.run(examples, None, validation)

    class Stop(KeyboardInterrupt):
        pass

    def until_step_8():
        while True:
            if stopped.step == 8:
                raise Stop
            yield []

    stopped = Training(RECIPE, SOURCE, tmp_path / "stopped")
    with pytest.raises(Stop):
        stopped.run(examples, until_step_8(), validation)
    again = Training(RECIPE, SOURCE, tmp_path / "stopped")
    again.resume()
    assert again.step == 8
    again.run(examples, None, validation)
    for ours, theirs in zip(whole.net.parameters(), again.net.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert (tmp_path / "whole" / LOG).read_text() == (tmp_path / "stopped" / LOG).read_text()


def test_the_weights_are_the_same_with_any_number_of_threads(examples: Examples, tmp_path: Path) -> None:
    recipe = replace(RECIPE, shape=replace(RECIPE.shape, members=3), dropout=0.3)
    learnt, threads = [], torch.get_num_threads()
    for count in (1, 2, 4):
        torch.set_num_threads(count)
        training = Training(recipe, SOURCE, tmp_path)
        torch.set_num_threads(1)  # what the batch is made with
        training.learn(examples, 6)
        learnt.append([*training.net.parameters(), *training.average.parameters()])
    torch.set_num_threads(threads)
    for ours, theirs in zip(learnt[0] * 2, [*learnt[1], *learnt[2]], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    one, other, _ = training.net.nets
    assert not torch.equal(one.conv.weight, other.conv.weight)


def test_of_the_members_that_learn_those_are_kept_that_miss_least(
    examples: Examples, validation: Validation, tmp_path: Path
) -> None:
    shape = replace(RECIPE.shape, members=2)
    recipe = replace(
        RECIPE, shape=shape, spares=2, steps=40, validate_every=40, learning_rate=1e-2, target_per_hour=60.0
    )  # fmt: skip
    training = Training(recipe, SOURCE, tmp_path)
    training.learn(examples, 40)
    with torch.no_grad():
        for number in (0, 2):
            training.average.nets[number].head.bias.fill_(-50.0)
    training._validate(validation, 0.0)
    line = json.loads((tmp_path / LOG).read_text())
    assert line["kept"] == [1, 3]
    assert min(line["alone"][0], line["alone"][2]) > 5 > max(line["alone"][1], line["alone"][3])
    net, _ = load_average(tmp_path)
    assert net.shape.members == 2
    for ours, number in zip(net.nets, line["kept"], strict=True):
        assert torch.equal(ours.head.weight, training.average.nets[number].head.weight)


def test_a_step_that_fails_is_not_passed_over(examples: Examples, tmp_path: Path) -> None:
    class Broken(Training):
        def loss(self, logits: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
            raise ValueError("no loss")

    training = Broken(RECIPE, SOURCE, tmp_path)
    with pytest.raises(ValueError, match="no loss"):
        training.learn(examples, 3)


def test_a_run_of_another_word_or_recipe_is_not_gone_on_with(
    examples: Examples, validation: Validation, tmp_path: Path
) -> None:
    Training(RECIPE, SOURCE, tmp_path).save()
    with pytest.raises(Misuse, match="another word"):
        Training(RECIPE, replace(SOURCE, word="lantern"), tmp_path).resume()
    with pytest.raises(Misuse, match="another recipe"):
        Training(replace(RECIPE, seed=2), SOURCE, tmp_path).resume()


def test_a_run_that_an_older_version_began_is_told_and_not_gone_on_with(tmp_path: Path) -> None:
    Training(RECIPE, SOURCE, tmp_path).save()
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    del state["recipe"]["spares"]
    torch.save(state, tmp_path / CHECKPOINT)
    theirs = begun(tmp_path, RECIPE)
    assert theirs == RECIPE
    with pytest.raises(Misuse, match="another recipe"):
        Training(theirs, SOURCE, tmp_path).resume()


def test_a_released_detector_scores_as_the_trained_net(
    examples: Examples, validation: Validation, tmp_path: Path
) -> None:
    Training(RECIPE, SOURCE, tmp_path).run(examples, None, validation)
    release(tmp_path, tmp_path / "activate.onnx")
    detector, (net, state) = kws.load(tmp_path / "activate.onnx"), load_average(tmp_path)
    samples, _ = Scenes()(3)
    with torch.no_grad():
        expected = net.scores(torch.from_numpy(detector.log_mel(samples))[None])[0][0].numpy()
    np.testing.assert_allclose(detector.scores(samples), expected, atol=1e-4)
    assert detector.threshold == state["decision"]["threshold"]
    assert detector.metadata["licences"] == ["tones: ours"]
    assert detector.metadata["evaluation"]["utterances"] == len(validation.utterances)
    assert {"format_version", "word", "language", "frontend", "decision", "det", "recipe"} <= set(detector.metadata)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"half a file")
    with pytest.raises(Failure, match="is damaged"):
        Training(RECIPE, SOURCE, tmp_path).resume()


def test_an_untrained_folder_cannot_be_released(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no trained net"):
        release(tmp_path, tmp_path / "a.onnx")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank, a dataset and a validation set on disk."""
    folder = tmp_path_factory.mktemp("sets")
    write_bank(folder / "bank", small_bank())
    kws_command("generate", str(folder / "data"), "--bank", str(folder / "bank"), "--clips", "10", "--workers", "1")
    positives, negatives = folder / "validation" / "positives", folder / "validation" / "negatives" / "speech_x"
    positives.mkdir(parents=True)
    negatives.mkdir(parents=True)
    word = tone_word(250, 0.6, 2.0)
    write_audio(positives / "a.flac", np.concatenate((np.zeros(16000, np.float32), word, np.zeros(16000, np.float32))))
    event = Event(word="activate", start=1.05, end=1.65)
    line = to_line(Recording(audio=positives / "a.flac", duration=2.7, events=(event,)), positives)
    (positives / MANIFEST).write_text(line + "\n")
    write_audio(negatives / "b.flac", np.tile(tone_word(250, 0.5, -1.0), 100))
    return folder


def kws_command(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kws", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done


def train_command(sets: Path, out: Path, *more: str) -> list[str]:
    validation = ["--validation", str(sets / "validation"), "--bank", str(sets / "bank"), "--workers", "0"]
    return ["train", str(sets / "data"), "--out", str(out), *validation, *more]


def test_from_a_dataset_to_a_detector_by_the_command_line(sets: Path, tmp_path: Path) -> None:
    said = kws_command(*train_command(sets, tmp_path / "run", "--steps", "3")).stdout
    assert "kws export" in said
    kws_command("export", str(tmp_path / "run"), str(tmp_path / "activate.onnx"))
    assert kws.load(tmp_path / "activate.onnx").word == "activate"


def test_scenes_stream_straight_into_training(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from kws.cli import runs, train

    monkeypatch.setattr(runs, "_POOL", 8)
    monkeypatch.setattr(runs, "_SCENES", 8)
    done = CliRunner().invoke(
        train.command,
        ["--out", str(tmp_path / "run"), "--bank", str(sets / "bank"), "--steps", "2", "--workers", "0"],
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / AVERAGE).is_file()


def test_your_own_recordings_join_a_dataset(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write_audio(tmp_path / "mine" / "a.flac", tone_word(220, 0.6, 2.0))
    kws_command(*train_command(sets, tmp_path / "run", "--steps", "2", "--positives", str(tmp_path / "mine")))
    _, state = load_average(tmp_path / "run")
    assert "clips of seed 1 of stage" in state["made_from"]
    assert "; scenes of stage" in state["made_from"]
    assert "recordings in mine: as their makers allow" in state["licences"]


def test_scenes_that_calibrate_hold_nothing_made_to_sound_like_the_word() -> None:
    material = Material(word="activate", language="en-us", banks=(small_bank(),), own=(), recordings=None, licences=())
    common = replace(Ranges(), positives=(1,), partial=0, swapped=0, wordless=0)
    stage = without_neighbours(material).stage(common, "validation")
    drawn = [word.kind for seed in range(40) for word in stage.draw(np.random.default_rng(seed)).words]
    assert set(drawn) == {"negative", "sentence"}
    (bank,) = material.banks
    said = [clip for clip in bank.clips if clip.kind == "sentence"]
    near = {"active"}
    carrying = tuple(
        replace(clip, text=f"Now {text}, and on.") for clip in said for text in (*near, *(f"{one}s" for one in near))
    )
    common = without_neighbours(replace(material, banks=(replace(bank, clips=(*bank.clips, *carrying)),)))
    texts = {clip.text for clip in common.banks[0].clips}
    assert not texts & {f"Now {text}, and on." for text in near}
    assert texts >= {f"Now {text}s, and on." for text in near}


def test_ctrl_c_leaves_a_run_that_goes_on(sets: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "kws", *train_command(sets, run, "--steps", "2000")]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = ""
    while "step" not in said:
        read = os.read(child.stderr.fileno(), 4096).decode()
        assert read, said
        said += read
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "run the same command again to go on" in rest
    assert "Traceback" not in rest
    assert (run / CHECKPOINT).is_file()


@pytest.mark.slow
def test_the_workers_of_a_killed_run_end_with_it(sets: Path, tmp_path: Path) -> None:
    """They hold its standard error, which therefore stays open as long as one of them lives."""
    out = ["--out", str(tmp_path / "run"), "--validation", str(sets / "validation"), "--bank", str(sets / "bank")]
    command = [sys.executable, "-m", "kws", "train", *out, "--workers", "1"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert child.stderr is not None
    said = ""
    while "step/s" not in said:
        read = os.read(child.stderr.fileno(), 4096).decode(errors="replace")
        assert read, said
        said += read
    child.kill()
    child.communicate(timeout=20)


def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(sets: Path, small_disk: Path) -> None:
    run = small_disk / "run"
    said = kws_command(*train_command(sets, run, "--steps", "2"), expect=1).stderr
    assert "kws: cannot write" in said
    assert "No space left on device): free some space" in said
    assert not (run / CHECKPOINT).exists()
    subprocess.run(["mount", "-o", "remount,size=40m", small_disk], check=True)
    kws_command(*train_command(sets, run, "--steps", "2"))
    kws_command("export", str(run), str(small_disk / "activate.onnx"))


def test_a_read_only_folder_is_told(sets: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    said = kws_command(*train_command(sets, small_disk / "run"), expect=1).stderr
    assert "(Read-only file system)" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "--out", "run", "--bank", "nowhere"], 1, "no bank in nowhere"),
        (["train", "nowhere", "--out", "run"], 1, "nowhere is no dataset"),
        (["train", "nowhere", "--negatives", "x", "--out", "run"], 2, "kws generate"),
        (["train"], 2, "--out"),
        (["export", "nowhere", "a.onnx"], 1, "no trained net"),
        (["export", "nowhere", "a.txt"], 2, ".onnx"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = kws_command(*arguments, expect=code)
    assert said in done.stderr
