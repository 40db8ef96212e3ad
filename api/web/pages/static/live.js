// Keeps the live page going: events from the server put rows in and take rows out, running calls tick, a pause gathers.
// All text is put in as text; nothing that came over the wire becomes markup.

import { showTimes } from "./times.js";

// What nobody sees, or what turns the text around it, is shown by its number, as in the server's own markup.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const visible = (text) => text.replace(UNSEEN, (found) => `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`);

const page = document.querySelector("[data-live]");
const template = document.querySelector("template[data-row]");
const pulse = document.querySelector("[data-pulse]");
const pauseButton = document.querySelector("[data-pause]");
const bodies = Object.fromEntries([...document.querySelectorAll("[data-rows]")].map((body) => [body.dataset.rows, body]));
const RETRY_MS = 5000;

let clockOffset = Number(page.dataset.now) - Date.now();
let last = page.dataset.after;
let paused = false;
let waiting = { rows: new Map(), gone: new Set(), keep: null, counts: null };

const say = (state, text) => {
  pulse.dataset.is = state;
  const place = pulse.querySelector("[data-pulse-text]");
  if (place.textContent !== text) place.textContent = text;
};

const sayHow = () => {
  if (!paused) return say("live", "Up to date, as it happens.");
  const news = waiting.rows.size;
  say("paused", "Paused.");
  pauseButton.textContent = news ? `Resume (${news} new)` : "Resume";
};

// Durations

const shown = (seconds) => {
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const rest = two(seconds % 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
};

const tick = (within = page) => {
  const now = Date.now() + clockOffset;
  for (const place of within.querySelectorAll("[data-since]")) {
    const until = place.dataset.until ? Date.parse(place.dataset.until) : now;
    const text = shown(Math.max(0, Math.floor((until - Date.parse(place.dataset.since)) / 1000)));
    if (place.textContent !== text) place.textContent = text;
  }
};

// Rows

const find = (id) => page.querySelector(`[data-call="${CSS.escape(id)}"]`);

const flag = (name) => {
  const label = document.createElement("span");
  label.className = "flag";
  label.textContent = name;
  return label;
};

const made = (row) => {
  const line = template.content.firstElementChild.cloneNode(true);
  const slot = (name) => line.querySelector(`[data-slot="${name}"]`);
  line.dataset.call = row.id;
  line.dataset.at = row.at;
  line.dataset.key = row.live ? row.opened : row.ended;
  slot("state").textContent = row.disposition ? row.disposition.toLowerCase() : "in progress";
  slot("state").classList.add(row.disposition ? `is-${row.disposition.toLowerCase().replaceAll(" ", "-")}` : "is-live");
  slot("lasted").dataset.since = row.opened;
  if (row.ended) slot("lasted").dataset.until = row.ended;
  for (const name of ["tag", "number", "last"]) slot(name).textContent = visible(row[name] || "–");
  for (const name of ["tag", "number"]) slot(name).parentElement.title = slot(name).textContent;
  for (const name of ["opened", "last_at"]) slot(name).dateTime = slot(name).title = row[name];
  slot("flags").append(...row.flags.split(";").filter(Boolean).flatMap((name) => [flag(name), " "]));
  slot("call").href = slot("call").title = `/calls/${row.id}`;
  slot("call").textContent = row.id.slice(0, 8);
  tick(line);
  showTimes(line);
  return line;
};

const put = (row, marked) => {
  find(row.id)?.remove();
  const body = bodies[row.live ? "live" : "ended"];
  if (!body || (page.dataset.tag && page.dataset.tag !== row.tag)) return;
  const line = made(row);
  line.classList.toggle("fresh", marked);
  const after = [...body.rows].find((other) => other.dataset.key < line.dataset.key);
  body.insertBefore(line, after ?? null);
};

const showEmptiness = () => {
  for (const [kind, body] of Object.entries(bodies)) {
    document.querySelector(`[data-empty="${kind}"]`).hidden = body.rows.length > 0;
    document.querySelector(`[data-sheet="${kind}"]`).hidden = body.rows.length === 0;
  }
};

const NAMES = { live: "in-progress", ended: "ended", stale: "stale", missing_cdr: "missing-cdr" };

const count = (counts) => {
  for (const [name, tile] of Object.entries(NAMES)) {
    const place = document.querySelector(`[data-count="${tile}"]`);
    place.textContent = counts[name].toLocaleString("en").replaceAll(",", "\u202f");
  }
};

// What is gathered is shown at once while the page runs, and all together after a pause.

const flush = () => {
  const { rows, gone, keep, counts } = waiting;
  waiting = { rows: new Map(), gone: new Set(), keep: null, counts: null };
  for (const id of gone) find(id)?.remove();
  if (keep) for (const line of page.querySelectorAll("[data-call]")) if (!keep.has(line.dataset.call)) line.remove();
  for (const row of rows.values()) put(row, Number(find(row.id)?.dataset.at ?? 0) < row.at);
  if (counts) count(counts);
  showEmptiness();
};

const take = (event, whole) => {
  const said = JSON.parse(event.data);
  last = event.lastEventId;
  clockOffset = said.now - Date.now();
  if (said.keep || whole) {
    waiting.keep = new Set(said.keep ?? said.rows.map((row) => row.id));
    for (const id of waiting.rows.keys()) if (!waiting.keep.has(id)) waiting.rows.delete(id);
  }
  for (const id of said.gone ?? []) {
    waiting.rows.delete(id);
    waiting.gone.add(id);
    waiting.keep?.delete(id);
  }
  for (const row of said.rows) {
    if (paused && whole && Number(find(row.id)?.dataset.at ?? 0) >= row.at) continue;
    waiting.rows.set(row.id, row);
    waiting.gone.delete(row.id);
    waiting.keep?.add(row.id);
  }
  waiting.counts = said.counts;
  if (!paused) flush();
  sayHow();
};

// The connection: the browser itself comes again with the last position; where it gives up, we do.

const open = () => {
  const source = new EventSource(`${page.dataset.live}?after=${encodeURIComponent(last)}`);
  source.addEventListener("change", (event) => take(event, false));
  source.addEventListener("reset", (event) => take(event, true));
  source.addEventListener("failing", (event) => say("lost", `Standing still: ${JSON.parse(event.data).reason}`));
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return say("lost", "The connection is lost; trying again.");
    say("lost", "The service does not answer, or you are signed out; trying again.");
    setTimeout(open, RETRY_MS);
  });
  window.addEventListener("pagehide", () => source.close(), { once: true });
};

if (pauseButton) {
  pauseButton.hidden = false;
  pauseButton.addEventListener("click", () => {
    paused = !paused;
    pauseButton.setAttribute("aria-pressed", String(paused));
    pauseButton.textContent = "Pause";
    if (!paused) flush();
    sayHow();
  });
}

setInterval(tick, 1000);
open();
