"""The service as files: a systemd user unit, a launchd property list, and first settings that explain every key."""

from __future__ import annotations

import plistlib
import sys
from dataclasses import dataclass
from pathlib import Path

from kws.daemon.settings import Settings
from kws.errors import Misuse

NAME = "activate-kws"
UNIT = f"{NAME}.service"
LABEL = "io.github.activate-kws"
"""What launchd calls the service."""

WATCHDOG_S = 120
"""So long without a scored frame, because the loop hangs or its microphone is gone, and it is started anew."""
STEPS_SINCE = 254
"""The release of systemd that knows growing delays between restarts."""

_OWN_MEMORY_MB = 256
_PROGRAM_MEMORY_MB = 4096
"""With programs to start, which count as the service's."""

_UNIT = """\
# Written by `kws service install`; a later install replaces it. Your own changes: systemctl --user edit {name}
[Unit]
Description=Trigger-word listener (activate-kws)
Documentation=man:systemd.service(5)
StartLimitIntervalSec=0
After=pipewire.service pipewire-pulse.service pulseaudio.service

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=kill -HUP $MAINPID
WorkingDirectory={folder}
WatchdogSec={watchdog_s}
TimeoutStartSec=60
TimeoutStopSec=15
Restart=on-failure
{restart}
# Settings that make no sense end with 2, and no restart mends them.
RestartPreventExitStatus=2
SyslogIdentifier={name}

# Programs that `exec` starts live under the same limits: they read everything and write to these folders alone.
# Not here: PrivateDevices hides sound cards, MemoryDenyWriteExecute forbids the callback that PortAudio needs.
NoNewPrivileges=yes
PrivateUsers=yes
ProtectSystem=strict
ProtectHome=read-only
{writable}PrivateTmp=yes
UMask=0077
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
MemoryMax={memory_mb}M
OOMPolicy=continue
TasksMax=256

[Install]
WantedBy=default.target
"""

EXAMPLE = """\
# Settings of the listener. A line that begins with "#" and a key is an example: take the "#" away and it counts.
# Paths are relative to this folder. After a change: systemctl --user reload activate-kws

#device = "USB"                  # the microphone: a name, a part of one, or a number; without it the default one
#json = true                     # each wake as one line of JSON on standard output
#gate = true                     # let the nets rest while nothing is said
#metrics = "127.0.0.1:9477"      # where /metrics is served, for Prometheus
#muted = true                    # start with the microphone off

[[word]]                         # one for each word
detector = "activate"            # a shipped name or the path of a .onnx file
#threshold = 0.5                 # the score that counts, instead of the calibrated one
#target_fa = 1.0                 # or: so many false accepts per hour of speech, by the curve in the file
#cooldown_s = 2.0                # no second wake sooner than this after one
#exec = ["notify-send", "heard"] # a program and its arguments; it finds KWS_WORD, KWS_SCORE, KWS_TIME, KWS_END
#exec_limit_s = 60               # a program that runs for longer is ended
#hand_over = "wav"               # or "raw": the sound that follows, on the program's standard input
#before_s = 0.0                  # sound handed over from before the word's end
#after_s = 8.0                   # and from after it
#webhook = "http://localhost:8123/api/webhook/x" # gets each wake as JSON by POST

#[mqtt]                          # a broker that gets each wake, with Home Assistant's discovery
#host = "localhost"
#port = 1883
#username = "kws"
#password_file = "mqtt_password" # a file that holds the password alone
#tls = true
#topic = "activate"              # what every topic begins with
#discovery = "homeassistant"     # Home Assistant's prefix; "" for none
#name = "kitchen"                # what this machine is called

#[keep]                          # clips of what fired; nothing is kept without this
#folder = "clips"
#before_s = 2.0
#after_s = 1.0
#days = 7                        # a clip older than this is removed
#megabytes = 200                 # the oldest are removed beyond this
"""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the service runs: this Python, these settings."""

    config: Path
    """The file of the settings; absolute."""
    settings: Settings
    python: str = sys.executable

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; -P, since it runs in a folder of the user's, where a module may have any name."""
        return (self.python, "-P", "-m", "kws", "listen", "--config", str(self.config))

    @property
    def folder(self) -> Path:
        """Where it runs: paths in the settings are relative to the folder they stand in."""
        return self.config.parent

    @property
    def writable(self) -> tuple[Path, ...]:
        """The folders it must be able to write to."""
        keep = self.settings.keep
        return (self.folder / Path(keep.folder).expanduser(),) if keep else ()

    @property
    def memory_mb(self) -> int:
        """The limit, which programs that a wake starts share."""
        starts = any(word.exec for word in self.settings.words)
        return _PROGRAM_MEMORY_MB if starts else _OWN_MEMORY_MB


def systemd_unit(service: Service, release: int) -> str:
    """The unit file for this release of systemd; an older one warns of what it does not know."""
    delays = (
        ["RestartSec=2", "RestartSteps=8", "RestartMaxDelaySec=300"] if release >= STEPS_SINCE else ["RestartSec=10"]
    )
    if set(service.python) & set("\"'\\"):
        raise Misuse(f"systemd starts no program named {service.python}: install kws where no quote is in the path.")
    first, *rest = map(_quoted, service.command)
    return _UNIT.format(
        name=NAME,
        command=" ".join([f'":{first[1:]}', *rest]),  # the colon keeps $ in a path from being taken for a variable
        folder=_escaped(str(service.folder)),
        watchdog_s=WATCHDOG_S,
        restart="\n".join(delays),
        writable="".join(f"ReadWritePaths={_quoted(str(folder))}\n" for folder in service.writable),
        memory_mb=service.memory_mb,
    )


def launchd_plist(service: Service, log: Path) -> bytes:
    """The property list, with what goes wrong written to `log`."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(service.command),
            "WorkingDirectory": str(service.folder),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ProcessType": "Adaptive",
            "Umask": 0o077,
            "StandardErrorPath": str(log),
        }
    )


def _escaped(text: str) -> str:
    """A value in which systemd finds no specifier. Raises Misuse where a unit file has no way to say it."""
    if any(not mark.isprintable() for mark in text):
        raise Misuse(f"{text!r} holds control characters, which a unit file cannot name: choose another path.")
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One argument in a unit file's quotes."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
