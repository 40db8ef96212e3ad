"""Which outputs of the golden ledgers are kept: the file that holds each, and the command that makes it.

None of them depends on the clock: what is overdue is asked for as of a time, and no period is the present one.
"""

from pathlib import Path
from typing import NamedTuple

GOLDEN = Path(__file__).parent
READ_MODELS = (
    "calls",
    "cdrs",
    "billing",
    "billing-days",
    "voicemails",
    "channels",
    "exceptions",
    "postings",
    "closings",
    "tariffs",
    "entries",
)
CERTIFICATE = "certificate.json"
SIGN_IN = "token.txt"
CARRIER_STATEMENT = "carrier-statement.csv"
# Explanations are sentences for people, whose wording may improve; the numbers beside them may not change.
WORDS = frozenset({"how", "why"})


class Output(NamedTuple):
    """One command on a golden ledger: its arguments, the exit code, and the file of the ledger that it reads as stdin."""

    arguments: tuple[str, ...]
    code: int = 0
    stdin: str = ""


def _output(line: str, code: int = 0, stdin: str = "") -> Output:
    return Output(tuple(line.split(" ")), code, stdin)


def _exports(as_of: str, month: str, account: str) -> dict[str, Output]:
    """Every read model as CSV, and one or two in each other way that an export can be made."""
    return {
        **{f"{model}.csv": _output(f"export {model}") for model in READ_MODELS},
        **{f"{model}-as-of.csv": _output(f"export {model} --as-of {as_of}") for model in READ_MODELS},
        "cdrs.ndjson": _output("export cdrs --format ndjson"),
        "calls.ndjson": _output("export calls --format ndjson"),
        "billing.json": _output("export billing --format json"),
        "entries.json": _output(f"export entries --format json --account {account} --period {month}"),
        "cdrs-excel-safe.csv": _output(f"export cdrs --excel-safe --period {month}"),
        "calls-stale.csv": _output(f"export calls --waiting stale --as-of {as_of}"),
        "calls-missing-cdr.csv": _output(f"export calls --waiting missing-cdr --as-of {as_of}"),
        "journal.hledger": _output("export journal --format hledger"),
        "journal.beancount": _output("export journal --format beancount"),
        "metrics.json": _output("metrics --format json"),
        "metrics.csv": _output("metrics --format csv"),
        "exception-list.json": _output("exception list --all --format json"),
        "quarantine-list.json": _output("quarantine list --settled --format json"),
        "tariff-list.json": _output("tariff list --format json"),
        "tail.ndjson": _output("tail --from 1 --no-follow --format ndjson"),
        "diff.json": _output(f"diff --as-of {as_of} --events --format json", 1),
        "diff.csv": _output(f"diff --as-of {as_of} --format csv", 1),
        "diff-events.csv": _output(f"diff --as-of {as_of} --events --format csv", 1),
    }


def _statements(*wanted: tuple[str, str]) -> dict[str, Output]:
    return {
        f"statement-{number}-{month}.{kind}": Output(("statement", account, month, "--format", kind))
        for number, (account, month) in enumerate(wanted, 1)
        for kind in ("html", "json", "csv")
    }


def _histories(*calls: str) -> dict[str, Output]:
    return {
        f"{command}-{call[:8]}.json": _output(f"{command} {call} --format json")
        for call in calls
        for command in ("history", "explain")
    }


