"""Work that makes many objects has cycles looked for rarely, and afterwards as often as before, however blocks overlap."""

import gc

from domain.garbage_collection import OBJECTS_BETWEEN_COLLECTIONS, collecting_rarely


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
