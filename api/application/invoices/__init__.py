"""Statements for customers: what is owed, by whom and to whom, numbered; as JSON, HTML, PDF and CSV (SPEC 9.13)."""
