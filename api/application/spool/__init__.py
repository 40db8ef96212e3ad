"""The spool: callbacks that wait on a disk of this host while the store is away."""
