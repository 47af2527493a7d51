"""The measures: how many utterances are missed, how late they are heard, and how often per hour something else is.

Every recording is heard as a microphone would bring it, through `Detector.feed` in chunks of 80 ms from a fresh reset.
S samples, K thresholds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, amplitude, duration_s, read_audio, word_edges
from kws.config import Decision
from kws.decision import Detection, moving_mean
from kws.det import Det, Rule, choose_threshold, false_accepts, grid, heard
from kws.errors import Failure, Misuse
from kws.events import MANIFEST, Event, Recording, audio_files, read_manifest
from kws.repeats import copies
from kws.report import CONDITION, PEAK_S, VOICE, Curve, FalseAccept, Heard, Negatives, Positives, Report, Trial

CHUNK = round(0.08 * RATE_HZ)
PADDING_S = 2.0
PADDING_DB = -60.0
WINDOW_S = (0.1, 1.2)
"""An utterance is heard from so long after its start to so long after its end."""
BEFORE_S = 0.8
"""An utterance's curve of scores begins so long before it, and ends with that window."""
AROUND_S = (2.2, 0.8)
"""A false accept's curve: so long before the detection, and after."""
ALIKE = ("near-miss", "containing")
"""Kinds of events that sound like the word: whether they are taken for it is told apart from all else."""
SPEECH = "speech"
"""Classes whose names begin so are human speech."""
FLAT = "negatives"
"""The class of files that lie in no subfolder; taken for human speech."""

Scores = NDArray[np.float32]


class Listener(Protocol):
    """What is measured: a kws.Detector, or anything that does as it does.

    An engine of others is wrapped in this. One that only says yes gives `scores` of 1 at the steps where it would and 0
    elsewhere: it is then measured by the same windows, hours and cooldown, and its DET is a single point.
    """

    @property
    def word(self) -> str:
        """The word it listens for."""

    @property
    def threshold(self) -> float:
        """The score from which the word counts as heard."""

    @property
    def decision(self) -> Decision:
        """The rule."""

    @property
    def frame_seconds(self) -> float:
        """Seconds from one score to the next."""

    @property
    def first_score_s(self) -> float:
        """Seconds of sound behind the first score."""

    def reset(self) -> None:
        """Forget all sound."""

    def feed(self, chunk: Samples) -> list[Detection]:
        """The detections in more samples."""

    def scores(self, samples: Samples) -> Scores:
        """All scores of (S,) samples from a fresh state."""


def measure(
    detector: Listener,
    positives: Path | None = None,
    negatives: Path | None = None,
    *,
    target_per_hour: float = 0.5,
    progress: bool | Callable[[float], Any] = False,
) -> Report:
    """Measure a detector at its own threshold, and sweep the threshold for the DET.

    `positives`: a folder of recordings with one utterance each, a dataset, or a folder of datasets. `negatives`: a
    folder of sound without the word, whose subfolders are its classes. Either may be left out. `progress`: whether a
    bar is shown, or what makes one for so many seconds of sound. Raises Failure if a folder is missing or nothing in it
    can be read, Misuse if neither is given.
    """
    if positives is None and negatives is None:
        raise Misuse("nothing to measure on: give --positives DIR, --negatives DIR or both.")
    classes = {} if negatives is None else find_classes(negatives)
    recordings = [] if positives is None else find_positives(positives)
    paths = [recording.audio for recording in recordings] + [path for found in classes.values() for path in found]
    said = silent = None
    misses = accepts = np.zeros(len(grid()), np.int64)
    with _Files(paths, padding_s=2 * PADDING_S * len(recordings), shown=progress) as files:
        if positives is not None:
            said, misses = _hear_positives(detector, recordings, positives, files)
        if negatives is not None:
            silent, accepts = _hear_negatives(detector, classes, negatives, files)
    det = Det(
        thresholds=grid(),
        misses=tuple(misses.tolist()),
        utterances=len(said.trials) if said else 0,
        false_accepts=tuple(accepts.tolist()),
        hours=silent.speech.hours if silent and silent.speech else 0.0,
    )
    return Report(
        word=detector.word,
        threshold=detector.threshold,
        positives=said,
        negatives=silent,
        det=det,
        target_per_hour=target_per_hour,
        tuned=choose_threshold(det, target_per_hour) if det.hours else None,
        skipped=tuple(files.skipped),
        notes=tuple(_notes(detector, recordings, said, silent)),
    )


def hear(detector: Listener, samples: Samples, tick: Callable[[float], None] | None = None) -> list[Detection]:
    """All detections in (S,) samples from a fresh reset, fed as a microphone would.

    `tick` is told the seconds of each chunk.
    """
    detector.reset()
    found = []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        found += detector.feed(chunk)
        if tick:
            tick(len(chunk) / RATE_HZ)
    return found


