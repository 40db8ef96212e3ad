"""``tringledger party``, ``bill`` and ``invoice``: from a published party file to numbered statements that print the same permanently."""

import csv
import zipfile
from decimal import Decimal
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core import data
from pypdf import PdfReader

from api.application.invoices import output
from domain import times
from domain.ledger import Ledger
from tests.support import asgi_service as asgi
from tests.support.command import Said, run
from tests.support.ledger_inspection import head
from tests.support.notices import KEY, callstatus, line, priced_cdr, signed
from tests.support.web_users import bearer, sign_in

pytestmark = pytest.mark.only_on("sqlite")  # What depends on the store is in test_bill_runs.

DONE, FINDING, INTERRUPTED = 0, 1, 130
ENDED = ((8, "SRCANSWERED"), (9, "COMPLETED"))
BY, WHY = ("--by", "kim"), ("--reason", "as agreed")
OCTOBER, NOVEMBER = "2024-10", "2024-11"
PARTY = """
[sender]
name = "Example Telecom Ltd"
logo = "logo.png"
[terms]
days = 14
text = "Please pay."
[[series]]
name = "eu"
pattern = "EU{year}-{number}"
accounts = ["eu-*"]
[[customers]]
account = "acme"
name = "Acme Inc"
calls = true
[[customers]]
account = "eu-1"
name = "Zürich Büro"
language = "de"
"""
FEES = """
[accounts.acme]
monthly_fee = [{ from = "2024-10", price = 500, text = "Line rental" }]
monthly_minimum = [{ from = "2024-10", price = 800 }]
[[rules]]
tag = "*"
markup_percent = 0
"""
# The smallest PNG that there is: one grey dot.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63600000000200014898738f0000000049454e44ae426082"
)


def called(tag: str, cents: str, number: int, month: str = OCTOBER) -> str:
    return line(
        signed(priced_cdr(r=number, tag=tag, src=f"1858{number}", destcharge=cents, srccharge="0", status="COMPLETED")),
        f"{month}-15T12:00:{number:02}.000000Z",
    )


@pytest.fixture(autouse=True)
def month(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two customers' calls of October, the party file, and a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    run("import", "-", stdin=called("acme", "10.4", 1) + called("acme", "2.5", 2) + called("eu-1", "7", 3))
    Path("logo.png").write_bytes(DOT)
    Path("party.toml").write_text(PARTY)
    assert run("party", "publish", "party.toml", *BY, *WHY).code == DONE
    return store


def bill(*more: str, month: str = OCTOBER) -> Said:
    return run("bill", month, *BY, *more)


def manifest(folder: str = f"bills-{OCTOBER}") -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(Path(folder, "manifest.csv").read_text())))


def document(account: str, *more: str, month: str = OCTOBER) -> dict[str, Any]:
    found: dict[str, Any] = run("invoice", account, month, "--format", "json", *more).json()
    return found


class TestParties:
    def test_a_file_is_checked_published_listed_and_shown_as_it_was(self) -> None:
        said = run("party", "check", "party.toml")
        assert (said.code, said.out) == (DONE, "party.toml: 2 customers of Example Telecom Ltd, 2 series of numbers\n")
        assert [each["version"] for each in run("party", "list", "--format", "json").json()] == [1]
        assert run("party", "show", "1").out == PARTY
        assert "there is no party version 2" in run("party", "show", "2").err

    def test_a_logo_that_is_missing_or_no_image_is_a_mistake_of_its_line(self) -> None:
        Path("logo.png").write_bytes(b"GIF89a")
        found = run("party", "check", "party.toml")
        assert (found.code, found.out) == (
            FINDING,
            'party.toml:4: sender.logo = "logo.png": expected a PNG or JPEG image\n',
        )
        Path("logo.png").unlink()
        assert "expected a file that can be read" in run("party", "publish", "party.toml", *BY, *WHY).err

    def test_the_log_holds_nothing_of_a_party_but_a_digest(self, month: str) -> None:
        with Ledger(month) as ledger:
            states = b"".join(row.state for row in ledger.store.page(0, 100, ledger.head()))
            assert b"Acme" not in states
            assert "Acme" in ledger.store.facts()["party_1"]


