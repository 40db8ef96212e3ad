"""What a process tells of itself, and what becomes of the counts of workers that ended."""

import msgspec

from api.application.monitoring.worker_report import (
    BOUNDS,
    BrokenValues,
    CallbackCount,
    CallbackTimings,
    WorkerReport,
    add_reports,
    make_report,
)
from api.metrics_listener import WorkerReports

WORKS = {"intake": True, "prover": True}


def report(recorded: int = 1, waiting: int = 0, *, prover: bool = True) -> WorkerReport:
    return make_report({"recorded": recorded}, BrokenValues(), CallbackTimings(), waiting, WORKS | {"prover": prover})


def recorded(of: WorkerReport) -> int:
    return sum(each.count for each in of.callbacks if each.outcome == "recorded")


def test_a_time_is_counted_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    timings = CallbackTimings()
    for seconds in (0.001, 0.0011, 5.0, 60.0):
        timings.add(seconds)
    assert timings.counts == [1, 1, *[0] * (len(BOUNDS) - 3), 1, 1]
    assert timings.seconds == 0.001 + 0.0011 + 5.0 + 60.0


def test_each_outcome_has_the_code_that_it_was_answered_with() -> None:
    counts = {
        "recorded": 7,
        "quarantined": 5,
        "spooled": 4,
        "refused with 400": 1,
        "refused with 400 before the application": 2,
        "refused with 503": 4,
        "probes": 9,
        "hung up": 9,
    }
    made = make_report(counts, BrokenValues(2, 1), CallbackTimings(), 0, WORKS)
    assert set(made.callbacks) == {
        CallbackCount("recorded", "200", 7),
        CallbackCount("duplicate", "200", 0),
        CallbackCount("quarantined", "202", 2),
        CallbackCount("quarantined", "403", 3),
        CallbackCount("spooled", "200", 3),
        CallbackCount("spooled", "202", 1),
        CallbackCount("refused", "400", 3),
        CallbackCount("unkept", "503", 4),
    }


def test_a_part_works_if_it_works_in_all_processes() -> None:
    both = add_reports([report(1, 2), report(2, 3, prover=False)])
    assert (recorded(both), both.waiting, both.parts) == (3, 5, {"intake": True, "prover": False})


def test_a_worker_that_ends_leaves_its_counts_and_nothing_else() -> None:
    reports = WorkerReports()
    pipes = [reports.open_pipe(), reports.open_pipe()]
    for number, (writing, reading) in enumerate(zip(pipes, reports.pipes(), strict=True)):
        writing.send_bytes(msgspec.json.encode(report(10, 3, prover=bool(number))))
        reports.read(reading)
    assert (recorded(reports.total()), reports.total().waiting, reports.total().parts["prover"]) == (20, 6, False)
    pipes[0].close()
    reports.read(reports.pipes()[0])
    assert (recorded(reports.total()), reports.total().waiting, reports.total().parts) == (20, 3, WORKS)
    pipes[1].close()
    reports.read(reports.pipes()[0])
    assert (recorded(reports.total()), reports.total().parts) == (20, {"intake": False}), "nobody takes callbacks"


def test_a_worker_that_has_not_reported_yet_does_not_work_yet() -> None:
    reports = WorkerReports()
    with reports.open_pipe():
        assert reports.total().parts == {"intake": False}
