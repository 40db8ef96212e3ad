"""Statements as HTML: one file with its own style, made to be printed."""

from functools import lru_cache

import jinja2

from api.application.statements.sheet import HEADINGS, TEXT_COLUMNS, statement_sheet
from projections.queries.statement import Statement


def as_html(statement: Statement) -> bytes:
    """Return a page that needs no other file."""
    text = _template().render(sheet=statement_sheet(statement), headings=HEADINGS, text_columns=TEXT_COLUMNS)
    return text.encode()


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("api.application.statements", "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(
        "statement.html"
    )
