"""The settings, as the program reads them."""

from api.settings import SETTINGS
from generated_reference.markdown import code, table


def describe() -> str:
    """Return the table of settings: name, default, meaning."""
    rows = [(code(each.name), code(each.default) or "(none)", each.meaning) for each in SETTINGS]
    return table(("name", "default", "meaning"), rows)
