"""`kws new`: from the text of a word to a detector of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.scenes import Wanted, open_engines, open_material, run_options, scene_options
from kws.errors import Failure

if TYPE_CHECKING:
    from kws.audio import Samples
    from synth.voices import Engine

_SAMPLES = 3
"""Played for each pronunciation."""


@click.command("new")
@click.argument("word")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="[default: one named after the word]")
@scene_options
@click.option("--listen", is_flag=True, help="First hear how the word will be said, and go on only if it is right.")
@run_options
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    word: str, out: Path | None, listen: bool, validation_folder: Path | None, steps: int | None, target_fa: float,
    seed: int, **scenes: Any,
) -> None:  # fmt: skip
    """Make a detector of WORD out of its text: speak it, train on scenes of it, write FOLDER/WORD.onnx.

    Ctrl-C stops it; the same command goes on.
    """
    from kws.cli.runs import of_scenes, recipe_of, recorded_validation, scene_validation, train_to_the_end
    from kws.release import release

    wanted = Wanted(word=word, **scenes)
    out = out or Path(wanted.file_name).with_suffix("")
    if listen:
        _let_hear(wanted, out / "samples")
    workers = min(2, os.cpu_count() or 1)
    material = open_material(wanted, workers)
    recipe = recipe_of(seed, target_fa, steps)
    if validation_folder:
        validation = recorded_validation(validation_folder, recipe)
    else:
        validation = scene_validation(material, recipe, workers - 1)
    train_to_the_end(recipe, out / "run", of_scenes(material, wanted.ranges, seed, workers - 1), validation)
    detector = out / wanted.file_name
    written = release(out / "run", detector)
    click.echo(f"{detector}: {written.word!r}, threshold {written.threshold:.4f}; hear it with: kws listen {detector}")


def _let_hear(wanted: Wanted, folder: Path) -> None:
    """Write a few samples of each pronunciation, play them where there is a loudspeaker, and ask."""
    from kws.audio import write_audio
    from kws.files import make_folder
    from synth.speech import SpeechCache

    make_folder(folder)
    engines, cache = open_engines(wanted), SpeechCache()
    heard = []
    for number, saying in enumerate(wanted.sayings, 1):
        for engine, voice in _a_few(engines, saying.language):
            try:
                samples = cache.spoken(engine, saying, voice, seed=0)
            except ValueError:  # a phoneme that this engine does not have
                continue
            if samples is not None:
                path = folder / f"{number}-{engine.name}-{voice.replace('/', '_')}.wav"
                write_audio(path, samples)
                heard.append((path, samples))
    for engine in engines:
        engine.close()
    if not heard:
        raise Failure(f"none of the speech engines here could say {wanted.word!r} as asked: respell it with --say.")
    played = _play([samples for _, samples in heard])
    click.echo(f"{'played' if played else 'no loudspeaker here; wrote'} {', '.join(str(path) for path, _ in heard)}")
    if sys.stdin.isatty() and not click.confirm("Is this how the word is said?", default=True):
        click.echo("say it otherwise: --say takes a respelling (--say ack-tiv-ate) or phonemes (--say /ˈæktɪveɪt/).")
        sys.exit(0)


def _a_few(engines: Sequence[Engine], language: str) -> list[tuple[Engine, str]]:
    """Voices of as many engines as there are."""
    per_engine = [[(engine, voice) for voice in engine.voices("train", language)[:_SAMPLES]] for engine in engines]
    rounds = [voices[number] for number in range(_SAMPLES) for voices in per_engine if number < len(voices)]
    return rounds[:_SAMPLES]


def _play(sounds: Sequence[Samples]) -> bool:
    """Whether there was a loudspeaker to play them on."""
    from kws.audio import RATE_HZ

    try:
        import sounddevice

        for samples in sounds:
            sounddevice.play(samples, RATE_HZ, blocking=True)
    except (OSError, sounddevice.PortAudioError):
        return False
    return True
