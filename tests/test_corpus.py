"""Any folder, manifest or Speech Commands is read; what is of no use is named and left out, never fatal."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from small_bank import tone_word

from kws.audio import MARGIN_S, RATE_HZ, Samples, word_edges
from kws.errors import Failure
from kws.events import Event, Recording, to_line
from synth.corpus import (
    LONGEST_S,
    RecordingsEngine,
    bare,
    fault,
    open_corpus,
    own_clips,
    said_by_people,
    trimmed,
)
from synth.voices import Engine, Saying

WORD = tone_word(300, 0.6, 2.0)


def put(path: Path, samples: Samples = WORD, rate_hz: int = RATE_HZ, **settings: str) -> Path:
    """Write a sound file, its folders and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, **settings)
    return path


def padded(word: Samples = WORD, seconds: float = 1.0) -> Samples:
    """A word with silence around it."""
    silence = np.zeros(round(seconds * RATE_HZ), np.float32)
    return np.concatenate((silence, word, silence))


def speech_commands(folder: Path) -> Path:
    """A tiny Speech Commands: two words, three speakers, one for each split, and a noise."""
    for word, pitch_hz in (("yes", 200), ("no", 300)):
        for speaker in ("aaa", "bbb", "ccc"):
            put(folder / word / f"{speaker}_nohash_0.wav", tone_word(pitch_hz, 0.6, 1.0))
    put(folder / "_background_noise_" / "pink_noise.wav")
    (folder / "validation_list.txt").write_text("yes/bbb_nohash_0.wav\nno/bbb_nohash_0.wav\n")
    (folder / "testing_list.txt").write_text("yes/ccc_nohash_0.wav\nno/ccc_nohash_0.wav\n")
    return folder


def test_subfolders_of_a_folder_name_the_speakers(tmp_path: Path) -> None:
    put(tmp_path / "ann" / "kitchen" / "a.wav")
    put(tmp_path / "bob" / "b.flac")
    put(tmp_path / "c.wav")
    corpus = open_corpus(tmp_path)
    told = [(spoken.path.name, spoken.speaker, spoken.text, spoken.split) for spoken in corpus.recordings]
    assert told == [("a.wav", "ann", None, None), ("b.flac", "bob", None, None), ("c.wav", tmp_path.name, None, None)]
    assert corpus.saying("anything", "train") == corpus.without("anything", "train") == list(corpus.recordings)
    assert corpus.of("validation") == []


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels"),
    [("a.wav", 8_000, 1), ("a.wav", 48_000, 2), ("a.flac", 44_100, 2), ("a.ogg", 48_000, 2), ("a.mp3", 44_100, 2),
     ("a.aiff", 22_050, 1), ("a.opus", 24_000, 1)],
)  # fmt: skip
def test_any_format_rate_and_number_of_channels_becomes_the_same_word(
    tmp_path: Path, name: str, rate_hz: int, channels: int
) -> None:
    import soxr

    kind = {"format": "OGG", "subtype": "OPUS"} if name.endswith(".opus") else {}
    sound = np.repeat(soxr.resample(padded(), RATE_HZ, rate_hz)[:, None], channels, axis=1)
    put(tmp_path / name, sound, rate_hz, **kind)
    (clip,), skipped = own_clips("activate", tmp_path, "train")
    assert skipped == ()
    start_s, end_s = word_edges(clip.samples)
    word_s = np.diff(word_edges(WORD))[0]
    assert end_s - start_s == pytest.approx(word_s, abs=0.04)
    assert len(clip.samples) / RATE_HZ == pytest.approx(word_s + 2 * MARGIN_S, abs=0.05)
    assert (clip.text, clip.kind, clip.split, clip.voice) == (
        "activate",
        "positive",
        "train",
        f"recorded:{tmp_path.name}",
    )
    spectra = [np.abs(np.fft.rfft(samples, RATE_HZ))[100:2000] for samples in (WORD, clip.samples)]
    assert np.corrcoef(*spectra)[0, 1] > 0.9


