"""The material of scenes: whose word is said how, by whom, over what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from kws.audio import duration_s
from kws.cli.stages import Stages
from kws.errors import Failure, Misuse
from kws.events import taught_sources
from kws.files import alone, cache_folder

if TYPE_CHECKING:
    from synth.bank import Bank, Clip
    from synth.casting import Brief
    from synth.crew import Crew
    from synth.neighbours import Neighbour
    from synth.recorded import Recordings
    from synth.scene import Ranges
    from synth.stage import Stage
    from synth.voices import Engine, Saying, Split

ENGLISH = "en-us"
ENOUGH_H = 0.5
"""Hours of people's talk that can be calibrated on."""
_OWN_MADE = 200
"""Clips that further mouths make of the user's own, at most."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for on the command line."""

    word: str
    says: tuple[str, ...] = ()
    language: str = ENGLISH
    banks: tuple[Path, ...] = ()
    kokoro: Path | None = None
    piper: tuple[Path, ...] = ()
    positives: Path | None = None
    negatives: Path | None = None
    preset: str = "home"
    draft: bool = False
    """Whether a bank in which the word is said less often will do."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", " ".join(self.word.split()))
        if not self.word:
            raise Misuse("the word is empty: name one, as in --word activate.")

    @property
    def sayings(self) -> tuple[Saying, ...]:
        """The pronunciations: the word's own, unless others are given."""
        from synth.voices import Saying

        language = {"en": ENGLISH}.get(self.language, self.language)
        return tuple(_saying(said, self.word, language) for said in self.says) or (
            Saying(text=self.word, language=language),
        )

    @property
    def file_name(self) -> str:
        """Of the detector."""
        return f"{'_'.join(self.word.split())}.onnx"

    @property
    def ranges(self) -> Ranges:
        """Of the preset."""
        from synth.scene import PRESETS

        return PRESETS[self.preset]


def _saying(said: str, word: str, language: str) -> Saying:
    """A respelling, or phonemes between slashes."""
    from synth.voices import Saying

    said = said.strip()
    if said.startswith("/") and said.endswith("/") and len(said) > 2:
        return Saying(text=word, language=language, ipa=said[1:-1])
    if not said or "/" in said:
        raise Misuse(
            f"--say {said!r} is neither a respelling nor phonemes between two slashes, as in --say /ˈæktɪveɪt/."
        )
    return Saying(text=said, language=language)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What scenes are made from, opened once."""

    word: str
    language: str
    banks: tuple[Bank, ...]
    own: tuple[Clip, ...]
    recordings: Recordings | None
    licences: tuple[str, ...]
    held_out: dict[Split, Recordings] = field(default_factory=dict)
    """Of what was recorded, what nothing is trained on."""
    talk_is_made: bool = False
    """Whether made voices talk in the recordings as well, or alone, for people's talk is too little."""
    taught: int = 0
    """Recordings that are not held out, since what an earlier detector took for the word in them is taught."""

    def stage(self, ranges: Ranges, split: Split = "train") -> Stage:
        """Scenes of a split; what the user recorded belongs to training alone."""
        from synth.stage import Stage

        own, recordings = (self.own, self.recordings) if split == "train" else ((), None)
        return Stage(self.word, self.banks, own=own, recordings=recordings, split=split, ranges=ranges)


