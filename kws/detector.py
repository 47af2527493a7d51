"""A detector: one `.onnx` file, and the stream that slides its window over sound.

S samples, T frames, M mel bands, N steps. The file's graph takes frames and named state and gives scores and new state;
this module keeps the state from call to call, so a hop's new frames enter, what the convolution still needs is kept,
and the GRU's state stands for all that came before.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.audio import Samples
from kws.config import Decision, FrontEnd, Shape
from kws.decision import Decider, Detection
from kws.det import SPOKEN, Det, calibrated_threshold, round_up
from kws.errors import Failure, Misuse
from kws.features import Frames, LogMel, LogMelStream
from kws.runtime import onnxruntime

FORMAT_VERSION = 1
SHIPPED = Path(__file__).parent / "detectors"

Scores = NDArray[np.float32]
State = dict[str, NDArray[np.float32]]


class Caution(UserWarning):
    """What was asked for is given, but what is known does not show that it holds."""


class Model:
    """The weights and metadata of one file; holds no stream, so any number of detectors may share it.

    Pickled, it is the file's content, and works where the file is not.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        """Open a detector file, or what it held. Raises Failure if it is missing, damaged, not ours or of another
        format version.
        """
        self._path = path
        self._session = _open(path, content)
        self.metadata = _metadata(self._session.get_modelmeta().custom_metadata_map, path)
        try:
            self.word = str(self.metadata["word"])
            self.front_end = FrontEnd.from_json(self.metadata["frontend"])
            self.decision = Decision.from_json(self.metadata["decision"])
            self.shape = Shape.from_json(self.metadata["shape"])
        except (KeyError, TypeError) as error:
            raise Failure(f"{path} lacks metadata ({error}): export the detector again with kws export.") from error
        self.log_mel = LogMel(self.front_end)
        if self.metadata["frontend"].get("digest") != self.log_mel.digest:
            raise Failure(f"{path} was trained on another front end than this version has: export or train it again.")
        self._blank = {
            given.name: np.zeros([size if isinstance(size, int) else 0 for size in given.shape], np.float32)
            for given in self._session.get_inputs()
            if given.name != "frames"
        }
        self._outputs = ["scores", *(f"{name}_out" for name in self._blank)]

    def __reduce__(self) -> tuple[type[Model], tuple[Path, bytes]]:
        return Model, (self._path, self._path.read_bytes())

    def blank_state(self) -> State:
        """The state before any sound: zeros, and nothing where a size is free."""
        return dict(self._blank)

    def run(self, frames: Frames, state: State) -> tuple[Scores, State]:
        """Scores (N,) of (T, M) further frames, and the state after them."""
        scores, *after = self._session.run(self._outputs, {"frames": frames[None], **state})
        return scores[0], dict(zip(state, after, strict=True))


class Detector:
    """One word on one stream. Pickled, it is a fresh stream."""

    def __init__(self, model: Model, *, threshold: float | None = None, cooldown_s: float | None = None) -> None:
        """A fresh stream. Raises Misuse unless the threshold lies in (0, 1]."""
        decision = replace(
            model.decision,
            threshold=model.decision.threshold if threshold is None else threshold,
            cooldown_s=model.decision.cooldown_s if cooldown_s is None else cooldown_s,
        )
        if not 0 < decision.threshold <= 1:
            raise Misuse(f"the threshold must be above 0 and at most 1, got {decision.threshold}.")
        self.model = model
        self.decision = decision
        self._stream = LogMelStream(model.log_mel)
        self._decider = Decider(decision, self.first_score_s, self.frame_seconds)
        self.reset()

    @property
    def word(self) -> str:
        """The word it listens for."""
        return self.model.word

    @property
    def threshold(self) -> float:
        """The score from which the word counts as heard."""
        return self.decision.threshold

    @property
    def frame_seconds(self) -> float:
        """Seconds from one score to the next."""
        return self.model.shape.step_s(self.model.front_end)

    @property
    def first_score_s(self) -> float:
        """Seconds of sound behind the first score."""
        return self.model.shape.first_score_s(self.model.front_end)

    @property
    def log_mel(self) -> LogMel:
        """The front end, to be run once for several detectors that share its configuration."""
        return self.model.log_mel

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the file says of itself: evaluation, DET, recipe, licences."""
        return self.model.metadata

    def reset(self) -> None:
        """Forget all sound; the clock starts again at zero."""
        self._stream.reset()
        self._decider.reset()
        self._state = self.model.blank_state()
        self.latest_score = 0.0

    def fork(self) -> Detector:
        """Another stream of the same weights and threshold, with a state of its own."""
        return Detector(self.model, threshold=self.threshold, cooldown_s=self.decision.cooldown_s)

    def __reduce__(self) -> tuple[Callable[[Model], Detector], tuple[Model]]:
        return partial(Detector, threshold=self.threshold, cooldown_s=self.decision.cooldown_s), (self.model,)

    def feed(self, chunk: Samples | NDArray[np.int16]) -> list[Detection]:
        """The detections in (S,) more samples, float32 in [-1, 1] or int16, 16 kHz mono, any length.

        Raises ValueError for another type or shape, and for NaN or infinity.
        """
        if self.may_wait(self._stream.frames_with(len(chunk))):
            self._stream.hold(chunk)
            return []
        return self.feed_frames(self._stream.feed(chunk))

    def may_wait(self, frames: int) -> bool:
        """Whether so many more frames may as well be heard with the next ones: no score they give can fire.

        A call has its price however few the frames; only `latest_score` is older for it.
        """
        return self._decider.may_wait(self.model.shape.most_steps(frames))

    def feed_frames(self, frames: Frames) -> list[Detection]:
        """The detections in (T, M) more frames of `log_mel`."""
        if len(frames) == 0:
            return []
        scores, self._state = self.model.run(frames, self._state)
        if len(scores):
            self.latest_score = float(scores[-1])
        return [
            Detection(word=self.word, time=time_s, end=max(0.0, time_s - self.decision.lag_s), score=score)
            for time_s, score in self._decider.feed(scores)
        ]

    def scores(self, samples: Samples | NDArray[np.int16]) -> Scores:
        """Scores (N,) in [0, 1] of (S,) samples from a fresh state; the stream's own is left alone."""
        frames = LogMelStream(self.log_mel).feed(samples)
        return self.model.run(frames, self.model.blank_state())[0]