def test_what_is_of_no_use_is_named_with_the_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    put(tmp_path / "good.wav", padded())
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("this is no sound " * 40)
    put(tmp_path / "silent.flac", np.zeros(RATE_HZ, np.float32))
    put(tmp_path / "nan.wav", np.where(np.arange(RATE_HZ * 9) == RATE_HZ * 8, np.nan, 0.1), subtype="FLOAT")
    put(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    put(tmp_path / "talk.wav", np.tile(WORD, 8))
    put(tmp_path / "click.wav", padded(np.ones(80, np.float32) / 2))
    cut = put(tmp_path / "cut.flac", np.random.default_rng(1).normal(size=20 * RATE_HZ) / 9)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    clips, skipped = own_clips("activate", tmp_path, "train")
    assert len(clips) == 1
    assert sorted(skipped) == [
        "click.wav (too short to be a word)",
        "cut.flac (cannot be read as audio)",
        "empty.wav (empty)",
        "nan.wav (not numbers (NaN or infinity))",
        "nothing.wav (no samples)",
        "silent.flac (silent)",
        f"talk.wav ({8 * len(WORD) / RATE_HZ - 0.1:.1f} s of sound, not one word)",
        "text.mp3 (cannot be read as audio)",
    ]


def test_a_place_without_anything_usable_is_a_failure_that_says_why(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.wav").write_bytes(b"")
    with pytest.raises(Failure, match=r"no usable recording: 0.wav \(empty\), .* and 2 more\.$"):
        open_corpus(tmp_path)
    with pytest.raises(Failure, match="is not a folder, nor a manifest"):
        open_corpus(tmp_path / "nowhere")


def test_a_sound_after_long_silence_is_heard_and_one_below_80_db_is_not(tmp_path: Path) -> None:
    silence = np.zeros(9 * RATE_HZ, np.float32)
    assert fault(put(tmp_path / "late.wav", np.concatenate((silence, WORD)))) == ""
    assert fault(put(tmp_path / "faint.wav", padded(WORD * np.float32(1e-4)))) == "silent"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ";.csv"])
def test_a_manifest_tells_texts_speakers_and_splits_under_many_names(tmp_path: Path, suffix: str) -> None:
    put(tmp_path / "a.wav")
    put(tmp_path / "clips" / "b.wav")
    rows = [("a.wav", "Smart-Mirror!", "ann", "dev"), ("b.wav", "say smart mirror, please", "bob", "")]
    manifest = tmp_path / f"list{suffix.lstrip(';')}"
    if suffix == ".jsonl":
        fields = ("audio_filepath", "text", "speaker", "split")
        manifest.write_text("\n".join(json.dumps(dict(zip(fields, row, strict=True))) for row in rows) + "\n\n")
    else:
        by = {".csv": ",", ".tsv": "\t", ";.csv": ";"}[suffix]
        quoted = [[f'"{each}"' if by in each else each for each in row] for row in rows]
        manifest.write_text(
            "\n".join(by.join(row) for row in [("Path", "Sentence", "Client ID", "Split"), *quoted]), "utf-8-sig"
        )
    corpus = open_corpus(manifest)
    told = [(spoken.path.name, spoken.text, spoken.speaker, spoken.split) for spoken in corpus.recordings]
    assert told == [("a.wav", "Smart-Mirror!", "ann", "validation"), ("b.wav", "say smart mirror, please", "bob", None)]
    assert [spoken.path.name for spoken in corpus.saying("smart mirror", "validation")] == ["a.wav"]
    assert corpus.saying("smart mirror", "train") == corpus.without("smart mirror", "train") == []
    assert len(corpus.without("activate", "train")) == 1


def test_a_common_voice_folder_is_read_through_its_tables_and_keeps_its_quotes(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / "clips" / f"{name}.mp3")
    for table, name, text in (("train", "a", '"Hello'), ("dev", "b", "There"), ("test", "c", "You")):
        (tmp_path / f"{table}.tsv").write_text(f"client_id\tpath\tsentence\tage\nx{name}\t{name}.mp3\t{text}\t\n")
    corpus = open_corpus(tmp_path)
    told = [(spoken.text, spoken.speaker, spoken.split) for spoken in corpus.recordings]
    assert told == [('"Hello', "xa", "train"), ("There", "xb", "validation"), ("You", "xc", "test")]
    assert [spoken.text for spoken in corpus.without("activate", "train")] == ['"Hello']


