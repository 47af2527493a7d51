"""Wakes told to an MQTT broker, and a mute switch; Home Assistant finds both by itself.

Under `TOPIC/NAME`: `status` (online or offline, retained), `wake` (JSON), `mute` (ON or OFF, retained) and `mute/set`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kws.daemon.discovery import Place, configuration, without_gone
from kws.daemon.ring import Ring
from kws.daemon.settings import Mqtt
from kws.daemon.tally import Tally, Trouble
from kws.daemon.wake import FRESH_S, Outlet, Wake
from kws.errors import Failure
from kws.sources import elapsed_s

if TYPE_CHECKING:
    import aiomqtt

TIMEOUT_S = 5.0
"""A broker that does not answer for so long is gone."""
KEEPALIVE_S = 30
"""After one and a half times this in silence, the broker tells that we are offline."""
LONGEST_DELAY_S = 60.0
"""Between two attempts to reach the broker."""
CLOSE_S = 4.0
"""What is left for wakes under way when the daemon ends."""

_QUEUED = 16
_FIRST_DELAY_S = 0.5

_log = logging.getLogger(__name__)
_quiet = _log.getChild("client")
"""What aiomqtt itself says of a lost connection comes on top of what we say."""
_quiet.setLevel(logging.CRITICAL)


class Broker(Outlet):
    """Publishes wakes and the state of the mute switch, and passes on what the switch is set to."""

    kind = "mqtt"

    def __init__(
        self, mqtt: Mqtt, words: Sequence[str], on_mute: Callable[[bool], None], *, fresh_s: float = FRESH_S
    ) -> None:
        """`words`: what is listened for. `on_mute` is called on a thread of ours and must return at once.

        Raises Failure if the file of the password cannot be read, ModuleNotFoundError if aiomqtt is not installed.
        """
        self._tally = Tally("sent", "failed", "dropped")
        self._link = _Link(mqtt, words, on_mute, fresh_s, self._tally)
        self._thread = threading.Thread(target=self._link.run, name="mqtt", daemon=True)
        self._thread.start()

    def wake(self, wake: Wake, ring: Ring) -> None:
        """Queue it; if the broker cannot be reached while it is fresh, it is dropped."""
        self._link.call(self._link.put, json.dumps({"event_type": "wake", **wake.fields()}))

    def show_muted(self, is_muted: bool) -> None:
        """Publish the state of the switch, now or when the broker can be reached."""
        self._link.call(self._link.show, is_muted)

    def counts(self) -> dict[str, int]:
        """Wakes sent, connections lost or refused, and wakes dropped because they had grown too old or too many."""
        return self._tally.read()

    def close(self) -> None:
        """Send what is queued if the broker can be reached, say that we are offline, and end."""
        self._link.call(self._link.end)
        self._thread.join(CLOSE_S)


class _Link:
    """What runs on the loop of the broker's thread: one connection after the other until it is to end."""

    def __init__(
        self, mqtt: Mqtt, words: Sequence[str], on_mute: Callable[[bool], None], fresh_s: float, tally: Tally
    ) -> None:
        import aiomqtt

        self._mqtt, self._on_mute, self._fresh_s, self._tally = mqtt, on_mute, fresh_s, tally
        self._password = _password(mqtt)
        self._place = Place.of(mqtt.topic, mqtt.name or socket.gethostname(), mqtt.discovery)
        self._configuration = configuration(self._place, words)
        self._will = aiomqtt.Will(self._place.status, "offline", qos=1, retain=True)
        self._trouble = Trouble(_log, f"the broker {mqtt.host}:{mqtt.port}")
        self._wakes: deque[tuple[float, str]] = deque()
        self._is_muted = False
        self._shown: bool | None = None
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self._loop = self._runner.get_loop()
        self._loop.set_exception_handler(lambda _, context: _quiet.error("%s", context["message"]))
        self._stir = asyncio.Event()
        self._closing = asyncio.Event()

    def call(self, method: Callable[..., None], *arguments: object) -> None:
        """Have a method called on the loop; once that has ended, nothing comes of it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(method, *arguments)

    def put(self, wake: str) -> None:
        """Queue a wake, or drop it if too many wait."""
        if len(self._wakes) < _QUEUED:
            self._wakes.append((elapsed_s() + self._fresh_s, wake))
            self._stir.set()
        else:
            self._tally.add("dropped")

    def show(self, is_muted: bool) -> None:
        """Have the state of the switch published."""
        self._is_muted = is_muted
        self._stir.set()

    def end(self) -> None:
        """Send what is queued, then stop."""
        self._closing.set()
        self._stir.set()

    def run(self) -> None:
        """Keep a connection until told to end."""
        with self._runner:
            self._runner.run(self._keep_up())

    async def _keep_up(self) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._closing.is_set():
            try:
                async with self._client() as client:
                    await self._greet(client)
                    self._trouble.end()
                    delay_s = _FIRST_DELAY_S
                    await _first_of(self._send(client), self._obey(client))
                    await client.publish(self._place.status, "offline", qos=1, retain=True)
            except Exception as error:  # noqa: BLE001 - aiomqtt passes on whatever paho's parser stumbles over
                self._tally.add("failed")
                self._trouble.begin(error)
                await self._rest(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        self._tally.add("dropped", len(self._wakes))

    def _client(self) -> aiomqtt.Client:
        import aiomqtt

        return aiomqtt.Client(
            self._mqtt.host,
            self._mqtt.port,
            username=self._mqtt.username or None,
            password=self._password,
            tls_context=ssl.create_default_context() if self._mqtt.tls else None,
            will=self._will,
            logger=_quiet,
            timeout=TIMEOUT_S,
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=_QUEUED,
        )

    async def _greet(self, client: aiomqtt.Client) -> None:
        """Subscribe first, so that what an earlier run left as our configuration is seen before it is replaced."""
        await client.subscribe(self._place.mute_set, qos=1)
        if self._place.discovery:
            await client.subscribe(self._place.discovery, qos=1)
            await self._discover(client, self._configuration)
        await self._show(client)
        await client.publish(self._place.status, "online", qos=1, retain=True)

    async def _discover(self, client: aiomqtt.Client, config: dict[str, Any]) -> None:
        await client.publish(self._place.discovery, json.dumps(config), qos=1, retain=True)

    async def _show(self, client: aiomqtt.Client) -> None:
        self._shown = self._is_muted
        await client.publish(self._place.mute, "ON" if self._shown else "OFF", qos=1, retain=True)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Publish what is queued until told to end; what did not get through stays queued."""
        while True:
            self._stir.clear()
            if self._shown != self._is_muted:
                await self._show(client)
            while self._wakes:
                until, wake = self._wakes[0]
                if is_fresh := elapsed_s() < until:
                    await client.publish(self._place.wake, wake, qos=1)
                self._tally.add("sent" if is_fresh else "dropped")
                self._wakes.popleft()
            if self._closing.is_set():
                return
            await self._stir.wait()

    async def _obey(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if message.topic.value == self._place.discovery:
                if message.retain and (farewell := without_gone(self._configuration, message.payload)):
                    await self._discover(client, farewell)
                    await self._discover(client, self._configuration)
            elif message.payload in (b"ON", b"OFF") and not message.retain:
                self._on_mute(message.payload == b"ON")
            else:
                _log.warning("what came by %s is neither a fresh ON nor OFF and is left out", self._place.mute_set)

    async def _rest(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), delay_s)


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things at once until one of them ends or fails, and end the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _password(mqtt: Mqtt) -> str | None:
    if not mqtt.password_file:
        return None
    try:
        return Path(mqtt.password_file).expanduser().read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"the broker's password cannot be read from {mqtt.password_file} ({error}): "
            "name a file that holds the password alone."
        ) from error
