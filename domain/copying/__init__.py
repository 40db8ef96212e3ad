"""Copies of a ledger in another store."""
