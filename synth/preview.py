"""A look at scenes before a dataset is made of them: one page that needs nothing else, and a picture of the same.

Scene i of seed s here is clip i of a dataset of that seed. The page holds its sounds as MP3, which every browser plays,
at a rate that spares what coding the scene itself may have been through. S samples, M mel bands, T frames.
"""

from __future__ import annotations

import base64
import io
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, decibels, rms
from kws.config import FrontEnd
from kws.events import Event
from kws.files import make_folder, write_whole
from synth.generate import Stage, Take, perform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

PAGE = "preview.html"
PICTURE = "preview.png"

_COLOURS = {
    "positive": "#00a878", "near-miss": "#e69f00", "containing": "#56b4e9", "negative": "#a0a0a0",
    "sentence": "#cc79a7",
}  # fmt: skip
"""By kind, told apart by the colour-blind (M. Okabe and K. Ito, Color Universal Design, 2008), under black text."""
_OTHER = "#d0d0d0"
_UNITS = {"_db": "dB", "_hz": "Hz", "_m": "m", "_s": "s"}
_SHORT = {"rms", "rt60", "snr"}
_BANDS = 80
_RANGE_DB = 70.0
"""What a spectrogram shows below its loudest spot."""
_COLUMNS = 800
"""Of a waveform."""
_MP3_LEVEL = 0.7
"""libsndfile's compression level: 56 kbit/s at 16 kHz."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A scene and its pictures."""

    number: int
    take: Take
    edges: NDArray[np.float32]
    """(2, columns): lowest and highest sample of each stretch, over the loudest of all."""
    mel_db: NDArray[np.float32]
    """(M, T), 0 at its loudest."""

    @property
    def seconds(self) -> float:
        return len(self.take.samples) / RATE_HZ

    @property
    def facts(self) -> dict[str, str]:
        """What was drawn, and what came of it, in words."""
        peak = max(float(np.abs(self.take.samples).max(initial=0.0)), 1e-10)
        measured = {"peak_db": round(decibels(peak), 1), "rms_db": round(decibels(rms(self.take.samples)), 1)}
        return {_label(key): _told(key, value) for key, value in {**self.take.about, "measured": measured}.items()}


def write_preview(folder: Path, stage: Stage, seed: int, count: int) -> tuple[Path, Path]:
    """Show the first scenes of a seed: the page and the picture, in a folder that may hold or become a dataset.

    Raises Failure if they cannot be written.
    """
    from tqdm import tqdm

    make_folder(folder)
    with tqdm(total=count, unit="scene", disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:
        shown, sections = [], []
        for number in range(count):
            shown.append(_look(number, perform(stage, seed, number)))
            sections.append(_section(shown[-1]))
            bar.update()
    page, picture = folder / PAGE, folder / PICTURE
    write_whole(page, _page(shown, sections, seed).encode())
    write_whole(picture, _sheet(shown, seed))
    return page, picture


def _look(number: int, take: Take) -> _Shown:
    columns = min(_COLUMNS, max(len(take.samples), 1))
    starts = np.arange(columns) * len(take.samples) // columns
    edges = np.stack([np.minimum.reduceat(take.samples, starts), np.maximum.reduceat(take.samples, starts)])
    edges /= max(float(np.abs(edges).max()), 1e-6)
    return _Shown(number=number, take=take, edges=edges, mel_db=_mel_db(take.samples))


def _mel_db(samples: Samples) -> NDArray[np.float32]:
    """The log-mel spectrogram (M, T) with the detector's window and hop, in twice its bands."""
    import librosa

    ear = FrontEnd()
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE_HZ, n_fft=ear.window, hop_length=ear.hop, n_mels=_BANDS, fmin=ear.low_hz, fmax=ear.high_hz
    )
    return np.asarray(librosa.power_to_db(power, ref=np.max, amin=1e-12, top_db=_RANGE_DB), np.float32)


def _label(key: str) -> str:
    """A key without its unit."""
    for ending in _UNITS:
        key = key.removesuffix(ending)
    return key.upper() if key in _SHORT else key.replace("_", " ")


