"""Where read models live: a SQLite file or a PostgreSQL schema per generation."""
