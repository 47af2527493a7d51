"""`kws cache`: what is kept to save work, how large it is, and forgetting it."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from kws.errors import Failure
from kws.files import bytes_in, cache_folder, size_of

_BANK = re.compile(r".+-[0-9a-f]{12}")


@click.group("cache", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Tell where what was spoken is kept and how large it is; KWS_CACHE names another place."""
    if context.invoked_subcommand is None:
        spoken, speech_bytes, banks, bank_bytes = _sizes()
        click.echo(f"{cache_folder()}: {size_of(speech_bytes + bank_bytes)}")
        click.echo(f"  speech: {spoken} utterances, {size_of(speech_bytes)}")
        click.echo(f"  banks: {banks}, {size_of(bank_bytes)}")


@command.command("clear")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(yes: bool) -> None:
    """Forget all of it; words are then spoken anew, which takes minutes each."""
    from synth.speech import SpeechCache

    spoken, speech_bytes, banks, bank_bytes = _sizes()
    if not spoken and not banks:
        click.echo(f"{cache_folder()} is empty.")
        return
    total = size_of(speech_bytes + bank_bytes)
    if not yes:
        click.confirm(f"Forget {spoken} utterances and {banks} banks ({total}) in {cache_folder()}?", abort=True)
    freed = SpeechCache().clear()
    for bank in _banks():
        freed += bytes_in(bank)
        try:
            shutil.rmtree(bank)
        except OSError as error:
            raise Failure(f"cannot remove {bank} ({error.strerror}): remove it yourself.") from error
    with contextlib.suppress(OSError):  # it is not there, or holds what is not ours
        (cache_folder() / "banks").rmdir()
    click.echo(f"{size_of(freed)} freed.")


def _sizes() -> tuple[int, int, int, int]:
    """Utterances and their bytes, banks and their bytes."""
    from synth.speech import SpeechCache

    spoken, speech_bytes = SpeechCache().size()
    banks = list(_banks())
    return spoken, speech_bytes, len(banks), sum(map(bytes_in, banks))


def _banks() -> Iterator[Path]:
    """Folders named as kws names the banks it speaks; nothing else is ever removed."""
    return (path for path in (cache_folder() / "banks").glob("*") if _BANK.fullmatch(path.name) and path.is_dir())
