"""The settings, as the program reads them."""

from api.secret_files import SUFFIX
from api.setting_table import SETTINGS
from generated_reference.markdown import code, table


def describe() -> str:
    """Return the table of settings: name, default, meaning; and the names of those that may come from files."""
    rows = [(code(each.name), code(each.default) or "(none)", each.meaning) for each in SETTINGS]
    files = ", ".join(code(each.name + SUFFIX) for each in SETTINGS if each.is_secret)
    return f"{table(('name', 'default', 'meaning'), rows)}\n\n## Secrets from files\n\nThese name files: {files}.\n"
