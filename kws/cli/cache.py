"""`kws cache`: what is kept to save work, how large it is, and forgetting it."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kws.errors import Failure
from kws.files import bytes_in, cache_folder, size_of

if TYPE_CHECKING:
    from synth.kept import SoundCache

_BANK = re.compile(r".+-[0-9a-f]{12}")


@click.group("cache", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Tell where what was spoken is kept and how large it is; KWS_CACHE names another place."""
    if context.invoked_subcommand is None:
        kept = _kept()
        click.echo(f"{cache_folder()}: {size_of(sum(size for _, _, size in kept))}")
        for name, count, size in kept:
            click.echo(f"  {name}: {count}, {size_of(size)}")


@command.command("clear")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(yes: bool) -> None:
    """Forget all of it; words are then spoken anew, which takes minutes each."""
    kept = [(name, count, size) for name, count, size in _kept() if count]
    if not kept:
        click.echo(f"{cache_folder()} is empty.")
        return
    if not yes:
        told = ", ".join(f"{name}: {count}" for name, count, _ in kept)
        total = size_of(sum(size for _, _, size in kept))
        click.confirm(f"Forget what is kept in {cache_folder()} ({told}; {total})?", abort=True)
    freed = sum(cache.clear() for cache in _caches().values())
    for bank in _banks():
        freed += bytes_in(bank)
        try:
            shutil.rmtree(bank)
        except OSError as error:
            raise Failure(f"cannot remove {bank} ({error.strerror}): remove it yourself.") from error
    with contextlib.suppress(OSError):  # it is not there, or holds what is not ours
        (cache_folder() / "banks").rmdir()
    click.echo(f"{size_of(freed)} freed.")


def _caches() -> dict[str, SoundCache]:
    """By what is counted in them."""
    from synth.made_talk import TalkCache
    from synth.raised import RaisedCache
    from synth.speech import SpeechCache

    return {
        "utterances": SpeechCache(), "reels of made talk": TalkCache(),
        "pieces of talk in raised voices": RaisedCache(),
    }  # fmt: skip


def _kept() -> list[tuple[str, int, int]]:
    """What is kept: its name, how many of it and their bytes."""
    banks = list(_banks())
    return [
        *((name, *cache.size()) for name, cache in _caches().items()),
        ("banks", len(banks), sum(map(bytes_in, banks))),
    ]


def _banks() -> Iterator[Path]:
    """Folders named as kws names the banks it speaks; nothing else is ever removed."""
    return (path for path in (cache_folder() / "banks").glob("*") if _BANK.fullmatch(path.name) and path.is_dir())
