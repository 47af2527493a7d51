"""What the process runs on: onnxruntime, whose wheels tell their maker of every session unless they are asked not to,
and the versions of packages.
"""

from __future__ import annotations

import os
from typing import Any

PACKAGE = "activate-kws"
"""What we are distributed as."""


def onnxruntime() -> Any:
    """The module, with its telemetry off unless ORT_DISABLE_TELEMETRY says otherwise.

    Since 1.29 the wheels for Linux and macOS keep an identifier and a database in the user's cache and send events over
    the network; the variable is read once, when the library starts.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as runtime

    return runtime


def version_of(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
