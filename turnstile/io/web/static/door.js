// A tablet at a door, for the person who stands there: mirrored picture, guidance, verdict with a sound.

import { Live } from "./live.js";
import { Tile } from "./tile.js";

const OUT_OF_ORDER = "Out of order, please ring";
const element = document.querySelector("[data-door]");
const tile = new Tile(element, { mirrored: true });
const start = document.querySelector("#start");
let sound = null;
let lock = null;
let verdict = "";

const live = new Live(element.dataset.live, {
  async door(header, jpeg) {
    await tile.show(header, jpeg);
    if (jpeg) live.ready(header.camera);
    tell(header.banners.at(-1));
  },
  contact(there) {
    document.body.dataset.contact = there ? "yes" : "no";
    if (!there) tile.forget(OUT_OF_ORDER);
  },
});

const watch = () => live.watch(document.hidden ? {} : { [tile.camera]: "all" });
watch();
document.addEventListener("visibilitychange", () => {
  watch();
  if (!document.hidden && sound) stayAwake();
});

function tell(banner) {
  const now = banner ? `${banner.verdict} ${banner.who}` : "";
  if (now === verdict) return;
  verdict = now;
  document.body.dataset.verdict = banner?.verdict ?? "";
  if (!banner || !sound) return;
  play(banner.verdict === "granted" ? [660, 880] : [240, 180]);
  document.body.dataset.sound = banner.verdict;
}

function play(tones) {
  tones.forEach((pitch, at) => {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    const begins = sound.currentTime + at * 0.18;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, begins);
    volume.gain.exponentialRampToValueAtTime(0.3, begins + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, begins + 0.3);
    tone.connect(volume).connect(sound.destination);
    tone.start(begins);
    tone.stop(begins + 0.32);
  });
}

async function stayAwake() {
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
}

// Browsers allow sound, a full screen and a screen that stays on only after somebody touched the page.
// Nothing waits for the sound: without a loudspeaker it may never begin.
start.addEventListener("click", () => {
  start.hidden = true;
  sound ??= new AudioContext();
  sound.resume().catch(() => null);
  document.body.dataset.sound = "on";
  stayAwake();
  document.documentElement.requestFullscreen?.().catch(() => null);
});
