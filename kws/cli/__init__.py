"""The command line: verbs in the order of work, each in its own module and loaded only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from kws.errors import Failure, Misuse

COMMANDS = {
    "voices": "List the speech engines here, and how to get the others.",
    "record": "Record yourself saying a word.",
    "generate": "Make a labelled synthetic dataset.",
    "train": "Train a detector.",
    "export": "Write a trained detector to one .onnx file.",
    "evaluate": "Measure a detector on recordings.",
    "new": "Make a detector of any word, from its text.",
    "sweep": "Make many words, or one by many recipes, and rank them.",
    "listen": "Listen to a microphone, a file or standard input.",
    "serve": "Listen for other programs, over Wyoming and WebSocket.",
    "studio": "See what a detector hears, and make words, in a browser.",
    "service": "Keep listening in the background, from login on.",
    "doctor": "Show what works here, and how to mend what does not.",
    "cache": "Show what the cache holds, or empty it.",
}

EXTRAS = {
    **dict.fromkeys(("aiomqtt", "prometheus_client", "websockets", "wyoming"), "service"), "aiohttp": "studio",
    **dict.fromkeys(("ray", "fsspec", "tensorboard"), "cluster"),
}  # fmt: skip
"""Which extra brings what; anything else that may be missing comes with the extra `train`."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"kws.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="activate-kws", prog_name="kws")
def verbs() -> None:
    """Make a detector for a trigger word from its text, and listen for it on this machine."""


def main() -> None:
    """Run a command; every expected failure ends in one sentence and an exit code, never in a traceback."""
    try:
        sys.exit(verbs.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nkws: stopped.", err=True)
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(str(error.name).partition(".")[0], "train")
        click.echo(f"kws: {error.name} is not installed: pip install 'activate-kws[{extra}]'.", err=True)
        sys.exit(1)
    except Failure as failure:
        click.echo(f"kws: {failure}", err=True)
        sys.exit(2 if isinstance(failure, Misuse) else 1)
