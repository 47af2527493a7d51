"""What `kws new` tells of a phrase before it starts: the phrase doctor's word, on one screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kws.cli.scenes import Wanted
from kws.errors import Failure

if TYPE_CHECKING:
    from synth.doctor import Calibration, Diagnosis

_INDENT = "  - "
MEANS = {
    "good": "little speaks against it",
    "fair": "it can work, another would make it easier",
    "poor": "expect misses or false wakes",
}


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What the doctor found."""

    diagnosis: Diagnosis
    others: list[Diagnosis]
    """Close phrases that are better."""
    counted: bool
    """Whether it is known how often words are said."""

    @property
    def expected_frr(self) -> tuple[float, float, float] | None:
        """Low, middle, high of the share that a draft misses; None where that was not fitted."""
        fitted = calibration_for(self.counted)
        return fitted.expected_frr(self.diagnosis.burden) if fitted else None


def calibration_for(counted: bool) -> Calibration | None:
    """What was fitted with or without knowing how often words are said."""
    from synth.doctor import calibration

    fitted = calibration()
    return fitted if fitted and fitted.counted == counted else None


def examined(wanted: Wanted) -> Examined:
    """The diagnosis of the phrase, and close ones that are better. Raises EngineMissing without eSpeak.

    Raises Failure if nothing is to be heard in the phrase, or eSpeak does not know its language.
    """
    from synth.doctor import Doctor
    from synth.espeak import Espeak

    espeak = Espeak()
    doctor = Doctor(wanted.sayings[0].language, espeak.phonemes)
    try:
        diagnosis = doctor.examine(wanted.word, wanted.sayings)
        others = doctor.alternatives(diagnosis, wanted.sayings)
    except ValueError as error:
        raise Failure(f"{error}.") from error
    finally:
        espeak.close()
    return Examined(diagnosis=diagnosis, others=others, counted=doctor.frequencies is not None)


def diagnosed(wanted: Wanted) -> str:
    """The same for a terminal."""
    return told(examined(wanted))


def before_start(wanted: Wanted) -> str:
    """The same, or why there is none: banks spoken elsewhere need no eSpeak here."""
    from synth.voices import EngineMissing

    try:
        return diagnosed(wanted)
    except EngineMissing as missing:
        return f"{wanted.word!r} was not examined: {missing}"


def told(found: Examined) -> str:
    """What was found, line by line."""
    diagnosis, others = found.diagnosis, found.others
    sound = diagnosis.sound
    written = " ".join(phone.replace("^", "") for phone in sound.phones)
    syllables = f"{sound.syllables} syllable{'' if sound.syllables == 1 else 's'}"
    lines = [
        f"{diagnosis.phrase!r} is a {diagnosis.grade} phrase to wake by: {MEANS[diagnosis.grade]}.",
        f"  {written}: {len(sound.phones)} sounds, {sound.different} different, {syllables}, {sound.seconds:.1f} s",
        *(_INDENT + reason for reason in diagnosis.reasons),
    ]
    fitted = calibration_for(found.counted)
    if fitted:
        low, middle, high = fitted.expected_frr(diagnosis.burden)
        lines.append(
            f"  A draft of such a phrase missed about {middle:.0%} ({low:.0%} to {high:.0%} for eight in ten; "
            f"from {fitted.phrases} phrases tried)."
        )
    if others:
        lines.append(f"  Better: {', '.join(f'{other.phrase!r} ({other.grade})' for other in others)}")
    if not found.counted:
        lines.append("  How often words are said is not known here: pip install pyspellchecker tells it.")
    return "\n".join(lines)
