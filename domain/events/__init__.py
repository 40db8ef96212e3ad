"""The immutable events, and how they are stored."""
