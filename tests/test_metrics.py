"""What the daemon tells of itself is true, is read by a real Prometheus client, and outlives hostile ones."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kws.daemon.health import BOUNDS, Health, WordHealth
from kws.decision import Detection
from kws.errors import Failure

prometheus_client = pytest.importorskip("prometheus_client", reason="pip install 'activate-kws[service]'")

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402 - after the skip

from kws.daemon.metrics import MOST, MetricsServer  # noqa: E402 - after the skip

AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def well() -> Health:
    """A health that has something to tell in every field."""
    health = Health(version="1.2", started=AT, device='USB "mic"\n', device_state="open", gaps=2, overruns=3)
    health.words |= {"activate": WordHealth(), "nova": WordHealth()}
    for score in (0.0, 0.05, 0.06, 0.8, 1.0):
        health.heard(0.08, -42.0, {"activate": score})
    health.woke(Detection(word="activate", time=0.4, end=0.3, score=1.0), AT)
    health.outlets["webhook"] = lambda: {"sent": 4, "failed": 1}
    health.inference_s, health.queue_depth, health.reconnections = 0.01, 5, 1
    return health


@pytest.fixture
def health() -> Health:
    return well()


@pytest.fixture
def server(health: Health) -> Iterator[MetricsServer]:
    with MetricsServer(health, "127.0.0.1", 0) as server:
        yield server


def scrape(server: MetricsServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def connect(server: MetricsServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def serving_threads() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_what_is_scraped_is_the_health(server: MetricsServer, health: Health) -> None:
    told = scrape(server)

    def value(name: str, **labels: str) -> float:
        return told[name, frozenset(labels.items())]

    assert value("kws_info", version="1.2") == 1
    assert value("kws_start_time_seconds") == value("kws_last_wake_time_seconds") == AT.timestamp()
    assert value("kws_audio_seconds_total") == pytest.approx(0.4)
    assert (value("kws_chunks_total"), value("kws_gaps_total"), value("kws_overruns_total")) == (5, 2, 3)
    assert (value("kws_queue_depth"), value("kws_reconnections_total"), value("kws_muted")) == (5, 1, 0)
    assert value("kws_level_dbfs") == -42
    assert value("kws_inference_seconds_total") == 0.01
    assert 0 < value("kws_processor_seconds_total") <= health.processor_s
    assert value("kws_device_state", device='USB "mic"\n', state="open") == 1
    assert value("kws_device_state", device='USB "mic"\n', state="looking") == 0
    assert value("kws_detections_total", word="activate") == 1
    assert value("kws_detections_total", word="nova") == 0
    assert value("kws_score", word="activate") == 1.0
    assert value("kws_outlet_events_total", outlet="webhook", event="sent") == 4


def test_the_histogram_counts_every_score_once_and_the_edges_below(server: MetricsServer) -> None:
    told = scrape(server)
    buckets = {dict(labels)["le"]: count for (name, labels), count in told.items() if name == "kws_scores_bucket"
               and ("word", "activate") in labels}  # fmt: skip
    assert [buckets[f"{bound:g}" if bound < 1 else "1"] for bound in BOUNDS] == [2, 3, 3, 3, 3, 4, 5]
    assert buckets["+Inf"] == told["kws_scores_count", frozenset({("word", "activate")})] == 5
    assert told["kws_scores_sum", frozenset({("word", "activate")})] == pytest.approx(1.91)


def test_every_metric_is_named_as_prometheus_asks_and_told_in_the_module(server: MetricsServer) -> None:
    from kws.daemon import metrics

    names = {name for name, _ in scrape(server) if not name.startswith(("process_", "kws_scores_"))}
    assert [name for name in names if f"\n{name}" not in str(metrics.__doc__)] == []


def test_a_status_line_says_how_it_fares(health: Health) -> None:
    assert health.told() == 'listening to USB "mic"\n, -42 dB, 1 wakes, last wake 2026-05-04 03:02:01'
    health.device_state = "looking"
    assert health.told().startswith("no sound from USB")
    health.muted = True
    assert health.told() == "muted"


def test_nothing_lies_elsewhere(server: MetricsServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=5)
    assert error.value.code == 404
    error.value.close()


def test_a_scrape_while_words_come_and_go_is_whole(server: MetricsServer, health: Health) -> None:
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.wait(0.0001):
            number += 1
            health.heard(0.08, -30.0, {f"word {number % 20}": 0.5})
            if number % 20 == 0:
                health.words.clear()

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(5):
            assert ("kws_chunks_total", frozenset()) in scrape(server)
    finally:
        done.set()
        changer.join()


def test_many_silent_clients_keep_nobody_out_and_few_threads(server: MetricsServer) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(60):
            held.enter_context(connect(server)).sendall(b"GET /metrics HT")
        assert ("kws_muted", frozenset()) in scrape(server)
        assert serving_threads() <= MOST


def test_garbage_is_answered_or_hung_up_on_and_said_nowhere(
    server: MetricsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(3)
    requests = [bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000))) for _ in range(40)]
    requests += [
        b"GET //[ HTTP/1.1\r\n\r\n",
        b"GET /metrics?name[]=\xff HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
    ]
    requests += [
        b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"x" * 200_000,
        b"GET / HTTP/1.0\r\n" + b"y" * 200_000,
    ]
    for request in requests:
        with connect(server) as client, contextlib.suppress(OSError):
            client.sendall(request + b"\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
    assert ("kws_muted", frozenset()) in scrape(server)
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_told_in_one_sentence(server: MetricsServer, health: Health) -> None:
    with pytest.raises(
        Failure, match=rf"on 127.0.0.1:{server.port} \(Address already in use\): end what else"
    ) as failure:
        MetricsServer(health, "127.0.0.1", server.port)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 300, "203.0.113.1"])
def test_an_address_that_is_not_ours_is_told(health: Health, host: str) -> None:
    with pytest.raises(Failure, match="metrics cannot be served on"):
        MetricsServer(health, host, 0)


def test_it_ends_at_once_though_clients_hang_and_its_port_is_free(health: Health) -> None:
    with contextlib.ExitStack() as held:
        with MetricsServer(health, "127.0.0.1", 0) as server:
            for _ in range(5):
                held.enter_context(connect(server))
            scrape(server)
            begin_s = time.monotonic()
        assert time.monotonic() - begin_s < 2
        with MetricsServer(health, "127.0.0.1", server.port) as again:
            scrape(again)
    limit_s = time.monotonic() + 5
    while serving_threads() and time.monotonic() < limit_s:
        time.sleep(0.01)
    assert serving_threads() == 0
