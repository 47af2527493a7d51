"""`kws service`: what it writes is what systemd and launchd accept, and it leaves nothing behind but the settings."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from kws.cli import main
from kws.daemon import supervisor
from kws.daemon.settings import Keep, Mqtt, Settings, Word, read_settings
from kws.daemon.supervisor import Launchd, Systemd
from kws.daemon.unit import EXAMPLE, LABEL, NAME, STEPS_SINCE, UNIT, Service, launchd_plist, systemd_unit
from kws.errors import Failure, Misuse

EXPOSURE = 2.5
"""Of 10; `systemd-analyze security` counts 2.4, of which a user unit and a microphone leave little to take."""
ODD = "a %h $HOME b"
"""A folder whose name a unit file must quote and escape."""
FAKE = """#!/bin/sh
echo "$@" >>"$0.calls"
case "$*" in
--version) echo "systemd 252 (252.1)";;
"--user show-environment") test ! -e "$0.absent";;
"--user is-active "*) cat "$0.state";;
"--user restart "*)
    test ! -e "$0.broken" || { echo "Job failed: no such thing." >&2; exit 1; }
    echo active >"$0.state";;
"--user disable "*) echo inactive >"$0.state";;
"--user show "*) cat "$0.shown";;
esac
"""

SHOWN = """ActiveState=active
SubState=running
Result=success
NRestarts=2
MemoryCurrent=61000000
StatusText=listening to USB, -42 dB
ActiveEnterTimestamp=Mon 2026-05-04 03:02:01 UTC
"""

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt-get install systemd"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd is on Linux")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    folder = tmp_path / ODD
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "systemctl"
    path.write_text(FAKE)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    (folder / "systemctl.state").write_text("inactive\n")
    (folder / "systemctl.shown").write_text(SHOWN)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `kws service`: (exit code, standard output, standard error)."""

    def service(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kws", "service", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capsys.readouterr()
        return int(done.value.code or 0), out, err

    return service


def calls(systemctl: Path) -> list[str]:
    """What systemctl was asked that changes anything."""
    asked = Path(f"{systemctl}.calls")
    lines = asked.read_text().splitlines() if asked.exists() else []
    return [line for line in lines if not re.search(r"--version|show-environment|is-active| show ", line)]


def unit_path(home: Path) -> Path:
    return home / ".config" / "systemd" / "user" / UNIT


def config_path(home: Path) -> Path:
    return home / ".config" / NAME / "kws.toml"


def odd_service(folder: Path, *, settings: Settings | None = None) -> Service:
    """A service whose every path needs escaping, python's too."""
    folder = folder / ODD
    folder.mkdir(exist_ok=True)
    python = folder / "python 3%"
    python.symlink_to(sys.executable)
    settings = settings or Settings(keep=Keep(folder="clips kept"))
    return Service(config=folder / "kws 100%.toml", settings=settings, python=str(python))


def systemd_analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", "--user", *arguments],
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@analyze
def test_systemd_finds_nothing_wrong_with_the_unit_whatever_its_paths_hold(tmp_path: Path) -> None:
    release = int(subprocess.check_output(["systemd-analyze", "--version"], text=True).split()[1])
    path = tmp_path / UNIT
    path.write_text(systemd_unit(odd_service(tmp_path), release))
    done = systemd_analyze(tmp_path, "verify", "--man=no", str(path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@analyze
def test_the_unit_exposes_little(tmp_path: Path) -> None:
    path = tmp_path / UNIT
    path.write_text(systemd_unit(odd_service(tmp_path), 0))
    done = systemd_analyze(tmp_path, "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", str(path))
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a unit offline: it needs systemd 250")
    assert done.returncode == 0, done.stdout


def test_the_unit_starts_this_python_with_these_settings(tmp_path: Path) -> None:
    service = odd_service(tmp_path)
    unit = systemd_unit(service, 252)
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    words = shlex.split(line.removeprefix("ExecStart=").replace("%%", "%"))
    assert words == [f":{service.python}", "-P", "-m", "kws", "listen", "--config", str(service.config)]
    assert f'ReadWritePaths="{str(service.folder / "clips kept").replace("%", "%%")}"' in unit


def test_only_what_is_kept_may_be_written_and_programs_get_more_memory(tmp_path: Path) -> None:
    plain = systemd_unit(Service(config=tmp_path / "kws.toml", settings=Settings()), 252)
    assert "ReadWritePaths" not in plain
    assert "MemoryMax=256M" in plain
    settings = Settings(words=(Word(exec=("true",)),), keep=Keep(folder="/var/clips"))
    starting = systemd_unit(Service(config=tmp_path / "kws.toml", settings=settings), 252)
    assert 'ReadWritePaths="/var/clips"' in starting
    assert "MemoryMax=4096M" in starting


def test_delays_grow_where_systemd_knows_how(tmp_path: Path) -> None:
    service = Service(config=tmp_path / "kws.toml", settings=Settings())
    assert "RestartSteps=" in systemd_unit(service, STEPS_SINCE)
    assert "RestartSteps=" not in systemd_unit(service, STEPS_SINCE - 1)


@pytest.mark.parametrize("name", ["a\nExecStart=/bin/sh", "a\tb", "a\x7f"])
def test_a_path_that_no_unit_can_name_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match="holds control characters"):
        systemd_unit(Service(config=Path("/x") / name, settings=Settings()), 252)


@pytest.mark.parametrize("name", ['py"thon', "py'thon", "py\\thon"])
def test_a_python_that_systemd_cannot_start_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match="systemd starts no program named"):
        systemd_unit(Service(config=Path("/x"), settings=Settings(), python=f"/bin/{name}"), 252)


def test_the_property_list_holds_what_launchd_needs(tmp_path: Path) -> None:
    service = odd_service(tmp_path)
    told = plistlib.loads(launchd_plist(service, tmp_path / "log"))
    assert told["ProgramArguments"] == list(service.command)
    assert told["Label"] == LABEL
    assert told["WorkingDirectory"] == str(service.folder)
    assert told["KeepAlive"] == {"SuccessfulExit": False}


def test_the_example_names_every_setting_and_is_right_with_each_in_force(tmp_path: Path) -> None:
    path = tmp_path / "kws.toml"
    path.write_text(EXAMPLE)
    assert read_settings(path) == Settings()
    lines = EXAMPLE.splitlines()
    for kind in (Settings, Word, Mqtt, Keep):
        for each in fields(kind):
            key = each.metadata.get("table", each.name)
            assert re.search(rf"^#?(\[*{key}\]|{key} =)", EXAMPLE, re.MULTILINE), f"{key} is not in the example"
    in_force = [line.removeprefix("#") if re.match(r"#(\w+ =|\[)", line) else line for line in lines]
    without_rival = [line for line in in_force if not line.startswith("target_fa")]
    path.write_text("\n".join(without_rival))
    settings = read_settings(path)
    assert settings.mqtt is not None
    assert settings.keep is not None


@linux
def test_installing_writes_settings_and_unit_and_starts_it(home: Path, systemctl: Path, run: Run) -> None:
    code, out, err = run("install")
    assert (code, err) == (0, "")
    assert config_path(home).read_text() == EXAMPLE
    service = Service(config=config_path(home), settings=Settings())
    assert unit_path(home).read_text() == systemd_unit(service, 252)
    assert calls(systemctl) == ["--user daemon-reload", f"--user enable {UNIT}", f"--user restart {UNIT}"]
    assert str(config_path(home)) in out
    assert "loginctl enable-linger" in out


@linux
def test_installing_again_leaves_the_settings_as_they_are(home: Path, systemctl: Path, run: Run) -> None:
    run("install")
    config_path(home).write_text('[keep]\nfolder = "clips"\n')
    assert run("install")[0] == 0
    assert config_path(home).read_text() == '[keep]\nfolder = "clips"\n'
    assert "ReadWritePaths=" in unit_path(home).read_text()
    assert (config_path(home).parent / "clips").is_dir()


@linux
def test_status_and_uninstall(home: Path, systemctl: Path, run: Run) -> None:
    assert run("status") == (3, "No service is installed: kws service install.\n", "")
    run("install", "--no-start")
    assert calls(systemctl) == ["--user daemon-reload"]
    assert run("status")[0] == 3
    run("install")
    code, out, _ = run("status")
    assert code == 0
    assert out.splitlines()[1:] == [
        "active (running) since Mon 2026-05-04 03:02:01 UTC",
        "listening to USB, -42 dB",
        "restarted 2 times",
        "memory 61 MB",
    ]
    code, out, _ = run("uninstall")
    assert code == 0
    assert calls(systemctl)[-2:] == [f"--user disable --now {UNIT}", "--user daemon-reload"]
    assert not unit_path(home).exists()
    assert config_path(home).exists()
    assert f"The settings stay: {config_path(home)}" in out
    assert run("uninstall")[1].startswith("No service is installed.")


@linux
def test_wrong_settings_are_refused_before_anything_is_written(
    home: Path, systemctl: Path, run: Run, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("json = 3")
    code, out, err = run("install", "--config", wrong)
    assert (code, out) == (2, "")
    assert err == f"kws: {wrong}, line 1: json must be true or false, got 3.\n"
    assert list(home.iterdir()) == []
    assert calls(systemctl) == []


@linux
def test_print_shows_the_unit_and_writes_nothing(home: Path, systemctl: Path, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[keep]\nfolder = "clips"\n')
    code, out, _ = run("install", "--print", "--config", config)
    assert code == 0
    assert out == systemd_unit(Service(config=config, settings=read_settings(config)), 252)
    assert run("install", "--print")[0] == 0
    assert list(home.iterdir()) == []
    assert not (tmp_path / "clips").exists()


@linux
def test_without_a_manager_it_says_what_to_do(home: Path, systemctl: Path, run: Run) -> None:
    Path(f"{systemctl}.absent").touch()
    code, out, _ = run("install")
    assert code == 0
    assert "no systemd of yours runs here: log in at the machine" in out
    assert unit_path(home).exists()
    assert calls(systemctl) == []
    assert run("uninstall")[0] == 0
    assert not unit_path(home).exists()


@linux
def test_without_systemctl_it_says_so(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "systemctl is not here" in run("install")[1]
    assert "no systemd of yours runs here" in run("status")[1]


@linux
def test_a_service_that_does_not_start_is_a_failure_of_one_sentence(home: Path, systemctl: Path, run: Run) -> None:
    Path(f"{systemctl}.broken").touch()
    code, _, err = run("install")
    assert code == 1
    assert err == (
        f"kws: systemctl --user restart {UNIT} failed (Job failed: no such thing): see journalctl --user -u {NAME}.\n"
    )


@linux
def test_a_relative_configuration_home_does_not_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    assert Systemd().path == unit_path(home)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "there"))
    assert Systemd().path == home / "there" / "systemd" / "user" / UNIT


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="launchd is on macOS")
def test_launchd_is_told_by_its_own_command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launchctl = tmp_path / "launchctl"
    launchctl.write_text('#!/bin/sh\necho "$1" >>"$0.calls"\necho "state = running"\n')
    launchctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    keeper = Launchd()
    service = Service(config=home / "kws.toml", settings=Settings())
    assert "It listens" in keeper.install(service, start=True)
    assert plistlib.loads(keeper.path.read_bytes())["ProgramArguments"] == list(service.command)
    assert keeper.is_running()
    keeper.uninstall()
    assert not keeper.path.exists()
    assert Path(f"{launchctl}.calls").read_text().split() == ["bootout", "bootstrap", "print", "bootout"]


def test_other_systems_are_told_what_to_do_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.sys, "platform", "win32")
    with pytest.raises(Failure, match="kws listen --config FILE"):
        supervisor.supervisor()
