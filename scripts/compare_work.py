"""What was asked of scripts/compare, and where everything of it lies."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from compare_peers import PEERS, Environment, Peer
from compare_report import OURS, TRAIN
from costs import ADAPTERS

from kws.cli.scenes import Wanted

ROOT = Path(__file__).resolve().parent.parent
WORDS = ("alexa", "hey jarvis", "hey mycroft", "okay nabu", "computer", "jarvis")
"""What others ship."""
SAID = {"hey mycroft": ("/hˈeɪ mˈaɪkɹɔft/",)}
"""As its makers say it: by its letters alone eSpeak NG says "mick-roft"."""
OWN = {OURS: (str(ROOT),), TRAIN: (f"{ROOT}[train,speak]",)}
"""What is installed of ours, to listen and to make words."""
DETECTORS = ROOT / "kws" / "detectors"
MADE = ROOT / "scripts" / "lab" / "words"
"""What scripts/make_words kept of the words that ship."""


def wanted(word: str) -> Wanted:
    """The word as it is asked for, said as its makers say it."""
    return Wanted(word=word, says=SAID.get(word, ()))


def slug(word: str) -> str:
    """The word as a folder's name."""
    return Path(wanted(word).file_name).stem


@dataclass(frozen=True, kw_only=True)
class Work:
    """What was asked for, and where everything lies."""

    asked: argparse.Namespace

    @property
    def peers(self) -> list[Peer]:
        """The engines that were asked for."""
        names = self.asked.engines
        return [
            peer for peer in PEERS if (not peer.optional or self.asked.porcupine) and (not names or peer.name in names)
        ]

    @property
    def words(self) -> list[str]:
        """What others ship, and what people say."""
        return list(dict.fromkeys([*self.asked.words, *(place.name.replace("_", " ") for place in self.asked.people)]))

    @property
    def sound(self) -> list[str]:
        """Where recorded sound lies, as other scripts are told it."""
        return [part for place in self.asked.sound for part in ("--sound", str(place))]

    @property
    def engines(self) -> Path:
        """Where others are installed."""
        folder: Path = self.asked.folder / "engines"
        return folder

    def own(self, name: str) -> Environment:
        """One of ours."""
        return Environment(name=name, packages=OWN[name], root=self.engines)

    def made(self, word: str) -> Path:
        """Where make_words keeps a word."""
        folder: Path = self.asked.folder / "words" / slug(word)
        return folder

    def detector(self, word: str) -> Path:
        """Our detector of a word."""
        return self.made(word) / "sound" / wanted(word).file_name

    def sets(self, word: str) -> Path:
        """Where the sets lie that a word is measured on."""
        return self.made(word) / "sets"

    def said(self, word: str) -> Path:
        """Where a word is said, in a folder for each condition: by people whose recordings were given, or else by the
        test split's voices. The sets need not be there yet.
        """
        if slug(word) in (place.name for place in self.asked.people):
            return self.sets(word) / "people" / slug(word)
        return self.sets(word) / "test" / "positives"

    def recordings(self, word: str) -> Path:
        """Where recordings of a word lie, for engines that learn from them."""
        folder: Path = self.asked.folder / "recordings" / slug(word)
        return folder

    def heard(self, engine: str, word: str, part: str) -> Path:
        """Where a measurement is kept."""
        folder: Path = self.asked.out / "heard" / slug(word)
        return folder / f"{engine}-{part}.json"

    def model(self, peer: Peer, word: str) -> str | None:
        """What a peer is given to listen for a word; None if it cannot."""
        return peer.model(word, self.recordings(word))

    def command(self, peer: Peer, *models: str) -> tuple[str, str, str]:
        """A peer's adapter, listening by such models."""
        return str(peer.environment(self.engines).python), str(ADAPTERS / peer.adapter), ",".join(models)

    def for_hours(self, peer: Peer, model: str) -> tuple[str, ...]:
        """The same for the hours without words, which are heard once for all words where that costs no more."""
        if not peer.shares:
            return self.command(peer, model)
        models = filter(None, (self.model(peer, word) for word in self.words))
        there = [each for each in models if not peer.learns or Path(each).is_dir()]
        kept = self.asked.folder / "kept" / peer.name
        return *self.command(peer, *dict.fromkeys([model, *there])), "--kept", str(kept)
