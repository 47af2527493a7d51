"""The measures: how many utterances are missed, how late they are heard, and how often per hour something else is.

Each file is heard on its own, here or by a crew, and adds its tally; the sum is the same whoever heard them.
K thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.audio import duration_s
from kws.audition import PADDING_S, Listener
from kws.det import Det, choose_threshold, grid
from kws.errors import Failure, Misuse
from kws.events import MANIFEST, TAUGHT, Recording, audio_files, read_manifest, taught_sources
from kws.repeats import Picture, copies
from kws.report import CONDITION, FalseAccept, Heard, Negatives, Positives, Report, Trial
from kws.tally import File, Hearing, Said, Skipped, Tally, Unsaid, WithoutWord, WithWord, alike

SPEECH = "speech"
"""Classes whose names begin so are human speech."""
FLAT = "negatives"
"""The class of files that lie in no subfolder; taken for human speech."""

Counts = NDArray[np.int64]
Work = Callable[[Callable[[int], Any], Sequence[int]], Generator[tuple[int, Any], None, None]]
"""Does a job for many numbers, in whatever order, and gives (number, result) as they are done."""


def measure(
    detector: Listener,
    positives: Path | None = None,
    negatives: Path | None = None,
    *,
    target_per_hour: float = 0.5,
    progress: bool | Callable[[float], Any] = False,
    work: Work | None = None,
) -> Report:
    """Measure a detector at its own threshold, and sweep the threshold for the DET.

    `positives`: a folder of recordings with one utterance each, a dataset, or a folder of datasets. `negatives`: a
    folder of sound without the word, whose subfolders are its classes. Either may be left out. `progress`: whether a
    bar is shown, or what makes one for so many seconds of sound. `work`: who hears the files instead of this process,
    as `synth.crew.Crew.work` would; the detector must then survive pickling, as one of `kws.load` does. Raises Failure
    if a folder is missing or nothing in it can be read, Misuse if neither is given.
    """
    if positives is None and negatives is None:
        raise Misuse("nothing to measure on: give --positives DIR, --negatives DIR or both.")
    classes = {} if negatives is None else find_classes(negatives)
    recordings = [] if positives is None else find_positives(positives)
    files: list[File] = [*_with_word(recordings, positives), *_without_word(classes, negatives)]
    said = silent = None
    misses = accepts = np.zeros(len(grid()), np.int64)
    skipped: list[str] = []
    with _Progress(files, shown=progress) as bar, closing(_heard(detector, files, bar, work)) as tallies:
        if positives is not None:
            said, misses = _gather_said(islice(tallies, len(recordings)), skipped, positives)
        if negatives is not None:
            silent, accepts = _gather_unsaid(tallies, classes, skipped, negatives)
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
        skipped=tuple(skipped),
        notes=(*_notes(detector, recordings, said, silent), *_note_of_taught(classes, negatives)),
    )


def find_positives(folder: Path) -> list[Recording]:
    """The recordings of a dataset, of a folder of datasets, or one for each sound file (then without events).

    Raises Failure if there is no such folder or no utterance in it.
    """
    if (folder / MANIFEST).is_file():
        found = [recording for recording in read_manifest(folder) if recording.positives or alike(recording)]
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
    """The sound files of each immediate subfolder, and of the folder itself as FLAT; Failure if there are none.

    What was cut out to be taught is left out.
    """
    classes: dict[str, list[Path]] = {}
    for path in audio_files(folder):
        folders = path.relative_to(folder).parts[:-1]
        if TAUGHT not in folders:
            classes.setdefault(folders[0] if folders else FLAT, []).append(path)
    if not classes:
        raise Failure(f"{folder} holds only what was cut out to be taught: name the folder of whole recordings.")
    return classes


def _with_word(recordings: Sequence[Recording], folder: Path | None) -> Iterator[WithWord]:
    for recording in recordings:
        yield WithWord(file=_below(recording.audio, folder), recording=recording)


def _without_word(classes: Mapping[str, Sequence[Path]], folder: Path | None) -> Iterator[WithoutWord]:
    for name, paths in classes.items():
        for path in paths:
            yield WithoutWord(file=_below(path, folder), path=path, is_speech=_is_speech(name))


def _below(path: Path, folder: Path | None) -> str:
    return path.relative_to(folder).as_posix() if folder else path.as_posix()


def _is_speech(name: str) -> bool:
    return name.startswith(SPEECH) or name == FLAT


def _heard(
    detector: Listener, files: Sequence[File], bar: _Progress, work: Work | None
) -> Generator[Tally, None, None]:
    """The tally of each file, in the order of the files."""
    job = Hearing(detector=detector, files=files, tick=None if work else bar.tick)
    early: dict[int, Tally] = {}
    due = 0
    with closing((work or _here)(job, range(len(files)))) as done:
        for number, tally in done:
            if isinstance(tally, Skipped) and not tally.is_there and files[number].path.exists():
                raise Failure(
                    f"{files[number].path} is here but not where it is to be heard: "
                    "lay the recordings on a disk that all machines share."
                )
            if work:
                bar.tick(tally.seconds)
            early[number] = tally
            while due in early:
                yield early.pop(due)
                due += 1


def _here(job: Callable[[int], Any], numbers: Sequence[int]) -> Generator[tuple[int, Any], None, None]:
    """Done by this process, one after the other."""
    for number in numbers:
        yield number, job(number)


def _gather_said(tallies: Iterable[Tally], skipped: list[str], folder: Path) -> tuple[Positives, Counts]:
    """What was heard of the word, and the misses (K,) of the sweep."""
    trials: list[Trial] = []
    near: list[Trial] = []
    words: dict[str, list[tuple[str, Picture]]] = {}
    count, stray, misses = 0, 0, np.zeros(len(grid()), np.int64)
    for tally in tallies:
        count += 1
        if isinstance(tally, Skipped):
            skipped.append(tally.reason)
        elif isinstance(tally, Said):
            trials += tally.trials
            near += tally.alike
            stray += tally.stray
            misses += tally.misses
            for trial, seen in zip(tally.trials, tally.pictures, strict=True):
                if seen is not None:
                    words.setdefault(str(trial.about.get(CONDITION)), []).append((trial.source, seen))
    if not trials:
        reason = skipped[-1] if skipped else "the word is said in none of them."
        raise Failure(f"none of the {count} sound files in {folder} can be used: {reason}")
    return Positives(trials=tuple(trials), alike=tuple(near), stray=stray, copies=copies(words.values())), misses


def _gather_unsaid(
    tallies: Iterator[Tally], classes: Mapping[str, Sequence[Path]], skipped: list[str], folder: Path
) -> tuple[Negatives, Counts]:
    """What was wrongly heard, and the false accepts (K,) of the sweep over human speech."""
    found: list[Heard] = []
    counts = np.zeros(len(grid()), np.int64)
    for name, paths in classes.items():
        hours, accepts, peaks = 0.0, list[FalseAccept](), list[float]()
        for tally in islice(tallies, len(paths)):
            if isinstance(tally, Skipped):
                skipped.append(tally.reason)
            elif isinstance(tally, Unsaid):
                accepts += tally.accepts
                peaks += tally.peaks
                hours += tally.hours
                counts += tally.counts
        if hours:
            speech = _is_speech(name)
            found.append(Heard(name=name, speech=speech, hours=hours, accepts=tuple(accepts), peaks=tuple(peaks)))
    if not found:
        reason = skipped[-1] if skipped else "they are shorter than the detector's warm-up."
        raise Failure(f"none of the sound files in {folder} can be used: {reason}")
    return Negatives(classes=tuple(found)), counts


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


def _note_of_taught(classes: Mapping[str, Sequence[Path]], folder: Path | None) -> Iterator[str]:
    taught = taught_sources(folder) if folder else ()
    count = sum(path.stem in taught for paths in classes.values() for path in paths)
    if count:
        yield (
            f"false accepts in {count} of the recordings without the word are taught beside them: "
            "what learnt from those is flattered here"
        )


class _Progress:
    """Shows how much has been heard."""

    def __init__(self, files: Sequence[File], *, shown: bool | Callable[[float], Any]) -> None:
        from tqdm import tqdm

        padding_s = 2 * PADDING_S * sum(isinstance(file, WithWord) for file in files)
        self._left = padding_s + sum(duration_s(file.path) for file in files) if shown else 0.0
        form = "listening {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {rate_fmt}"
        plain = partial(tqdm, unit=" s of sound", bar_format=form, disable=not shown)
        self._bar: Any = shown(self._left) if callable(shown) else plain(total=self._left)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tick(self, seconds: float) -> None:
        """So much more has been heard."""
        seconds = min(seconds, self._left)  # never beyond the end, which a file's header may have put too early
        self._left -= seconds
        self._bar.update(seconds)
