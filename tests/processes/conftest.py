"""What every test of the outside starts from."""

from tests.support.api_fixtures import aged, bare_environment, client, clock, log, service, store

__all__ = ["aged", "bare_environment", "client", "clock", "log", "service", "store"]
