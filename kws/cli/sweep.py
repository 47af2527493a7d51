"""`kws sweep`: many words, or one with many settings of the recipe, each made as `kws new` makes it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.cli.options import (
    budget_option,
    crew_of,
    crew_options,
    passed_on,
    run_options,
    scene_options,
    settings_of,
    usual_workers,
)
from kws.cli.stages import Stages, stoppable
from kws.errors import Failure, Misuse
from kws.files import append_line, make_folder, read_lines, write_whole

if TYPE_CHECKING:
    from kws.cli.trial import MakeTrial, Trial
    from kws.recipe import Setting
    from synth.crew import Crew

RECORDS, TABLE = "sweep.jsonl", "sweep.md"
"""A line for each finished trial, and the table of them all."""
_PLACE = click.Path(path_type=Path)


@click.command("sweep")
@click.argument("words", nargs=-1, metavar="WORD…")
@click.option("--words", "listed", type=_PLACE, metavar="FILE", help="More words, one a line.")
@click.option(
    "--out", type=_PLACE, default="sweep", show_default=True, metavar="FOLDER", help="Each trial gets a folder in it."
)
@click.option(
    "--seed", "seeds", type=click.IntRange(min=0), multiple=True, default=(1,), help="May be repeated.  [default: 1]"
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE,…",
    help="Values of the recipe to try: learning_rate=0.004,0.008; may be repeated, and a wrong name lists the right "
    "ones.",
)  # fmt: skip
@scene_options
@run_options
@budget_option
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N",
    help="Trials made at once.  [default: 1, or all that the cluster has room for]",
)  # fmt: skip
@click.option(
    "--cpus", type=click.IntRange(min=1), metavar="N",
    help="Processors for each.  [default: what this machine has for --workers, of a cluster 2]",
)  # fmt: skip
@click.option(
    "--gpus", type=click.FloatRange(min=0), default=0.0, metavar="N",
    help="GPUs for each, of a cluster; 0.25 has four share one.  [default: none]",
)  # fmt: skip
@crew_options
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    words: tuple[str, ...], listed: Path | None, out: Path, seeds: tuple[int, ...], sets: tuple[str, ...],
    workers: int | None, cpus: int | None, gpus: float, engine: str, address: str | None, **shared: Any,
) -> None:  # fmt: skip
    """Make a detector of every WORD with every seed and all the values that are --set, and rank them by validation.

    The other options are those of kws new. OUT/sweep.jsonl gets a line for each trial, OUT/sweep.md the table of all.
    Ctrl-C stops it; the same command goes on, and more words, seeds or values may be added.
    """
    from kws.cli.new import command as new
    from kws.cli.trial import KWS_NEW, MakeTrial

    trials = grid(words_of(words, listed), seeds, settings_of(sets, shared["steps"], shared["budget"]))
    _refuse_of_one_word(len({trial.word for trial in trials}), shared)
    local = engine == "local"
    cpus = cpus or (max(1, (os.cpu_count() or 1) // (workers or 1)) if local else usual_workers())
    crew = crew_of(engine, address, workers or (1 if local else None), each=cpus, gpus=gpus)
    options = passed_on(shared, new)
    job = MakeTrial(trials=trials, out=out.absolute(), options=options, cpus=cpus, program=KWS_NEW)
    stages = Stages()
    with stoppable(stages):
        sweep(job, crew, stages)


def _refuse_of_one_word(words: int, shared: Mapping[str, Any]) -> None:
    """Raise Misuse if several words are to be made with what is of one word only."""
    validation = shared["validation_folder"]
    given = {
        "--say": shared["says"], "--positives": shared["positives"],
        "--validation with positives/": validation and (validation / "positives").is_dir(),
    }  # fmt: skip
    if words > 1 and (of_one := next((name for name, is_there in given.items() if is_there), None)):
        raise Misuse(f"{of_one} is of one word: leave it out, or sweep the words one by one.")


def words_of(words: Sequence[str], listed: Path | None) -> list[str]:
    """The words named and those of a file, each once. Raises Misuse if there are none."""
    try:
        lines = listed.read_text(encoding="utf-8").splitlines() if listed else []
    except (OSError, UnicodeError) as error:
        raise Misuse(f"--words {listed} cannot be read ({error}): name a text file with one word a line.") from error
    found = [" ".join(word.split()) for word in (*words, *lines)]
    if not any(found):
        raise Misuse("no word is named: say kws sweep computer jarvis, or name a file of words with --words.")
    return [word for word in dict.fromkeys(found) if word]


def grid(words: Sequence[str], seeds: Sequence[int], settings: Mapping[str, Sequence[Setting]]) -> tuple[Trial, ...]:
    """Every combination; the word changes first, so that no two trials begin by speaking the same one.

    Raises Misuse if two would share a folder.
    """
    from kws.cli.trial import Trial

    each = [[(name, value) for value in values] for name, values in settings.items()]
    trials = tuple(
        Trial(word=word, seed=seed, settings=chosen)
        for seed, chosen, word in product(dict.fromkeys(seeds), list(product(*each)), words)
    )
    names: dict[str, Trial] = {}
    for trial in trials:
        if names.setdefault(trial.name.casefold(), trial) != trial:
            other = names[trial.name.casefold()].word
            raise Misuse(f"{other!r} and {trial.word!r} would share the folder {trial.name}: sweep them apart.")
    return trials


def sweep(job: MakeTrial, crew: Crew, stages: Stages) -> None:
    """Make the trials that are not made, and show how all of them stand. Raises Failure if any of these failed."""
    from kws.cli.ranking import told

    make_folder(job.out)
    known = _known(job)
    missing = [number for number, trial in enumerate(job.trials) if not _is_made(job, trial, known)]
    _make(job, missing, crew, stages)
    known = _known(job)
    table = told(list(known.values()))
    write_whole(job.out / TABLE, (table + "\n").encode())
    click.echo(table)
    failed = sum("failure" in known[trial.name] for trial in job.trials)
    if failed:
        raise Failure(
            f"{failed} of {len(job.trials)} trials failed, as {job.out / TABLE} tells: mend what it says and run the "
            "same command again, which makes only those."
        )


def _make(job: MakeTrial, missing: Sequence[int], crew: Crew, stages: Stages) -> None:
    """Make so many trials, and write down what came of each as it comes."""
    from kws.cli.ranking import line
    from kws.cli.trial import SAID

    if not missing:
        return
    click.echo(f"each tells how far it is in {job.out / '…' / SAID}", err=True)
    bar = stages.bar("trials", len(job.trials), "trial", done=len(job.trials) - len(missing))
    with bar, contextlib.closing(crew.work(job, missing)) as making:
        for _, record in making:
            append_line(job.out / RECORDS, json.dumps(record, allow_nan=False))
            bar.write(line(record), file=sys.stderr)
            bar.update()


def _known(job: MakeTrial) -> dict[str, dict[str, Any]]:
    """What was written down last of each trial in the folder, by name.

    Raises Misuse if other options made it, for figures of unlike makings cannot be ranked.
    """
    try:
        known = {record["trial"]: record for record in read_lines(job.out / RECORDS)}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{job.out / RECORDS} is damaged ({error}): remove the line that is not whole.") from error
    if any(record["options"] != list(job.options) for record in known.values()):
        raise Misuse(
            f"{job.out} holds a sweep with other options than words, --seed and --set: give the same again, or name "
            "another folder with --out."
        )
    return known


def _is_made(job: MakeTrial, trial: Trial, known: Mapping[str, dict[str, Any]]) -> bool:
    """Whether it has its figures and its detector."""
    from kws.cli.trial import detector_of

    record = known.get(trial.name, {"failure": ""})
    return "failure" not in record and detector_of(job.out / trial.name, trial.word).is_file()
