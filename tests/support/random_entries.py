"""Entries of the books for tests: made up at random, but each consistent in itself."""

from hypothesis import strategies as st

from projections.rows.entry import ADJUSTMENT, CDR, DIFFERENCE, FEE, MINIMUM, Entry

ACCOUNTS = (
    "acme",
    "Acme",
    "Zürich Büro",
    'a,b"c\\',
    "",
    "a; b  c | d",
    "=SUM(A1)",
    "東京",
    "line\nbreak\0",
    "-",
    "x" * 256,
)
LEVELS = ("", "half-up:2", "up:0")
MONTHS = ("2026-09", "2026-10", "2026-12")

accounts = st.sampled_from(ACCOUNTS) | st.text(max_size=20)
texts = st.sampled_from(("", "18585550001", 'he said "no"', "a ; b\r\n* c")) | st.text(max_size=20)


def amounts(least: int = 0) -> st.SearchStrategy[int]:
    """Millionths: none, few, usual, and the most there are."""
    return st.sampled_from((0, 0, 1, 5_000, 1_234_567)) | st.integers(least, 10**15)


@st.composite
def entries(draw: st.DrawFn, account: str | None = None, period: str | None = None) -> Entry:
    """An entry of an account and a month, or of any."""
    kind = draw(st.sampled_from((CDR, CDR, CDR, DIFFERENCE, ADJUSTMENT, FEE, MINIMUM)))
    of_a_call = kind in {CDR, DIFFERENCE}
    least = 0 if kind == CDR else -(10**15)
    month = period or draw(st.sampled_from(MONTHS))
    original = month if kind == CDR and draw(st.booleans()) else draw(st.sampled_from(MONTHS))
    cost, price = (draw(amounts(least)) if of_a_call else 0, draw(amounts(least)))
    seconds = [draw(st.integers(0, 4000)) if kind == CDR else 0 for _ in range(3)]
    day = f"{month}-{draw(st.integers(1, 28)):02d}"
    return Entry(
        position=draw(st.integers(1, 1000)),
        number=0 if kind == CDR else draw(st.integers(1, 3)),
        kind=kind,
        account=draw(accounts) if account is None else account,
        period=month,
        original_period=original,
        day=day,
        call_id="317c4008-664b-5b39-a554-0d2515e0247a" if of_a_call else "",
        tag=draw(texts),
        src=draw(texts),
        disposition=draw(st.sampled_from(("ANSWERED", "BUSY", "NO ANSWER", ""))),
        calls=int(kind == CDR),
        answered=int(kind == CDR),
        src_seconds=seconds[0],
        dest_seconds=seconds[1],
        cost=cost,
        sip_credits=draw(amounts(least)) if of_a_call else 0,
        billed_seconds=seconds[2],
        price=price,
        margin=price - cost,
        rounding=draw(st.integers(-500_000, 500_000)) if of_a_call else 0,
        level=draw(st.sampled_from(LEVELS)) if of_a_call else "",
        tariff=draw(st.sampled_from(("", "1", "2"))),
        rule=draw(st.integers(0, 3)),
        posted_by="" if kind == CDR else draw(texts),
        reason="" if kind == CDR else draw(texts),
    )
