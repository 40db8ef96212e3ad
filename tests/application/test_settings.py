"""The settings: their defaults, and the refusal of what cannot be used, by name, with the value and what was expected."""

from pathlib import Path

import pytest

from api import settings
from api.setting_table import SETTINGS
from api.settings import InvalidSetting
from domain.calls.correlation import CorrelationWindow
from domain.ledger_options import LedgerOptions
from domain.notices.signature import Keyring
from domain.times import SECOND
from tests.support.notices import KEY, OTHER_KEY, callstatus, signature

WRONG = [
    ("TRINGLEDGER_SIGNATURE", "md5", "one of md5-params, md5-r-key, md5-key-r, hmac-sha256-params, off"),
    ("TRINGLEDGER_SIGNATURE", "OFF", "one of md5-params"),
    ("TRINGLEDGER_CORRELATION", "src", "one of tag-src, tag"),
    ("TRINGLEDGER_TIMEZONE", "Europe/Atlantis", "an IANA time zone"),
    ("TRINGLEDGER_TIMEZONE", "../../etc/passwd", "an IANA time zone"),
    ("TRINGLEDGER_GRACE_SECONDS", "5m", "a whole number, at least 0"),
    ("TRINGLEDGER_GRACE_SECONDS", "-1", "a whole number, at least 0"),
    ("TRINGLEDGER_GRACE_SECONDS", "٣٠٠", "a whole number, at least 0"),
    ("TRINGLEDGER_MAX_AGE_SECONDS", "1e5", "a whole number, at least 0"),
    ("TRINGLEDGER_QUARANTINE_MAX", "0", "a whole number, at least 1"),
    ("TRINGLEDGER_METRICS", "9464", "HOST:PORT, such as 127.0.0.1:9464"),
    ("TRINGLEDGER_METRICS", "127.0.0.1:9464/metrics", "HOST:PORT"),
    ("TRINGLEDGER_METRICS", "127.0.0.1:99999", "HOST:PORT"),
    ("TRINGLEDGER_QUEUE_MAX", "0", "a whole number, at least 1"),
    ("TRINGLEDGER_CONNECTIONS_MAX", "1", "a whole number, at least 2"),
    ("TRINGME_API_URL", "api.tringme.com", "http:// or https:// with a host"),
    ("TRINGME_API_URL", "http://me@api.tringme.com/", "an address without query, user and password"),
    ("TRINGME_API_SIGNATURE", "off", "one of md5-params"),
    ("TRINGLEDGER_FORWARD_URL", "example.com/their.php", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "ftp://example.com/", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "http://", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "http://example.com:99999/", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "http://[::1/", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "http://example.com/a b", "http:// or https:// with a host"),
    ("TRINGLEDGER_FORWARD_URL", "http://example.com/#part", "http:// or https:// with a host"),
    ("TRINGLEDGER_NOTIFY_PATH", "notify", "a path such as /notify"),
    ("TRINGLEDGER_NOTIFY_PATH", "/notify?f=tm", "a path such as /notify"),
    ("TRINGLEDGER_NOTIFY_PATH", "/{tag}", "a path such as /notify"),
    ("TRINGLEDGER_NOTIFY_PATH", "/health", "a path such as /notify"),
]


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(InvalidSetting) as refused:
        settings.load_settings(environment)
    return str(refused.value)


