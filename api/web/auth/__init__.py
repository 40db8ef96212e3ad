"""Users and roles, signing in, the guard of every route, and the audit log."""