def find_positives(folder: Path) -> list[Recording]:
    """The recordings of a dataset, of a folder of datasets, or one for each sound file (then without events).

    Raises Failure if there is no such folder or no utterance in it.
    """
    if (folder / MANIFEST).is_file():
        found = [recording for recording in read_manifest(folder) if recording.positives or _alike(recording)]
        if not found:
            raise Failure(f"{folder / MANIFEST} has no positive event, so nothing to hear: name another folder.")
        return found
    datasets = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not datasets:
        return [Recording(audio=path, duration=0.0) for path in audio_files(folder)]
    return [
        replace(recording, about={"condition": dataset.name, **recording.about})
        for dataset in datasets
        for recording in find_positives(dataset)
    ]


def find_classes(folder: Path) -> dict[str, list[Path]]:
    """The sound files of each immediate subfolder, and of the folder itself as FLAT; Failure if there are none."""
    classes: dict[str, list[Path]] = {}
    for path in audio_files(folder):
        first, *rest = path.relative_to(folder).parts
        classes.setdefault(first if rest else FLAT, []).append(path)
    return classes


def pad(samples: Samples, name: str) -> Samples:
    """Two seconds of white noise at -60 dBFS on each side of (S,) samples, the same for the same name."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    noise = draw.standard_normal((2, round(PADDING_S * RATE_HZ)), dtype=np.float32) * np.float32(amplitude(PADDING_DB))
    return np.concatenate((noise[0], samples, noise[1]))


def _hear_positives(
    detector: Listener, recordings: Sequence[Recording], folder: Path, files: _Files
) -> tuple[Positives, NDArray[np.int64]]:
    """What was heard, and the misses (K,) of the sweep."""
    trials: list[Trial] = []
    alike: list[Trial] = []
    words: dict[str, list[tuple[str, Samples]]] = {}
    stray, misses = 0, np.zeros(len(grid()), np.int64)
    for number, samples in files.read([recording.audio for recording in recordings]):
        recording = recordings[number]
        if len(samples) < RATE_HZ // 10 or not np.any(samples):
            files.skipped.append(f"{recording.audio} is silent or too short to hold a word: record it again.")
            continue
        edges = _edges(recording, samples)
        sound = _Sound(detector, pad(samples, recording.audio.name), files.tick)
        windows = [window_of(edge_s) for edge_s in edges]
        said = [hit for hit in sound.detections if any(_within(hit, window) for window in windows)]
        for edge_s, window in zip(edges, windows, strict=True):
            trials.append(_trial(sound, said, recording, folder, edge_s))
            if VOICE not in recording.about:  # people's recordings get copied, made ones do not
                start, end = (round(second * RATE_HZ) for second in edge_s)
                words.setdefault(str(recording.about.get(CONDITION)), []).append(
                    (trials[-1].source, samples[start:end].copy())
                )
            misses += ~heard(sound.scores, window, sound.rule, grid())
        left = [hit for hit in sound.detections if hit not in said]
        others = _alike(recording)
        for event in others:
            trial = _trial(sound, left, recording, folder, (event.start, event.end))
            alike.append(replace(trial, word=event.word, kind=event.kind))
        beside = [window_of((event.start, event.end)) for event in others]
        stray += sum(not any(_within(hit, window) for window in beside) for hit in left)
    if not trials:
        reason = files.skipped[-1] if files.skipped else "the word is said in none of them."
        raise Failure(f"none of the {len(recordings)} sound files in {folder} can be used: {reason}")
    return Positives(trials=tuple(trials), alike=tuple(alike), stray=stray, copies=copies(words.values())), misses


def _trial(
    sound: _Sound, detections: Sequence[Detection], recording: Recording, folder: Path, edge_s: tuple[float, float]
) -> Trial:
    """What was heard of the word between two edges of a recording that was padded."""
    window_s = window_of(edge_s)
    hit = next((detection for detection in detections if _within(detection, window_s)), None)
    shown = sound.curve((PADDING_S + edge_s[0] - BEFORE_S, window_s[1]))
    return Trial(
        file=recording.audio.relative_to(folder).as_posix(), start=edge_s[0], end=edge_s[1],
        detected=hit.time - PADDING_S if hit else None, estimated_end=hit.end - PADDING_S if hit else None,
        best_score=max(sound.curve(window_s).scores, default=0.0),
        about=recording.about, curve=replace(shown, start=shown.start - PADDING_S),
    )  # fmt: skip


def window_of(edge_s: tuple[float, float]) -> tuple[float, float]:
    """When an utterance between two edges counts as heard, in seconds of its padded recording."""
    return PADDING_S + edge_s[0] + WINDOW_S[0], PADDING_S + edge_s[1] + WINDOW_S[1]


def _hear_negatives(
    detector: Listener, classes: dict[str, list[Path]], folder: Path, files: _Files
) -> tuple[Negatives, NDArray[np.int64]]:
    """What was wrongly heard, and the false accepts (K,) of the sweep over human speech."""
    found: list[Heard] = []
    tracks: list[Scores] = []
    for name, paths in classes.items():
        speech = name.startswith(SPEECH) or name == FLAT
        hours, accepts, peaks = 0.0, list[FalseAccept](), list[float]()
        for number, samples in files.read(paths):
            sound = _Sound(detector, samples, files.tick)
            accepts += sound.accepts(paths[number].relative_to(folder).as_posix())
            peaks += sound.peaks()
            hours += max(0.0, len(samples) / RATE_HZ - detector.decision.warm_up_s) / 3600
            if speech:
                tracks.append(sound.scores)
        if hours:
            found.append(Heard(name=name, speech=speech, hours=hours, accepts=tuple(accepts), peaks=tuple(peaks)))
    if not found:
        reason = files.skipped[-1] if files.skipped else "they are shorter than the detector's warm-up."
        raise Failure(f"none of the sound files in {folder} can be used: {reason}")
    return Negatives(classes=tuple(found)), false_accepts(tracks, rule_of(detector), grid())


def rule_of(detector: Listener) -> Rule:
    """The rule that a detector applies to its scores."""
    return Rule(decision=detector.decision, first_s=detector.first_score_s, step_s=detector.frame_seconds)


def _edges(recording: Recording, samples: Samples) -> list[tuple[float, float]]:
    """Start and end of each utterance of the word."""
    edges = [(event.start, event.end) for event in recording.positives]
    return edges if edges or _alike(recording) else [word_edges(samples)]


def _alike(recording: Recording) -> list[Event]:
    """The events that sound like the word and are not the word."""
    return [event for event in recording.events if event.kind in ALIKE]


def _within(detection: Detection, window_s: tuple[float, float]) -> bool:
    return window_s[0] <= detection.time <= window_s[1]


def _notes(
    detector: Listener, recordings: Sequence[Recording], said: Positives | None, silent: Negatives | None
) -> Iterator[str]:
    words = {event.word for recording in recordings for event in recording.positives}
    if words and detector.word not in words:
        yield f'the positives say "{", ".join(sorted(words))}", but the detector listens for "{detector.word}"'
    if said and said.copies:
        yield (
            f"{said.total.of - said.distinct.of} of the {said.total.of} utterances are copies of others: "
            f"of the different ones {said.distinct.told('missed').strip()}"
        )
    if silent and silent.speech is None:
        yield f"no class of negatives has a name that begins with {SPEECH}: the target and the DET are of human speech"


class _Sound:
    """One recording (S,) as the detector hears it: detections of the stream, and all its scores."""

    def __init__(self, detector: Listener, samples: Samples, tick: Callable[[float], None]) -> None:
        self.rule = rule_of(detector)
        self.detections = hear(detector, samples, tick)
        self.scores = detector.scores(samples)
        self._judged = moving_mean(self.scores, self.rule.decision.smoothing)
        self._times = self.rule.first_s + np.arange(len(self.scores)) * self.rule.step_s

    def curve(self, window_s: tuple[float, float]) -> Curve:
        """The smoothed scores that fall within a window."""
        first = int(np.searchsorted(self._times, window_s[0], "left"))
        past = int(np.searchsorted(self._times, window_s[1], "right"))
        return Curve(
            start=self.rule.first_s + first * self.rule.step_s, step=self.rule.step_s,
            scores=tuple(self._judged[first:past].tolist()),
        )  # fmt: skip

    def accepts(self, file: str) -> list[FalseAccept]:
        """Every detection, none of which is the word."""
        return [
            FalseAccept(file=file, time=hit.time, score=hit.score,
                        curve=self.curve((hit.time - AROUND_S[0], hit.time + AROUND_S[1])))
            for hit in self.detections
        ]  # fmt: skip

    def peaks(self) -> list[float]:
        """The highest smoothed score of each stretch after the warm-up."""
        awake = self._times >= self.rule.decision.warm_up_s
        stretches = (self._times[awake] // PEAK_S).astype(int)
        starts = np.flatnonzero(np.diff(stretches, prepend=-1))
        return [float(peak) for peak in np.maximum.reduceat(self._judged[awake], starts)] if len(starts) else []


class _Files:
    """Reads sound files one after the other, shows how much has been heard, and names those that cannot be read."""

    def __init__(self, paths: Sequence[Path], *, padding_s: float, shown: bool | Callable[[float], Any]) -> None:
        from tqdm import tqdm

        self._left = padding_s + sum(duration_s(path) for path in paths) if shown else 0.0
        form = "listening {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {rate_fmt}"
        plain = partial(tqdm, unit=" s of sound", bar_format=form, disable=not shown)
        self._bar: Any = shown(self._left) if callable(shown) else plain(total=self._left)
        self.skipped: list[str] = []

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tick(self, seconds: float) -> None:
        """So much more has been heard."""
        seconds = min(seconds, self._left)  # never beyond the end, which a file's header may have put too early
        self._left -= seconds
        self._bar.update(seconds)

    def read(self, paths: Sequence[Path]) -> Iterator[tuple[int, Samples]]:
        """The number and the samples (S,) of each file that can be read."""
        for number, path in enumerate(paths):
            try:
                samples = read_audio(path)
            except Failure as failure:
                self.skipped.append(str(failure))
                continue
            yield number, samples
