"""The core of what every store must keep, over TCP on PostgreSQL with a service's role: one that owns nothing.

These are the tests of other files, with an address of their own; the owner has migrated and granted.
"""

from collections.abc import Iterator

import pytest

from tests.application.test_read_model_pool import (
    test_after_a_rebuild_the_next_reader_sees_the_new_ones_and_who_reads_goes_on,
    test_what_nobody_reads_any_more_is_let_go_after_a_rebuild,
)
from tests.domain.log.test_log import (
    test_a_fact_noted_in_a_transaction_that_fails_is_not_kept,
    test_a_page_is_the_events_after_a_position_up_to_another_and_no_more_than_asked_for,
    test_a_readers_page_does_not_wait_for_a_writer_and_sees_nothing_unfinished,
    test_a_transaction_that_fails_leaves_nothing_and_the_next_positions_have_no_gap,
    test_a_version_that_is_taken_is_refused_and_nothing_beside_it_is_kept,
    test_by_stream_gives_each_event_once_and_streams_unbroken_however_the_ids_are_divided,
    test_processes_and_threads_that_create_and_record_at_one_moment_agree_on_everything,
)
from tests.domain.test_ledger import (
    test_a_delivery_key_is_remembered_when_the_ledger_is_opened_again,
    test_a_flood_drops_no_broken_authentic_notice,
    test_a_line_with_many_calls_over_many_days_stays_in_order,
    test_after_the_key_is_mended_it_becomes_an_event_with_its_original_received_at,
    test_once_a_signature_has_fitted_the_oldest_goes,
    test_twice_in_one_transaction_is_once,
)
from tests.support.command import run
from tests.support.database_roles import SERVICE, three_roles
from tests.support.postgres_server import Postgres
from tests.web.auth.test_store import TestUsers, access_store, url

__all__ = [
    "TestUsers",
    "access_store",
    "test_a_delivery_key_is_remembered_when_the_ledger_is_opened_again",
    "test_a_fact_noted_in_a_transaction_that_fails_is_not_kept",
    "test_a_flood_drops_no_broken_authentic_notice",
    "test_a_line_with_many_calls_over_many_days_stays_in_order",
    "test_a_page_is_the_events_after_a_position_up_to_another_and_no_more_than_asked_for",
    "test_a_readers_page_does_not_wait_for_a_writer_and_sees_nothing_unfinished",
    "test_a_transaction_that_fails_leaves_nothing_and_the_next_positions_have_no_gap",
    "test_a_version_that_is_taken_is_refused_and_nothing_beside_it_is_kept",
    "test_after_a_rebuild_the_next_reader_sees_the_new_ones_and_who_reads_goes_on",
    "test_after_the_key_is_mended_it_becomes_an_event_with_its_original_received_at",
    "test_by_stream_gives_each_event_once_and_streams_unbroken_however_the_ids_are_divided",
    "test_once_a_signature_has_fitted_the_oldest_goes",
    "test_processes_and_threads_that_create_and_record_at_one_moment_agree_on_everything",
    "test_twice_in_one_transaction_is_once",
    "test_what_nobody_reads_any_more_is_let_go_after_a_rebuild",
    "url",
]

pytestmark = pytest.mark.only_on("postgres")


@pytest.fixture
def store_url(postgres: Postgres, database: str) -> Iterator[str]:
    """Return the address of a migrated database, for a service's role over TCP."""
    with three_roles(postgres, database) as roles:
        assert run("migrate", "--service-role", SERVICE, "--store", roles.owner).code == 0
        yield roles.service