def test_a_dataset_gives_each_place_where_the_word_is_said(tmp_path: Path) -> None:
    scene = np.concatenate((padded(), padded(tone_word(150, 0.5, -1.0)), padded()))
    put(tmp_path / "audio" / "0.flac", scene)
    put(tmp_path / "audio" / "1.flac", scene)
    said = Event(word="activate", start=1.05, end=1.65)
    events = (said, Event(word="kettle", start=3.8, end=4.2, kind="negative"))
    recordings = [
        Recording(audio=tmp_path / "audio" / "0.flac", duration=8.0, events=events),
        Recording(audio=tmp_path / "audio" / "1.flac", duration=8.0),
    ]
    (tmp_path / "manifest.jsonl").write_text("".join(to_line(each, tmp_path) + "\n" for each in recordings))
    (clip,), skipped = own_clips("activate", tmp_path, "train")
    assert skipped == ()
    assert len(clip.samples) / RATE_HZ == pytest.approx(0.7, abs=0.05)
    assert [spoken.path.name for spoken in open_corpus(tmp_path).without("activate", "train")] == ["1.flac"]


@pytest.mark.parametrize(
    ("content", "why"),
    [('{"audio": "a.wav"}\n{"audio":', "entry 2: "), ("[1]\n", "entry 1: not a JSON object"),
     ("", "names no recordings"),
     ('{"text": "x"}\n', "no file is named"), ('{"audio": "a.wav", "events": [{"word": 1}]}\n', "entry 1: ")],
)  # fmt: skip
def test_a_damaged_manifest_is_told_by_its_line(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "list.jsonl").write_text(content)
    with pytest.raises(Failure, match=why):
        open_corpus(tmp_path / "list.jsonl")


