"""The house is as the README draws it: every file listed, commands as told, rooms small, no traces of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 370
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
TREE = next(text for _, text in BLOCKS if text.startswith("kws/")).splitlines()


def modules() -> set[str]:
    """Every file of code in the packages and scripts; empty __init__.py are no rooms."""
    found = {path for tree in ("kws", "synth") for path in (ROOT / tree).rglob("*.py") if path.stat().st_size}
    found |= {path for path in (ROOT / "scripts").iterdir() if path.is_file()}
    return {path.relative_to(ROOT).as_posix() for path in found}


def drawn() -> list[str]:
    """The paths of the README's file tree, folders ending in a slash."""
    paths: list[str] = []
    folders: list[str] = []
    for line in TREE:
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        paths.append("".join(folders) + name)
        if name.endswith("/"):
            folders.append(name)
    return paths


def tracked() -> list[Path]:
    """The files of the repository, or none outside a checkout."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_readme_lists_every_file_of_the_house_and_no_other() -> None:
    files = [path for path in drawn() if not path.endswith("/")]
    assert len(files) == len(set(files))
    assert set(files) - modules() == set(), "the README lists what does not exist"
    assert modules() - set(files) == set(), "the README's tree lacks these files"


def test_the_readme_lists_no_folder_that_is_not_there() -> None:
    assert [path for path in drawn() if path.endswith("/") and not (ROOT / path).is_dir()] == []


def test_each_line_of_the_tree_says_what_the_file_is() -> None:
    assert [line for line in TREE if len(line.split()) < 3] == []


def test_the_help_lists_the_commands_and_each_has_a_help() -> None:
    from kws.cli import COMMANDS

    done = subprocess.run([sys.executable, "-m", "kws", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  (\w+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(COMMANDS)
    assert [command for command in COMMANDS if not (ROOT / "kws" / "cli" / f"{command}.py").is_file()] == []


def test_every_command_line_in_the_readme_names_commands_and_options_that_exist() -> None:
    import importlib

    import click

    from kws.cli import COMMANDS

    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    calls = re.findall(r"(?:^|\| |/)kws (\w+)([^|#\n]*)", "\n".join(lines), re.MULTILINE)
    assert {verb for verb, _ in calls} == set(COMMANDS)
    for verb, rest in calls:
        command: click.Command = importlib.import_module(f"kws.cli.{verb}").command
        known = {name for option in command.params for name in option.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known, f"kws {verb}{rest}"


def test_the_two_commands_of_the_readme_are_what_ci_runs() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install"
    commands = [line for line in README.splitlines() if line.startswith(install)]
    assert len(commands) == 2
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(" --quiet", "").replace("timeout 120 ", "")
    assert [command for command in commands if command not in ci] == []


@pytest.mark.parametrize("path", sorted(modules()))
def test_no_room_is_larger_than_370_lines(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_no_file_names_a_path_or_a_registry_of_one_machine() -> None:
    if not tracked():
        pytest.skip("not a git checkout, so there is no list of the repository's files")
    traces = re.compile(
        rb"(?<![\w.])/(?:work|root|home|opt|mnt)/[\w.]|pypi\.(?:org|python)|files\.pythonhosted|registry\.(?:npmjs|yarnpkg)"
    )
    text = {path: path.read_bytes() for path in tracked() if path.suffix not in {".ogg", ".onnx", ".png", ".flac"}}
    found = {str(path.relative_to(ROOT)): traces.findall(data) for path, data in text.items()}
    assert {name: hits for name, hits in found.items() if hits and name != "tests/test_house.py"} == {}


def test_every_python_script_is_linted() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    scripts = {path for path in modules() if path.startswith("scripts/")} - {"scripts/Containerfile"}
    assert set(settings["tool"]["ruff"]["extend-include"]) == scripts
