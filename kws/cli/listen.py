"""`kws listen`: hear words in a microphone, a file, a pipe or the bundled recording, and do something about it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.errors import Misuse

if TYPE_CHECKING:
    from kws.daemon.settings import Settings

DEFAULT = "activate"


def threshold_options(command: Callable[..., None]) -> Callable[..., None]:
    """The two ways to choose another threshold than the calibrated one."""
    score = click.option(
        "--threshold", type=float, metavar="X", help="The score that counts, instead of the calibrated one."
    )
    rate = click.option(
        "--target-fa",
        type=click.FloatRange(0, min_open=True),
        metavar="X",
        help="Another threshold: that of X false accepts per hour of speech, by the curve in the detector file.",
    )
    return score(rate(command))


@click.command("listen")
@click.argument("names", metavar="[DETECTOR]...", nargs=-1)
@click.option(
    "--input", "source", metavar="microphone|FILE|-|demo",
    help="A microphone, a sound file, raw PCM on standard input (s16le, 16 kHz, mono) or the bundled recording. "
    "Without it: the microphone if there is one, otherwise the bundled recording.",
)  # fmt: skip
@click.option("--device", metavar="NAME", help="The microphone: a name, a part of one, or a number.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each detection, and nothing else.")
@threshold_options
@click.option("--cooldown", type=float, metavar="SECONDS", help="No second detection of a word sooner than this.")
@click.option("--exec", "program", metavar="COMMAND", help="A program to run at each detection, without a shell.")
@click.option("--hand-over", type=click.Choice(["wav", "raw"]), help="Give it the sound that follows, on its input.")
@click.option("--before", type=float, metavar="SECONDS", help="Sound handed over from before the word's end.")
@click.option("--after", type=float, metavar="SECONDS", help="Sound handed over from after the word's end.")
@click.option("--webhook", metavar="URL", help="A web address that gets each detection as JSON.")
@click.option("--mqtt", metavar="HOST[:PORT]", help="A broker that gets each detection; Home Assistant finds it.")
@click.option("--keep", metavar="FOLDER", help="Keep a clip of each detection there, for a week, 200 MB at most.")
@click.option("--gate", is_flag=True, help="Let the nets rest while nothing is said.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics for Prometheus there.")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE",
    help="All of this from a TOML file; SIGHUP has it read again.",
)  # fmt: skip
@click.option("--list-devices", is_flag=True, help="List the microphones and stop.")
def command(list_devices: bool, **asked: Any) -> None:
    """Listen for the words of DETECTORs: shipped names or .onnx files, "activate" if none is given."""
    if list_devices:
        _list_devices()
        return
    from kws.cli.hearing import Hearing

    source = asked.pop("source")
    settings, reread = _settings(asked)
    if settings.device is not None and source not in (None, "microphone"):
        raise Misuse(f"--device names a microphone, but the input is {source}: leave one of the two out.")
    hearing = Hearing(settings=settings, reread=reread, waits=asked["config"] is not None)
    if source in (None, "microphone"):
        hearing.of_microphone(else_demo=source is None and settings.device is None)
    elif source == "-":
        hearing.of_pipe()
    elif source == "demo":
        hearing.of_demo()
    else:
        hearing.of_file(Path(str(source)))


def _list_devices() -> None:
    from kws.sources import NoMicrophone, input_devices

    devices = input_devices()
    if not devices:
        raise NoMicrophone("there is no microphone: plug one in or start the sound server.")
    for device in devices:
        mark = "*" if device.is_default else " "
        click.echo(f"{mark} {device.index:3d}  {device.name}  ({device.channels} in, {device.rate_hz:.0f} Hz)")


def _settings(asked: dict[str, Any]) -> tuple[Settings, Callable[[], Settings]]:
    """What is asked for, by options or by a file, and how to read it again."""
    from kws.daemon.settings import read_settings

    config, as_json = asked["config"], asked["as_json"]
    if config is None:
        settings = _of_options(asked)
        return settings, lambda: settings
    beside = [name for name, value in asked.items() if value and name not in ("config", "as_json")]
    if beside:
        raise Misuse(f"--config names a file that says it all: write there what you give as {', '.join(beside)}.")

    def read() -> Settings:
        settings = read_settings(config)
        return replace(settings, json=settings.json or as_json)

    return read(), read


def _of_options(asked: dict[str, Any]) -> Settings:
    from kws.daemon.settings import Keep, Mqtt, Settings, Word, host_and_port

    word = {
        "threshold": asked["threshold"], "target_fa": asked["target_fa"], "cooldown_s": asked["cooldown"],
        "exec": _arguments(asked["program"] or ""), "hand_over": asked["hand_over"],
        "before_s": asked["before"], "after_s": asked["after"], "webhook": asked["webhook"],
    }  # fmt: skip
    word = {name: value for name, value in word.items() if value is not None}
    mqtt = None
    if asked["mqtt"]:
        host, port = asked["mqtt"], Mqtt.port
        if ":" in asked["mqtt"]:
            host, port = host_and_port("--mqtt", asked["mqtt"])
        mqtt = Mqtt(host=host, port=port)
    return Settings(
        device=asked["device"],
        json=asked["as_json"],
        gate=asked["gate"],
        metrics=asked["metrics"] or "",
        words=tuple(Word(detector=name, **word) for name in asked["names"] or (DEFAULT,)),
        mqtt=mqtt,
        keep=Keep(folder=asked["keep"]) if asked["keep"] else None,
    )


def _arguments(program: str) -> tuple[str, ...]:
    """The program and its arguments, taken apart as a shell would."""
    try:
        return tuple(shlex.split(program))
    except ValueError as error:
        raise Misuse(f"--exec {program} cannot be taken apart ({error}): quote it as for a shell.") from error