def test_files_that_a_manifest_names_in_vain_are_skipped(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("file,text\na.wav,activate\nb.wav,activate\n")
    clips, skipped = own_clips("activate", tmp_path / "list.csv", "train")
    assert len(clips) == 1 and skipped == ("b.wav (missing)",)


@pytest.mark.parametrize("inner", ["speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "my.words"])
def test_speech_commands_is_opened_with_its_own_splits_speakers_and_noise(tmp_path: Path, inner: str) -> None:
    folder = speech_commands(tmp_path / inner)
    corpus = open_corpus(folder if inner == "my.words" else tmp_path)
    told = {split: [(s.speaker, s.text) for s in corpus.of(split)] for split in ("train", "validation", "test")}
    assert told == {
        "train": [("aaa", "no"), ("aaa", "yes"), ("_background_noise_", "")],
        "validation": [("bbb", "no"), ("bbb", "yes")],
        "test": [("ccc", "no"), ("ccc", "yes")],
    }
    clips, _ = own_clips("Yes", folder, "train")
    assert [clip.voice for clip in clips] == ["recorded:aaa"]
    assert [spoken.text for spoken in corpus.without("yes", "train")] == ["no", ""]
    with pytest.raises(Failure, match=r"none of the 7 recordings in .* says just 'activate' in the train split"):
        own_clips("activate", folder, "train")


def test_a_broken_speech_commands_is_a_failure(tmp_path: Path) -> None:
    folder = speech_commands(tmp_path / "sc")
    (folder / "testing_list.txt").write_text("yes/nameless.wav\n")
    with pytest.raises(Failure, match="not laid out as Speech Commands"):
        open_corpus(folder)


def test_a_corpus_speaks_in_its_speakers_voices_and_the_seed_chooses_the_take(tmp_path: Path) -> None:
    lines = []
    for number, (speaker, text) in enumerate([("ann", "yes"), ("ann", "Yes."), ("ann", "no"), ("bob", "no")]):
        put(tmp_path / f"{number}.wav", tone_word(150 + 50 * number, 0.6, 0.5))
        lines.append(json.dumps({"audio": f"{number}.wav", "text": text, "speaker": speaker}))
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    engine: Engine = pickle.loads(pickle.dumps(RecordingsEngine(open_corpus(tmp_path / "list.jsonl"))))
    assert engine.voices("train", "de") == ("ann", "bob") and engine.voices("test", "de") == ()
    takes = [engine.speak(Saying(text="yes"), "ann", seed) for seed in range(4)]
    assert engine.name == "recorded" and engine.licence == "recordings in list.jsonl: as their makers allow"
    assert takes[0].voice == "recorded:ann" and takes[0].rate_hz == RATE_HZ
    assert not np.array_equal(takes[0].samples, takes[1].samples)
    assert all(np.array_equal(takes[seed].samples, takes[seed + 2].samples) for seed in (0, 1))
    with pytest.raises(ValueError, match="'bob' never says 'yes'"):
        engine.speak(Saying(text="yes"), "bob", 0)
    before = engine.identity
    put(tmp_path / "0.wav", tone_word(400, 0.8, 0.5))
    assert RecordingsEngine(open_corpus(tmp_path / "list.jsonl")).identity != before
    engine.close()


@given(lead=st.integers(0, 4000), tail=st.integers(0, 4000), gain=st.floats(0.01, 1))
def test_trimming_keeps_the_word_and_a_margin_and_trimming_again_changes_nothing(
    lead: int, tail: int, gain: float
) -> None:
    quiet = [np.zeros(count, np.float32) for count in (lead, tail)]
    once = trimmed(np.concatenate((quiet[0], WORD, quiet[1])) * np.float32(gain))
    start_s, end_s = word_edges(once)
    assert end_s - start_s == pytest.approx(np.diff(word_edges(WORD))[0], abs=0.021)
    assert start_s <= MARGIN_S + 0.01
    assert len(trimmed(once)) == pytest.approx(len(once), abs=RATE_HZ // 50)


def test_the_longest_word_is_three_seconds() -> None:
    hum = np.sin(np.arange(10 * RATE_HZ) / 5).astype(np.float32)
    assert len(trimmed(hum[: round(LONGEST_S * RATE_HZ)])) == LONGEST_S * RATE_HZ
    with pytest.raises(ValueError, match=r"3\.1 s of sound, not one word"):
        trimmed(hum[: round((LONGEST_S + 0.1) * RATE_HZ)])


def test_texts_are_compared_without_case_punctuation_and_spacing() -> None:
    assert bare("  Hey, J\u00e1rvis! ") == bare("HEY-ja\u0301rvis") == "hey j\u00e1rvis"
    assert bare("don't") == bare("don\u2019t") == "dont"
    assert bare("Stra\u00dfe") == bare("STRASSE")
    assert bare("\u0928\u092e\u0938\u094d\u0924\u0947") == "\u0928\u092e\u0938\u094d\u0924\u0947"
    assert bare("...") == ""


def test_neighbours_that_people_say_become_clips_of_their_kind(tmp_path: Path) -> None:
    said = [("active", "ann"), ("Active!", "bob"), ("activate", "ann"), ("kettle", "ann"), (None, "eve")]
    lines = [json.dumps({"path": f"{n}.wav", "text": text, "speaker": who}) for n, (text, who) in enumerate(said)]
    for number in range(len(said)):
        put(tmp_path / f"{number}.wav")
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    corpus = open_corpus(tmp_path / "list.jsonl")
    clips = said_by_people(corpus, {"active": "near-miss", "activated": "containing"}, "train")
    assert [(clip.text, clip.kind, clip.voice) for clip in clips] == [
        ("active", "near-miss", "recorded:ann"), ("active", "near-miss", "recorded:bob"),
    ]  # fmt: skip
    assert said_by_people(corpus, {"active": "near-miss"}, "test") == []
    assert said_by_people(open_corpus(tmp_path / "0.wav"), {"active": "near-miss"}, "train") == []
