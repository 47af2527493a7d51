"""onnxruntime-web, with which the page listens by itself: three files, fetched once into the cache.

They are 13.6 MB, so no wheel of ours holds them: `kws studio --get` has npm fetch the package, and takes them out of it
if each is the one expected. MIT licence.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from pathlib import Path

from kws.errors import Failure
from kws.files import cache_folder, make_folder, write_whole
from kws.packages import npm_pack

PACKAGE = "onnxruntime-web@1.27.0"
FILES = {
    "ort.wasm.min.mjs": "9608e98a3fba9716f0cbd0bca0c94808b71dae2e9265ca3fe742ddc393a53ebc",
    "ort-wasm-simd-threaded.mjs": "0a1e718d99c41b22c21f2520ff4f9e883a6b5533856e398d21816ee8eb8185d3",
    "ort-wasm-simd-threaded.wasm": "d1ab1b94b16a65b29d710d0b587b29e7bed336827577623913479b8afe8113e6",
}
"""Names and SHA-256."""


def runtime_folder() -> Path:
    """Where the files lie."""
    return cache_folder() / PACKAGE.replace("@", "-")


def is_there(folder: Path) -> bool:
    """Whether all of them do."""
    return all((folder / name).is_file() for name in FILES)


def fetch(folder: Path) -> None:
    """Fetch the files. Raises Failure in one sentence if npm is missing or gets something else, or the disk is full."""
    with tempfile.TemporaryDirectory() as scratch:
        contents = {}
        with tarfile.open(npm_pack(PACKAGE, Path(scratch))) as packed:
            for name, digest in FILES.items():
                member = packed.extractfile(f"package/dist/{name}")
                contents[name] = member.read() if member else b""
                if hashlib.sha256(contents[name]).hexdigest() != digest:
                    raise Failure(
                        f"{name} of {PACKAGE} is not the one expected (its SHA-256 differs): nothing was kept."
                    )
        make_folder(folder)
        for name, content in contents.items():
            write_whole(folder / name, content)
