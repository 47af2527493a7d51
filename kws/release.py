"""A trained run made into a detector file, with all that the file says of itself."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.config import Decision
from kws.det import SPOKEN, Det, poisson_interval, wilson
from kws.export import export
from kws.runtime import version_of
from kws.train import load_average

_PACKAGES = ("activate-kws", "torch", "numpy", "onnx")


@dataclass(frozen=True, kw_only=True)
class Released:
    """What was written."""

    word: str
    threshold: float


def release(run: Path, detector: Path) -> Released:
    """Write the averaged net of a run to a detector file. Raises Failure if there is none or it cannot be written."""
    net, state = load_average(run)
    decision = Decision.from_json(state["decision"])
    det = Det.from_json(state["det"])
    about = {
        "language": state["language"],
        "det": det.to_json(),
        "evaluation": _evaluation(det, decision.threshold, state),
        "recipe": {**state["recipe"], "step": state["step"], "made_from": state["made_from"], "versions": _versions()},
        "licences": state["licences"],
    }  # fmt: skip
    export(detector, net, state["word"], decision, about)
    return Released(word=state["word"], threshold=decision.threshold)


def _evaluation(det: Det, threshold: float, state: dict[str, Any]) -> dict[str, Any]:
    """What the threshold was calibrated on, and how sure its figures are."""
    target = state["recipe"]["target_per_hour"]
    at = det.thresholds.index(threshold)
    return {
        "set": "validation", "negatives": SPOKEN if state["spoken_by_people"] else "synthetic speech",
        "hours": det.hours, "utterances": det.utterances, "target_false_accepts_per_hour": target,
        "false_accepts_per_hour": float(det.false_accepts_per_hour[at]),
        "false_accepts_per_hour_95": poisson_interval(det.false_accepts[at], det.hours),
        "frr": float(det.frr[at]) if det.utterances else None, "frr_95": wilson(det.misses[at], det.utterances),
        "caveat": state["caveat"],
    }  # fmt: skip


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "platform": sys.platform} | {
        name: known for name in _PACKAGES if (known := version_of(name))
    }
