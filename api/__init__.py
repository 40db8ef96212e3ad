"""Everything that meets the outside: the settings, the service that takes callbacks, and the command."""
