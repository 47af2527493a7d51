"""MQTT with a real broker: wakes, the mute switch, Home Assistant's discovery, and a broker that goes and comes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wakes import FIELDS, silence, wait_for, wake

from kws import cli
from kws.daemon import mqtt
from kws.daemon.mqtt import Broker
from kws.daemon.settings import Mqtt
from kws.errors import Failure

MOSQUITTO = shutil.which("mosquitto", path=f"/usr/sbin:/usr/local/sbin:{os.environ['PATH']}")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="needs a broker: apt-get install mosquitto")

BASE = "activate/living_room"
CONNACK = b"\x20\x02\x00\x00"
CONFIG = "homeassistant/device/activate_living_room/config"


class Mosquitto:
    """A broker of our own, that can be stopped and started again on the same port."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        lines = ["persistence false", "user root", f"listener {self.port} 127.0.0.1", *more]
        self._config.write_text("\n".join(lines if more else [*lines, "allow_anonymous true"]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stderr=subprocess.DEVNULL)
        wait_for(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """A client that remembers the last message of each topic and all wakes."""

    def __init__(self, port: int) -> None:
        import paho.mqtt.client as paho

        self.wakes: list[dict[str, Any]] = []
        self.last: dict[str, str] = {}
        self.configs: list[dict[str, Any]] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._hear
        self._client.on_connect = lambda *_: self._client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: object, _data: object, message: Any) -> None:
        text = message.payload.decode()
        if message.topic.endswith("/wake"):
            self.wakes.append(json.loads(text))
        if message.topic.endswith("/config"):
            self.configs.append(json.loads(text))
        self.last[message.topic] = text

    def publish(self, topic: str, text: str, *, retain: bool = False) -> None:
        self._client.publish(topic, text, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    client = Listener(mosquitto.port)
    yield client
    client.close()


@pytest.fixture
def outlet() -> Iterator[Callable[..., Broker]]:
    """Make the outlet; it is closed with the test."""
    made: list[Broker] = []

    def make(
        port: int, *, words: tuple[str, ...] = ("activate",), on_mute: Any = print, fresh_s: float = 10.0, **asked: Any
    ) -> Broker:
        settings = Mqtt(host="127.0.0.1", port=port, name="Living room", **asked)
        made.append(Broker(settings, words, on_mute, fresh_s=fresh_s))
        return made[-1]

    yield make
    for each in made:
        each.close()


@needs_mosquitto
def test_a_wake_is_published_as_json(mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker]) -> None:
    broker = outlet(mosquitto.port)
    broker.wake(wake(), silence())
    wait_for(lambda: listener.wakes == [{"event_type": "wake", **FIELDS}])
    wait_for(lambda: broker.counts() == {"sent": 1, "failed": 0, "dropped": 0})


@needs_mosquitto
def test_it_says_whether_it_is_there_also_when_it_dies(
    mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker]
) -> None:
    broker = outlet(mosquitto.port)
    wait_for(lambda: listener.last.get(f"{BASE}/status") == "online")
    broker.close()
    wait_for(lambda: listener.last[f"{BASE}/status"] == "offline")
    code = (
        "from kws.daemon.mqtt import Broker; from kws.daemon.settings import Mqtt; import time;"
        f"Broker(Mqtt(host='127.0.0.1', port={mosquitto.port}, name='Living room'), ['a'], print); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        wait_for(lambda: listener.last[f"{BASE}/status"] == "online")
        process.kill()
    wait_for(lambda: listener.last[f"{BASE}/status"] == "offline")


@needs_mosquitto
def test_the_mute_switch_calls_and_shows(
    mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker], caplog: pytest.LogCaptureFixture
) -> None:
    listener.publish(f"{BASE}/mute/set", "ON", retain=True)
    asked: list[bool] = []
    broker = outlet(mosquitto.port, on_mute=asked.append)
    wait_for(lambda: listener.last.get(f"{BASE}/mute") == "OFF")
    for text in ("ON", "perhaps", "OFF"):
        listener.publish(f"{BASE}/mute/set", text)
    wait_for(lambda: asked == [True, False])
    assert listener.last[f"{BASE}/mute"] == "OFF"
    broker.show_muted(True)
    wait_for(lambda: listener.last[f"{BASE}/mute"] == "ON")
    assert len([line for line in caplog.messages if "neither" in line]) == 2, "an old retained one, and nonsense"


@needs_mosquitto
def test_a_broker_that_is_down_and_back_gets_what_is_fresh(
    mosquitto: Mosquitto, outlet: Callable[..., Broker], caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto.stop()
    broker = outlet(mosquitto.port, fresh_s=0.4)
    broker.wake(wake(word="stale"), silence())
    wait_for(lambda: broker.counts()["failed"] >= 1)
    time.sleep(0.4)
    mosquitto.start()
    client = Listener(mosquitto.port)
    wait_for(lambda: client.last.get(f"{BASE}/status") == "online")
    wait_for(lambda: broker.counts()["dropped"] == 1)
    broker.wake(wake(word="fresh"), silence())
    wait_for(lambda: [each["word"] for each in client.wakes] == ["fresh"])
    client.close()
    assert caplog.messages[0].startswith(f"the broker 127.0.0.1:{mosquitto.port} fails: ")
    assert caplog.messages[1:] == [f"the broker 127.0.0.1:{mosquitto.port} works again"]


@needs_mosquitto
def test_a_connection_that_is_cut_is_made_anew_and_a_fresh_wake_gets_through(
    mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker], caplog: pytest.LogCaptureFixture
) -> None:
    broker = outlet(mosquitto.port)
    broker.show_muted(True)
    broker.wake(wake(), silence())
    wait_for(lambda: broker.counts()["sent"] == 1)
    mosquitto.stop()
    wait_for(lambda: caplog.messages)
    broker.wake(wake(), silence())
    mosquitto.start()
    client = Listener(mosquitto.port)
    wait_for(lambda: broker.counts()["sent"] == 2)
    wait_for(lambda: client.last.get(f"{BASE}/mute") == "ON")
    client.close()


