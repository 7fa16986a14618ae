// The wall: tiles in view are live, and decisions join the list as they come.

import { Live } from "./live.js";
import { Tile } from "./tile.js";

const MOST_DECISIONS = 60;
const wall = document.querySelector("[data-live]");
const tiles = new Map([...wall.querySelectorAll("[data-door]")].map((one) => [one.dataset.door, new Tile(one)]));
const inView = new Set();
const list = document.querySelector("#decisions");
const pattern = document.querySelector("#decision");
const troubles = document.querySelector("#troubles");
const NO_CONTACT = "no contact with the web node";

const live = new Live(wall.dataset.live, {
  async door(header, jpeg) {
    const tile = tiles.get(header.camera);
    if (!tile) return;
    await tile.show(header, jpeg);
    if (jpeg) live.ready(header.camera);
  },
  decision: (line) => add(line),
  site: (words) => say(words),
  contact(there) {
    document.body.dataset.contact = there ? "yes" : "no";
    if (there) {
      catchUp();
    } else {
      say([`${NO_CONTACT}; trying again`]);
      for (const tile of tiles.values()) tile.forget(NO_CONTACT);
    }
  },
});

function watch() {
  const seen = document.hidden ? [] : [...inView];
  live.watch(Object.fromEntries(seen.map((door) => [door, "calm"])));
}

const observer = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) inView.add(target.dataset.door);
    else inView.delete(target.dataset.door);
  }
  watch();
}, { rootMargin: "50px" });
for (const tile of tiles.values()) observer.observe(tile.element);
document.addEventListener("visibilitychange", watch);

// As many columns as make the tiles largest, as on the display (turnstile/drawing/draw.py).
const ASPECT = 1.5;
const section = wall.querySelector(".doors");

function arrange() {
  const { clientWidth: width, clientHeight: height } = section;
  if (matchMedia("(max-width: 799px)").matches || !height) {
    section.style.removeProperty("grid-template-columns");
    return;
  }
  const least = 11 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const size = (columns) => Math.min(width / columns / ASPECT, height / Math.ceil(tiles.size / columns));
  let best = 1;
  for (let columns = 2; columns <= tiles.size && width / columns >= least; columns += 1) {
    if (size(columns) > size(best)) best = columns;
  }
  section.style.gridTemplateColumns = `repeat(${best}, minmax(0, 1fr))`;
}
new ResizeObserver(arrange).observe(section);

function say(words) {
  const now = words.join("\n");
  if (troubles.dataset.words === now) return;
  troubles.dataset.words = now;
  troubles.replaceChildren(...words.map((one) => {
    const item = document.createElement("li");
    item.textContent = one;
    return item;
  }));
}

function add(line) {
  if ([...list.children].some((one) => one.dataset.event === line.event)) return;
  const item = pattern.content.firstElementChild.cloneNode(true);
  const at = new Date(line.at_ns / 1e6);
  item.dataset.event = line.event;
  item.dataset.verdict = line.verdict;
  item.dataset.at = line.at_ns;
  item.querySelector("a").pathname = `/visits/${line.event}`;
  for (const slot of item.querySelectorAll("[data-slot]")) {
    const name = slot.dataset.slot;
    if (name === "at") {
      slot.dateTime = at.toISOString();
      slot.textContent = at.toLocaleTimeString("en-GB", { timeZone: list.dataset.zone || undefined });
    } else {
      slot.textContent = line[name];
      slot.hidden = !line[name];
    }
  }
  list.prepend(item);
  document.querySelector("#no-decisions")?.remove();
  while (list.children.length > MOST_DECISIONS) list.lastElementChild.remove();
}

// Decisions that were made while the page heard nothing are in the page as it is now.
async function catchUp() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const known = new Set([...list.children].map((one) => one.dataset.event));
  const missing = [...page.querySelectorAll("#decisions > li")].filter((one) => !known.has(one.dataset.event));
  if (!missing.length) return;
  const all = [...list.children, ...missing].sort((one, other) => other.dataset.at - one.dataset.at);
  list.replaceChildren(...all.slice(0, MOST_DECISIONS));
  document.querySelector("#no-decisions")?.remove();
}
