"""Backups of a ledger: made while the service runs, and restored only once all of it is verified."""
