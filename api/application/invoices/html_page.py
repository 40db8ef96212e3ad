"""Customers' statements as HTML: one file with its own style and logo, made to be printed."""

from base64 import b64encode
from functools import lru_cache

import jinja2

from api.application.invoices.customer_sheet import CustomerSheet

# A code longer than this is set smaller, so that it stays on one line.
CODE_LENGTH = 48


def page_of(sheet: CustomerSheet, logo: bytes, logo_type: str) -> bytes:
    """Return a page that needs no other file."""
    source = f"data:{logo_type};base64,{b64encode(logo).decode()}" if logo else ""
    return _page_template().render(sheet=sheet, logo=source).encode()


def code_size(code: str) -> str:
    """Return the size of a code's letters in em, so that a long one needs no second line."""
    return f"{min(1.0, CODE_LENGTH / max(len(code), 1)):.2f}"


@lru_cache(maxsize=1)
def _page_template() -> jinja2.Template:
    loader = jinja2.PackageLoader("api.application.invoices", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["code_size"] = code_size
    return environment.get_template("invoice.html")
