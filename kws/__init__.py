"""Trigger words: load a detector and feed it sound."""

from kws.decision import Detection
from kws.detector import Detector, load
from kws.errors import Failure

__all__ = ["Detection", "Detector", "Failure", "load"]
