"""How long callbacks take, counted so that a callback hardly pays for it: two plain numbers, read when they are asked for."""

from bisect import bisect_left

# Upper bounds in seconds; what takes longer than the last one is in the bucket after it.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class CallbackTimings:
    """The histogram of the seconds that answers took; ``counts`` has a number for each bound, and one for what took longer."""

    def __init__(self) -> None:
        """Begin with no answer."""
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count an answer."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
