"""A hit of a search, as programs get it: numbers are masked for whoever may not see them, and nothing else is."""

from api.web.json_api.search import hit_document
from api.web.search_hits import CALL, NUMBER, SearchHit


def test_only_numbers_are_masked() -> None:
    call = SearchHit(CALL, "317c4008-664b-5b39-a554-0d2515e0247a", "of tag 1234567890", "/calls/317c4008")
    number = SearchHit(NUMBER, "18585557612", "1 call", "/calls?number=18585557612")
    assert hit_document(call, whole=False) == hit_document(call, whole=True)
    assert hit_document(number, whole=False)["what"] == "185••••••12"
    assert hit_document(number, whole=True)["what"] == "18585557612"
