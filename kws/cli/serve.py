"""`kws serve`: listen for other programs, over Wyoming and WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kws.cli.listen import DEFAULT, threshold_options
from kws.daemon.settings import Word, host_and_port
from kws.errors import Misuse

if TYPE_CHECKING:
    from kws.serve.server import Server


@click.command("serve")
@click.argument("names", metavar="[DETECTOR]...", nargs=-1)
@click.option(
    "--wyoming", metavar="HOST:PORT", default="127.0.0.1:10400", show_default=True,
    help="Where Home Assistant, its satellites and other clients of the Wyoming protocol connect; empty: nowhere.",
)  # fmt: skip
@click.option(
    "--websocket", metavar="HOST:PORT", default="127.0.0.1:10401", show_default=True,
    help="Where browsers connect: s16le PCM in, JSON out, ws://HOST:PORT/?rate=48000&words=activate; empty: nowhere.",
)  # fmt: skip
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True,
    help="Pages that may use the WebSocket besides this machine's own, such as https://home.example; may be repeated.",
)  # fmt: skip
@click.option("--clients", type=click.IntRange(1), default=64, show_default=True, help="How many are let in at once.")
@threshold_options
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    names: tuple[str, ...], wyoming: str, websocket: str, origins: tuple[str, ...], clients: int,
    threshold: float | None, target_fa: float | None,
) -> None:  # fmt: skip
    """Listen for the words of DETECTORs in what other programs send: shipped names or .onnx files, or "activate"."""
    doors = {
        name: host_and_port(f"--{name}", address) if address else None
        for name, address in (("wyoming", wyoming), ("websocket", websocket))
    }
    if not any(doors.values()):
        raise Misuse("--wyoming and --websocket are both empty: there is nothing to serve.")
    from kws.cli.shown import logged
    from kws.daemon.vocabulary import Vocabulary
    from kws.serve.gate import Limits
    from kws.serve.server import Doors, Server, run

    words = [Word(detector=name, threshold=threshold, target_fa=target_fa) for name in names or (DEFAULT,)]
    with logged():
        detectors = Vocabulary(words).detectors
        run(Server(detectors, Doors(**doors, origins=origins), Limits(clients=clients)), _greet)


def _greet(server: Server) -> None:
    where = ", ".join(f"{name} on {host}:{port}" for name, (host, port) in server.addresses.items())
    click.echo(f"kws: serving {where}; Ctrl-C ends it.", err=True)
