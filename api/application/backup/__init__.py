"""Backups of a ledger: made beside a running service, and restored only once all of it is verified."""
