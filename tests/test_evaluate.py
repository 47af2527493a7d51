from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kws import Detection, load
from kws.audio import RATE_HZ, Samples, decibels, rms, write_audio
from kws.audition import CHUNK, WINDOW_S, hear, pad, rule_of
from kws.breakdown import Share
from kws.cli import main, verbs
from kws.config import Decision
from kws.decision import Decider
from kws.det import fire, grid
from kws.errors import Failure, Misuse
from kws.evaluate import find_classes, find_positives, measure
from kws.events import MANIFEST, Event, Recording, to_line
from kws.report import Positives, Report
from kws.tally import BEFORE_S
from kws.wording import lines


class Ear:
    """A detector of loudness: a score is the RMS of 30 ms, eight are averaged. It keeps account of how it was fed."""

    word = "beep"
    frame_seconds = first_score_s = 0.03

    def __init__(self, threshold: float = 0.3) -> None:
        self.decision = Decision(threshold=threshold, smoothing=8)
        self.resets, self.chunks = 0, set[int]()
        self.reset()

    @property
    def threshold(self) -> float:
        return self.decision.threshold

    def reset(self) -> None:
        self.resets += 1
        self._held = np.zeros(0, np.float32)
        self._decider = Decider(self.decision, self.first_score_s, self.frame_seconds)

    def feed(self, chunk: Samples) -> list[Detection]:
        self.chunks.add(len(chunk))
        self._held = np.concatenate((self._held, chunk))
        scores = self.scores(self._held)
        self._held = self._held[len(scores) * 480 :]
        return [Detection(word="beep", time=at, end=at, score=score) for at, score in self._decider.feed(scores)]

    def scores(self, samples: Samples) -> np.ndarray:
        blocks = samples[: len(samples) // 480 * 480].reshape(-1, 480)
        return np.asarray(np.sqrt(np.mean(np.square(blocks), axis=1)), np.float32)


def sound(*loudness: float, each_s: float = 0.3) -> Samples:
    """Stretches of a square wave of these levels."""
    wave = np.where(np.arange(round(each_s * RATE_HZ)) % 40 < 20, 1.0, -1.0)
    return np.concatenate([level * wave for level in loudness]).astype(np.float32)


def folder_of(root: Path, **sounds: Samples) -> Path:
    for name, samples in sounds.items():
        path = root / f"{name.replace('__', '/')}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, samples)
    return root


def told(report: Report) -> str:
    return "\n".join(lines(report))


def dataset(folder: Path, level: float, events: tuple[Event, ...], **about: object) -> Path:
    folder_of(folder, audio__0=sound(0.001, level, 0.001))
    recording = Recording(audio=folder / "audio" / "0.wav", duration=0.9, events=events, about=about)
    (folder / MANIFEST).write_text(to_line(recording, folder) + "\n")
    return folder


BEEP = Event(word="beep", start=0.3, end=0.6)


def test_a_word_is_heard_and_its_latency_counted_from_its_end(tmp_path: Path) -> None:
    found = measure(Ear(), folder_of(tmp_path, one=sound(0.0001, 0.5, 0.0001), two=sound(0.5))).positives
    assert found
    assert found.total.to_json()["frr"] == 0
    assert [(trial.file, trial.start, trial.end) for trial in found.trials] == [
        ("one.wav", 0.3, 0.6),
        ("two.wav", 0.0, pytest.approx(0.3)),
    ]
    assert found.latency_s
    assert list(found.latency_s) == ["median", "p90"]
    assert all(-0.2 < late < -0.1 for late in found.latency_s.values())
    assert found.end_off_s == pytest.approx(-found.latency_s["median"], abs=1e-6), "this ear ends a word where it fires"


def test_a_detection_in_the_first_tenth_of_a_second_does_not_count(tmp_path: Path) -> None:
    ear = Ear()
    ear.decision = replace(ear.decision, smoothing=1)
    found = measure(ear, folder_of(tmp_path, one=np.concatenate((sound(0.5, each_s=0.05), sound(0.1))))).positives
    assert found
    assert (found.total.missed, found.stray) == (1, 1)


def test_a_miss_is_listed_with_its_best_score(tmp_path: Path) -> None:
    report = measure(Ear(), folder_of(tmp_path, loud=sound(0.5), quiet=sound(0.1)))
    assert report.positives
    assert [(miss.file, round(miss.best_score, 2)) for miss in report.positives.misses] == [("quiet.wav", 0.1)]
    assert "quiet.wav at 0.00 s (best score 0.100)" in told(report)
    assert report.to_json()["positives"]["interval_95"] == pytest.approx([0.0945, 0.9055], abs=1e-3)


def test_a_miss_keeps_the_scores_around_its_word_on_the_clock_of_its_file(tmp_path: Path) -> None:
    found = measure(Ear(), folder_of(tmp_path, quiet=sound(0.0001, 0.0001, 0.1, 0.0001))).positives
    assert found
    (miss,) = found.misses
    times = miss.curve.start + miss.curve.step * np.arange(len(miss.curve.scores))
    assert times[0] == pytest.approx(miss.start - BEFORE_S, abs=miss.curve.step)
    assert times[-1] == pytest.approx(miss.end + WINDOW_S[1], abs=miss.curve.step)
    assert max(miss.curve.scores) == miss.best_score
    assert times[np.argmax(miss.curve.scores)] == pytest.approx(miss.end, abs=0.07)


def test_every_recording_is_fed_in_chunks_from_a_fresh_reset(tmp_path: Path) -> None:
    folder_of(tmp_path, a=sound(0.5), b=sound(0.5), c=sound(0.5))
    ear = Ear()
    measure(ear, tmp_path)
    assert ear.resets == 1 + 3
    assert max(ear.chunks) == CHUNK == 0.08 * RATE_HZ


def test_the_edges_of_a_dataset_come_from_its_events(tmp_path: Path) -> None:
    other = Event(word="boop", start=0.0, end=0.2, kind="near-miss")
    found = measure(Ear(), dataset(tmp_path, 0.5, (other, BEEP))).positives
    assert found
    assert [(trial.start, trial.end) for trial in found.trials] == [(0.3, 0.6)]


def test_a_folder_of_datasets_is_told_by_condition_worst_first(tmp_path: Path) -> None:
    for name, level in (("clean", 0.5), ("far", 0.1), ("music", 0.4)):
        dataset(tmp_path / name, level, (BEEP,), voice=f"voice of {name}", take=1)
    found = measure(Ear(), tmp_path).positives
    assert found
    assert found.breakdown.groups == {}, "one utterance each says nothing"
    more = Positives(trials=found.trials * 10)
    worst = {key: next(iter(shares)) for key, shares in more.breakdown.groups.items()}
    assert worst == {"condition": "far", "voice": "voice of far"}
    assert list(more.conditions) == ["clean", "music", "far"]
    assert more.conditions["far"].frr == 1


def test_what_sounds_like_the_word_is_told_apart_highest_score_first(tmp_path: Path) -> None:
    near = [Event(word=word, start=at, end=at + 0.3, kind="near-miss") for word, at in (("bee", 3.0), ("peep", 6.0))]
    folder_of(tmp_path, a=sound(0.001, 0.5, *[0.001] * 8, 0.2, *[0.001] * 9, 0.4, *[0.001] * 9, 0.5, *[0.001] * 9))
    recording = Recording(audio=tmp_path / "a.wav", duration=12.0, events=(near[1], BEEP, near[0]))
    (tmp_path / MANIFEST).write_text(to_line(recording, tmp_path) + "\n")
    report = measure(Ear(), tmp_path)
    found = report.positives
    assert found
    assert [(trial.word, trial.detected is not None) for trial in found.ranked_alike] == [
        ("peep", True),
        ("bee", False),
    ]
    assert (found.total.missed, found.total.of, found.stray) == (0, 1, 1)
    assert found.taken == {"near-miss": Share(missed=1, of=2)}
    nearer, further = found.alike
    apart = (replace(further, about={"phones_apart": 3}), replace(nearer, about={"phones_apart": 1}))
    assert list(replace(found, alike=apart).taken) == ["near-miss, 1 phone", "near-miss, 2+ phones"]
    assert "near-miss accepted      50.0 %  (9.5-90.5 %, 1 of 2 taken for the word)" in told(report)
    assert "peep: 0.4" in told(report)
    assert [entry["said"] for entry in report.to_json()["positives"]["alike"]] == ["peep", "bee"]


def test_a_dataset_of_near_misses_beside_one_of_the_word_is_heard_too(tmp_path: Path) -> None:
    dataset(tmp_path / "clean", 0.5, (BEEP,))
    dataset(tmp_path / "near", 0.5, (replace(BEEP, word="boop", kind="near-miss"),))
    found = measure(Ear(), tmp_path).positives
    assert found
    assert (len(found.trials), found.taken) == (1, {"near-miss": Share(missed=1, of=1)})
    with pytest.raises(Failure, match="the word is said in none of them"):
        measure(Ear(), tmp_path / "near")


def test_a_dataset_without_the_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no positive event"):
        find_positives(dataset(tmp_path, 0.5, ()))


def test_positives_of_another_word_are_noted(tmp_path: Path) -> None:
    report = measure(Ear(), dataset(tmp_path, 0.5, (replace(BEEP, word="boop"),)))
    assert report.notes == ('the positives say "boop", but the detector listens for "beep"',)


def test_false_accepts_are_told_by_class_and_the_headline_is_speech(tmp_path: Path) -> None:
    quiet, loud = sound(*[0.01] * 100), sound(*[0.01] * 10, 0.5, *[0.01] * 30)
    folder_of(tmp_path, speech_en__a=loud, speech_other__deep__b=quiet, music__c=np.concatenate((loud, loud)))
    found = measure(Ear(), None, tmp_path).negatives
    assert found
    assert found.speech
    counts = {heard.name: len(heard.accepts) for heard in found.classes}
    assert counts == {"music": 2, "speech_en": 1, "speech_other": 0}
    assert len(found.speech.accepts) == 1
    assert found.speech.hours == pytest.approx((12.3 + 30 - 2 * 0.5) / 3600)
    assert [(accept.file, round(accept.time, 2)) for accept in found.accepts] == [
        ("music/c.wav", 3.15),
        ("music/c.wav", 15.45),
        ("speech_en/a.wav", 3.15),
    ]


def test_a_false_accept_keeps_the_scores_around_it_and_each_ten_seconds_their_highest(tmp_path: Path) -> None:
    samples = sound(0.9, *[0.01] * 39, 0.5, *[0.01] * 40)
    found = measure(Ear(), None, folder_of(tmp_path, speech__a=samples)).negatives
    assert found
    (accept,) = found.accepts
    curve = accept.curve
    assert accept.time - curve.start == pytest.approx(2.2, abs=curve.step)
    fired = round((accept.time - curve.start) / curve.step)
    assert curve.scores[fired] == pytest.approx(accept.score)
    assert max(curve.scores[:fired]) < 0.3
    assert [round(peak, 2) for peak in found.classes[0].peaks] == [0.12, 0.5, 0.01], "the warm-up is left out"


class Yes:
    """An engine of others that only says yes: its scores are ones where it does."""

    word, frame_seconds, first_score_s = Ear.word, Ear.frame_seconds, Ear.first_score_s
    decision, threshold = Decision(threshold=0.5), 0.5

    def __init__(self) -> None:
        self.engine = Ear()
        self.reset, self.feed = self.engine.reset, self.engine.feed

    def scores(self, samples: Samples) -> np.ndarray:
        scores = np.zeros(len(samples) // 480, np.float32)
        times = np.array([detection.time for detection in hear(Ear(), samples)])
        scores[np.round(times / self.frame_seconds - 1).astype(int)] = 1
        return scores


def test_an_engine_that_only_says_yes_is_measured_by_the_same_rules(tmp_path: Path) -> None:
    folder_of(tmp_path / "yes", a=sound(0.5), b=sound(0.1))
    folder_of(tmp_path / "no" / "speech", a=sound(*[0.01] * 10, 0.5, *[0.01] * 10, 0.5, *[0.01] * 9))
    report = measure(Yes(), tmp_path / "yes", tmp_path / "no")
    assert report.positives
    assert report.negatives
    assert (report.positives.total.missed, len(report.negatives.accepts)) == (1, 2)
    assert set(report.det.misses) == {1}
    assert set(report.det.false_accepts) == {2}


def test_a_flat_folder_is_taken_for_speech(tmp_path: Path) -> None:
    assert list(find_classes(folder_of(tmp_path, a=sound(0.1)))) == ["negatives"]
    report = measure(Ear(), None, folder_of(tmp_path, b=sound(*[0.01] * 100)))
    assert report.negatives
    assert report.negatives.speech
    assert "0 in 0.01 h: fewer than " in told(report)


def test_without_speech_there_is_no_headline_and_no_det(tmp_path: Path) -> None:
    report = measure(Ear(), None, folder_of(tmp_path, music__a=sound(*[0.01] * 10)))
    assert report.tuned is None
    assert report.det.hours == 0
    assert "no human speech was given" in told(report)


def test_the_threshold_tuned_on_the_set_is_marked_as_such(tmp_path: Path) -> None:
    folder_of(tmp_path / "yes", a=sound(0.5))
    folder_of(tmp_path / "no", a=sound(*[0.01] * 10, 0.3, *[0.01] * 10))
    report = measure(Ear(0.9), tmp_path / "yes", tmp_path / "no", target_per_hour=1.0)
    assert report.positives
    assert report.positives.total.frr == 1, "the headline is at the detector's own threshold"
    assert report.tuned
    assert 0.3 < report.tuned.threshold < 0.4
    assert report.tuned.frr == 0
    assert report.to_json()["at_threshold_chosen_on_this_very_set"]["chosen_on_this_very_set"]
    assert "not a result" in told(report)
    assert "too few" in report.tuned.caveat


def test_unreadable_files_are_named_and_skipped(tmp_path: Path) -> None:
    folder_of(tmp_path, good=sound(0.5), silent=np.zeros(16000, np.float32), short=sound(0.5, each_s=0.01))
    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "empty.flac").touch()
    report = measure(Ear(), tmp_path)
    assert report.positives
    assert len(report.positives.trials) == 1
    assert {name for name in ("silent", "short", "text", "empty") if any(name in line for line in report.skipped)} == {
        "silent", "short", "text", "empty",
    }  # fmt: skip
    assert "Skipped, unreadable: 4" in told(report)


def test_nothing_readable_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(Failure, match=r"none of the 1 sound files .*text\.wav"):
        measure(Ear(), tmp_path)
    with pytest.raises(Failure, match=r"none of the sound files .*text\.wav"):
        measure(Ear(), None, tmp_path)


def test_a_missing_or_empty_folder_is_a_failure(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Failure):
            measure(Ear(), folder)
        with pytest.raises(Failure):
            measure(Ear(), None, folder)


def test_measuring_on_nothing_is_misuse() -> None:
    with pytest.raises(Misuse, match="--positives"):
        measure(Ear())


def test_padding_is_noise_of_minus_60_db_and_the_same_for_the_same_name() -> None:
    samples = sound(0.5)
    padded = pad(samples, "a.wav")
    assert decibels(rms(padded[: 2 * RATE_HZ])) == pytest.approx(-60, abs=0.1)
    assert np.array_equal(padded[2 * RATE_HZ : -2 * RATE_HZ], samples)
    assert np.array_equal(padded, pad(samples, "a.wav"))
    assert not np.array_equal(padded, pad(samples, "b.wav"))


@pytest.fixture(scope="module")
def babble() -> Samples:
    draw = np.random.default_rng(5)
    loudness = np.repeat(draw.uniform(0, 0.3, 250), 1600)
    return (loudness * draw.standard_normal(len(loudness))).clip(-1, 1).astype(np.float32)


def test_the_rule_over_scores_gives_exactly_what_feeding_gives(tiny_detector_path: Path, babble: Samples) -> None:
    scores = load(tiny_detector_path).scores(babble)
    counts = set()
    for threshold in np.quantile(scores, [0.02, 0.3, 0.6, 0.9, 0.99]):
        detector = load(tiny_detector_path, threshold=float(threshold) + 1e-5)
        fed = [detection.time for detection in hear(detector, babble)]
        assert fed == fire(scores, rule_of(detector))
        counts.add(len(fed))
    assert len(counts) > 1
    assert 0 not in counts


def test_the_det_at_a_threshold_is_what_a_detector_at_that_threshold_does(
    tiny_detector_path: Path, babble: Samples, tmp_path: Path
) -> None:
    folder_of(tmp_path / "no" / "speech", a=babble[:160_000], b=babble[160_000:])
    folder_of(tmp_path / "yes", **{f"w{n}": babble[n * 16_000 : n * 16_000 + 9_000] for n in range(8)})
    scores = load(tiny_detector_path).scores(babble)
    for aim in np.quantile(scores, [0.2, 0.7, 0.95]):
        at = int(np.searchsorted(grid(), aim))
        report = measure(load(tiny_detector_path, threshold=grid()[at]), tmp_path / "yes", tmp_path / "no")
        assert report.positives
        assert report.negatives
        assert report.det.misses[at] == report.positives.total.missed
        assert report.det.false_accepts[at] == len(report.negatives.accepts)


@pytest.fixture
def folders(tmp_path: Path, babble: Samples) -> list[str]:
    folder_of(tmp_path / "yes", a=babble[:12_000], b=babble[30_000:40_000])
    folder_of(tmp_path / "no", speech__a=babble[:100_000], music__b=babble[100_000:140_000])
    return ["--positives", str(tmp_path / "yes"), "--negatives", str(tmp_path / "no")]


def test_the_command_prints_a_table_and_writes_report_and_picture(
    tiny_detector_path: Path, folders: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(verbs, ["evaluate", str(tiny_detector_path), *folders, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "false accepts, speech" in done.stdout
    assert "listening" in done.stderr, "the progress bar goes to standard error"
    assert sorted(path.name for path in out.iterdir()) == ["det.png", "report.html", "report.json", "scores.png"]
    assert json.loads((out / "report.json").read_text())["word"] == "test"
    assert "data:audio/flac" in (out / "report.html").read_text()


def test_the_report_has_the_same_bytes_by_one_process_and_by_several(
    tiny_detector_path: Path, folders: list[str], tmp_path: Path
) -> None:
    asked = ["evaluate", str(tiny_detector_path), *folders, "--threshold", "0.3", "--out"]
    first, *others = (
        CliRunner().invoke(verbs, [*asked, str(tmp_path / workers), "--workers", workers]) for workers in ("1", "2")
    )
    for other in others:
        assert (other.exit_code, other.stdout) == (0, first.stdout)
        for name in ("report.json", "report.html"):
            assert (tmp_path / "2" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


def test_a_page_to_pass_on_holds_no_sound(tiny_detector_path: Path, folders: list[str], tmp_path: Path) -> None:
    asked = ["evaluate", str(tiny_detector_path), *folders[2:], "--out", str(tmp_path / "out"), "--no-sound"]
    assert CliRunner().invoke(verbs, asked).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json", "scores.png"]
    assert "data:audio" not in (tmp_path / "out" / "report.html").read_text()


def test_the_command_prints_json_at_another_threshold(tiny_detector_path: Path, folders: list[str]) -> None:
    asked = ["evaluate", str(tiny_detector_path), *folders, "--json", "--threshold", "0.3", "--target-fa", "2"]
    report = json.loads(CliRunner().invoke(verbs, asked).stdout)
    assert report["threshold"] == 0.3
    assert report["at_threshold_chosen_on_this_very_set"]["target_per_hour"] == 2


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ([], 2, "nothing to measure on"),
        (["--positives", "nowhere"], 1, "not a folder"),
        (["--positives", "nowhere", "--threshold", "7"], 2, "threshold"),
        (["--positives", "nowhere", "--target-fa", "0"], 2, "target-fa"),
        (["--positives", "nowhere", "--out", "/dev/null/out"], 1, "cannot write"),
        (["--positives", "nowhere", "--mine", "hard"], 2, "name those with --negatives"),
        (["--negatives", "nowhere", "--mine", "/dev/null/hard"], 1, "cannot write"),
        (["--positives", "nowhere", "--workers", "0"], 2, "workers"),
        (["--positives", "nowhere", "--address", "auto"], 2, "add --engine ray"),
        (["--positives", "nowhere", "--adapter", "cat", "--workers", "2"], 2, "hears in one process: leave --engine"),
        (["--positives", "nowhere", "--adapter", "cat", "--engine", "ray"], 2, "hears in one process: leave --engine"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    tiny_detector_path: Path, asked: list[str], code: int, said: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["kws", "evaluate", str(tiny_detector_path), *asked])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == code
    assert said in told
    assert "Traceback" not in told


def test_ctrl_c_leaves_no_report_behind(
    tiny_detector_path: Path, folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kws.audition.hear", interrupted)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["kws", "evaluate", str(tiny_detector_path), *folders, "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert list(out.iterdir()) == []


def test_measuring_needs_neither_torch_nor_synth_nor_matplotlib() -> None:
    code = "import sys, kws.evaluate; sys.exit(any(name in sys.modules for name in ('torch', 'synth', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
