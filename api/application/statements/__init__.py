"""Statements as files: HTML and PDF for people, JSON and CSV for programs; the same numbers in each."""
