// Times are written in UTC; on demand, they are shown in the reader's own zone. The choice is kept in this browser.

const KEPT = "times";
const full = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("sv-SE", { timeStyle: "medium" });

const isLocal = () => {
  try {
    return localStorage.getItem(KEPT) === "local";
  } catch {
    return false;
  }
};

const shownAs = (iso, part, local) => {
  if (local) return (part === "clock" ? clock : full).format(new Date(iso));
  return part === "clock" ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
};

// Show the times within an element as the reader wants them; call it for what was inserted later, too.
export const showTimes = (within) => {
  const local = isLocal();
  for (const time of within.querySelectorAll("time[data-part]")) {
    time.textContent = shownAs(time.dateTime, time.dataset.part, local);
  }
};

const say = (button) => {
  const local = isLocal();
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  button.setAttribute("aria-pressed", String(local));
  button.textContent = local ? "Local time" : "UTC";
  button.title = local ? `Times are shown in ${zone}; show them in UTC` : `Show times in ${zone}`;
  for (const name of document.querySelectorAll("[data-zone-name]")) name.textContent = local ? zone : "UTC";
};

export const startZoneSwitch = () => {
  const button = document.querySelector("[data-zone-switch]");
  if (!button) return;
  button.hidden = false;
  say(button);
  button.addEventListener("click", () => {
    try {
      localStorage.setItem(KEPT, isLocal() ? "utc" : "local");
    } catch {
      return;
    }
    say(button);
    showTimes(document);
  });
};
