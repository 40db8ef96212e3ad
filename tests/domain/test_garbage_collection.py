"""Work that makes many objects has cycles looked for rarely, and afterwards as often as before, however blocks overlap; a service, too."""

import gc

from domain.garbage_collection import (
    OBJECTS_BETWEEN_COLLECTIONS,
    SERVICE_THRESHOLDS,
    collecting_rarely,
    set_aside_present_objects,
)


def test_the_usual_number_of_objects_is_back_after_the_last_of_blocks_that_overlap() -> None:
    usual = gc.get_threshold()
    first, second = collecting_rarely(), collecting_rarely()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold() == (OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    first.__exit__(None, None, None)
    assert gc.get_threshold() == (OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    second.__exit__(None, None, None)
    assert gc.get_threshold() == usual


def test_a_service_sets_aside_what_it_has_and_looks_among_newer_objects_alone() -> None:
    usual = gc.get_threshold()
    present: list[object] = []
    present.append(present)
    try:
        set_aside_present_objects()
        assert gc.get_threshold() == SERVICE_THRESHOLDS
        assert all(each is not present for each in gc.get_objects())
        newer: list[object] = []
        assert any(each is newer for each in gc.get_objects())
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
