"""The sparse assignment problem: rows to columns, one to one, at the least total cost.

Successive shortest paths with potentials, over whole numbers of any size: the binary floats of a library could not
distinguish costs that differ by a millionth of a cent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple


def assign(costs: Sequence[Mapping[int, int]], alone: int) -> list[int | None]:
    """Return the column of each row, or None for rows without one.

    ``costs`` has for each row the costs of its possible columns, none below 0; a row without a column costs ``alone``.
    """
    search = _Search(costs, alone)
    for row in range(len(costs)):
        search.place(row)
    return [search.columns.get(row) for row in range(len(costs))]


class _Search:
    """The rows assigned so far, at the least cost: ``columns`` has the column of each assigned row."""

    def __init__(self, costs: Sequence[Mapping[int, int]], alone: int) -> None:
        self.columns: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self._costs = costs
        self._alone = alone
        self._of_row = [0] * len(costs)
        self._of_column: defaultdict[int, int] = defaultdict(int)

    def place(self, first: int) -> None:
        """Assign another row, and move others as needed along the cheapest path."""
        path = _Path({first: 0}, {}, {}, [])
        shortest, lonely = self._alone, first
        row = first
        while True:
            self._look(row, path)
            found = path.nearest()
            if found is None or found[0] >= shortest:
                end = self.columns.pop(lonely, None)
                break
            distance, column = found
            if column not in self._rows:
                shortest, end = distance, column
                break
            row = self._rows[column]
            path.rows[row] = distance
            if distance + self._alone - self._of_row[row] < shortest:
                shortest, lonely = distance + self._alone - self._of_row[row], row
        self._adjust(path, shortest)
        self._give(end, first, path)

    def _look(self, row: int, path: "_Path") -> None:
        """Update the distances of columns through a row."""
        base = path.rows[row] - self._of_row[row]
        for column, cost in self._costs[row].items():
            there = base + cost - self._of_column[column]
            if column not in path.columns or there < path.columns[column]:
                path.columns[column] = there
                path.before[column] = row
                heappush(path.heap, (there, column))

    def _adjust(self, path: "_Path", shortest: int) -> None:
        for row, distance in path.rows.items():
            self._of_row[row] += max(0, shortest - distance)
        for column, distance in path.columns.items():
            self._of_column[column] -= max(0, shortest - distance)

    def _give(self, column: int | None, first: int, path: "_Path") -> None:
        """Reassign the rows on the path to a column."""
        while column is not None:
            row = path.before[column]
            left = self.columns.get(row)
            self.columns[row], self._rows[column] = column, row
            column = None if row == first else left


class _Path(NamedTuple):
    """Distances from the row that is being assigned, and the row by which each column was reached."""

    rows: dict[int, int]
    columns: dict[int, int]
    before: dict[int, int]
    heap: list[tuple[int, int]]

    def nearest(self) -> tuple[int, int] | None:
        """Pop the nearest column not yet visited, with its distance."""
        while self.heap:
            distance, column = heappop(self.heap)
            if distance == self.columns[column]:
                return distance, column
        return None
