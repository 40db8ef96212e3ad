// Light or dark without a new page; the cookie is the same one that the link without JavaScript would set.

const YEAR_SECONDS = 365 * 86400;
const root = document.documentElement;

const present = () => root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const other = () => (present() === "dark" ? "light" : "dark");

const say = (link) => {
  const back = encodeURIComponent(location.pathname + location.search);
  link.href = `/display?theme=${other()}&back=${back}`;
  link.querySelector(".said").textContent = `Show pages ${other()}`;
};

export const startTheme = () => {
  const link = document.querySelector("[data-theme-switch]");
  if (!link) return;
  say(link);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    root.dataset.theme = other();
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
    say(link);
    document.dispatchEvent(new CustomEvent("theme"));
  });
};
