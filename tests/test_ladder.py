"""The ladder: rungs are measured once, and told as the mean of what was measured."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rungs import LEFT_OUT, RUNGS, material_without
from small_bank import small_bank
from test_scripts import run

from kws.audio import RATE_HZ, write_audio
from kws.cli.scenes import Material
from kws.events import MANIFEST, Event, Recording, to_line
from kws.examples import Recorded
from synth.bank import Bank, Clip, write_bank
from synth.scene import Ranges


@pytest.fixture
def folder(tmp_path: Path, draw: np.random.Generator) -> Path:
    """Frames of a few scenes of "go", people saying it, and talk."""
    word = tmp_path / "go"
    word.mkdir()
    np.save(word / "frames.npy", draw.normal(-5, 2, (6, 600, 40)).astype(np.float16))
    rows = [np.array([[2.0, 2.6, 1]], np.float32)] * 4 + [np.zeros((0, 3), np.float32)] * 2
    (word / "rows.pkl").write_bytes(pickle.dumps(rows))
    talk = draw.normal(-5, 2, (700, 40)).astype(np.float16)
    (word / "recorded.pkl").write_bytes(pickle.dumps(Recorded(groups=((1.0, (talk,)),), share=0.5, frames=600)))
    for who in ("made", "people"):
        dataset = tmp_path / who / "clean"
        dataset.mkdir(parents=True)
        recording = Recording(audio=dataset / "one.flac", duration=1.0, events=(Event(word="go", start=0.3, end=0.8),))
        write_audio(recording.audio, draw.normal(0, 0.1, RATE_HZ).astype(np.float32))
        (dataset / MANIFEST).write_text(to_line(recording, dataset) + "\n", encoding="utf-8")
    (tmp_path / "talk" / "speech").mkdir(parents=True)
    write_audio(tmp_path / "talk" / "speech" / "one.flac", draw.normal(0, 0.1, 4 * RATE_HZ).astype(np.float32))
    return tmp_path


def climb(folder: Path, *more: str) -> list[dict[str, object]]:
    places = [f"--{name}={folder / place}" for name, place in
              (("synthetic", "made"), ("people", "people"), ("talk", "talk"))]  # fmt: skip
    done = run("ladder", str(folder), "climb", "go", *places, "--steps", "2", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("less", [(), ("--without", "long")])
def test_scenes_and_recordings_are_prepared_once(less: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    write_bank(tmp_path / "bank", small_bank())
    prepare = ["prepare", "activate", "--bank", str(tmp_path / "bank"), "--negatives", str(folder / "talk"), *less]
    for time in ("first", "second"):
        done = run("ladder", str(tmp_path), *prepare, "--clips", "8", "--workers", "1")
        assert done.returncode == 0, done.stderr
        assert ("8/8" in done.stderr) == (time == "first")
    made = tmp_path / ("activate-without-long" if less else "activate")
    assert len(np.load(made / "frames.npy")) == len(pickle.loads((made / "rows.pkl").read_bytes())) == 8
    recorded = pickle.loads((made / "recorded.pkl").read_bytes())
    assert recorded is None if less else len(recorded.groups[0][1][0]) == pytest.approx(400, abs=5)


def test_a_rung_is_trained_measured_and_not_measured_again(folder: Path) -> None:
    first = climb(folder, "--rungs", "small", "--seeds", "1")
    assert [(line["rung"], line["seed"]) for line in first] == [("small", 1)]
    assert set(first[0]["missed"]) == {"synthetic", "people"}  # type: ignore[call-overload]
    assert first[0]["hours"] == pytest.approx(4 / 3600, rel=0.02)
    again = climb(folder, "--rungs", "small", "each-step", "--seeds", "1")
    assert again[:1] == first
    assert [line["rung"] for line in again] == ["small", "each-step"]


def test_the_report_tells_means_the_factor_to_the_recipe_and_between_seeds_and_draws_it(tmp_path: Path) -> None:
    def line(rung: str, word: str, seed: int, people: float, **scale: int) -> str:
        missed = {"people": {"clean": [people] * 6, "far": [2 * people] * 6}, "synthetic": {"clean": [0.01] * 6}}
        which = {"word": word, "rung": rung, "seed": seed, "steps": 10, "members": 1, "clips": 6}
        return json.dumps({**which, "without": None, "voices": None, "missed": missed} | scale) + "\n"

    lines = [line("recipe", "go", 1, 0.1), line("recipe", "go", 2, 0.2), line("recipe", "stay", 1, 0.1)]
    lines += [line("trio", "go", 1, 0.05), line("trio", "stay", 1, 0.1)]
    (tmp_path / "results.jsonl").write_text("".join(lines), encoding="utf-8")
    done = run("ladder", str(tmp_path), "report")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[4:6]
    assert first.startswith("| as it is; 6 scenes, 10 steps | 2/1 | 22.5 / 22.5 /")
    assert first.endswith("| 1.00 |")
    assert second.startswith("| three members; 6 scenes, 10 steps | 1/1 | 7.5 / 7.5 /")
    assert second.endswith("| 0.71 |"), "half as many and as many: the square root of a half"
    assert "vary by a factor of 1.63" in done.stdout, "one doubles: exp(log 2 / sqrt 2)"
    assert (tmp_path / "people.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "scale.png").exists(), "nothing was scaled"
    lines += [line("recipe", "go", 1, 0.2, clips=3), line("recipe", "stay", 1, 0.3, clips=3)]
    lines += [line("recipe", word, 1, 0.4, voices=voices) for word in ("go", "stay") for voices in (2, 4)]
    (tmp_path / "results.jsonl").write_text("".join(lines), encoding="utf-8")
    done = run("ladder", str(tmp_path), "report")
    assert done.stdout.splitlines()[6].startswith("| as it is; 3 scenes, 10 steps |")
    assert done.stdout.splitlines()[6].endswith("| 2.45 |"), "twice and three times as many: the root of six"
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["report"], "holds no results"), (["climb", "go", "--synthetic", "x", "--talk", "x"], "holds no frames")],
)
def test_what_is_missing_is_told_in_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run("ladder", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_rung_trains_and_measures(folder: Path) -> None:
    told = climb(folder, "--rungs", *RUNGS, "--seeds", "1")
    assert [line["rung"] for line in told] == list(RUNGS)


def test_an_ingredient_is_left_out_of_scenes_and_material() -> None:
    ranges = {name: leave(Ranges()) for name, leave in LEFT_OUT.items()}
    assert ranges["rooms"].no_room == 1
    assert {kind for kind, _ in ranges["babble"].noise} == {"coloured", "hum", "music", "effects"}
    assert sum(chance for _, chance in ranges["music"].noise) == pytest.approx(1)
    assert ranges["long"].recorded == 0


def test_voices_are_left_out_of_what_teaches_the_word_alone() -> None:
    clips = [
        Clip(text=text, kind=kind, split=split, voice=voice, speed=1.0, samples=np.zeros(1, np.float32))
        for text, kind in (("go", "positive"), ("goat", "near-miss"), ("row", "negative"))
        for split in ("train", "test")
        for voice in ("a:x", "a:x~", "a:y")
    ]
    material = Material(
        word="go", language="en-us", banks=(Bank(word="go", clips=tuple(clips)),), own=(), recordings=None, licences=()
    )

    def left(*arguments: Any) -> list[tuple[str, str, str]]:
        (bank,) = material_without(material, *arguments).banks
        return [(clip.kind, clip.split, clip.voice) for clip in bank.clips]

    assert len(left(None)) == len(clips)
    assert {voice for _, _, voice in left("mouths")} == {"a:x", "a:y"}
    assert {kind for kind, _, _ in left("near-misses")} == {"positive", "negative"}
    said = [voice for kind, split, voice in left(None, 1) if (kind, split) == ("positive", "train")]
    assert {voice.removesuffix("~") for voice in said} in ({"a:x"}, {"a:y"})
    assert len(left(None, 1)) == len(clips) - 3 + len(said)