def _told(key: str, value: Any) -> str:
    """A value in words, with the unit that its key names."""
    if isinstance(value, dict):
        return ", ".join(f"{_label(inner)} {_told(inner, each)}" for inner, each in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(each, (int, float)) for each in value):
            return f"{value[0]:g}–{_told(key, value[1])}"
        return "; ".join(_told(key, each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", False: "no", True: "yes"}[value]
    unit = next((f" {unit}" for ending, unit in _UNITS.items() if key.endswith(ending)), "")
    return f"{value:g}{unit}" if isinstance(value, (int, float)) else f"{value}{unit}"


def _kinds(shown: Sequence[_Shown]) -> dict[str, int]:
    """How often each kind is said, the word itself first."""
    counts = Counter(event.kind for scene in shown for event in scene.take.events)
    return {kind: counts[kind] for kind in sorted(counts, key=[*_COLOURS, *counts].index)}


def _colour(event: Event) -> str:
    return _COLOURS.get(event.kind, _OTHER)


# The picture


def _sheet(shown: Sequence[_Shown], seed: int) -> bytes:
    """All scenes on one PNG."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = (len(shown) + 1) // 2
    figure = Figure(figsize=(15, 3.3 * rows + 0.5), dpi=80, layout="constrained")
    figure.suptitle(_title(shown, seed), parse_math=False)
    kinds = [Patch(color=_COLOURS.get(kind, _OTHER), label=kind) for kind in _kinds(shown)]
    figure.legend(handles=kinds, loc="upper right", ncols=len(kinds) or 1, fontsize="x-small", frameon=False)
    for part, scene in zip(figure.subfigures(rows, 2, squeeze=False).flat, shown, strict=False):
        _draw_scene(part, scene)
    png = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a word in a script the font lacks
        figure.savefig(png, format="png")
    return png.getvalue()


def _draw_scene(part: SubFigure, scene: _Shown) -> None:
    facts = " · ".join(f"{label} {fact}" for label, fact in scene.facts.items())
    wrapped = "\n".join(textwrap.wrap(f"Scene {scene.number}: {facts}", 125)[:3])
    part.suptitle(wrapped, fontsize="x-small", parse_math=False)
    wave, mel = part.subplots(2, 1, sharex=True, height_ratios=(1, 2.2))
    time_s = np.linspace(0, scene.seconds, scene.edges.shape[1])
    wave.fill_between(time_s, scene.edges[0], scene.edges[1], linewidth=0.3, color="#335577")
    wave.set_ylim(-1, 1.9)
    wave.set_yticks([])
    mel.imshow(
        scene.mel_db, origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE_DB, vmax=0,
        extent=(0, scene.seconds, 0, _BANDS), interpolation="nearest",
    )  # fmt: skip
    mel.set_yticks([])
    mel.set_xlim(0, scene.seconds)
    mel.set_xlabel("seconds", fontsize="x-small")
    mel.tick_params(labelsize="x-small")
    for row, event in enumerate(scene.take.events):
        _mark(wave, mel, event, 1.05 + 0.4 * (row % 2))


def _mark(wave: Axes, mel: Axes, event: Event, height: float) -> None:
    """An event's stretch on both axes, its text above the waveform."""
    wave.axvspan(event.start, event.end, color=_colour(event), alpha=0.45, linewidth=0)
    for edge_s in (event.start, event.end):
        mel.axvline(edge_s, color=_colour(event), linewidth=0.8, linestyle="--")
    said = textwrap.shorten(event.word, 26, placeholder="…")
    wave.text(event.start, height, said, fontsize="xx-small", clip_on=True, parse_math=False)


# The page


def _title(shown: Sequence[_Shown], seed: int) -> str:
    words = sorted({event.word for scene in shown for event in scene.take.events if event.kind == "positive"})
    named = " with " + ", ".join(f"“{word}”" for word in words) if words else ""
    return f"{len(shown)} scenes{named}, seed {seed}"


def _page(shown: Sequence[_Shown], sections: Sequence[str], seed: int) -> str:
    legend = "".join(
        f'<li><span style="background:{_COLOURS.get(kind, _OTHER)}"></span>{escape(kind)} ({count})</li>'
        for kind, count in _kinds(shown).items()
    )
    title = escape(_title(shown, seed))
    top = f"<title>{title}</title>{_STYLE}<main><h1>{title}</h1>{_ADVICE}<ul class=legend>{legend}</ul>"
    return f"{_HEAD}{top}{''.join(sections)}</main>{_SCRIPT}"


def _section(scene: _Shown) -> str:
    name, events = f"scene {scene.number}", scene.take.events
    marks = "".join(_place(event, scene.seconds) for event in events)
    words = "".join(_button(event) for event in events) or "<li>no words</li>"
    facts = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(fact)}</dd></div>" for label, fact in scene.facts.items()
    )
    ticks = "".join(f'<i style="left:{100 * s / scene.seconds:.3f}%">{s}</i>' for s in range(int(scene.seconds) + 1))
    return f"""<section aria-labelledby=n{scene.number}><h2 id=n{scene.number}>{name.capitalize()}</h2>
<div class=view data-seconds={scene.seconds:.4f}>{_waveform(scene)}
<div class=lane aria-hidden=true>{marks}</div>
<img class=mel alt="Log-mel spectrogram of {name}, low tones at the bottom" src="{_data("image/png", _mel_png(scene))}">
<div class=ticks aria-hidden=true>{ticks}</div><div class=head></div></div>
<audio controls preload=auto aria-label="Sound of {name}" src="{_data("audio/mpeg", _mp3(scene.take.samples))}"></audio>
<ul class=words aria-label="What is said in {name}">{words}</ul><dl>{facts}</dl></section>
"""


