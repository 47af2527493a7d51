"""What a person has gathered for each word: what was asked for, recordings, and what `kws new` made of them.

All of it lies in one folder, where the command line, started there, looks for it too: `recordings/hey-nova/`,
`recordings/without-hey-nova/` (its subfolder `noise/` is background, `taught/` what an earlier detector took for the
word), and `hey_nova/` with the detector and its report. `studio.json` remembers what was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from kws.audio import SUFFIXES, duration_s, read_audio, write_audio
from kws.errors import Failure, Misuse
from kws.files import aside_of, make_folder, write_whole
from kws.recorder import Shelf, Take, judge, safe_name

State = Literal["none", "running", "stopped", "failed", "done"]
Kind = Literal["positives", "negatives", "backgrounds"]
KINDS: tuple[Kind, ...] = get_args(Kind)

REMEMBERED = "studio.json"
_NOISE = "noise"
_LONGEST_BACKGROUND_S = 1800.0
_LONGEST_WORD = 60


@dataclass(frozen=True, kw_only=True)
class Order:
    """What `kws new` is asked for."""

    word: str
    language: str = "en-us"
    say: tuple[str, ...] = ()
    minutes: float | None = None
    """None: as long as the recipe takes."""

    @classmethod
    def from_json(cls, asked: Mapping[str, Any]) -> Order:
        """What a page asks for. Raises Misuse if that makes no sense."""
        word, say, minutes = asked.get("word"), asked.get("say", []), asked.get("minutes")
        language = asked.get("language", cls.language)
        if not isinstance(word, str) or not word.strip() or len(word) > _LONGEST_WORD or word.startswith("-"):
            raise Misuse(f"a word has one to {_LONGEST_WORD} letters, and begins with one.")
        if not isinstance(language, str) or not language.replace("-", "").isalnum():
            raise Misuse("the language is a tag such as en-us or de.")
        if not isinstance(say, list) or not all(isinstance(each, str) and each.strip() for each in say):
            raise Misuse("how it is said is a list of respellings.")
        if minutes is not None and not (isinstance(minutes, int | float) and 0 < minutes <= 24 * 60):
            raise Misuse("the minutes are a number above 0, at most a day.")
        return cls(word=" ".join(word.split()), language=language, say=tuple(say), minutes=minutes)

    @property
    def name(self) -> str:
        """The word in addresses and names of folders."""
        return safe_name(self.word)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A word, and how far its detector is."""

    order: Order
    state: State = "none"
    error: str = ""
    """Why the last try failed; empty if it did not."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A recording in the folder."""

    path: Path
    file: str
    """Its name below the folder of its kind."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return duration_s(self.path)


@dataclass(kw_only=True)
class Words:
    """The words of a folder."""

    folder: Path
    _standing: dict[str, Standing] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Read what is remembered. Raises Failure if that is damaged."""
        place = self.folder / REMEMBERED
        if not place.is_file():
            return
        try:
            for told in json.loads(place.read_text(encoding="utf-8"))["words"]:
                state: State = "stopped" if told["state"] == "running" else told["state"]
                order = Order(**{**told["order"], "say": tuple(told["order"]["say"])})
                self._standing[order.name] = Standing(order=order, state=state, error=told["error"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failure(f"{place} is damaged ({error}): remove it; recordings and detectors stay.") from error

    @property
    def names(self) -> list[str]:
        """Of the words, in the order in which they came."""
        return list(self._standing)

    def standing(self, name: str) -> Standing:
        """How far a word is. Raises FileNotFoundError if there is no such word."""
        if name not in self._standing:
            raise FileNotFoundError(f"there is no word {name!r} here.")
        return self._standing[name]

    def know(self, order: Order) -> None:
        """Take up a word; what was known of it stays known."""
        if order.name not in self._standing:
            self._remember(Standing(order=order))

    def ask(self, order: Order) -> None:
        """Remember what is asked for, as running."""
        self._remember(Standing(order=order, state="running"))

    def ended(self, name: str, state: State, error: str = "") -> None:
        """Remember how it ended."""
        self._remember(replace(self.standing(name), state=state, error=error))

    def out(self, name: str) -> Path:
        """Where `kws new` writes."""
        return self.folder / "_".join(self.standing(name).order.word.split())

    def detector(self, name: str) -> Path:
        """The file that it makes."""
        out = self.out(name)
        return out / f"{out.name}.onnx"

    def report(self, name: str, ending: str) -> Path:
        """The file of that ending in which it says how good that is."""
        return self.out(name) / "report" / f"report.{ending}"

    def verdict(self, name: str) -> str | None:
        """What the last report ended with; None if there is none."""
        try:
            return (self.out(name) / "verdict.txt").read_text(encoding="utf-8").rstrip()
        except OSError:
            return None

    def place(self, name: str, kind: Kind) -> Path:
        """The folder of a kind of recordings."""
        self.standing(name)
        folder = self.folder / "recordings" / (name if kind == "positives" else f"without-{name}")
        return folder / _NOISE if kind == "backgrounds" else folder

    def sounds(self, name: str, kind: Kind) -> list[Sound]:
        """The recordings of a kind, by name."""
        folder = self.place(name, kind)
        found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES] if folder.is_dir() else []
        sounds = [Sound(path=path, file=path.relative_to(folder).as_posix()) for path in sorted(found)]
        return [sound for sound in sounds if kind == "backgrounds" or not sound.file.startswith(f"{_NOISE}/")]

    def sound(self, name: str, kind: Kind, file: str) -> Sound:
        """One of them. Raises FileNotFoundError if it is not there; none lies outside the folder."""
        for sound in self.sounds(name, kind):
            if sound.file == file:
                return sound
        raise FileNotFoundError(f"there is no recording {file!r} of {name!r}.")

    def keep_take(self, name: str, samples: Any, *, anyway: bool) -> tuple[Take, Sound | None]:
        """Judge a take (S,) of the word, trim it, and keep it if it is good, or anyway if the word is in it."""
        take = judge(samples)
        if take.fault and not (anyway and take.heard):
            return take, None
        return take, self._shelve(name, "positives", name, take.samples)

    def keep_talk(self, name: str, samples: Any) -> Sound:
        """Keep (S,) samples without the word."""
        return self._shelve(name, "negatives", "talk", samples)

    def keep_background(self, name: str, file: str, content: bytes) -> Sound:
        """Keep a sound file of a room or whatever else is heard there, at our rate.

        Raises Misuse if its name is not that of a sound file or it is too long, Failure if it cannot be read.
        """
        given = Path(file)
        if given.suffix.lower() not in SUFFIXES:
            raise Misuse(f"{given.name} is not a kind of sound file known here: {', '.join(sorted(SUFFIXES))}.")
        folder = self.place(name, "backgrounds")
        make_folder(folder)
        aside = aside_of(folder / f"{safe_name(given.stem)}{given.suffix.lower()}")
        try:
            write_whole(aside, content)
            if (seconds := duration_s(aside)) > _LONGEST_BACKGROUND_S:
                raise Misuse(f"{given.name} is {seconds / 60:.0f} min long: half an hour is enough, cut it.")
            samples = read_audio(aside)
        except Failure as failure:
            raise type(failure)(str(failure).replace(str(aside), given.name)) from failure
        finally:
            aside.unlink(missing_ok=True)
        path = folder / f"{safe_name(given.stem)}.flac"
        write_audio(path, samples)
        return Sound(path=path, file=path.name)

    def _shelve(self, name: str, kind: Kind, stem: str, samples: Any) -> Sound:
        path = Shelf(self.place(name, kind), stem).put(samples)
        return Sound(path=path, file=path.name)

    def _remember(self, standing: Standing) -> None:
        self._standing[standing.order.name] = standing
        make_folder(self.folder)
        told = {"words": [asdict(each) for each in self._standing.values()]}
        write_whole(self.folder / REMEMBERED, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
