"""The outlets that the settings ask for; only their modules are loaded, so that listening starts at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from kws.daemon.settings import Settings
from kws.daemon.wake import Outlet

_LATE_S = 2.0
"""How long after a word's end it may be detected, and the chunk it was detected in, at the most."""


def outlets_of(settings: Settings, words: Sequence[str], on_mute: Callable[[bool], None]) -> list[Outlet]:
    """One outlet of each kind that the settings ask for.

    `words`: what the detectors listen for. `on_mute` gets what a remote mute switch is set to, on another thread.
    Raises Failure if one cannot be had; none is left open then.
    """
    mqtt, keep = settings.mqtt, settings.keep
    addresses = dict.fromkeys(word.webhook for word in settings.words if word.webhook)
    with contextlib.ExitStack() as stack:
        outlets: list[Outlet] = []

        def add(outlet: Outlet) -> None:
            stack.callback(outlet.close)
            outlets.append(outlet)

        if any(word.exec for word in settings.words):
            from kws.daemon.program import Programs

            add(Programs())
        if addresses:
            from kws.daemon.webhook import Webhooks

            add(Webhooks(addresses))
        if mqtt:
            from kws.daemon.mqtt import Broker

            add(Broker(mqtt, words, on_mute))
        if keep:
            from kws.daemon.keep import Clips

            add(Clips(keep))
        stack.pop_all()
    return outlets


def reach_s(settings: Settings) -> float:
    """Seconds of sound that the ring must hold for all that these settings hand on from before a word's end."""
    spans = [word.before_s for word in settings.words if word.hand_over]
    if settings.keep:
        spans.append(settings.keep.before_s)
    return max(spans) + _LATE_S if spans else 0.0
