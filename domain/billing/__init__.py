"""Tariffs, and what they make of a CDR."""
