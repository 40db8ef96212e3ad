"""Import of the past: files of several formats become rows, rows become deliveries, and batches of these are recorded."""
