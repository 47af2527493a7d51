"""What the daemon is told, by one TOML file or by options: frozen values, checked with the line and the mend.

Durations in seconds, levels in dB over full scale.
"""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from kws.errors import Misuse


def _within(name: str, value: float | None, least: float, most: float | None, *, open_below: bool = False) -> None:
    if value is None:
        return
    if not (value > least if open_below else value >= least) or (most is not None and value > most):
        below = f"above {least:g}" if open_below else f"at least {least:g}"
        raise Misuse(f"{name} must be {below}{'' if most is None else f' and at most {most:g}'}, got {value:g}.")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word to listen for, and what is done when it is heard."""

    detector: str = "activate"
    """A shipped name or the path of a .onnx file."""
    threshold: float | None = None
    """The score that counts, instead of the calibrated one."""
    target_fa: float | None = None
    """Instead of a threshold: that of so many false accepts per hour of speech, by the curve in the file."""
    cooldown_s: float | None = None
    """No second detection sooner than this after one; None: as the detector's file says."""
    exec: tuple[str, ...] = ()
    """A program and its arguments, run without a shell; KWS_WORD, KWS_SCORE, KWS_TIME and KWS_END tell it the rest."""
    exec_limit_s: float = 60.0
    """A program that runs for longer is ended."""
    hand_over: Literal["", "wav", "raw"] = ""
    """How the program gets the sound on its standard input: not at all, as WAV, or as s16le at 16 kHz, mono."""
    before_s: float = 0.0
    """Sound handed over from before the word's end."""
    after_s: float = 8.0
    """Sound handed over from after the word's end."""
    webhook: str = ""
    """A web address that gets each wake as JSON by POST."""

    def __post_init__(self) -> None:
        if self.threshold is not None and self.target_fa is not None:
            raise Misuse("threshold and target_fa both choose the threshold: give one of them.")
        _within("threshold", self.threshold, 0, 1, open_below=True)
        _within("target_fa", self.target_fa, 0, None, open_below=True)
        _within("cooldown_s", self.cooldown_s, 0, 3600)
        _within("exec_limit_s", self.exec_limit_s, 0, 86400, open_below=True)
        _within("before_s", self.before_s, 0, 30)
        _within("after_s", self.after_s, 0, 600)
        if self.hand_over and not self.exec:
            raise Misuse("hand_over needs a program to hand the sound to: name it with exec.")
        if self.webhook and not re.match(r"https?://[^/\s]+", self.webhook):
            raise Misuse(
                f"webhook must be a web address such as http://localhost:8123/api/webhook/x, got {self.webhook!r}."
            )


