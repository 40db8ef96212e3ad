"""A small ledger with everything in it that a page can show, and with texts that want to be more than text."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from starlette.testclient import TestClient

from api.service import Service
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support import asgi_service as asgi
from tests.support.notices import FORMULA, KEY, START, SentNotice, callstatus, cdr, notice, signed

HOSTILE = "<script>alert(1)</script>\"'&\u202e\u2067"
_UNSEEN = '<span class="unseen" title="a character that cannot be seen">U+{}</span>'
AS_TEXT = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" + _UNSEEN.format("202E") + _UNSEEN.format("2067")
MINUTE, DAY = 60_000_000, 86_400_000_000
NUMBER = "18585550001"
ANOTHER_KEY = "another-private-key"
EMAIL = "ann@example.com"


def notices() -> Iterator[SentNotice]:
    """Yield calls of three accounts on several days, odd ones among them, a voicemail, a channel, and unknown things."""
    for number in range(40):
        at, tag, src = number * DAY // 2, ("sales", "support", HOSTILE)[number % 3], f"1858555{number % 7:04d}"
        line = {"tag": tag, "src": src, "r": str(number)}
        yield callstatus("SRCANSWERED", at, **line)
        yield callstatus("USERDTMFINPUT", at + MINUTE, p="1234", **line)
        yield callstatus("DESTBUSY" if number % 4 == 0 else "COMPLETED", at + 2 * MINUTE, **line)
        charges = {"srccharge": f"{number}.123456", "destcharge": "0.000001", "destsipcharge": f"1.{number:02d}"}
        yield cdr(at + 2 * MINUTE, srcduration="70", destduration=str(number), **charges, **line)
        if number % 5 == 0:
            yield cdr(
                at + 3 * MINUTE, srcduration="70", destduration=str(number), **charges, **line | {"r": f"{number}x"}
            )
    hostile = {"tag": HOSTILE, "src": HOSTILE}
    yield callstatus("SRCANSWERED", DAY, **hostile)
    yield callstatus(f"{HOSTILE} {NUMBER}", DAY + 1, **hostile)
    yield notice(DAY, type="voicemail", email=EMAIL, voicemail=HOSTILE, r="v", **hostile)
    yield notice(DAY, type="deletechannel", r="c", **hostile)
    yield notice(DAY, type=HOSTILE, r="u", **hostile)


@contextmanager
def open_shop(path: Path, **environment: str) -> Iterator[tuple[TestClient, Service]]:
    """Fill a ledger, let an operator act on it, and open the service over it."""
    fill(environment.get("TRINGLEDGER_STORE") or f"sqlite:///{path / 'ledger.db'}")
    service = asgi.service_at(path, follows=True, **environment)
    with asgi.running(service) as client:
        yield client, service


def fill(url: str) -> None:
    """Record everything, and have the read models show it."""
    with closing(Ledger(url, Keyring(FORMULA, [KEY]), create=True)) as ledger:
        ledger.record([ledger.verify_delivery(signed(notice.pairs).encode(), notice.at) for notice in notices()])
        broken = cdr(0, f"to {NUMBER}", srccharge="much", tag=HOSTILE, src=HOSTILE, r=HOSTILE)
        ledger.record([ledger.verify_delivery(signed(broken.pairs).encode(), START)])
        ledger.record([ledger.verify_delivery(signed(broken.pairs, key=ANOTHER_KEY).encode(), START)])
        late = cdr(20 * DAY, tag="late")
        ledger.record([ledger.verify_delivery(signed(late.pairs, key=ANOTHER_KEY).encode(), late.at)])
        with ledger.operator_session("ann", f"because {HOSTILE}") as session:
            session.adjust_account("sales", -1_500_001, "2026-10")
        catch_up_with(ledger)


def catch_up_with(ledger: Ledger) -> None:
    """Have the read models show all of the log."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
