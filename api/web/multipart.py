"""``multipart/form-data`` with text fields alone: it means the same as a URL-encoded form (SPEC 9.4)."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, FormParser, parse_options_header

MULTIPART = "multipart/form-data"

Pair = tuple[str, str]


class FileField(ValueError):
    """A field of the form is a file."""


class BrokenForm(ValueError):
    """The body is not such a form."""


def parse_multipart(content_type: str, body: bytes) -> list[Pair]:
    """Return the fields of a form in their order, bytes that are not UTF-8 as lone surrogates.

    Raises FileField if a field is a file, BrokenForm if the body cannot be read.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise BrokenForm("the content type names no boundary")
    if b"--" + boundary + b"--" not in body:
        raise BrokenForm("the last boundary is missing")
    pairs: list[Pair] = []
    files: list[object] = []

    def take(field: Field) -> None:
        name, value = field.field_name or b"", field.value or b""
        pairs.append((name.decode(errors="surrogateescape"), value.decode(errors="surrogateescape")))

    parser = FormParser(MULTIPART, take, files.append, boundary=boundary)
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BrokenForm(str(error)) from error
    finally:
        parser.close()
    if files:
        raise FileField("a field is a file")
    return pairs
