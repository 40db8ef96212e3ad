"""Statements as files: HTML and PDF for whoever pays, JSON and CSV for their programs; the same numbers in each."""
