"""The keepalive settings of connections that hold a lock in PostgreSQL for as long as their process lives.

If the holder's host or network dies silently, another process must get the lock after four seconds (``HOLDER_SESSION``, on
the server's side), and the holder must soon stop believing that it has the lock (``HOLDER_NETWORK``, on its own side). No
driver is imported here: SQLite needs none.
"""

# How many connections a process opens at most to read the log, and as many to read the read models.
CONNECTIONS_MAX = 5

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
