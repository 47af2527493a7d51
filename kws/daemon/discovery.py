"""What Home Assistant is told of us over MQTT: one device with an event for each word, and a mute switch.

An event entity rather than a device trigger: a wake has no state, and the event shows when it came last and carries its
score and times (https://www.home-assistant.io/integrations/event.mqtt). Device discovery, one retained message for all
of it, is what https://www.home-assistant.io/integrations/mqtt recommends for more than one entity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kws.daemon.wake import plain
from kws.runtime import PACKAGE, version_of


@dataclass(frozen=True, kw_only=True)
class Place:
    """The topics of one machine."""

    name: str
    """What people call it."""
    base: str
    """What all topics of ours but that of discovery begin with."""
    identifier: str
    discovery: str
    """Where the configuration is told; empty: nowhere."""

    @classmethod
    def of(cls, topic: str, name: str, discovery: str) -> Self:
        """The topics for a first part, the machine's name and the prefix of discovery, if any."""
        base = f"{topic.strip('/')}/{plain(name)}"
        identifier = plain(base.replace("/", " "))
        config = f"{discovery.strip('/')}/device/{identifier}/config" if discovery else ""
        return cls(name=name, base=base, identifier=identifier, discovery=config)

    @property
    def status(self) -> str:
        """Whether we are there: online or offline."""
        return f"{self.base}/status"

    @property
    def wake(self) -> str:
        """Every wake, as JSON."""
        return f"{self.base}/wake"

    @property
    def mute(self) -> str:
        """Whether the microphone is off: ON or OFF."""
        return f"{self.base}/mute"

    @property
    def mute_set(self) -> str:
        """Where the microphone is switched off (ON) and on (OFF)."""
        return f"{self.base}/mute/set"


def configuration(place: Place, words: Sequence[str]) -> dict[str, Any]:
    """The payload of Home Assistant's device discovery."""
    components = {f"wake_{plain(word)}": _event(place, word) for word in words}
    components["mute"] = {
        "platform": "switch",
        "unique_id": f"{place.identifier}_mute",
        "name": "Mute",
        "icon": "mdi:microphone-off",
        "state_topic": place.mute,
        "command_topic": place.mute_set,
    }
    return {
        "device": {
            "identifiers": [place.identifier],
            "name": f"Activate {place.name}",
            "manufacturer": "Activate",
            "model": "Wake word listener",
        },
        "origin": {"name": PACKAGE, "sw_version": version_of(PACKAGE) or "unknown"},
        "availability_topic": place.status,
        "components": components,
    }


def without_gone(config: Mapping[str, Any], earlier: bytes) -> dict[str, Any] | None:
    """A configuration that has Home Assistant forget what an earlier one holds and this one does not; None if nothing.

    A component that is only left out would stay for ever.
    """
    try:
        components = json.loads(earlier)["components"]
        gone = {key: {"platform": components[key]["platform"]} for key in components.keys() - config["components"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return {**config, "components": {**config["components"], **gone}} if gone else None


def _event(place: Place, word: str) -> dict[str, Any]:
    """The event of one word: those messages that tell of another are read as empty, which is passed over."""
    quoted = json.dumps(word, ensure_ascii=False)
    return {
        "platform": "event",
        "unique_id": f"{place.identifier}_wake_{plain(word)}",
        "name": word,
        "icon": "mdi:account-voice",
        "state_topic": place.wake,
        "event_types": ["wake"],
        "value_template": f"{{{{ value if value_json.word == {quoted} else '' }}}}",
    }