LEDGERS: dict[str, dict[str, Output]] = {
    # md5-params mostly; lines by tag and number; Europe/Berlin.
    "ledger-1": {
        **_exports("2026-09-03T09:30:00Z", "2026-09", "sales"),
        **_statements(
            ("acme", "2026-08"),
            ("acme", "2026-09"),
            ("acme", "2026-11"),
            ("sales", "2026-08"),
            ("sales", "2026-09"),
            ("sales", "2026-10"),
            ("büro", "2026-08"),
            ("büro", "2026-09"),
            ("other", "2026-10"),
            ("tie-total-even", "2026-10"),
            ("tie-total-even", "2026-11"),
            ("tie-total-up", "2026-10"),
            ("tie-total-ceiling", "2026-10"),
            ("tie-call-even", "2026-10"),
            ("Никто", "2026-09"),
            ("=cmd|' /C calc'!A0", "2026-08"),
            ('it\'s, "quoted" & <b>', "2026-08"),
            ("", "2026-08"),
        ),
        **_histories(
            "5ce88422-1842-5784-b6bf-40ecf0a6a186",  # DTMF, a split and its reversal, rerated after its month was closed.
            "1431d8e3-b68f-58dc-a7ec-c45dcd906df9",  # Every flag; a release and a split.
            "a96118ad-017b-5cfe-aa71-f1e5db144836",  # Got the CDR of another call by a merge.
            "2528e5c3-24d9-5ec6-9c8a-fd0a42069048",  # Merged into a call of a closed month, and undone in the next one.
            "d9f69451-b3fe-5b22-b035-524a5c2b53f0",  # The other one of that merge; the greatest charge there is.
            "b75add65-495f-5b1a-af48-54fa35c92bdb",  # Rerated, and that undone.
            "78eb532d-5b26-5d00-8d93-59de2e949402",  # Voided after its month was closed.
            "6c51ba3a-aa46-5cfb-a0d8-9cc13fc715d5",  # Voided, and that undone.
            "ba16260a-5151-554c-aced-fc636227ee88",  # A nonce for the second time.
        ),
        "history-at.json": _output("history 1431d8e3-b68f-58dc-a7ec-c45dcd906df9 --at 92 --format json"),
        "explain-account.json": _output("explain --account sales --period 2026-09 --calls --format json"),
        "explain-as-of.json": _output("explain --account sales --period 2026-08 --as-of 150 --format json"),
        **{f"quarantine-{number}.json": _output(f"quarantine show {number} --format json") for number in range(1, 12)},
        **{f"tariff-{version}.toml": _output(f"tariff show {version}") for version in range(1, 5)},
        "certificate-then.json": _output("certificate --format json"),
        "rerate-preview.json": _output(
            "rerate --account sales --period 2026-10 --tariff 3 --by kim --reason why --dry-run --format json"
        ),
        "reconcile.json": _output("reconcile --period 2026-09 --format json -", 1, CARRIER_STATEMENT),
        "reconcile.csv": _output("reconcile --period 2026-09 --format csv --all -", 1, CARRIER_STATEMENT),
        "forward-skipped.json": _output("forward skipped --format json"),
    },
    # md5-r-key, whose signature does not cover the content; lines by tag alone; UTC.
    "ledger-2": {
        **_exports("2026-11-02T08:30:00Z", "2026-10", "c-1"),
        **_statements(("c-1", "2026-10"), ("c-1", "2026-11"), ("c", "2026-11")),
        **_histories(
            "fabf0743-ac74-5071-959e-4cb03e5fb99f",  # Released: a repeated CDR that was a call.
            "0e53770d-aa36-5081-82ed-4f2a241a7ffa",  # A nonce twice, and a merge after the closing.
        ),
        **{f"quarantine-{number}.json": _output(f"quarantine show {number} --format json") for number in (1, 2)},
        "reconcile.json": _output("reconcile --format json -", 1, CARRIER_STATEMENT),
    },
}
_ODD = "1431d8e3-b68f-58dc-a7ec-c45dcd906df9"
# What a user of ledger-1 who may see all got from the API. Nothing of the present month or of overdue calls is asked for.
API: dict[str, str] = {
    "api-calls.json": "/api/v1/calls?limit=100",
    "api-call.json": f"/api/v1/calls/{_ODD}",
    "api-call-events.json": f"/api/v1/calls/{_ODD}/events",
    "api-cdrs.json": "/api/v1/cdrs?account=sales&period=2026-09",
    "api-cdrs-sums.json": "/api/v1/cdrs/sums",
    "api-cdrs-facets.json": "/api/v1/cdrs/facets?columns=disposition",
    "api-billing.json": "/api/v1/billing?limit=100",
    "api-entries.json": "/api/v1/entries?account=acme&period=2026-09",
    "api-exceptions.json": "/api/v1/exceptions?limit=100",
    "api-accounts.json": "/api/v1/accounts",
    "api-quarantine.json": "/api/v1/quarantine",
    "api-tariffs.json": "/api/v1/tariffs",
}

# Of the users of ledger-1, who are kept beside the ledger.
USERS: dict[str, Output] = {
    "user-list.txt": _output("user list"),
    "access-log.json": _output("access-log --format json"),
}
