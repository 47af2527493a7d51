/* All words that the page speaks, in one place. */

import { roundUp } from "./det.js";

/** A number as short as it can be told. */
const figure = (value) => (value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1));

/** Seconds as 6:11, or 1:02:05 from an hour on. */
function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds)), pair = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${pair(minutes)}:${pair(whole % 60)}` : `${minutes}:${pair(whole % 60)}`;
}

/** A share in per cent, to a tenth where that tells something. */
const percent = (share) => `${share > 0 && share < 0.0995 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;

/** A rate to two significant digits. */
const rate = (value) => (value >= 99.5 ? String(Math.round(value)) : String(Number(value.toPrecision(2))));

export const S = {
  page: {
    title: "Studio", listen: "Listen", make: "Make a word", datasets: "Datasets", views: "Views",
    skip: "Skip to the content",
    titled: (view) => `${view} · Studio`,
    noStanding: "The studio does not answer: start it with kws studio, and open the address that it tells.",
  },
  listen: {
    title: "Listen",
    lead: "Say the word, and watch what its detector makes of it. Nothing that is heard is kept or sent anywhere.",
    noRuntime: [
      "Listening needs a runtime that has not been fetched yet: run ", "kws studio --get",
      ", then load this page again.",
    ],
    controls: "What to listen for, and with which microphone", scope: "What is heard",
    words: "Words to listen for", yours: "yours", openFile: "Open a .onnx file…",
    unopened: (name, why) => `${name} cannot be opened (${why}): choose a detector file made by kws new or kws export.`,
    source: "Microphone", browserMicrophone: "This browser's", serverMicrophone: "the server's microphone",
    serverNamed: (name, isDefault) => `The server's: ${name}${isDefault ? " (default)" : ""}`,
    start: "Start", stop: "Stop",
    states: {
      idle: (_, words) => (words ? "Not listening." : "Choose a word to listen for."),
      starting: () => "Starting…",
      listening: (name) => `Listening with ${name}.`,
    },
    level: "Level", decibels: (db) => `${Math.round(db)} dB`,
    spectrogram: "Spectrogram of what is heard: low tones below, high ones above, the present at the right",
    laneLabel: (word) => `Score of ${word} over time`,
    drag: "Drag to move the threshold",
    noCost: "What listening costs is told here while it listens.",
    cost: (ms) => `Listening takes about ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms of processor time per second `
      + `of sound: ${ms < 100 ? (ms / 10).toFixed(1) : Math.round(ms / 10)} % of one core.`,
    dropped: (seconds) => `This machine falls behind: ${seconds.toFixed(1)} s of sound were left out.`,
    detections: "Detections", nothingYet: "Press Start and say the word.", nothingHeard: "No word has been heard yet.",
    at: (time) => `at ${time}`, score: (value) => value.toFixed(value > 0.99 && value < 1 ? 4 : 2),
    threshold: "Threshold", thresholdOf: (word) => `Threshold of ${word}`,
    reset: (own) => `Reset to the file's ${S.listen.score(own)}`,
    misses: "Misses, expected", accepts: "False accepts, expected",
    missed: ({ share }) => `${percent(share)}`,
    missedOf: ({ missed, shares: [low, high] }, { utterances }) =>
      `${missed} of ${utterances}; 95 %: ${percent(low)} to ${percent(high)}`,
    accepted: ({ accepted, perHour, perHours }) =>
      accepted ? `${rate(perHour)} per hour` : `fewer than ${roundUp(perHours[1])} per hour`,
    acceptedIn: ({ accepted, perHours: [low, high] }, { hours }) =>
      accepted
        ? `${accepted} in ${hours.toFixed(2)} h; 95 %: ${rate(low)} to ${rate(high)}`
        : `none in ${hours.toFixed(2)} h; 95 %`,
    measuredOn: ({ utterances, hours, negatives, set }) =>
      `Measured on ${utterances} utterances and ${hours.toFixed(2)} h of ${negatives ?? "speech"} without the word`
      + (set === "validation"
        ? ", which also chose the file's threshold: expect somewhat more errors on others." : "."),
    madeSpeech: "No person spoke in it: it says little about people.",
    noCurve: "This file does not tell misses and false accepts by threshold.",
    curveLabel: (threshold) =>
      `Misses against false accepts per hour, with the point of the threshold ${threshold.toFixed(2)}`,
    axisNone: "none", axisRates: "false accepts per hour", axisShares: "misses",
    spoken: (threshold, figures) => `${S.listen.score(threshold)}: ${percent(figures.share)} missed, `
      + `${S.listen.accepted(figures)} falsely accepted`,
    elsewhere: "Elsewhere: ",
    commandLine: (detector, threshold, isOwn) =>
      `kws listen ${/\s/.test(detector) ? `"${detector}"` : detector}`
      + (isOwn ? "" : ` --threshold ${threshold.toPrecision(4)}`),
    engineFailed: (why) => `Listening failed (${why}): load this page again.`,
    nothingComes: "No sound comes from this microphone: choose another, or plug it in again.",
    notAllowed:
      "The browser did not allow the microphone: allow it for this page (beside the address), then try again.",
    noMicrophone: "This machine has no microphone: plug one in, then try again.",
    microphoneBusy: "The microphone cannot be opened: close other programs that use it, then try again.",
    insecure: "Browsers give a microphone to secure pages only: open this page as http://localhost or over https.",
    unplugged: "The microphone was unplugged or taken away: plug it in, then try again.",
    noCapture: (why) => `The microphone cannot be heard by this browser (${why}): try another browser.`,
    noServerSound: "The server gave no sound from that microphone: choose another, or look at what kws studio says.",
    serverGone: "The server no longer gives sound: is kws studio still running?",
  },
  make: {
    title: "Make a word",
    lead: "From the text of a word to a detector of it, on this machine. Recordings of yours help; none are needed.",
    mine: "Your words",
    steps: ["How good is it", "How it will be said", "Say it yourself", "Make it", "What it gets wrong"],
    unreachable: "The studio does not answer: is kws studio still running?",
    garbled: (status) => `The studio answered with something that this page does not understand (${status}).`,
    word: "Word or phrase",
    language: "Language",
    languages: {
      "en-us": "English (US)", "en-gb": "English (UK)", de: "German", fr: "French", es: "Spanish", it: "Italian",
      pt: "Portuguese", "pt-br": "Portuguese (Brazil)", nl: "Dutch", pl: "Polish", sv: "Swedish", tr: "Turkish",
      uk: "Ukrainian", ru: "Russian", hi: "Hindi",
    },
    respell: "It is not said as it is written",
    say: "Say it as",
    sayHint:
      "A respelling such as ack-tiv-ate, or phonemes between slashes such as /ˈæktɪveɪt/; commas part several.",
    examine: "Examine it",
    examining: (word) => `Listening to “${word}” among all that sounds like it. This takes some seconds.`,
    examined: (word, grade, means) => `“${word}” is a ${grade} phrase to wake by: ${means}.`,
    grades: { good: "good", fair: "fair", poor: "poor" },
    sound: (phones, syllables, seconds) =>
      `${phones} sounds, ${syllables} syllable${syllables === 1 ? "" : "s"}, ${seconds.toFixed(1)} s`,
    expected: (middle, low, high) =>
      `A quick draft of such a phrase missed about ${middle} (${low} to ${high} for eight in ten).`,
    better: "Close ones that are better",
    neighbours: "What sounds like it",
    otherNeighbours: (count) => `${count} more`,
    samplesWhy: "Hear a few of the voices say it before hundreds of them do. If it is wrong, say above how it is said.",
    speak: "Let me hear it",
    speaking: "Speaking. This takes some seconds.",
    spoken: (count) => `${count} voice${count === 1 ? "" : "s"}`,
    voice: (engine, voice) => `voice ${voice} of ${engine}`,
    basis: (word, language, { positives, negatives, backgrounds }) => {
      const counted = (count, one, many) => count && `${count} ${count === 1 ? one : many}`;
      const own = [counted(positives, "take", "takes"), counted(negatives, "file of talk", "files of talk"),
        counted(backgrounds, "background", "backgrounds")].filter(Boolean).join(", ");
      return `“${word}” is made as ${language}, ${own ? `with your recordings (${own})` : "from made voices alone"}.`;
    },
    minutes: "How long it may take, once the word is spoken",
    draft: (minutes) => `A quick draft, ${minutes} minutes`,
    own: "Minutes",
    ownMinutes: "Number of minutes",
    badMinutes: "Say how many minutes: a number from 1 to 600.",
    whole: "As long as the recipe takes (hours without a fast machine)",
    start: "Make it",
    starts: { done: "Train anew", stopped: "Begin with this instead", failed: "Begin with this instead" },
    stop: "Stop",
    goOn: "Go on",
    states: {
      none: "It is not made yet.", running: "It is being made. You may leave this page.",
      stopped: "It was stopped; it goes on from there.", failed: "It could not be made.", done: "It is made.",
    },
    shortStates: { none: "recorded", running: "being made", stopped: "stopped", failed: "failed", done: "made" },
    progress: "How much of this stage is done",
    beginning: "Beginning …",
    stage: ({ stage, number, of }) => `Stage ${number} of ${of}: ${S.make.stages[stage] ?? stage}`,
    stages: {
      bank: "many voices say the word", validation: "scenes to check it by", scenes: "scenes to train on",
      training: "training", export: "writing the detector", verdict: "trying it on voices it never heard",
    },
    units: {
      clip: "clips", step: "steps", recording: "recordings", utterance: "utterances", "raised voice": "raised voices",
      "reel of talk": "reels of talk",
    },
    figures: ({ done, total, unit, rate_per_s: rate, left_s: left, whole_left_s: whole }) => [
      total ? `${figure(done)} of ${figure(total)} ${S.make.units[unit] ?? unit.trim()}` : "",
      rate ? `${figure(rate)} a second` : "",
      left === null ? "" : `${duration(left)} left`,
      whole === null ? "" : `${duration(whole)} left in all`,
    ].filter(Boolean).join(" · "),
    log: "What it said last",
    verdict: "What to expect of it",
    listen: "Listen to it",
  },
  record: {
    why: "A few takes of your own make it hear you better. Every take should differ a little from the others.",
    microphone: "Microphone",
    browsers: "This browser’s",
    servers: (name, isDefault) => `${name} (the server’s${isDefault ? ", usual" : ""})`,
    open: "Check the level",
    close: "Close the microphone",
    level: "Level of the microphone",
    closed: "closed",
    decibels: (db) => `${db} dB`,
    clipped: "too loud",
    wasClosed: "The microphone was closed.",
    nothingComes: "Nothing comes from the microphone: is it in use elsewhere, or unplugged?",
    lost: (gap) => `Sound was lost on the way (${gap}): close what keeps this machine busy.`,
    busy: "The microphone is being recorded from already.",
    takes: "The word",
    take: "Record a take",
    takeNext: "Record another",
    retake: "Take it again",
    anyway: "Keep it anyway",
    thisTake: "this take",
    next: (word, hint) => `“${word}”, ${hint}`,
    hints: [
      "as you always say it", "from across the room", "close to the microphone", "fast", "softly", "slowly",
      "with your back turned", "louder, as if it had not heard you", "as a question", "said by somebody else",
    ],
    ready: "Get ready …",
    now: (word) => `Now say “${word}”`,
    judging: "Judging …",
    kept: (told) => `Kept: ${told}.`,
    noGood: (fault, told) => `No good: ${fault}${told ? ` (${told})` : ""}`,
    talk: "Talk without the word",
    talkSays: (word) =>
      `Talk, read aloud, cook, listen to music: anything, but never “${word}”. It is kept in files of a minute.`,
    talkStart: "Record talk",
    talkStop: "Stop and keep",
    talkOn: "Recording talk.",
    talkTime: (seconds, most) => `${Math.floor(seconds)} of ${most} s of this file`,
    talkKept: (count) =>
      (count ? `Kept ${count} file${count === 1 ? "" : "s"}.` : "Nothing was kept: it was shorter than a second."),
    backgrounds: "Sound of your rooms",
    backgroundsSay:
      "Recordings of where it will listen: a fan, a street, a kitchen, television. The word must not be in them.",
    drop: "Drop sound files here, or choose some",
    sending: (file) => `How much of ${file} is sent`,
    sent: "sent",
    tooLarge: (file, most) => `${file} is larger than ${most} MB: cut it into smaller files.`,
    listed: {
      positives: (count) => (count ? `${count} take${count === 1 ? "" : "s"} kept` : "No take is kept yet"),
      negatives: (count) => (count ? `${count} file${count === 1 ? "" : "s"} of talk kept` : "No talk is kept yet"),
      backgrounds: (count) => (count ? `${count} background${count === 1 ? "" : "s"} kept` : "No sound is kept yet"),
    },
    seconds: (seconds) => `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`,
    delete: "Delete",
    deleteNamed: (file) => `Delete ${file}`,
    sure: (file) => `Delete ${file}? It cannot be brought back.`,
    play: (label) => `Play ${label}`,
    stop: (label) => `Stop ${label}`,
    playShort: "Play",
    stopShort: "Stop",
    spectrogram: (label) => `Spectrogram of ${label}`,
    unplayable: "This browser cannot play it.",
    undrawable: "It cannot be drawn, for this browser cannot read its sound.",
  },
  report: {
    whole: "The whole report",
    misses: "Not heard, though it was the word",
    noMisses: "Nothing was missed.",
    accepts: "Taken for the word, though it was not",
    noAccepts: "Nothing was taken for the word.",
    score: (score, threshold) => `score ${score.toFixed(3)}, threshold ${threshold.toFixed(3)}`,
    teach: "Teach it: not the word",
    teachNamed: (title) => `Teach it that this is not the word: ${title}`,
    isTaught: "Kept as not the word.",
    taught: (count) =>
      `${count} false accept${count === 1 ? " is" : "s are"} kept as not the word. Train anew to let it learn.`,
    anew: "Train anew",
  },
  datasets: {
    title: "Datasets",
    lead: "What a detector learns from: words laid into scenes, with every event marked.",
    scenes: "Scenes",
    dataset: "Dataset",
    option: (name, clips, seconds) =>
      `${name}: ${clips} scene${clips === 1 ? "" : "s"}, ${duration(seconds)}`,
    empty: "There is no dataset here yet. This command makes one:",
    command: "kws generate data/activate",
    where: (first, last, total) => `${first} to ${last} of ${total}`,
    before: "Earlier",
    after: "Later",
    from: "From scene",
    go: "Go",
    filter: "Show scenes of this page",
    all: (count) => `All ${count}`,
    kinds: {
      positive: "the word", "near-miss": "near-miss", containing: "containing it", negative: "other word",
      sentence: "sentence",
    },
    scene: (number) => `Scene ${number}`,
    event: ({ kind, start, end }) => `${S.datasets.kinds[kind] ?? kind}, ${start.toFixed(1)}–${end.toFixed(1)} s`,
    nothingSaid: "Nothing is said in it.",
    about: "How it was made",
    none: "none",
    yes: "yes",
    no: "no",
    rooms: "Sound of your own rooms",
    word: "For the word",
    noWords: "Background sound belongs to a word, and there is none yet.",
    makeOne: "Begin one",
  },
};
