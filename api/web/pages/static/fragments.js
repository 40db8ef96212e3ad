// Parts of a page that take longer than its rows are fetched on their own and put in where a link to them stands.

import { showTimes } from "./times.js";

const load = async (place) => {
  if (!place.dataset.every) place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(place.dataset.fragment, { headers: { "X-Fragment": "1" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    // The server's own markup, in which every text is escaped; scripts in it would not run.
    place.innerHTML = await answer.text();
    showTimes(place);
    document.dispatchEvent(new Event("fragment")); // A chart may have come with it.
  } catch {
    // The link that stands there still leads to it.
  } finally {
    place.removeAttribute("aria-busy");
  }
};

const again = (place) =>
  setInterval(() => {
    // Not under who reads or keys in it, and not while nobody looks.
    if (!document.hidden && !place.contains(document.activeElement)) load(place);
  }, Number(place.dataset.every));

export const loadFragments = () => {
  for (const place of document.querySelectorAll("[data-fragment]")) (place.dataset.every ? again : load)(place);
};
