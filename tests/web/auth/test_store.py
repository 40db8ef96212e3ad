"""What the access store holds to on both databases: users, sessions, links, attempts, records, and several processes at once."""

import multiprocessing
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from api.web.auth import audit_log as records
from api.web.auth import sessions, users
from api.web.auth import sign_in_throttle as attempts
from api.web.auth.audit_log import AuditEntry
from api.web.auth.roles import AuditAction, Role
from api.web.auth.store import AccessStore, open_access_store
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.times import SECOND
from tests.support.command import run
from tests.support.postgres_server import Postgres

NOW = 1_792_065_600 * SECOND
PROCESSES, TIMES = 4, 25


@pytest.fixture
def url(store_url: str) -> str:
    """Return the address of a ledger of each kind in turn."""
    Ledger(store_url, create=True).close()
    return store_url


@pytest.fixture
def access_store(url: str) -> Iterator[AccessStore]:
    opened = open_access_store(url, durable=True)
    yield opened
    opened.close()


def entry(number: int = 0, **changes: object) -> AuditEntry:
    record = AuditEntry(
        NOW + number,
        "ann",
        "session",
        "192.0.2.1",
        AuditAction.VIEWED,
        unmasked=False,
        method="GET",
        path="/cdrs",
        query="tag=a",
        status=200,
    )
    return record._replace(**changes)  # type: ignore[arg-type]


class TestUsers:
    def test_are_added_listed_and_removed(self, access_store: AccessStore) -> None:
        users.add_user(access_store, "zoë", [Role.READ], NOW)
        users.add_user(access_store, "ann", [Role.PII, Role.EXPORT], NOW + 1)
        assert users.list_users(access_store) == [
            ("ann", {Role.PII, Role.EXPORT}, NOW + 1, NOW + 1),
            ("zoë", {Role.READ}, NOW, NOW),
        ]
        users.remove_user(access_store, "zoë")
        assert [user.name for user in users.list_users(access_store)] == ["ann"]

    def test_are_known_by_their_token_until_it_is_another(self, access_store: AccessStore) -> None:
        first = users.add_user(access_store, "ann", [Role.READ], NOW)
        found = users.user_with_token(access_store, first)
        assert found
        assert found.name == "ann"
        second = users.renew_token(access_store, "ann", NOW + 1)
        assert users.user_with_token(access_store, first) is None
        assert (users.has_token(access_store, "ann", first), users.has_token(access_store, "ann", second)) == (
            False,
            True,
        )
        users.remove_user(access_store, "ann")
        assert users.user_with_token(access_store, second) is None
        assert not users.has_token(access_store, "ann", second)

    def test_a_name_is_one_users(self, access_store: AccessStore) -> None:
        token = users.add_user(access_store, "ann", [Role.READ], NOW)
        with pytest.raises(users.UserExists, match="'ann'"):
            users.add_user(access_store, "ann", [Role.OPERATE], NOW)
        assert users.user_with_token(access_store, token) == ("ann", {Role.READ}, NOW, NOW)

    def test_who_is_not_there_cannot_be_changed(self, access_store: AccessStore) -> None:
        for change in (
            lambda: users.remove_user(access_store, "bob"),
            lambda: users.set_roles(access_store, "bob", [Role.READ]),
            lambda: users.renew_token(access_store, "bob", NOW),
            lambda: sessions.new_link(access_store, "bob", NOW),
        ):
            with pytest.raises(users.NoSuchUser, match="'bob'"):
                change()

    def test_a_user_added_again_has_none_of_his_namesakes_sessions(self, access_store: AccessStore) -> None:
        users.add_user(access_store, "ann", [Role.READ], NOW)
        cookie, link = sessions.begin_session(access_store, "ann", NOW), sessions.new_link(access_store, "ann", NOW)
        users.remove_user(access_store, "ann")
        users.add_user(access_store, "ann", [Role.OPERATE], NOW)
        assert sessions.find_session(access_store, cookie, NOW) is None
        assert sessions.redeem_link(access_store, link, NOW) is None


class TestTheStore:
    def test_keeps_its_key_and_what_it_knows(self, url: str, access_store: AccessStore) -> None:
        users.add_user(access_store, "ann", [Role.READ], NOW)
        cookie = sessions.begin_session(access_store, "ann", NOW)
        again = open_access_store(url, durable=False)
        found = sessions.find_session(again, cookie, NOW)
        again.close()
        assert found
        assert (found.name, found.csrf_token != "") == ("ann", True)

    @pytest.mark.only_on("sqlite", "postgres")  # A service may not change the number.
    def test_of_another_version_is_left_alone(self, url: str, access_store: AccessStore) -> None:
        with access_store.exclusive() as connection:
            connection.execute(text("UPDATE facts SET value = '99' WHERE name = 'schema'"))
        with pytest.raises(StoreUnavailable, match="has schema 99, and this version of tringledger has 1"):
            open_access_store(url, durable=False)

    @pytest.mark.thorough
    def test_is_made_and_written_by_many_processes_at_once(self, url: str) -> None:
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            keys = pool.starmap(_write, [(url, number) for number in range(PROCESSES)])
        assert len(set(keys)) == 1
        access_store = open_access_store(url, durable=False)
        found = records.audit_page(access_store, limit=PROCESSES * TIMES + 1)
        assert len(found) == len({record.path for record in found}) == PROCESSES * TIMES
        assert len(users.list_users(access_store)) == PROCESSES
        access_store.close()

    def test_lets_five_of_many_guesses_through_that_come_at_once(self, access_store: AccessStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(lambda _: attempts.begin_attempt(access_store, ["name ann"], NOW), range(24)))
        assert sorted(waits) == [0] * 5 + [4] * 19

    def test_a_link_is_taken_once_by_however_many_at_once(self, access_store: AccessStore) -> None:
        users.add_user(access_store, "ann", [Role.READ], NOW)
        link = sessions.new_link(access_store, "ann", NOW)
        with ThreadPoolExecutor(8) as pool:
            assert sorted(map(str, pool.map(lambda _: sessions.redeem_link(access_store, link, NOW), range(8)))) == [
                "None"
            ] * 7 + ["ann"]