class TestWithNothingSet:
    @pytest.mark.parametrize(
        ("field", "default"),
        [
            ("store", "sqlite:///tringledger.db"),
            ("private_keys", ()),
            ("signature", "md5-params"),
            ("correlation", None),
            ("timezone", None),
            ("grace_seconds", 300),
            ("max_age_seconds", 86_400),
            ("quarantine_max", 100_000),
            ("notify_path", "/notify"),
            ("forward_url", None),
            ("queue_max", 10_000),
            ("api_url", "http://api.tringme.com/api.php"),
            ("api_key", ""),
            ("api_signature", "md5-params"),
        ],
    )
    def test_every_setting_has_its_default(self, field: str, default: object) -> None:
        assert getattr(settings.load_settings({}), field) == default

    def test_the_terms_leave_correlation_and_time_zone_to_the_ledger(self) -> None:
        assert settings.load_settings({}).ledger_options == LedgerOptions(
            None, None, CorrelationWindow(300 * SECOND, 86_400 * SECOND), 100_000, connections_max=5
        )

    def test_an_empty_or_blank_setting_has_its_default_too(self) -> None:
        blank = {setting.name: "  " for setting in SETTINGS}
        assert settings.load_settings(blank) == settings.load_settings({})

    def test_every_setting_says_what_it_is_for(self) -> None:
        assert all(setting.meaning.endswith(".") for setting in SETTINGS)

    def test_a_keyring_is_refused_without_a_private_key_naming_both_ways_out(self) -> None:
        with pytest.raises(InvalidSetting, match=r"TRINGME_PRIVATE_KEY is not set.*TRINGLEDGER_SIGNATURE=off"):
            settings.load_settings({}).keyring()


class TestWithAWrongValue:
    @pytest.mark.parametrize(("name", "value", "expected"), WRONG)
    def test_it_is_refused_by_name_with_the_value_and_what_was_expected(
        self, name: str, value: str, expected: str
    ) -> None:
        assert refusal({name: value}).startswith(f"{name}={value!r} cannot be used: expected {expected}")

    def test_a_misspelt_name_is_refused_naming_those_there_are(self) -> None:
        said = refusal({"TRINGLEDGER_GRACE": "30"})
        assert said.startswith("unknown setting TRINGLEDGER_GRACE; expected one of ")
        assert "TRINGLEDGER_GRACE_SECONDS" in said

    def test_a_max_age_below_the_grace_is_refused_naming_both(self) -> None:
        said = refusal({"TRINGLEDGER_MAX_AGE_SECONDS": "299"})
        assert said == "TRINGLEDGER_MAX_AGE_SECONDS=299 cannot be used: expected at least TRINGLEDGER_GRACE_SECONDS=300"

    def test_a_time_beyond_all_calendars_is_refused(self) -> None:
        enormous = "9" * 30
        assert enormous in refusal({"TRINGLEDGER_GRACE_SECONDS": enormous, "TRINGLEDGER_MAX_AGE_SECONDS": enormous}), (
            "it would else overflow in the store, at the first callback"
        )

    def test_a_private_key_is_never_part_of_a_refusal(self) -> None:
        assert KEY not in refusal({"TRINGME_PRIVATE_KEY": KEY, "TRINGLEDGER_SIGNATURE": "md4"})


class TestWithEverythingSet:
    def test_the_values_are_taken(self) -> None:
        read = settings.load_settings(
            {
                "TRINGLEDGER_STORE": "sqlite:////var/lib/calls.db",
                "TRINGLEDGER_SIGNATURE": "hmac-sha256-params",
                "TRINGME_PRIVATE_KEY": KEY,
                "TRINGLEDGER_CORRELATION": "tag",
                "TRINGLEDGER_TIMEZONE": "Europe/Berlin",
                "TRINGLEDGER_GRACE_SECONDS": "0",
                "TRINGLEDGER_MAX_AGE_SECONDS": "60",
                "TRINGLEDGER_QUARANTINE_MAX": "5",
                "TRINGLEDGER_NOTIFY_PATH": "/hooks/tringme",
                "TRINGLEDGER_QUEUE_MAX": "7",
                "TRINGLEDGER_CONNECTIONS_MAX": "9",
            }
        )
        assert (read.store, read.notify_path, read.queue_max) == ("sqlite:////var/lib/calls.db", "/hooks/tringme", 7)
        assert read.signature == "hmac-sha256-params"
        assert read.ledger_options == LedgerOptions(
            "tag", "Europe/Berlin", CorrelationWindow(0, 60 * SECOND), 5, connections_max=9
        )

    def test_a_commands_store_goes_before_the_environments(self) -> None:
        assert (
            settings.load_settings({"TRINGLEDGER_STORE": "sqlite:///a.db"}, "sqlite:///b.db").store == "sqlite:///b.db"
        )

    def test_a_grace_that_equals_max_age_is_taken(self) -> None:
        assert settings.load_settings({"TRINGLEDGER_MAX_AGE_SECONDS": "300"}).max_age_seconds == 300

    def test_foreign_names_are_nobodys_business(self) -> None:
        assert settings.load_settings({"TRINGME_USER": "x", "PATH": "/bin"}) == settings.load_settings({})