def _place(event: Event, seconds: float) -> str:
    left, width = 100 * event.start / seconds, 100 * (event.end - event.start) / seconds
    said = escape(event.word)
    return f'<b style="left:{left:.3f}%;width:{width:.3f}%;--kind:{_colour(event)}" title="{said}">{said}</b>'


def _button(event: Event) -> str:
    times, shown = f"data-start={event.start:.3f} data-end={event.end:.3f}", f"{event.start:.2f}–{event.end:.2f} s"
    said = f"{escape(event.word)} <small>{escape(event.kind)}, {shown}</small>"
    return f'<li><button type=button {times} style="--kind:{_colour(event)}">{said}</button></li>'


def _waveform(scene: _Shown) -> str:
    low, high = ((1 - edge) * 50 for edge in scene.edges)
    points = [f"{x} {y:.1f}" for x, y in enumerate(high)] + [f"{x} {y:.1f}" for x, y in reversed(list(enumerate(low)))]
    return (
        f'<svg class=wave role=img aria-label="Waveform of scene {scene.number}" viewBox="0 0 {len(low)} 100" '
        f'preserveAspectRatio=none><path d="M{"L".join(points)}Z"/></svg>'
    )


def _mel_png(scene: _Shown) -> bytes:
    from matplotlib.image import imsave

    png = io.BytesIO()
    imsave(png, scene.mel_db, vmin=-_RANGE_DB, vmax=0, cmap="magma", origin="lower", format="png")
    return png.getvalue()


def _mp3(samples: Samples) -> bytes:
    import soundfile

    mp3 = io.BytesIO()
    soundfile.write(mp3, np.clip(samples, -1, 1), RATE_HZ, format="MP3", compression_level=_MP3_LEVEL)
    return mp3.getvalue()


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


_HEAD = """<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; img-src data:; media-src data:;
 style-src 'unsafe-inline'; script-src 'unsafe-inline'">
"""

_ADVICE = """<p>Press a word to hear it alone, or a picture to hear all from there on. Waveforms are drawn as high as
they get, spectrograms down to 70 dB below their loudest spot; how loud a scene is stands below it.</p>"""

_STYLE = """<style>
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --card: #f3f5f8; --faint: #5a6675; --wave: #2f6690 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf1; --paper: #12161c; --card: #1c222b; --faint: #a3afbd; --wave: #7fb8e0 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif }
main { max-width: 72rem; margin: auto; padding: 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 0 0 .5rem }
section { background: var(--card); border-radius: .6rem; padding: 1rem; margin: 1rem 0 }
.view { position: relative; cursor: pointer; padding-bottom: 1.3rem; overflow: hidden }
.wave, .mel { display: block; width: 100% } .wave { height: 5rem } .mel { height: 10rem }
.wave path { fill: var(--wave) }
.lane { position: relative; height: 1.4rem }
.lane b { position: absolute; inset-block: 0; background: var(--kind); color: #000; padding: 0 .2rem;
  border-radius: .2rem; font: .8rem/1.4rem system-ui; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.ticks i { position: absolute; bottom: 0; border-left: 1px solid; padding-left: .2rem; font: .75rem/1.2 system-ui;
  color: var(--faint) }
.head { position: absolute; top: 0; bottom: 1.3rem; left: 0; width: 2px; background: #ff3b30; pointer-events: none }
audio { width: 100%; margin: .5rem 0 }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; margin: .3rem 0 }
.legend { gap: 1rem }
.legend span { display: inline-block; width: 1em; height: 1em; margin-right: .4em; vertical-align: -.1em }
button { font: inherit; color: #000; background: var(--kind); border: 0; border-radius: .3rem; padding: .2rem .6rem;
  cursor: pointer }
:focus-visible { outline: 3px solid var(--wave); outline-offset: 2px }
dl { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .6rem 0 0; font-size: .9rem }
dl div { display: flex; gap: .4em } dt { color: var(--faint) } dd { margin: 0 }
</style>"""

_SCRIPT = """<script>
const sounds = [...document.querySelectorAll("audio")];
for (const sound of sounds) {
  const scene = sound.closest("section"), view = scene.querySelector(".view"), head = scene.querySelector(".head");
  let stop = Infinity;
  const follow = () => {
    head.style.left = 100 * sound.currentTime / view.dataset.seconds + "%";
    if (sound.currentTime >= stop) sound.pause();
    if (!sound.paused) requestAnimationFrame(follow);
  };
  const play = (from, to) => { sound.currentTime = Math.max(0, from); stop = to; sound.play(); };
  sound.addEventListener("play", () => {
    for (const other of sounds) if (other !== sound) other.pause();
    follow();
  });
  sound.addEventListener("pause", () => { stop = Infinity; });
  sound.addEventListener("seeked", follow);
  view.addEventListener("click", event => {
    const box = view.getBoundingClientRect();
    play((event.clientX - box.left) / box.width * view.dataset.seconds, Infinity);
  });
  for (const word of scene.querySelectorAll("button"))
    word.addEventListener("click", () => play(word.dataset.start - 0.1, +word.dataset.end + 0.1));
}
</script>
"""
