"""How pages are looked at: at two sizes, light and dark, with and without JavaScript; by a checker of accessibility, too."""

from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

SIZES: dict[str, ViewportSize] = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
GRAVE = ("serious", "critical")
MILLISECONDS_MAX = 10_000


class Trouble(NamedTuple):
    """What the checker of accessibility found: the rule, how grave it is, and where."""

    rule: str
    impact: str
    where: list[str]


def context(browser: Browser, size: str = "desk", theme: str = "light", *, script: bool = True) -> BrowserContext:
    """Return a new browser window's context: no cookies, this size, these colours."""
    made = browser.new_context(
        viewport=SIZES[size],
        color_scheme="dark" if theme == "dark" else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
    )
    made.set_default_timeout(MILLISECONDS_MAX)
    return made


def grave_troubles(page: Page, *, colours_only: bool = False) -> list[Trouble]:
    """Return what axe-core finds serious or critical on a page, as it is now; or of that only what is about colours."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours_only:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    found: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [
        Trouble(each["id"], each["impact"], [str(node["target"]) for node in each["nodes"]][:5])
        for each in found
        if each["impact"] in GRAVE
    ]


def wait_for_fragments(page: Page) -> None:
    """Wait until the parts of a page that are fetched on their own are there."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window: nobody wants to scroll text sideways."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


def sideways_boxes(page: Page) -> list[str]:
    """Return the boxes of a page in which something can only be seen by scrolling them sideways."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll("*")]
        .filter((box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth)
        .map((box) => `${box.localName} ${box.className} ${box.getAttribute("aria-label") ?? ""}: ${box.scrollWidth} pixels`)""")
    return found
