// What every page does beyond its markup: "/" to search, "?" for the keys, times in the reader's zone, light and dark without a new page.
// Everything works without it.

import { showTimes, startZoneSwitch } from "./times.js";
import { startTheme } from "./theme.js";
import { loadFragments } from "./fragments.js";

const typing = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const box = document.querySelector("[data-search]");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const keys = document.querySelector("#keys");
  if (!keys || keys.open) return;
  event.preventDefault();
  keys.showModal();
});

// A filter that is left empty does not stand in the address.
for (const form of document.querySelectorAll("[data-filters]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
  window.addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

// On a small screen filters would push everything else away.
if (matchMedia("(max-width: 40rem)").matches) {
  for (const fold of document.querySelectorAll("[data-fold]")) fold.open = false;
}

// The row of pages may be longer than the screen. (scrollIntoView would also move where the Tab key begins.)
const places = document.querySelector(".places");
const place = places?.querySelector("[aria-current]");
if (place) places.scrollLeft = place.offsetLeft - places.offsetLeft - (places.clientWidth - place.offsetWidth) / 2;

startTheme();
startZoneSwitch();
showTimes(document);
loadFragments();
