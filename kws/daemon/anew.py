"""A process that begins anew: where a driver holds its thread fast, nothing inside the process can free it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Literal

_LEFT = "KWS_BEGUN_ANEW"


def begin_anew(environment: Mapping[str, str], *, is_muted: bool) -> None:
    """Put a new process in place of this one, with the same number, arguments and open standard streams.

    `environment` comes on top of this one's. May be called on any thread; does not return.
    """
    left = {_LEFT: "muted" if is_muted else "listening"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **environment, **left})


def left_behind() -> Literal["", "muted", "listening"]:
    """What the process did that this one was put in place of; nothing if there was none. Told once."""
    left = os.environ.pop(_LEFT, "")
    return "muted" if left == "muted" else "listening" if left else ""
