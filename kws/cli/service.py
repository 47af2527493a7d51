"""`kws service`: keep the listener running, from login on, by systemd or launchd."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kws.daemon.settings import Settings

_NOT_RUNNING = 3
"""The exit code of `status`, as systemctl's."""


@click.group("service")
def command() -> None:
    """Keep the listener running in the background, by systemd or launchd."""


@command.command("install")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="The settings. Without it your own default file, which is written first if there is none.",
)
@click.option("--print", "show", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--no-start", is_flag=True, help="Write the service, but do not start it.")
def install(config: Path | None, show: bool, no_start: bool) -> None:
    """Check the settings, then write the service and start it."""
    from kws.daemon.supervisor import default_config, supervisor
    from kws.daemon.unit import Service

    keeper = supervisor()
    config = config or default_config()
    service = Service(config=config, settings=_settings(config, write=not show))
    if show:
        click.echo(keeper.text(service), nl=False)
        return
    said = keeper.install(service, start=not no_start)
    click.echo(f"settings: {config}\nservice:  {keeper.path}\n{said}")


def _settings(config: Path, write: bool) -> Settings:
    """The settings in a file; where there is none, those of the example, which is written there."""
    from kws.daemon.settings import Settings, read_settings
    from kws.daemon.unit import EXAMPLE
    from kws.files import make_folder, write_whole

    if not config.exists():
        if not write:
            return Settings()
        make_folder(config.parent)
        write_whole(config, EXAMPLE.encode())
    return read_settings(config)


@command.command("status")
def status() -> None:
    """Tell in a few lines how the service fares; the exit code is 0 if it runs, otherwise 3."""
    from kws.daemon.supervisor import supervisor

    keeper = supervisor()
    if not keeper.path.exists():
        click.echo("No service is installed: kws service install.")
        sys.exit(_NOT_RUNNING)
    for line in (f"service: {keeper.path}", *keeper.standing()):
        click.echo(line)
    if not keeper.is_running():
        sys.exit(_NOT_RUNNING)


@command.command("uninstall")
def uninstall() -> None:
    """Stop the service and remove it; the settings stay."""
    from kws.daemon.supervisor import default_config, supervisor

    click.echo(supervisor().uninstall())
    if default_config().exists():
        click.echo(f"The settings stay: {default_config()}")
