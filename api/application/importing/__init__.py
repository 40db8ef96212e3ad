"""Imports: files of several formats become rows, rows become deliveries, and deliveries are recorded in batches."""
