"""What a ledger's files must say after a sample log went in: the comparison, value for value."""

from tests.support.command import run
from tests.support.samples import Sample, columns_of, rows_of_csv

NO_CALLS = {"recorded", "duplicate", "quarantined", "calls"}


def assert_yields(wanted: Sample, store: str) -> None:
    """Compare the exports of a store with what stands beside the sample."""
    cdrs = rows_of_csv(run("export", "cdrs", "--store", store).out.encode())
    billing = rows_of_csv(run("export", "billing", "--store", store).out.encode())
    assert columns_of(cdrs, wanted.cdrs) == wanted.cdrs
    assert columns_of(billing, wanted.billing) == wanted.billing
    status = run("status", "--format", "json", "--store", store).json()
    rows = status["read_models"]["rows"]
    assert (status["events"], rows["calls"]) == (wanted.counts["recorded"], wanted.counts["calls"])
    assert rows["voicemails"] == wanted.counts.get("voicemail", 0)
    assert rows["channels"] == wanted.counts.get("deletechannel", 0)