class TestBilling:
    def test_a_run_closes_numbers_and_writes_every_format_with_a_manifest(self) -> None:
        said = bill("--document", "html", "--document", "pdf", "--document", "csv")
        assert said.code == DONE, said.err
        found = manifest()
        assert [(each["account"], each["number"], each["due"]) for each in found] == [
            ("acme", "2024-0001", "0.13"),
            ("eu-1", "EU2024-1", "0.07"),
        ]
        for each in found:
            names = each["files"].split()
            assert all(Path(f"bills-{OCTOBER}", name).stat().st_size for name in names)
            content = Path(f"bills-{OCTOBER}", f"{each['number']}.json").read_bytes()
            assert sha256(content).hexdigest() == each["digest"]
        assert "2024-0001-calls.csv" in found[0]["files"]
        text = "".join(page.extract_text() for page in PdfReader(Path(f"bills-{OCTOBER}", "EU2024-1.pdf")).pages)
        assert "EU2024-1" in text
        assert "Fälliger Betrag in US-Dollar" in text
        assert "data:image/png;base64," in Path(f"bills-{OCTOBER}", "2024-0001.html").read_text()

    def test_a_second_run_gives_no_number_and_writes_what_is_missing(self, month: str) -> None:
        bill()
        before, position = manifest(), head(month)
        Path(f"bills-{OCTOBER}", "2024-0001.html").unlink()
        Path(f"bills-{OCTOBER}", "EU2024-1.json").write_text("{}")
        assert bill().code == DONE
        assert (manifest(), head(month)) == (before, position)
        assert sha256(Path(f"bills-{OCTOBER}", "EU2024-1.json").read_bytes()).hexdigest() == before[1]["digest"]
        assert Path(f"bills-{OCTOBER}", "2024-0001.html").exists()

    def test_a_zip_is_the_same_bytes_again(self) -> None:
        bill("-o", "one.zip")
        bill("-o", "two.zip")
        assert Path("one.zip").read_bytes() == Path("two.zip").read_bytes()
        with zipfile.ZipFile(BytesIO(Path("one.zip").read_bytes())) as zipped:
            assert {"manifest.csv", "manifest.json", "2024-0001.html", "EU2024-1.json"} <= {*zipped.namelist()}

    def test_a_month_without_entries_bills_nothing_and_writes_nothing(self) -> None:
        said = bill("-o", "none.zip", month="2024-09")
        assert (said.code, said.out, Path("none.zip").exists()) == (DONE, "", False)
        assert "no account has entries in 2024-09: nothing is billed, and nothing written" in said.err

    def test_an_account_without_party_data_is_refused_before_the_month_is_closed_unless_accepted(
        self, month: str
    ) -> None:
        run("import", "-", stdin=called("new", "1", 4))
        position = head(month)
        said = bill()
        assert (said.code, head(month)) == (FINDING, position)
        assert "no-party-data: new: no [[customers]] of the latest party file has it" in said.err
        assert bill("--accept", "it is ours").code == DONE
        assert [each["customer"] for each in manifest()] == ["Acme Inc", "Zürich Büro", "new"]

    def test_what_keeps_the_month_open_refuses_the_run_unless_accepted(self, month: str) -> None:
        at = f"{OCTOBER}-15T12:00:05.000000Z"
        run("import", "-", stdin="".join(line(signed(callstatus(r=n, status=status)), at) for n, status in ENDED))
        position = head(month)
        said = bill()
        assert (said.code, head(month), "missing-cdr" in said.out) == (FINDING, position, True)
        assert "2024-10 not closed and not billed: 1 open items" in said.err
        assert bill("--accept", "it will not come").code == DONE

    def test_a_dry_run_tells_totals_and_what_is_odd_and_does_nothing(self, month: str) -> None:
        position = head(month)
        said = run("bill", OCTOBER, "--dry-run", "--format", "json").json()
        assert (said["total"], len(said["statements"]), head(month)) == ("0.20", 2, position)
        assert {each["kind"] for each in said["oddities"]} == {"first-bill"}
        assert not Path(f"bills-{OCTOBER}").exists()

    def test_a_write_that_fails_half_way_is_made_up_for_by_the_next_run(
        self, month: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(output.FolderOutput, "finish", fail)
            assert bill().code == INTERRUPTED
        position = head(month)
        assert bill().code == DONE
        assert (head(month), [each["number"] for each in manifest()]) == (position, ["2024-0001", "EU2024-1"])


class TestServing:
    def test_a_month_that_is_closed_and_not_billed_is_told_beside_its_closing(self, month: str) -> None:
        assert run("close", OCTOBER, *BY).code == DONE
        run("rebuild", "--store", month)
        service = asgi.service_at(Path(), times.now, TRINGLEDGER_STORE=month, TRINGME_PRIVATE_KEY=KEY)
        with asgi.running(service) as client:
            sign_in(client, service, "read")
            assert f"none is numbered: <code>tringledger bill {OCTOBER}</code>" in client.get("/tariffs").text
            bill()
            page = client.get("/tariffs").text
            assert (" numbered</td>" in page, "none is numbered" in page) == (True, False)

    def test_pages_and_api_list_the_numbered_statements(self, month: str) -> None:
        bill()
        statement = f"/statements/acme/{OCTOBER}"
        service = asgi.service_at(Path(), times.now, TRINGLEDGER_STORE=month, TRINGME_PRIVATE_KEY=KEY)
        with asgi.running(service) as client:
            asked = client.get(f"/api/v1/numbers/{OCTOBER}", headers=bearer(service, "read")).json()
            sign_in(client, service, "read")
            page = client.get("/tariffs").text
            assert 'Number</dt><dd>2024-0001, <data class="amount" value="13">' in client.get(statement).text
            client.cookies.set("unit", "dollars")
            pages = [client.get(path).text for path in (statement, "/tariffs")]
            assert (all('value="0.13">$0<' in page for page in pages), "US dollars</" in pages[0]) == (True, False)
        assert [(each["number"], each["account"], each["due"], each["exact"]) for each in asked["items"]] == [
            ("2024-0001", "acme", "13", "12.9"),
            ("EU2024-1", "eu-1", "7", "7"),
        ]
        assert [each["digest"] for each in asked["items"]] == [each["digest"] for each in manifest()]
        assert all(text in page for text in ("Numbered statements", "EU2024-1", "/statements/acme/2024-10"))


class TestCustomersStatements:
    def test_a_statement_is_a_draft_then_numbered_and_stays_under_its_party_file(self) -> None:
        assert (document("acme")["state"], document("acme")["number"]) == ("draft", None)
        bill()
        first = document("acme")
        assert (first["state"], first["number"], first["customer"]["name"]) == ("issued", "2024-0001", "Acme Inc")
        Path("party.toml").write_text(PARTY.replace("Acme Inc", "Other"))
        run("party", "publish", "party.toml", *BY, *WHY)
        assert document("acme") == first

    def test_a_print_that_differs_from_what_was_numbered_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bill()
        monkeypatch.setattr("api.application.invoices.document.dollars", lambda cents: f"{cents}")
        said = run("invoice", "acme", OCTOBER)
        assert said.code == FINDING
        assert "2024-0001 made again has the digest" in said.err

    def test_the_list_of_calls_is_an_appendix_or_a_file_of_its_own(self) -> None:
        calls = run("invoice", "acme", OCTOBER, "--calls", "--format", "csv").out
        assert [row["cents"] for row in csv.DictReader(StringIO(calls))] == ["10.4", "2.5"]
        assert "18581" in run("invoice", "acme", OCTOBER).out
        assert "18583" not in run("invoice", "eu-1", OCTOBER).out

    def test_a_fee_and_a_minimum_are_lines_of_a_draft_and_the_same_once_they_are_billed(self) -> None:
        Path("fees.toml").write_text(FEES)
        assert run("tariff", "publish", "fees.toml", *BY, *WHY).code == DONE
        draft = document("acme")["lines"]
        assert [(each["kind"], each["text"], each["cents"]) for each in draft[1:3]] == [
            ("fee", "Line rental", "500"),
            ("minimum", None, "287.1"),
        ]
        assert bill().code == DONE
        assert document("acme")["lines"] == draft
        assert document("acme")["due"] == "8.00"
        assert "Mindestumsatz" in run("invoice", "acme", OCTOBER, "--language", "de").out

    def test_an_unknown_account_is_refused(self) -> None:
        said = run("invoice", "nobody", OCTOBER)
        assert (said.code, "account 'nobody' has no entries in 2024-10" in said.err) == (FINDING, True)


class TestReissues:
    @pytest.fixture(autouse=True)
    def billed(self, month: str) -> None:  # noqa: ARG002 - it comes before.
        """Bill October under a wrong name."""
        bill()

    @staticmethod
    def correct() -> None:
        Path("party.toml").write_text(PARTY.replace('"Acme Inc"', '"Acme Limited"\naddress = ["7 New Road"]'))
        assert run("party", "publish", "party.toml", *BY, *WHY).code == DONE

    def test_a_corrected_address_is_printed_under_the_same_number_and_what_was_numbered_stays(self, month: str) -> None:
        first = document("acme")
        self.correct()
        said = run("reissue", "2024-0001", "-o", "again.json", *BY, *WHY)
        assert (said.code, "number 2024-0001, reissue 1" in said.err) == (DONE, True)
        found = document("acme")
        assert sha256(Path("again.json").read_bytes()).hexdigest() == self.reissues(month)[0]["digest"]
        assert found["customer"] == {"name": "Acme Limited", "address": ["7 New Road"], "reference": None}
        assert (found["reissue"], found["original_digest"]) == (1, manifest()[0]["digest"])
        same = ("number", "kind", "period", "issued_at", "due_by", "lines", "due", "exact_cents")
        assert {name: found[name] for name in same} == {name: first[name] for name in same}
        assert document("acme", "--original") == first
        assert "Reissue of 2024-0001: in place of the earlier print" in run("invoice", "acme", OCTOBER).out
        assert "2024-0001, reissue 1" in run("export", "operator-events").out.replace(f" for {OCTOBER}", "")

    @staticmethod
    def reissues(store: str) -> list[dict[str, str]]:
        service = asgi.service_at(Path(), times.now, TRINGLEDGER_STORE=store, TRINGME_PRIVATE_KEY=KEY)
        with asgi.running(service) as client:
            items = client.get(f"/api/v1/numbers/{OCTOBER}", headers=bearer(service, "read")).json()["items"]
            sign_in(client, service, "read")
            assert '<th scope="col">Reissued</th>' in client.get("/tariffs").text
        found: list[dict[str, str]] = items[0]["reissues"]
        return found

    def test_a_reissue_that_would_say_the_same_or_has_no_customer_or_no_number_is_refused(self, month: str) -> None:
        position = head(month)
        assert "expected a later version with the corrected name" in run("reissue", "2024-0001", *BY, *WHY).err
        assert "no document has the number '2024-0009'" in run("reissue", "2024-0009", *BY, *WHY).err
        assert head(month) == position
        self.correct()
        assert run("reissue", "2024-0001", *BY, *WHY).code == DONE
        assert (
            "was last printed with what the latest party file, version 2, says"
            in run("reissue", "2024-0001", *BY, *WHY).err
        )
        Path("party.toml").write_text(PARTY.replace('"acme"', '"other"'))
        run("party", "publish", "party.toml", *BY, *WHY)
        assert "has no [[customers]] for 'acme'" in run("reissue", "2024-0001", *BY, *WHY).err


class TestNotes:
    @pytest.fixture(autouse=True)
    def corrected(self, month: str) -> None:  # noqa: ARG002 - it comes before.
        """Bill October, void a call of it, and have a call in November."""
        bill()
        (call,) = [
            each["call_id"] for each in run("export", "cdrs", "--format", "json").json() if each["src"] == "18582"
        ]
        assert run("call", "void", call, *BY, *WHY).code == DONE
        run("import", "-", stdin=called("acme", "100", 6, NOVEMBER))
        assert bill(month=NOVEMBER).code == DONE

    def test_changes_to_a_billed_month_have_a_note_that_the_next_statement_counts_once(self) -> None:
        found = manifest(f"bills-{NOVEMBER}")
        assert [(each["kind"], each["number"], each["corrects"], each["due"]) for each in found] == [
            ("credit-note", "2024-0002", "2024-0001", "-0.03"),
            ("statement", "2024-0003", "", "0.98"),
        ]
        lines = document("acme", month=NOVEMBER)["lines"]
        assert [(each["kind"], each["number"], each["cents"]) for each in lines] == [
            ("calls", None, "100"),
            ("credit-note", "2024-0002", "-2.5"),
            ("rounding", None, "0.5"),
        ]
        explained = run("explain", "--account", "acme", "--period", NOVEMBER, "--format", "json").json()["documents"]
        assert [(each["number"], each["corrects"], each["due"]) for each in explained] == [
            ("2024-0002", "2024-0001", "-3"),
            ("2024-0003", None, "98"),
        ]
        assert "2024-0002 credit-note" in " ".join(
            run("explain", "--account", "acme", "--period", NOVEMBER).out.split()
        )
        note = document("acme", "--number", "2024-0002", month=NOVEMBER)
        assert (note["kind"], note["original_period"], note["due"]) == ("credit-note", OCTOBER, "-0.03")
        page = run("invoice", "acme", NOVEMBER, "--language", "en").out
        assert 'Credit note <span class="code">2024-0002</span>, October 2024' in page

    def test_the_journal_names_the_note_and_asks_for_what_the_statements_ask_for(self) -> None:
        journal = run("export", "journal", "--format", "beancount").out
        found, errors, _ = loader.load_string(journal)
        assert errors == []
        assert 'note: "2024-0002"' in journal
        postings = [each for entry in found if isinstance(entry, data.Transaction) for each in entry.postings]
        acme = [each.units for each in postings if each.account == "Assets:Receivable:A-acme"]
        assert sum(each.number or 0 for each in acme if each) == Decimal("1.11")
