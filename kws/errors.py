"""What goes wrong for a user, said in one sentence."""

from __future__ import annotations

from collections.abc import Sequence


class Failure(Exception):
    """The work cannot be done; the message says what is wrong and how to mend it. Exit code 1."""


class Misuse(Failure):
    """The command or call was asked for something that makes no sense. Exit code 2."""


def told_by(lines: Sequence[str], code: int) -> str:
    """Why a `kws` that ran as another process failed: in its own last sentence, else by the last line that it wrote."""
    if code < 0:
        return f"it was killed (signal {-code}), perhaps because memory ran out."
    last = next((line for line in reversed(lines) if line and not line.startswith("{")), "")
    said = (line for line in reversed(lines) if line.startswith("kws: "))
    return next(said, f"it ended with {code}: {last}".removesuffix(": ")).removeprefix("kws: ")
