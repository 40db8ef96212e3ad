"""How soon whoever keeps a lock in PostgreSQL for as long as it lives is given up: read models follow by turns, forwarding too.

Where its host or its network dies without a word, another must have the lock after four seconds (the server's side,
``HOLDER_SESSION``), and it must not take itself for the holder much longer (its own, ``HOLDER_NETWORK``). No driver is
imported here, so that those who stay on SQLite need none.
"""

HOLDER_SESSION = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "4s",
}
HOLDER_NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