def open_material(
    wanted: Wanted, crew: Crew, *, hold_out: bool = False, make_talk: bool = False, stages: Stages | None = None
) -> Material:
    """Open banks and recordings; a word that no bank holds is spoken first, what cannot be read is named.

    With `hold_out`, some of the recorded negatives are kept from training. With `make_talk`, made voices talk as well
    where people talk too little in them to calibrate on, or none are named.
    """
    from synth.casting import further_mouths
    from synth.corpus import own_clips

    own: list[Clip] = []
    if wanted.positives:
        own, skipped = own_clips(wanted.word, wanted.positives, "train")
        _tell(wanted.positives, skipped)
        own += further_mouths(own, min(_OWN_MADE, 6 * len(own)), seed=0)
    recorded = _recorded(wanted, hold_out=hold_out)
    banks = open_banks(wanted, crew, stages)
    talk_is_made = False
    if make_talk and not _talks_enough(recorded.get("validation" if hold_out else "train")):
        made = _made_talk(wanted, crew, stages or Stages(), hold_out=hold_out)
        joined = {split: recorded[split].joined_by(made[split]) for split in recorded.keys() & made.keys()}
        recorded, talk_is_made = {**recorded, **made, **joined}, bool(made)
    recordings = recorded.pop("train", None)
    taught = taught_sources(wanted.negatives) if wanted.negatives else frozenset()
    recorded = {split: held_out.but(taught) for split, held_out in recorded.items()}
    banks = (*banks, *_people(wanted, recordings))
    spoken = [licence for bank in banks for licence in bank.licences]
    theirs = [
        f"recordings in {place.name}: as their makers allow" for place in (wanted.positives, wanted.negatives) if place
    ]
    return Material(
        word=wanted.word, language=wanted.language, banks=banks, own=tuple(own), recordings=recordings,
        licences=tuple(dict.fromkeys([*spoken, *theirs])), held_out=recorded, talk_is_made=talk_is_made,
        taught=len(taught),
    )  # fmt: skip


def _talks_enough(recordings: Recordings | None) -> bool:
    """Whether people do."""
    return sum(map(duration_s, recordings.people if recordings else ())) >= 3600 * ENOUGH_H


def _recorded(wanted: Wanted, *, hold_out: bool) -> dict[Split, Recordings]:
    """The recorded negatives by split: all of them for training, or some held out."""
    from synth.corpus import open_corpus
    from synth.recorded import Recordings, parted
    from synth.voices import Split

    if not wanted.negatives:
        return {}
    corpus = open_corpus(wanted.negatives)
    _tell(wanted.negatives, corpus.skipped)
    if not hold_out:
        return {"train": Recordings(corpus, without=wanted.word)}
    corpus = parted(corpus)
    return {
        split: Recordings(corpus, without=wanted.word, split=split)
        for split in get_args(Split)
        if split == "train" or corpus.without(wanted.word, split)
    }


def _made_talk(wanted: Wanted, crew: Crew, stages: Stages, *, hold_out: bool) -> dict[Split, Recordings]:
    """Made talk by split, spoken now unless the cache holds it; a stop loses no reel. Nothing without an engine."""
    from synth.corpus import Corpus, Spoken
    from synth.made_talk import SayReel, TalkCache, reels
    from synth.recorded import Recordings
    from synth.voices import Split

    try:
        engines = open_engines(wanted)
    except Failure:  # the word's bank was spoken before, or lies in the package
        return {}
    splits: tuple[Split, ...] = get_args(Split) if hold_out else ("train",)
    wanted_reels = [
        reel for split in splits for reel in reels(engines, wanted.language, split) if not reel.holds(wanted.word)
    ]
    if not wanted_reels:
        return {}
    job = SayReel(wanted_reels, tuple(engines), TalkCache())
    spoken = []
    with stages.bar("bank", len(wanted_reels), "reel of talk") as bar:
        for number, path in crew.work(job, range(len(wanted_reels))):
            bar.update()
            if path is not None:
                spoken.append(Spoken(path=path, split=wanted_reels[number].split))
    corpus = Corpus(place=cache_folder(), recordings=tuple(sorted(spoken, key=lambda each: each.path)))
    return {split: Recordings(corpus, split=split, made=True) for split in splits if corpus.of(split)}


def _people(wanted: Wanted, recordings: Recordings | None) -> list[Bank]:
    """What sounds like the word, said by people in the recordings, where it is written down what they say."""
    from synth.bank import Bank
    from synth.corpus import said_by_people
    from synth.voices import EngineMissing

    if recordings is None or recordings.corpus is None or not recordings.corpus.has_texts:
        return []
    try:
        kinds = {neighbour.saying.text: neighbour.kind for neighbour in neighbours_of(wanted)}
    except EngineMissing:
        return []
    clips = said_by_people(recordings.corpus, kinds, "train")
    return [Bank(word=wanted.word, language=wanted.language, clips=tuple(clips))] if clips else []


