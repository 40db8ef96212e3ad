"""The reference page of the API, made from the same operations that read requests; it loads nothing else."""

from collections.abc import Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.web.json_api.openapi import MEANINGS, phrase
from api.web.json_api.operation import ApiOperation
from api.web.json_api.parameters import ApiParameter

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API reference - tringledger</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>API reference</h1>
<p>Programs send <code>Authorization: Bearer TOKEN</code>. The same as a document for tools:
<a href="/openapi.json">OpenAPI 3.1</a>. Amounts are decimals as texts, in US cents or SIP credits; times are ISO 8601 in UTC.
Every answer names, as <code>Ledger-Position</code>, how far what it shows had come.</p>
"""


class ReferencePage:
    """Answers with the page, which is made once."""

    def __init__(self, operations: Sequence[ApiOperation]) -> None:
        """Describe these operations."""
        listed = "".join(f'<li><a href="#{each.name}">{escape(each.meaning)}</a></li>' for each in operations)
        described = "".join(map(_operation, operations))
        self._body = f"{_HEAD}<nav><ul>{listed}</ul></nav>{described}</main></body></html>"

    def __call__(self, _request: Request) -> Response:
        """Return the page."""
        return HTMLResponse(self._body)


def _operation(operation: ApiOperation) -> str:
    rows = "".join(map(_parameter, operation.all_parameters))
    answers = "".join(f"<li>{phrase(status)}: {_said(MEANINGS[status])}</li>" for status in operation.statuses)
    media = ", ".join(f"<code>{escape(each)}</code>" for each in operation.media)
    return (
        f'<section id="{operation.name}"><h2>{escape(operation.meaning)}</h2>'
        f"<p><code>{operation.method} {escape(operation.path)}</code>, needs the role <code>{operation.required_role}</code>,"
        f" gives {media}</p>"
        f"<table><caption>Parameters</caption><thead><tr><th>name</th><th>in</th><th>meaning</th><th>expected</th></tr>"
        f"</thead><tbody>{rows}</tbody></table><p>Other answers</p><ul>{answers}</ul></section>"
    )


def _parameter(parameter: ApiParameter) -> str:
    schema = parameter.schema
    parts = [str(schema["type"])]
    if "enum" in schema:
        parts.append("one of " + ", ".join(schema["enum"]))
    parts += [
        f"{name} {schema[name]}" for name in ("minimum", "maximum", "maxLength", "default", "pattern") if name in schema
    ]
    if "examples" in schema:
        parts.append("such as " + ", ".join(schema["examples"]))
    cells = (parameter.name, parameter.place, parameter.meaning, "; ".join(parts))
    return f"<tr>{''.join(f'<td>{_said(cell)}</td>' for cell in cells)}</tr>"


def _said(text: str) -> str:
    """Return a sentence as HTML; text between backticks becomes code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
