"""`kws doctor`: what works here, and how to mend what does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kws.cli.checks import Finding


@click.command("doctor")
@click.argument("names", metavar="[DETECTOR]...", nargs=-1)
@click.option("--device", metavar="NAME", help="The microphone: a name, a part of one, or a number.")
@click.option(
    "--listen/--no-listen",
    default=None,
    help="Hear two seconds of the microphone, or leave it alone. Without either: if there is one.",
)
@click.option("--json", "as_json", is_flag=True, help="All findings as one line of JSON.")
def command(names: tuple[str, ...], device: str | None, listen: bool | None, as_json: bool) -> None:
    """Look at what listening for DETECTORs (those shipped, unless some are named) needs.

    The exit code is 1 if something keeps it from working.
    """
    found: list[Finding] = []
    for finding in _findings(names, device, listen):
        found.append(finding)
        if not as_json:
            click.echo(_told(finding))
    if as_json:
        from dataclasses import asdict

        click.echo(json.dumps([asdict(finding) for finding in found]))
    if any(finding.mark == "x" for finding in found):
        sys.exit(1)


def _findings(names: tuple[str, ...], device: str | None, listen: bool | None) -> Iterator[Finding]:
    from kws.cli import checks

    yield from checks.packages()
    yield from checks.detectors(names)
    yield from checks.start(names)
    yield from checks.microphones(device, listen)
    yield from checks.cache()
    yield from checks.service()


def _told(finding: Finding) -> str:
    mend = f"\n{'':18}-> {finding.mend}" if finding.mend else ""
    return f"{finding.mark:>2}  {finding.about:<14}{finding.told}{mend}"
