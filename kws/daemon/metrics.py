"""/metrics: how the daemon fares, in the text that Prometheus reads.

kws_info{version}                     1
kws_start_time_seconds                wall clock at the start
kws_audio_seconds_total               sound heard
kws_chunks_total                      chunks scored
kws_overruns_total                    blocks lost because the machine was too slow
kws_gaps_total                        times that sound was interrupted
kws_reconnections_total               times that a lost device was found again
kws_queue_depth                       blocks that wait
kws_device_state{device,state}        1 for the state it is in: closed, looking, open, silent
kws_level_dbfs                        of the latest chunk
kws_muted                             1 if it is
kws_processor_seconds_total           processor time of the process
kws_inference_seconds_total           processor time of front end and nets
kws_last_wake_time_seconds            wall clock of the last wake, 0 before the first
kws_detections_total{word}            wakes
kws_score{word}                       the latest score
kws_scores{word}                      histogram, one score a chunk
kws_outlet_events_total{outlet,event} what each outlet counts
process_*                             memory and open files, on Linux (prometheus-client's own)
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, get_args

from kws.daemon.health import BOUNDS, DeviceState, Health
from kws.errors import Failure

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

MOST = 8
"""Connections held at once; a further one ends the oldest."""
IDLE_S = 5.0
"""A client that says nothing for so long is hung up on."""


class HealthCollector:
    """Reads the health when it is asked, so that nothing is paid for metrics that nobody reads."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Every metric of this module's table."""
        yield from self._counters()
        yield from self._gauges()
        yield from self._words()
        yield from self._outlets()

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        health = self._health
        for name, told, value in (
            ("kws_audio_seconds", "Sound heard.", health.audio_s),
            ("kws_chunks", "Chunks scored.", health.chunks),
            ("kws_overruns", "Blocks lost because the machine was too slow.", health.overruns),
            ("kws_gaps", "Times that sound was interrupted.", health.gaps),
            ("kws_reconnections", "Times that a lost device was found again.", health.reconnections),
            ("kws_processor_seconds", "Processor time of the process.", health.processor_s),
            ("kws_inference_seconds", "Processor time of front end and nets.", health.inference_s),
        ):
            yield CounterMetricFamily(name, told, value=value)

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        health = self._health
        yield InfoMetricFamily("kws", "What runs.", value={"version": health.version})
        last_wake_s = health.last_wake.timestamp() if health.last_wake else 0
        for name, told, value in (
            ("kws_start_time_seconds", "Wall clock at the start.", health.started.timestamp()),
            ("kws_last_wake_time_seconds", "Wall clock of the last wake, 0 before the first.", last_wake_s),
            ("kws_queue_depth", "Blocks that wait.", health.queue_depth),
            ("kws_level_dbfs", "Level of the latest chunk.", health.level_db),
            ("kws_muted", "Whether the microphone is off.", health.muted),
        ):
            yield GaugeMetricFamily(name, told, value=value)
        device = GaugeMetricFamily("kws_device_state", "1 for the state it is in.", labels=["device", "state"])
        for state in get_args(DeviceState):
            device.add_metric([health.device, state], state == health.device_state)
        yield device

    def _words(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        detections = CounterMetricFamily("kws_detections", "Wakes.", labels=["word"])
        latest = GaugeMetricFamily("kws_score", "The latest score.", labels=["word"])
        scores = HistogramMetricFamily("kws_scores", "One score a chunk.", labels=["word"])
        for word, fares in list(self._health.words.items()):
            detections.add_metric([word], fares.detections)
            latest.add_metric([word], fares.score)
            counts = list(itertools.accumulate(fares.buckets))
            buckets = [(f"{bound:g}", float(count)) for bound, count in zip(BOUNDS, counts, strict=True)]
            scores.add_metric([word], [*buckets, ("+Inf", float(counts[-1]))], fares.score_sum)
        yield from (detections, latest, scores)

    def _outlets(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        events = CounterMetricFamily("kws_outlet_events", "What each outlet counts.", labels=["outlet", "event"])
        for outlet, counts in list(self._health.outlets.items()):
            for event, count in counts().items():
                events.add_metric([outlet, event], count)
        yield events


def registry(health: Health) -> CollectorRegistry:
    """A registry of our own: the health, and what prometheus-client tells of the process."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    own = CollectorRegistry()
    own.register(HealthCollector(health))
    ProcessCollector(registry=own)
    return own


class MetricsServer:
    """Serves /metrics on a thread of its own inside `with`."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        """Take the address. Raises Failure if it cannot be had, ModuleNotFoundError without the extra `service`."""
        handler = type("_Handler", (_Handler,), {"registry": registry(health)})
        try:
            self._server = _Server(host, port, handler)
        except (OSError, UnicodeError) as error:
            raise Failure(
                f"metrics cannot be served on {host}:{port} ({getattr(error, 'strerror', None) or error}): "
                "end what else uses that port, or give metrics another HOST:PORT."
            ) from error
        self.port = int(self._server.server_address[1])
        """The one it listens on, also where 0 was asked for."""
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; nothing that a client sends is parsed but its first line and headers."""

    registry: CollectorRegistry
    timeout = IDLE_S

    def do_GET(self) -> None:
        """The metrics at /metrics, nothing elsewhere."""
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = generate_latest(self.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: scrapes are no news."""


class _Server(ThreadingMixIn, TCPServer):
    """A thread a connection and at most so many; prometheus-client's own keeps one for ever for each silent client."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, handler: type[_Handler]) -> None:
        self.address_family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._held: list[socket.socket] = []
        self._places = threading.BoundedSemaphore(MOST)
        super().__init__((str(address[0]), port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client on a thread; where every place is taken, the client who came first must go."""
        if not self._places.acquire(blocking=False):
            self._hang_up(self._held[:1])
            self._places.acquire()
        self._held.append(request)
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._give_back(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client, then give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._give_back(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Give up the port, and hang up on whoever is left."""
        super().server_close()
        self._hang_up(self._held[:])

    def _give_back(self, client: socket.socket) -> None:
        self._held.remove(client)
        self._places.release()

    def _hang_up(self, clients: list[socket.socket]) -> None:
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
