"""Simulates TringMe: places calls, sends notifications with the faults of platforms and networks, and keeps its own books."""