class TestWithSecretsInFiles:
    def test_a_file_gives_the_secret_without_the_blanks_around_it(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(f"{KEY}\n{OTHER_KEY}\n")
        (tmp_path / "store").write_text("sqlite:///a.db\n")
        read = settings.load_settings(
            {"TRINGME_PRIVATE_KEY_FILE": str(tmp_path / "key"), "TRINGLEDGER_STORE_FILE": str(tmp_path / "store")}
        )
        assert (read.private_keys, read.store) == ((KEY, OTHER_KEY), "sqlite:///a.db")

    def test_each_secret_has_its_file_and_nothing_else_has(self) -> None:
        assert [setting.name for setting in SETTINGS if setting.is_secret] == [
            *(
                "TRINGLEDGER_STORE",
                "TRINGME_PRIVATE_KEY",
                "TRINGME_RETIRED_KEYS",
                "TRINGLEDGER_FORWARD_URL",
                "TRINGME_API_KEY",
            )
        ]

    @pytest.mark.parametrize(
        "name", ["TRINGME_PRIVATE_KEYS_FILE", "TRINGLEDGER_LOG_KEY_FILE", "TRINGLEDGER_TIMEZONE_FILE"]
    )
    def test_a_file_of_no_secret_is_refused_naming_those_that_there_are(self, name: str) -> None:
        said = refusal({name: "/etc/passwd"})
        assert said.startswith(f"unknown setting {name}; of files, expected one of ")
        assert "TRINGME_PRIVATE_KEY_FILE" in said

    def test_a_secret_that_is_set_twice_is_refused(self) -> None:
        said = refusal({"TRINGME_API_KEY_FILE": "/etc/hostname", "TRINGME_API_KEY": "x"})
        assert said == "TRINGME_API_KEY and TRINGME_API_KEY_FILE are both set: expected one of them"

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (None, "a file that can be read (No such file or directory)"),
            (b" \n", "a file that holds the secret, with 1 to 65536 bytes"),
            (b"x" * 65_537, "a file that holds the secret, with 1 to 65536 bytes"),
            (b"\xff", "a file in UTF-8"),
            (b"hunter2", "sqlite:///PATH"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_named_and_its_content_is_not_told(
        self, tmp_path: Path, content: bytes | None, expected: str
    ) -> None:
        path = tmp_path / "store"
        if content is not None:
            path.write_bytes(content)
        said = refusal({"TRINGLEDGER_STORE_FILE": str(path)})
        assert said.startswith(f"TRINGLEDGER_STORE_FILE={str(path)!r} cannot be used: expected {expected}")
        assert "hunter2" not in said


class TestWithSeveralKeys:
    def keyring(self) -> Keyring:
        return settings.load_settings({"TRINGME_PRIVATE_KEY": f" {KEY} ,, {OTHER_KEY},"}).keyring()

    @pytest.mark.parametrize("key", [KEY, OTHER_KEY])
    def test_each_of_them_verifies(self, key: str) -> None:
        pairs = callstatus()
        assert self.keyring().verify([*pairs, ("sig", signature(pairs, key))])

    def test_no_other_key_verifies(self) -> None:
        pairs = callstatus()
        assert not self.keyring().verify([*pairs, ("sig", signature(pairs, "a third"))])

    def test_nothing_but_commas_is_no_key(self) -> None:
        with pytest.raises(InvalidSetting, match="TRINGME_PRIVATE_KEY is not set"):
            settings.load_settings({"TRINGME_PRIVATE_KEY": " , ,"}).keyring()


class TestWithSignaturesOff:
    def test_no_key_is_needed_and_none_is_used(self) -> None:
        assert settings.load_settings({"TRINGLEDGER_SIGNATURE": "off"}).keyring().verify(callstatus())
        assert (
            settings.load_settings({"TRINGLEDGER_SIGNATURE": "off", "TRINGME_PRIVATE_KEY": KEY})
            .keyring()
            .verify(callstatus())
        )