@dataclass(frozen=True, kw_only=True)
class Mqtt:
    """A broker that gets each wake, and Home Assistant's discovery of it."""

    host: str
    port: int = 1883
    username: str = ""
    password_file: str = ""
    """A file that holds the password, so that it stands in no list of processes."""
    tls: bool = False
    topic: str = "activate"
    """What every topic of ours begins with."""
    discovery: str = "homeassistant"
    """Home Assistant's prefix of discovery; empty: no discovery."""
    name: str = ""
    """What this machine is called; empty: its host name."""

    def __post_init__(self) -> None:
        if not self.host:
            raise Misuse("host must name the broker.")
        _within("port", self.port, 1, 65535)
        for name in ("topic", "discovery"):
            if set(getattr(self, name)) & set("+#\0"):
                raise Misuse(f"{name} must hold none of + and #, got {getattr(self, name)!r}.")
        if not self.topic:
            raise Misuse("topic must not be empty.")


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Clips of what fired, kept to be listened to; nothing is kept unless this is given."""

    folder: str
    before_s: float = 2.0
    """Sound kept from before the word's end."""
    after_s: float = 1.0
    """Sound kept from after the word's end."""
    days: float = 7.0
    """A clip older than this is removed."""
    megabytes: float = 200.0
    """The oldest clips are removed beyond this."""

    def __post_init__(self) -> None:
        if not self.folder:
            raise Misuse("folder must name where clips are kept.")
        _within("before_s", self.before_s, 0, 30)
        _within("after_s", self.after_s, 0, 60)
        _within("days", self.days, 0, None, open_below=True)
        _within("megabytes", self.megabytes, 0, None, open_below=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that the daemon is told."""

    device: str | None = None
    """The microphone: a name, a part of one, or a number; None: the default one."""
    json: bool = False
    """Each wake as one line of JSON on standard output."""
    gate: bool = False
    """Whether the nets rest while nothing is said."""
    metrics: str = ""
    """HOST:PORT where /metrics is served; empty: nowhere."""
    muted: bool = False
    """Whether it starts with the microphone off."""
    words: tuple[Word, ...] = field(default=(Word(),), metadata={"table": "word"})
    mqtt: Mqtt | None = None
    keep: Keep | None = None

    def __post_init__(self) -> None:
        if not self.words:
            raise Misuse("there is no [[word]] to listen for: name a detector.")
        if self.metrics:
            host_and_port("metrics", self.metrics)


def host_and_port(name: str, address: str) -> tuple[str, int]:
    """The host and port of HOST:PORT, [IPV6]:PORT or PORT alone, which is the loopback's. Raises Misuse."""
    found = re.fullmatch(r"(?:(?:\[([0-9a-fA-F:]+)\]|([^:\[\]\s]+)):)?(\d{1,5})", address)
    if not found or not 0 <= int(found[3]) <= 65535:
        raise Misuse(f"{name} must be HOST:PORT, such as 127.0.0.1:9477, got {address!r}.")
    return found[1] or found[2] or "127.0.0.1", int(found[3])


def read_settings(path: Path) -> Settings:
    """The settings in a TOML file. Raises Misuse with the line and the mend if anything in it is not understood."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"cannot read the settings {path} ({error}): name a TOML file.") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misuse(f"{path} is not TOML: {error}.") from error
    settings: Settings = _Reader(path, text).record(Settings, values, ())
    return settings


class _Reader:
    """Turns parsed TOML into settings, and finds the line of what it cannot."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._lines = path, _lines(text)

    def record(self, kind: Any, values: Mapping[str, Any], at: tuple[str | int, ...]) -> Any:
        """A dataclass of the values of a table that stands `at` these keys."""
        hints = typing.get_type_hints(kind)
        known = {each.metadata.get("table", each.name): each for each in fields(kind)}
        given: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                raise self._misuse((*at, key), f"{key!r} is not known here: choose of {', '.join(known)}")
            given[known[key].name] = self._value(hints[known[key].name], value, (*at, key))
        for key, each in known.items():
            if each.name not in given and each.default is MISSING and each.default_factory is MISSING:
                raise self._misuse(at, f"{key} is missing: add it")
        try:
            return kind(**given)
        except Misuse as wrong:
            named = next((key for key in values if re.match(rf"{key}\b", str(wrong))), None)
            raise self._misuse((*at, named) if named else at, str(wrong).rstrip(".")) from wrong

    def _value(self, hint: Any, value: Any, at: tuple[str | int, ...]) -> Any:
        kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kind = next(each for each in kinds if each is not types.NoneType)
        if is_dataclass(kind):
            if isinstance(value, dict):
                return self.record(kind, value, at)
            raise self._misuse(at, f"{at[-1]} must be a table, [{at[-1]}]")
        if typing.get_origin(kind) is tuple:
            return self._several(typing.get_args(kind)[0], value, at)
        if typing.get_origin(kind) is Literal:
            choices = typing.get_args(kind)
            if value in choices:
                return value
            raise self._misuse(at, f"{at[-1]} must be one of {', '.join(map(repr, choices))}, got {value!r}")
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            name = {str: "text in quotes", float: "a number", int: "a whole number", bool: "true or false"}[kind]
            key = at[-1] if isinstance(at[-1], str) else at[-2]
            raise self._misuse(at, f"{key} must be {name}, got {value!r}")
        return value

    def _several(self, kind: Any, value: Any, at: tuple[str | int, ...]) -> tuple[Any, ...]:
        if not isinstance(value, list):
            shape = f"a list of tables, [[{at[-1]}]]" if is_dataclass(kind) else 'a list, ["program", "argument"]'
            raise self._misuse(at, f"{at[-1]} must be {shape}")
        return tuple(self._value(kind, each, (*at, number)) for number, each in enumerate(value))

    def _misuse(self, at: tuple[str | int, ...], wrong: str) -> Misuse:
        return Misuse(f"{self._path}, line {self._line(at)}: {wrong}.")

    def _line(self, at: tuple[str | int, ...]) -> int:
        """The line on which the keys stand, or the table they should stand in; 1 if there is none."""
        return next((self._lines[at[:size]] for size in range(len(at), 0, -1) if at[:size] in self._lines), 1)


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """The line of each table and key, which the parser does not tell."""
    found: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    turns: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([\w-]+)\s*\]", line):
            name = header[2]
            table = (name, turns.get(name, 0)) if header[1] == "[[" else (name,)
            turns[name] = turns.get(name, 0) + 1
            found.setdefault(table, number)
        elif key := re.match(r"""\s*["']?([\w-]+)["']?\s*=""", line):
            found.setdefault((*table, key[1]), number)
    return found
