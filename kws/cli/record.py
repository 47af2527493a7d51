"""`kws record`: a person says the word a few times, or anything but the word for some minutes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kws.errors import Failure, Misuse

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.recorder import Shelf, Take

_RETAKES = 5
"""How often a take that is no good is taken again before `--yes` gives up."""
_STOPPED = (KeyboardInterrupt, click.Abort)


@click.command("record")
@click.argument("word")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Where to; what is there is kept and counted on.  [default: recordings/WORD]",
)  # fmt: skip
@click.option("--takes", type=click.IntRange(min=1), default=10, show_default=True, help="How often the word is said.")
@click.option(
    "--input", "--device", "source", default="microphone", metavar="microphone|DEVICE",
    help="The default microphone, or one by its name, a part of it or its number (kws listen --list-devices).",
)  # fmt: skip
@click.option("--speaker", metavar="NAME", help="Who speaks; each speaker has a subfolder.")
@click.option("--yes", is_flag=True, help="Ask nothing: keep every good take and take each other one again.")
@click.option("--negatives", is_flag=True, help="Record talk and the room without the word instead.")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="How long, with --negatives.  [default: 5]"
)
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    word: str, out: Path | None, takes: int, source: str, speaker: str | None, yes: bool, negatives: bool,
    minutes: float | None,
) -> None:  # fmt: skip
    """Record yourself saying WORD, or with --negatives anything but WORD, to train with.

    Each take is checked (heard, not too quiet, not clipped, clear of the room) and trimmed to the word. Ctrl-C ends
    it and keeps what there is; the next run goes on from there.
    """
    word = word.strip()
    if not word:
        raise Misuse("the word is empty: name one, as in kws record activate.")
    if minutes is not None and not negatives:
        raise Misuse("--minutes says how long --negatives are: add it, or leave --minutes out.")
    if not (negatives or yes or sys.stdin.isatty()):
        raise Misuse("standard input is no terminal to ask on: add --yes, which keeps every good take.")
    from kws.recorder import Shelf, safe_name
    from kws.sources import Microphone

    device = None if source == "microphone" else source
    Microphone(device)  # before anything is made or said, so that a missing one leaves no trace
    name = safe_name(word)
    out = out or Path("recordings", f"without-{name}" if negatives else name)
    shelf = Shelf(out / safe_name(speaker) if speaker else out, "talk" if negatives else name)
    session = _Session(word=word, device=device, shelf=shelf, yes=yes)
    try:
        if negatives:
            session.hear_talk(5.0 if minutes is None else minutes)
        else:
            session.hear_takes(takes)
    except _STOPPED:
        _sum_up(session, out, negatives)
        sys.exit(130)
    except Failure:
        _sum_up(session, out, negatives)
        raise
    _sum_up(session, out, negatives)


def _sum_up(session: _Session, out: Path, negatives: bool) -> None:
    """What was kept, and what to do with it."""
    kept = len(session.shelf.kept)
    if not kept:
        click.echo("\nNothing was kept.")
        return
    kind = "negatives" if negatives else "positives"
    click.echo(f"\nKept {kept} {'file' if kept == 1 else 'files'} in {session.shelf.folder}. Next:")
    click.echo(f"  kws new {shlex.quote(session.word)} --{kind} {shlex.quote(str(out))}")


@dataclass(frozen=True, kw_only=True)
class _Session:
    """One person before one microphone."""

    word: str
    device: str | None
    shelf: Shelf
    yes: bool

    def hear_takes(self, count: int) -> None:
        """Prompt for the word so many times and keep what is good, until the person has had enough."""
        from kws.recorder import HINTS

        click.echo(f'Say "{self.word}" once after each prompt; every take should differ a little from the others.')
        for number in range(count):
            say = f"{number + 1} of {count}, {HINTS[number % len(HINTS)]}:"
            if not (self._keep_good(say) if self.yes else self._keep_chosen(say)):
                return

    def hear_talk(self, minutes: float) -> None:
        """Keep some minutes of talk, in files of a minute."""
        from tqdm import tqdm

        from kws.audio import RATE_HZ
        from kws.recorder import MINUTE_S, keep_talk
        from kws.sources import Microphone

        click.echo(f'Talk, read aloud, cook, listen to music: anything for {minutes:g} min, but never "{self.word}".')
        seconds = round(60 * minutes, 3)
        form = "{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s"
        with Microphone(self.device) as microphone, tqdm(total=seconds, bar_format=form, disable=None) as bar:

            def counted() -> Iterator[Samples]:
                for chunk in microphone:
                    bar.update(min(len(chunk) / RATE_HZ, seconds - bar.n))
                    yield chunk

            chunks = counted()
            for start_s in range(0, -int(-seconds // 1), int(MINUTE_S)):
                keep_talk(chunks, min(MINUTE_S, seconds - start_s), self.shelf)

    def _keep_good(self, say: str) -> bool:
        """Take it until it is good. Raises Failure if it never is."""
        for _ in range(_RETAKES + 1):
            taken = self._take(say)
            if not taken.fault:
                self._keep(taken)
                return True
        raise Failure(f"{_RETAKES + 1} takes in a row were no good, the last since {taken.fault}")

    def _keep_chosen(self, say: str) -> bool:
        """Take it until the person likes it; False if they have had enough."""
        while True:
            taken = self._take(say)
            answer = _ask(taken)
            if answer == "q":
                return False
            if answer == "k":
                self._keep(taken)
                return True

    def _take(self, say: str) -> Take:
        """One take, judged and told."""
        from kws.recorder import judge, take_word
        from kws.sources import Microphone

        lost = 0

        def prompt() -> None:
            nonlocal lost
            lost = microphone.overruns
            click.echo(f'  say "{self.word}" now …')

        click.echo(say)
        with Microphone(self.device) as microphone:
            taken = judge(take_word(iter(microphone), prompt))
            if microphone.overruns > lost:
                taken = replace(taken, fault="sound was lost on the way: close what keeps this machine busy.")
        click.echo(f"  no good: {taken.fault}" if taken.fault else f"  good: {taken.told}")
        return taken

    def _keep(self, taken: Take) -> None:
        click.echo(f"  kept as {self.shelf.put(taken.samples)}")


def _ask(taken: Take) -> str:
    """What to do with a take: k keeps it, r takes it again, q ends; Enter is k for a good one, else r."""
    usual = "r" if taken.fault else "k"
    choices = ["k", "r", "q"] if taken.heard else ["r", "q"]
    told = {"k": "k keeps it", "r": "r takes it again", "q": "q ends"}
    offer = ", ".join([told[usual].replace(usual, "Enter", 1), *(told[each] for each in choices if each != usual)])
    answer: str = click.prompt(
        f"  {offer}", type=click.Choice(choices), default=usual, show_default=False, show_choices=False
    )
    return answer
