"""The names of the formats of an import."""

NDJSON, ACCESS_LOG, CSV = "ndjson", "access-log", "csv"