def open_banks(wanted: Wanted, crew: Crew, stages: Stages | None = None) -> tuple[Bank, ...]:
    """The banks named, else a bank of the word; and the starter bank, unless they bring what is not the word."""
    from synth.bank import read_bank, starter_bank

    banks = [read_bank(folder) for folder in wanted.banks]
    if not any(bank.general for bank in banks):
        banks.append(starter_bank())
    if wanted.says or not any(_says(bank, wanted) for bank in banks):
        banks = [read_bank(speak_bank(wanted, crew, stages)), *(_without(bank, wanted.word) for bank in banks)]
    return tuple(banks)


def _without(bank: Bank, word: str) -> Bank:
    """The clips of a bank whose text does not hold the word, which here is said otherwise."""
    return replace(bank, clips=tuple(clip for clip in bank.clips if word.casefold() not in clip.text.casefold()))


def _says(bank: Bank, wanted: Wanted) -> bool:
    """Whether a bank has training clips of the word in its language."""
    from synth.voices import primary_tag

    return primary_tag(bank.language) == primary_tag(wanted.language) and any(
        clip.split == "train" and clip.kind == "positive" and clip.text.casefold() == wanted.word.casefold()
        for clip in bank.clips
    )


def speak_bank(wanted: Wanted, crew: Crew, stages: Stages | None = None) -> Path:
    """The folder of the word's bank, spoken now unless the cache holds it; a stop loses nothing."""
    from synth.bank import INDEX
    from synth.casting import bank_name

    engines, briefs = open_engines(wanted), [brief_of(replace(wanted, draft=False)), brief_of(wanted)]
    for brief in briefs:
        folder = cache_folder() / "banks" / bank_name(brief, engines)
        if (folder / INDEX).is_file():
            return folder
    with alone(folder / ".lock", lambda: click.echo(f"waiting for another kws that speaks {wanted.word!r}", err=True)):
        if not (folder / INDEX).is_file():  # that other has
            _speak(folder, brief, engines, crew, stages or Stages())
    return folder


def _speak(folder: Path, brief: Brief, engines: list[Engine], crew: Crew, stages: Stages) -> None:
    """Speak a bank, and show how far it is."""
    from synth.casting import Studio, build_bank
    from synth.espeak import Espeak

    doing, bar = "", None
    studio = Studio(engines=engines, transcribe=Espeak().phonemes, crew=crew)
    for progress in build_bank(folder, brief, studio):
        if doing != progress.doing:
            if bar is not None:
                bar.close()
            doing, bar = progress.doing, stages.bar("bank", progress.total, "utterance")
            bar.set_postfix_str(doing)
        assert bar is not None
        bar.update(progress.done - bar.n)
    if bar is not None:
        bar.close()
    click.echo(f"the bank of {brief.word!r} lies in {folder}", err=True)


def brief_of(wanted: Wanted) -> Brief:
    """What bank the word needs."""
    from synth.casting import Brief

    brief = Brief(word=wanted.word, sayings=wanted.sayings)
    return brief.drafted() if wanted.draft else brief


def explained(wanted: Wanted) -> str:
    """The neighbours of the word, which are taught as not the word."""
    from synth.neighbours import explain

    open_engines(wanted)
    return explain(neighbours_of(wanted))


def neighbours_of(wanted: Wanted) -> list[Neighbour]:
    """What sounds like the word. Raises EngineMissing without eSpeak."""
    from synth.casting import near
    from synth.espeak import Espeak

    return near(brief_of(wanted), Espeak().phonemes)


def open_engines(wanted: Wanted) -> list[Engine]:
    """The speech engines here. Raises Failure if there is none, or none that speaks the language."""
    from synth.casting import check_spoken
    from synth.engines import installed

    engines = installed(wanted.kokoro, wanted.piper)
    if not engines:
        raise Failure(
            f"no bank holds {wanted.word!r} and no speech engine is installed: "
            "pip install 'activate-kws[train,speak]', then see kws voices for more voices."
        )
    check_spoken(engines, wanted.sayings[0].language)
    return engines


def _tell(place: Path, skipped: tuple[str, ...]) -> None:
    if skipped:
        shown = "; ".join(skipped[:5]) + (" …" if len(skipped) > 5 else "")
        click.echo(f"left out {len(skipped)} of the files in {place}: {shown}", err=True)
