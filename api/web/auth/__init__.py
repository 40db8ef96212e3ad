"""The lock on the door: users and roles, signing in, the guard of every route, masking, and who looked at what."""
