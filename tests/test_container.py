"""The container file names what is there and what it runs exists; to build it takes a network."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from kws.cli import COMMANDS
from kws.daemon.settings import host_and_port, read_settings

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "scripts" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def told(word: str) -> list[str]:
    """What follows an instruction, each time it is given."""
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def test_it_copies_what_exists_and_all_that_the_build_needs() -> None:
    copied = {name for line in told("COPY") for name in line.split()[:-1]}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = PROJECT["project"]
    assert copied >= {"pyproject.toml", project["readme"], *project["license-files"]}
    assert copied >= set(PROJECT["tool"]["setuptools"]["package-data"])


def test_it_installs_what_ci_and_the_readme_install_and_extras_that_exist() -> None:
    install = next(line for line in told("RUN") if line.startswith("pip install"))
    extras = re.findall(r"\[([\w,]+)\]", install)[0].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert not set(extras) & {"train", "speak", "dev"}, "the light install alone"
    for place in (ROOT / ".ci" / "run", ROOT / "README.md"):
        assert "libportaudio2" in told("RUN")[0] and "libportaudio2" in place.read_text(encoding="utf-8")


def test_it_runs_as_nobody_in_particular_and_watches_the_address_of_its_settings(tmp_path: Path) -> None:
    assert told("USER") == ["kws"]
    assert LINES.index("USER kws") > max(number for number, line in enumerate(LINES) if line.startswith("RUN "))
    program, verb, *options = [*json.loads(told("ENTRYPOINT")[0]), *json.loads(told("CMD")[0])]
    assert program in PROJECT["project"]["scripts"]
    assert verb in COMMANDS
    assert options == ["--config", "/etc/kws.toml"]
    written = re.findall(r"echo '([^']*)' >/etc/kws.toml", told("RUN")[0])
    (tmp_path / "kws.toml").write_text("\n".join(written))
    host, port = host_and_port("metrics", read_settings(tmp_path / "kws.toml").metrics)
    assert f"http://{host}:{port}/metrics" in told("HEALTHCHECK")[0]
