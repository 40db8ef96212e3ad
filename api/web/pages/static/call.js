// Steps through a call's time without a new page: the slider, the keys j and k, the links and the marks of the drawing.
// What it shows is always the server's own page for that moment.

import { showTimes } from "./times.js";

const slider = document.querySelector("[data-slider]");
const range = slider?.querySelector("input");
const steps = Number(range?.max ?? 1);
const positions = new Map();
for (const item of document.querySelectorAll("[data-event]")) positions.set(Number(item.dataset.event), item.dataset.position);

let chosen = Number(range?.value ?? 1);
let loading = null;

const addressOf = (number) => {
  const address = new URL(location.href);
  if (number === steps) address.searchParams.delete("at");
  else address.searchParams.set("at", positions.get(number));
  address.hash = "";
  return address;
};

const say = () => {
  const state = document.querySelector("#state");
  range.setAttribute("aria-valuetext", `${chosen} of ${steps}: ${state.dataset.said}`);
};

const swap = (from) => {
  for (const id of ["state", "step-back", "step-on"]) {
    document.getElementById(id).replaceWith(document.adoptNode(from.getElementById(id)));
  }
  // A mark that was chosen keeps the focus: it stands in each drawing, of which one is shown, and only that one takes the focus.
  const focused = document.activeElement?.closest(".mark")?.dataset.at;
  document.querySelector("#drawing").replaceChildren(...from.querySelector("#drawing").childNodes);
  if (focused) for (const mark of document.querySelectorAll(`.mark[data-at="${focused}"]`)) mark.focus();
  for (const item of document.querySelectorAll("[data-event]")) {
    if (Number(item.dataset.event) === chosen) {
      item.setAttribute("aria-current", "step");
      const run = item.parentElement.closest("details");
      if (run) run.open = true;
    }
    else item.removeAttribute("aria-current");
  }
  showTimes(document.querySelector("#state"));
};

// Of a long call only the events around the chosen one are listed: another page lists those around the next.
const leap = (before) => {
  const link = document.querySelector(chosen > before ? "#step-on" : "#step-back");
  if (Math.abs(chosen - before) === 1 && link?.href) return location.assign(link.href);
  const nearer = (one, other) => (Math.abs(other - chosen) < Math.abs(one - chosen) ? other : one);
  location.assign(addressOf([...positions.keys()].reduce(nearer)));
};

const show = async (number, { keep = true } = {}) => {
  const before = chosen;
  chosen = Math.min(Math.max(number, 1), steps);
  range.value = String(chosen);
  if (!positions.has(chosen) && chosen !== steps) return leap(before);
  const address = addressOf(chosen);
  if (!positions.has(chosen)) return location.assign(address);
  loading?.abort();
  loading = new AbortController();
  try {
    const answer = await fetch(address, { signal: loading.signal, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (keep) history.replaceState(null, "", address);
    say();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
};

const typing = (element) => element.closest("input:not([type=range]), select, textarea, [contenteditable]") !== null;

if (range && steps > 1) {
  slider.hidden = false;
  say();
  range.addEventListener("input", () => show(Number(range.value)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "j") show(chosen + 1);
    if (event.key === "k") show(chosen - 1);
  });
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const link = event.target.closest("[data-step], .mark");
    if (!link) return;
    event.preventDefault();
    show(link.dataset.step ? chosen + Number(link.dataset.step) : Number(link.dataset.at));
  });
}
