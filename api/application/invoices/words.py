"""Words, days and amounts in the customer's language: catalogues of messages, and the formats of Unicode's locale data."""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files

from babel.dates import format_date, format_skeleton
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

ENGLISH = "en"


class Words:
    """The words and formats of one language."""

    def __init__(self, language: str) -> None:
        """Use a language that has a catalogue, or English."""
        self.language = language
        self._catalogue = None if language == ENGLISH else _catalogue(language)

    def __call__(self, text: str, **names: str) -> str:
        """Return a message in the language, with names filled in."""
        message = self._catalogue.get(text) if self._catalogue else None
        assert self._catalogue is None or message, text
        return (str(message.string) if message else text).format(**names)

    def day(self, text: str) -> str:
        """Return a day ``YYYY-MM-DD``."""
        return format_date(date.fromisoformat(text[:10]), "medium", locale=self.language)

    def month(self, text: str) -> str:
        """Return a month ``YYYY-MM`` in words."""
        return format_skeleton("yMMMM", date.fromisoformat(f"{text}-01"), locale=self.language)

    def dollars(self, text: str) -> str:
        """Return dollars with two places."""
        return format_decimal(Decimal(text), "#,##0.00", locale=self.language)

    def exact(self, text: str) -> str:
        """Return an exact decimal with all its places."""
        return format_decimal(Decimal(text), "#,##0.######", locale=self.language)

    def count(self, number: int) -> str:
        """Return a whole number."""
        return format_decimal(number, "#,##0", locale=self.language)


@lru_cache(maxsize=8)
def words_of(language: str) -> Words:
    """Return the words of a language, read once."""
    return Words(language)


def _catalogue(language: str) -> Catalog:
    with files("api.application.invoices").joinpath(f"catalogue/{language}.po").open("rb") as file:
        return read_po(file, locale=language)
