"""From events to rows: pure functions, without SQLAlchemy."""
