"""What Home Assistant is told: names that fit, parts that stay apart, and templates that it can render."""

from __future__ import annotations

import json

import jinja2
import pytest

from kws.daemon.discovery import Place, configuration, without_gone


def test_names_fit_topics_and_stay_apart() -> None:
    places = [Place.of("home/kws/", name, "homeassistant/") for name in ("Küche #1", "Küche +2", "a/b", "Den")]
    assert places[3].wake == "home/kws/den/wake"
    assert places[3].discovery == "homeassistant/device/home_kws_den/config"
    assert len({place.base for place in places}) == 4
    for place in places:
        assert not set(place.base.removeprefix("home/kws/")) & set("+#/ ")
        assert place.discovery.split("/")[2].replace("_", "").isalnum()


def test_the_configuration_names_each_part_once_and_all_topics_are_ours() -> None:
    place = Place.of("activate", "Den", "homeassistant")
    config = configuration(place, ["activate", "hey nova", "mute"])
    parts = config["components"].values()
    assert len({part["unique_id"] for part in parts}) == 4
    assert [part["platform"] for part in parts] == ["event", "event", "event", "switch"]
    assert config["device"]["identifiers"] == ["activate_den"]
    assert config["origin"]["name"] == "activate-kws"
    assert config["availability_topic"] == "activate/den/status"
    assert config["components"]["mute"]["command_topic"] == "activate/den/mute/set"


@pytest.mark.parametrize("word", ["activate", "it's", 'a "b" \\ c', "привет 😀", "}} {{ x"])
def test_the_event_of_a_word_takes_its_own_wakes_alone(word: str) -> None:
    config = configuration(Place.of("activate", "Den", "homeassistant"), [word])
    template = jinja2.Template(next(iter(config["components"].values()))["value_template"])
    for said in (word, "another"):
        payload = json.dumps({"event_type": "wake", "word": said})
        assert template.render(value=payload, value_json=json.loads(payload)) == (payload if said == word else "")


@pytest.mark.parametrize("earlier", [b"", b"{", b"[]", b'{"components": 3}', b'{"components": {"x": {}}}', b"\xff"])
def test_an_earlier_configuration_that_makes_no_sense_is_passed_over(earlier: bytes) -> None:
    config = configuration(Place.of("activate", "Den", "homeassistant"), ["activate"])
    assert without_gone(config, earlier) is None
    assert without_gone(config, json.dumps(config).encode()) is None