def _write(url: str, number: int) -> str:
    access_store = open_access_store(url, durable=False)
    try:
        users.add_user(access_store, f"user {number}", [Role.READ], NOW)
        for time in range(TIMES):
            records.add_entry(access_store, entry(path=f"/{number}/{time}"))
        return access_store.sealer.digest("session", "x").hex()
    finally:
        access_store.close()


class TestRecords:
    def test_come_back_newest_first_as_they_were_added(self, access_store: AccessStore) -> None:
        for number in range(3):
            records.add_entry(access_store, entry(number, unmasked=bool(number)))
        found = records.audit_page(access_store)
        assert [record._replace(id=0) for record in found] == [
            entry(number, unmasked=bool(number)) for number in (2, 1, 0)
        ]
        assert records.audit_page(access_store, before=found[0].id, limit=1) == found[1:2]

    def test_are_selected_by_user_and_kind(self, access_store: AccessStore) -> None:
        records.add_entry(access_store, entry(who="bob"))
        records.add_entry(access_store, entry(did=AuditAction.EXPORTED))
        assert [record.did for record in records.audit_page(access_store, who="ann")] == [AuditAction.EXPORTED]
        assert [record.who for record in records.audit_page(access_store, did=AuditAction.VIEWED)] == ["bob"]

    def test_take_any_text_and_not_without_end(self, access_store: AccessStore) -> None:
        records.add_entry(access_store, entry(path="/\0\udce9", query="x" * 5000))
        found = records.audit_page(access_store)[0]
        assert (found.path, len(found.query)) == ("/\\0\\udce9", records.TEXT_LENGTH_MAX)

    def test_are_no_more_than_so_many_and_changes_outlast_views(
        self, access_store: AccessStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "VIEWED_MAX", 20)
        monkeypatch.setattr(records, "RECORDS_MAX", 60)
        monkeypatch.setattr(records, "PRUNED_EVERY", 10)
        for number in range(100):
            records.add_entry(
                access_store, entry(number, did=AuditAction.CHANGED if number % 10 == 0 else AuditAction.VIEWED)
            )
        kept = [record.at - NOW for record in records.audit_page(access_store, limit=1000)]
        assert kept == [*range(99, 79, -1), 70, 60, 50, 40]

    def test_without_pii_are_shown_without_what_was_asked_for(self, access_store: AccessStore) -> None:
        query = "number=%2B18585550001&q=ann&tag=sales&from=24h&reason=call+18585550001"
        records.add_entry(access_store, entry(path="/calls/317c4008-664b-5b39-a554-0d2515e0247a", query=query))
        shown = records.mask_entries(records.audit_page(access_store))[0]
        assert shown.what == (
            "/calls/317c4008-664b-5b39-a554-0d2515e0247a"
            "?number=%2B185••••••01&q=••••&tag=sales&from=24h&reason=call+185••••••01"
        )


def test_connections_that_were_cut_are_made_anew(postgres: Postgres, database: str) -> None:
    access_store = open_access_store(database, durable=False)
    users.add_user(access_store, "ann", [Role.READ], NOW)
    assert postgres.kill_backends(database) > 0
    assert [user.name for user in users.list_users(access_store)] == ["ann"]
    access_store.close()


def test_the_file_is_its_owners_alone_with_what_sqlite_puts_beside_it(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/ledger.db", create=True).close()
    access_store = open_access_store(f"sqlite:///{tmp_path}/ledger.db", durable=True)
    users.add_user(access_store, "ann", [Role.READ], NOW)
    files = list(tmp_path.glob("ledger.db.access.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    access_store.close()


def test_a_store_that_cannot_be_opened_says_which(tmp_path: Path) -> None:
    (tmp_path / "ledger.db.access.db").mkdir()
    with pytest.raises(
        StoreUnavailable, match=r"the users and the audit log in .*ledger\.db\.access\.db cannot be used"
    ):
        open_access_store(f"sqlite:///{tmp_path}/ledger.db", durable=True)


def test_without_a_ledger_no_user_is_added(tmp_path: Path) -> None:
    said = run("user", "add", "ann", "--role", "read", "--store", f"sqlite:///{tmp_path}/nowhere.db")
    assert (said.code, list(tmp_path.iterdir())) == (3, [])
