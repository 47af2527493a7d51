"""What keeps the service running, spoken to through its own command: systemd's user manager, or macOS's launchd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from kws.daemon.unit import LABEL, NAME, UNIT, Service, launchd_plist, systemd_unit
from kws.errors import Failure
from kws.files import make_folder, write_whole

_PATIENCE_S = 90.0
_NO_MANAGER = (
    "no systemd of yours runs here: log in at the machine, or let yours run without you "
    f"(loginctl enable-linger), then systemctl --user enable --now {NAME}."
)


class Supervisor(Protocol):
    """Where a service is installed."""

    @property
    def path(self) -> Path:
        """The file that describes the service."""

    def text(self, service: Service) -> str:
        """That file's content."""

    def install(self, service: Service, *, start: bool) -> str:
        """Write the file and start the service; returns what there is to say. Raises Failure if it cannot be done."""

    def uninstall(self) -> str:
        """Stop the service and remove the file; returns what there is to say. Raises Failure if it cannot be done."""

    def is_running(self) -> bool:
        """Whether the service runs now."""

    def standing(self) -> list[str]:
        """How the service fares, in a few lines."""


def supervisor() -> Supervisor:
    """The one of this machine. Raises Failure on a system that has neither."""
    if sys.platform == "darwin":
        return Launchd()
    if sys.platform == "linux":
        return Systemd()
    raise Failure("a service needs systemd or launchd: let this system's own start `kws listen --config FILE`.")


def default_config() -> Path:
    """Where the settings of the service lie unless another file is named."""
    return _config_home() / NAME / "kws.toml"


class Systemd:
    """The user's own systemd."""

    def __init__(self) -> None:
        self.path = _config_home() / "systemd" / "user" / UNIT

    def text(self, service: Service) -> str:
        """The unit, for the systemd that is here."""
        told = _ask("systemctl", "--version")
        release = re.search(r"systemd (\d+)", told or "")
        return systemd_unit(service, int(release[1]) if release else 0)

    def install(self, service: Service, *, start: bool) -> str:
        """Write the unit, and, where the user's systemd runs, start it now and at each login."""
        _write(self.path, self.text(service).encode(), service)
        if shutil.which("systemctl") is None:
            return "systemctl is not here: on a machine with systemd, kws service install starts it."
        if not self._is_there():
            return _NO_MANAGER
        _tell("systemctl", "--user", "daemon-reload")
        if not start:
            return f"Not started: systemctl --user enable --now {NAME}."
        _tell("systemctl", "--user", "enable", UNIT)
        _tell("systemctl", "--user", "restart", UNIT)
        return "It listens whenever you are logged in; from the start of the machine on: loginctl enable-linger."

    def uninstall(self) -> str:
        """Stop it, and remove the unit."""
        if not self.path.exists():
            return "No service is installed."
        is_there = self._is_there()
        if is_there:
            _tell("systemctl", "--user", "disable", "--now", UNIT)
        _remove(self.path)
        if is_there:
            _tell("systemctl", "--user", "daemon-reload")
        return f"{self.path} is removed."

    def is_running(self) -> bool:
        """Whether the unit is active."""
        return _ask("systemctl", "--user", "is-active", UNIT) == "active"

    def standing(self) -> list[str]:
        """State, what it says of itself, restarts and memory."""
        if not self._is_there():
            return [_NO_MANAGER]
        asked = "ActiveState,SubState,Result,ExecMainStatus,StatusText,NRestarts,MemoryCurrent,ActiveEnterTimestamp"
        told = _ask("systemctl", "--user", "show", UNIT, f"--property={asked}") or ""
        values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        since = values.get("ActiveEnterTimestamp", "")
        state = f"{values.get('ActiveState', 'unknown')} ({values.get('SubState', '')})"
        lines = [state + (f" since {since}" if since and self.is_running() else "")]
        if values.get("Result", "success") != "success":
            ended = f"{values['Result']} {values.get('ExecMainStatus', '')}"
            lines.append(f"ended last with {ended}; journalctl --user -u {NAME} tells more")
        if values.get("StatusText"):
            lines.append(values["StatusText"])
        if values.get("NRestarts", "0") != "0":
            lines.append(f"restarted {values['NRestarts']} times")
        if values.get("MemoryCurrent", "").isdecimal():
            lines.append(f"memory {int(values['MemoryCurrent']) / 1e6:.0f} MB")
        return lines

    def _is_there(self) -> bool:
        return _ask("systemctl", "--user", "show-environment") is not None


class Launchd:
    """The user's own launchd."""

    def __init__(self) -> None:
        self.path = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    @property
    def log(self) -> Path:
        """Where the service writes what goes wrong."""
        return Path.home() / "Library" / "Logs" / f"{NAME}.log"

    def text(self, service: Service) -> str:
        """The property list."""
        return launchd_plist(service, self.log).decode()

    def install(self, service: Service, *, start: bool) -> str:
        """Write the property list and load it, now and at each login."""
        _write(self.path, self.text(service).encode(), service)
        if not start:
            return f"Not started: launchctl bootstrap {self._domain} {self.path}."
        _ask("launchctl", "bootout", f"{self._domain}/{LABEL}")  # fails where none was loaded before
        _tell("launchctl", "bootstrap", self._domain, str(self.path))
        return f"It listens whenever you are logged in; it writes to {self.log}."

    def uninstall(self) -> str:
        """Unload it, and remove the property list."""
        if not self.path.exists():
            return "No service is installed."
        _ask("launchctl", "bootout", f"{self._domain}/{LABEL}")
        _remove(self.path)
        return f"{self.path} is removed."

    def is_running(self) -> bool:
        """Whether launchd has a process of it."""
        return "state = running" in (_ask("launchctl", "print", f"{self._domain}/{LABEL}") or "")

    def standing(self) -> list[str]:
        """Whether it runs, and where its log lies."""
        return ["running" if self.is_running() else "not running", f"log: {self.log}"]

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"


def _config_home() -> Path:
    named = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path.home() / ".config"


def _write(path: Path, content: bytes, service: Service) -> None:
    for folder in (path.parent, *service.writable):
        make_folder(folder)
    write_whole(path, content)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise Failure(f"cannot remove {path} ({error.strerror}): remove it yourself.") from error


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _ask(*command: str) -> str | None:
    """What a command prints; None if it is missing, fails or hangs."""
    done = _run(*command)
    return done.stdout.strip() if done and done.returncode == 0 else None


def _tell(*command: str) -> None:
    """Run a command that must succeed."""
    done = _run(*command)
    if done is None or done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[0] if done else "it gave no answer"
        raise Failure(f"{' '.join(command)} failed ({reason.rstrip('.:')}): see journalctl --user -u {NAME}.")