def detector_path(detector: str | Path) -> Path:
    """The file of a shipped detector by name, or of any by the path of its .onnx file.

    Raises Failure if a name is not that of a shipped one; whether a file is there is not looked at.
    """
    path = Path(detector)
    if path.suffix == ".onnx" or path.exists():
        return path
    path = SHIPPED / f"{str(detector).replace(' ', '_')}.onnx"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.onnx"))) or "none"
        raise Failure(f"no detector named {str(detector)!r} is shipped (shipped: {shipped}): name a .onnx file.")
    return path


def load(
    detector: str | Path,
    *,
    threshold: float | None = None,
    target_fa: float | None = None,
    cooldown_s: float | None = None,
) -> Detector:
    """Load a shipped detector by name, or any by the path of its .onnx file.

    `threshold` overrides the calibrated one, or `target_fa` chooses one anew, for so many false accepts per hour of
    human speech, by the curve in the file; it warns (Caution) where the hours behind that curve cannot show so few.
    `cooldown_s` overrides how long it is deaf after a detection.
    Raises Failure with one sentence if there is no such detector, the file is not one or its curve does not reach the
    target, Misuse if both are given.
    """
    if threshold is not None and target_fa is not None:
        raise Misuse("a threshold and a target of false accepts both choose the threshold: give one of them.")
    path = detector_path(detector)
    model = Model(path)
    if target_fa is not None:
        threshold = _threshold_for(model, target_fa, path)
    return Detector(model, threshold=threshold, cooldown_s=cooldown_s)


def _threshold_for(model: Model, target_fa: float, path: Path) -> float:
    if not 0 < target_fa < math.inf:
        raise Misuse(f"the target must be above 0 false accepts per hour, got {target_fa}.")
    try:
        det = Det.from_metadata(model.metadata)
        spoken = model.metadata["evaluation"]["negatives"] == SPOKEN
        choice = calibrated_threshold(det, target_fa, model.decision.smoothing, spoken_by_people=spoken)
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(
            f"{path} tells no false accepts by threshold, so a target means nothing: give a threshold."
        ) from error
    if not choice.reached:
        raise Failure(
            f"{path} does not reach {target_fa:g} false accepts per hour at any threshold: allow at least "
            f"{round_up(choice.false_accepts_per_hour):g}."
        )
    caveats = [choice.caveat] if choice.caveat else []
    if not spoken:
        caveats.append("they were counted on synthetic speech, which says little about people")
    if caveats:
        warnings.warn(
            f"{model.word!r} at {target_fa:g} false accepts per hour: {'; '.join(caveats)}.", Caution, stacklevel=3
        )
    return choice.threshold


def _open(path: Path, content: bytes | None) -> Any:
    if content is None and not path.is_file():
        raise Failure(f"{path} does not exist: make a detector with kws train and kws export.")
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # what a call needs is small: without it, it is quicker and takes less memory
    try:
        return runtime.InferenceSession(content or str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base but Exception
        reason = str(error).splitlines()[0][:120]
        raise Failure(f"{path} is damaged or not an ONNX file ({reason}): export or copy it again.") from error


def _metadata(strings: Mapping[str, str], path: Path) -> dict[str, Any]:
    if "format_version" not in strings:
        raise Failure(f"{path} is an ONNX model but not a detector of ours: make one with kws train and kws export.")
    try:
        metadata = {name: json.loads(text) for name, text in strings.items()}
    except ValueError as error:
        raise Failure(f"{path} has damaged metadata ({error}): export the detector again.") from error
    if metadata["format_version"] != FORMAT_VERSION:
        raise Failure(
            f"{path} has format version {metadata['format_version']}, this kws reads {FORMAT_VERSION}: "
            "install a matching version of activate-kws or export the detector again."
        )
    return metadata