@needs_mosquitto
def test_a_flood_while_the_broker_is_down_is_bounded(mosquitto: Mosquitto, outlet: Callable[..., Broker]) -> None:
    mosquitto.stop()
    broker = outlet(mosquitto.port)
    for _ in range(50):
        broker.wake(wake(), silence())
    wait_for(lambda: broker.counts()["dropped"] == 34)
    began = time.monotonic()
    broker.close()
    assert time.monotonic() - began < 3.0
    assert broker.counts()["dropped"] == 50


@needs_mosquitto
def test_close_sends_what_is_queued(mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker]) -> None:
    broker = outlet(mosquitto.port)
    for _ in range(5):
        broker.wake(wake(), silence())
    broker.close()
    wait_for(lambda: len(listener.wakes) == 5)
    wait_for(lambda: listener.last[f"{BASE}/status"] == "offline")


@needs_mosquitto
def test_home_assistant_is_told_and_forgets_the_words_of_before(
    mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker]
) -> None:
    outlet(mosquitto.port, words=("activate", "hey nova")).close()
    wait_for(lambda: len(listener.configs) == 1)
    outlet(mosquitto.port, words=("activate",))
    wait_for(lambda: len(listener.configs) == 4)
    assert list(listener.configs[0]["components"]) == ["wake_activate", "wake_hey_nova", "mute"]
    assert listener.configs[2]["components"]["wake_hey_nova"] == {"platform": "event"}
    assert listener.configs[1] == listener.configs[3]
    assert json.loads(listener.last[CONFIG]) == listener.configs[3]


@needs_mosquitto
def test_without_a_prefix_of_discovery_nothing_is_told_there(
    mosquitto: Mosquitto, listener: Listener, outlet: Callable[..., Broker]
) -> None:
    outlet(mosquitto.port, discovery="")
    wait_for(lambda: listener.last.get(f"{BASE}/status") == "online")
    assert sorted(listener.last) == [f"{BASE}/mute", f"{BASE}/status"]


@needs_mosquitto
@pytest.mark.skipif(
    shutil.which("mosquitto_passwd") is None, reason="needs mosquitto_passwd: apt-get install mosquitto"
)
def test_it_logs_in_with_the_password_of_a_file(
    tmp_path: Path, outlet: Callable[..., Broker], caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run(["mosquitto_passwd", "-c", "-b", tmp_path / "users", "kws", "secret"], check=True)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    mosquitto = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'users'}")
    mosquitto.start()
    right = outlet(mosquitto.port, username="kws", password_file=str(tmp_path / "password"))
    right.wake(wake(), silence())
    wait_for(lambda: right.counts()["sent"] == 1)
    wrong = outlet(mosquitto.port, username="kws", password_file=str(tmp_path / "wrong"))
    wait_for(lambda: wrong.counts()["failed"] == 1)
    assert "authori" in caplog.messages[-1].lower()
    assert "guess" not in caplog.text
    right.close()
    wrong.close()
    mosquitto.stop()


@needs_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: apt-get install openssl")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves what it refused unclosed
@pytest.mark.parametrize("is_trusted", [True, False])
def test_tls_is_spoken_with_brokers_whose_certificate_is_trusted(
    tmp_path: Path, outlet: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mosquitto = Mosquitto(tmp_path, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    mosquitto.start()
    broker = outlet(mosquitto.port, tls=True)
    broker.wake(wake(), silence())
    wait_for(lambda: broker.counts()["sent" if is_trusted else "failed"] == 1)
    broker.close()
    mosquitto.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves what it refused unclosed
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
        CONNACK,
        CONNACK + b"\xff" * 100,
        CONNACK + b"\x31\x05\x00\x03\xff\xff\xff",
    ],
    ids=["nothing", "another protocol", "no more than a greeting", "garbage", "a topic that is no text"],
)
def test_what_is_no_broker_is_tried_again_and_breaks_nothing(
    outlet: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    monkeypatch.setattr(mqtt, "_FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        broker = outlet(server.getsockname()[1])
        for _ in range(3):
            with server.accept()[0] as client:
                client.recv(1000)
                client.sendall(answer)
        wait_for(lambda: broker.counts()["failed"] >= 2)
    broker.close()
    assert [line for line in caplog.messages if not line.startswith("the broker 127.0.0.1")] == []


def test_a_password_that_cannot_be_read_is_a_failure_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"password cannot be read from .*missing"):
        Broker(Mqtt(host="localhost", password_file=str(tmp_path / "missing")), ["activate"], print)


def test_a_missing_aiomqtt_is_told_at_the_start_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    monkeypatch.setattr(cli.verbs, "main", lambda **_: Broker(Mqtt(host="localhost"), ["activate"], print))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "kws: aiomqtt is not installed: pip install 'activate-kws[service]'.\n"
