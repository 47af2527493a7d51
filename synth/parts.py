"""What a scene is mixed from where a GPU mixes it: all that is drawn, spoken, read or composed, and no more.

A worker makes the parts, `synth.mixer` mixes those of many scenes at once. S samples, R of a response.
"""

from __future__ import annotations

from dataclasses import dataclass

from kws.audio import RATE_HZ, Samples
from kws.events import Event
from synth.devices import Device
from synth.noises import white_begin
from synth.scene import Noise, Scene
from synth.stage import NOWHERE, Stage, place_of, room_of


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A noise before it is placed and brought to its level."""

    sound: Samples | None
    """(S,); None for coloured noise, which is made while mixing."""
    begin: int
    """Of that: where its white noise begins in the table."""
    colour: float
    response: Samples
    """(R,) from its place in the room."""
    snr_db: float


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one scene."""

    dry: Samples
    """What is said (S,), without the room; or the whole take, if its device is None."""
    events: tuple[Event, ...]
    response: Samples
    """(R,) from mouth to microphone."""
    layers: tuple[Layer, ...]
    level_db: float
    device: Device | None


def parts_of(stage: Stage, scene: Scene) -> Parts:
    """The parts of a scene; of one that a GPU cannot finish, for its codec or its length, the take."""
    total = round(scene.duration_s * RATE_HZ)
    if scene.device.codec or white_begin(0, total) is None:
        take = stage.render(scene)
        return Parts(
            dry=take.samples, events=take.events, response=NOWHERE, layers=(), level_db=scene.level_db, device=None
        )
    dry, events = stage.speak(scene)
    return Parts(
        dry=dry, events=tuple(events), response=room_of(scene), level_db=scene.level_db, device=scene.device,
        layers=tuple(_layer(stage, noise, scene, total) for noise in scene.noises),
    )  # fmt: skip


def _layer(stage: Stage, noise: Noise, scene: Scene, total: int) -> Layer:
    coloured = noise.kind == "coloured"
    return Layer(
        sound=None if coloured else stage.unplaced(noise, total), begin=white_begin(noise.seed, total) or 0,
        colour=noise.colour, response=place_of(noise, scene), snr_db=noise.snr_db,
    )  # fmt: skip
