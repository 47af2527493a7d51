"""The page without a server: a folder that any web host can give out, and that listens all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kws.errors import Failure
from kws.files import make_folder, write_whole
from kws.studio.app import WEB, standing_of
from kws.studio.browser_runtime import FILES, is_there


def export(out: Path, runtime: Path, detectors: Mapping[str, Path]) -> None:
    """Write the site: page, onnxruntime-web and detectors.

    Raises Failure if the runtime was not fetched, a detector cannot be read, or the disk is full.
    """
    if not is_there(runtime):
        raise Failure("the page listens with onnxruntime-web, which is not here yet: get it with kws studio --get.")
    standing = standing_of(dict(detectors), server=False, has_runtime=True)
    lacking = set(detectors) - {told["name"] for told in standing["detectors"]}
    if lacking:
        raise Failure(f"{', '.join(str(detectors[name]) for name in sorted(lacking))} is no detector: name others.")
    files = {path.name: path for path in WEB.iterdir()}
    files |= {f"runtime/{name}": runtime / name for name in FILES}
    files |= {f"detectors/{name}.onnx": path for name, path in detectors.items()}
    for place, path in files.items():
        make_folder((out / place).parent)
        write_whole(out / place, path.read_bytes())
    write_whole(out / "standing.json", (json.dumps(standing, indent=1, ensure_ascii=False) + "\n").encode())
