"""The datasets in the folder, to be browsed: what `kws generate` wrote, scene by scene."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from kws.errors import Misuse
from kws.events import MANIFEST, Recording, read_manifest

_DEPTH = 3
"""Folders below ours in which a dataset is looked for."""
MOST = 100
"""Scenes told at once."""
_LEFT_OUT = frozenset({"trials", "run"})
"""Folders of a word in the making."""


class Datasets:
    """Those below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Where they lie below the folder."""
        places = [place for depth in range(_DEPTH + 1) for place in self._folder.glob("*/" * depth + MANIFEST)]
        found = sorted(place.parent.relative_to(self._folder) for place in places)
        return [path.as_posix() for path in found if not _LEFT_OUT & set(path.parts)]

    def told(self) -> list[dict[str, Any]]:
        """Each with its number of scenes and their length."""
        return [
            {"name": name, "clips": len(scenes), "seconds": round(sum(scene.duration for scene in scenes), 1)}
            for name in self.names()
            for scenes in [self._scenes(name)]
        ]

    def page(self, name: str, first: int, count: int) -> dict[str, Any]:
        """Some scenes of a dataset. Raises FileNotFoundError if there is none, Misuse for too many."""
        if first < 0 or not 0 < count <= MOST:
            raise Misuse(f"first is 0 or more, and count from 1 to {MOST}.")
        scenes = self._scenes(name)
        return {
            "total": len(scenes),
            "scenes": [
                {
                    "number": number, "seconds": scene.duration, "events": [vars(event) for event in scene.events],
                    "about": scene.about,
                }
                for number, scene in list(enumerate(scenes))[first : first + count]
            ],
        }  # fmt: skip

    def audio(self, name: str, number: int) -> Path:
        """The sound of a scene. Raises FileNotFoundError if there is none, or it lies outside its dataset."""
        scenes = self._scenes(name)
        if not 0 <= number < len(scenes):
            raise FileNotFoundError(f"{name!r} has no scene {number}.")
        path = scenes[number].audio
        if not path.resolve().is_relative_to((self._folder / name).resolve()) or not path.is_file():
            raise FileNotFoundError(f"the sound of scene {number} of {name!r} is not there.")
        return path

    def _scenes(self, name: str) -> list[Recording]:
        if name not in self.names():
            raise FileNotFoundError(f"there is no dataset {name!r} here.")
        place = self._folder / name
        return _read(place, (place / MANIFEST).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(place: Path, _changed: int) -> list[Recording]:
    return read_manifest(place)
