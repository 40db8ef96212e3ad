"""The bytes of a spool: what was written is read, and whatever happened to the end of a file, no wrong record is."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from api.application.spool.spool_format import (
    HEADER_BYTES,
    SpoolRecord,
    decode_done,
    decode_header,
    encode_done,
    encode_header,
    encode_record,
    has_record_after,
    read_records,
)
from tests.support.effort import examples

ID = "8a6e0804-2bd0-4672-b79d-d97027f9071a"

records = st.lists(
    st.builds(
        SpoolRecord,
        st.integers(0, 2**64 - 1),
        st.binary(min_size=32, max_size=32),
        st.binary(max_size=300),
    ),
    max_size=12,
)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda at, most: data[at : at + most]


def read(data: bytes, start: int = 0) -> list[SpoolRecord]:
    return [placed.record for placed in read_records(reader(data), start)]


def test_a_file_is_as_it_is_documented() -> None:
    assert encode_header(ID) == b"TRINGSPOOL1 8a6e0804-2bd0-4672-b79d-d97027f9071a clear\n"
    assert len(encode_header(ID)) == HEADER_BYTES == 55
    key = bytes(range(32))
    assert encode_record(SpoolRecord(1_790_856_000_000_000, key, b"f=tm")) == (
        bytes.fromhex("0000002c 7855c652 00065cc627b95000") + key + b"f=tm"
    )


@given(records)
def test_what_was_written_is_read(written: list[SpoolRecord]) -> None:
    assert read(encode_header(ID) + b"".join(map(encode_record, written)), HEADER_BYTES) == written


@given(records)
def test_every_record_says_where_it_stands(written: list[SpoolRecord]) -> None:
    data = b"".join(map(encode_record, written))
    for placed in read_records(reader(data), 0):
        assert encode_record(placed.record) == data[placed.start : placed.end]


@examples(400)
@given(records, st.data())
def test_of_a_cut_file_all_whole_records_are_read(written: list[SpoolRecord], data: st.DataObject) -> None:
    encoded = [encode_record(record) for record in written]
    whole = b"".join(encoded)
    cut = data.draw(st.integers(0, len(whole)))
    kept = next((number for number in range(len(encoded)) if sum(map(len, encoded[: number + 1])) > cut), len(encoded))
    assert read(whole[:cut]) == written[:kept]


@examples(400)
@given(records.filter(bool), st.data())
def test_a_flipped_bit_ends_the_reading_and_makes_no_record(written: list[SpoolRecord], data: st.DataObject) -> None:
    encoded = [encode_record(record) for record in written]
    whole = bytearray(b"".join(encoded))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    damaged = next(number for number in range(len(encoded)) if sum(map(len, encoded[: number + 1])) > at)
    assert read(bytes(whole)) == written[:damaged]
    rest = bytes(whole[sum(map(len, encoded[:damaged])) :])
    assert has_record_after(rest) == (damaged < len(written) - 1)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_records(noise: bytes) -> None:
    assert read(noise) == []
    assert read(bytes(len(noise))) == []


def test_records_are_read_across_the_chunks_of_a_file() -> None:
    written = [SpoolRecord(number, bytes(32), b"x" * 33_000) for number in range(100)]
    assert read(b"".join(map(encode_record, written))) == written


@given(st.integers(0, 2**64 - 1), st.integers(0, 11))
def test_a_mark_is_read_as_it_was_written_or_not_at_all(offset: int, cut: int) -> None:
    written = encode_done(offset)
    assert decode_done(written) == offset
    assert decode_done(written[:cut]) is None
    assert decode_done(written[:cut] + bytes([written[cut] ^ 1]) + written[cut + 1 :]) is None


def test_a_header_names_its_ledger_and_nothing_else_is_one() -> None:
    assert decode_header(encode_header(ID)) == ID
    for other in (b"", encode_header(ID)[:-1], b"TRINGSPOOL2" + encode_header(ID)[11:], bytes(HEADER_BYTES)):
        assert decode_header(other) is None
