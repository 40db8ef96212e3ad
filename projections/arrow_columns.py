"""Columns of a read model as Arrow arrays, made from Python's values.

``pyarrow.array`` does the same, and loads pandas for it wherever pandas is installed: 50 MB, and a third of a second.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa


def text_array(values: Sequence[str | None]) -> Any:
    """Return texts, None where they are absent."""
    if None in values:
        return _with_gaps(values, pa.string(), text_array, "")
    texts: Any = values
    together = "".join(texts)
    data = together.encode()
    # Offsets count bytes: of ASCII as many as characters.
    lengths = map(len, texts if len(data) == len(together) else [text.encode() for text in texts])
    offsets = array("i", accumulate(lengths, initial=0))
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def whole_array(values: Sequence[int | None]) -> Any:
    """Return whole numbers of 64 bits, None where they are absent."""
    if None in values:
        return _with_gaps(values, pa.int64(), whole_array, 0)
    whole: Any = values
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(array("q", whole))])


def _with_gaps(values: Sequence[Any], kind: Any, make: Any, nothing: object) -> Any:
    """Return an array with gaps: of all values, with ``nothing`` in the gaps, and of bits that tell which are there."""
    filled = make([nothing if value is None else value for value in values])
    are_there = bytes([value is not None for value in values])
    bits = pa.Array.from_buffers(pa.int8(), len(values), [None, pa.py_buffer(are_there)]).cast(pa.bool_())
    return pa.Array.from_buffers(kind, len(values), [bits.buffers()[1], *filled.buffers()[1:]])
