"""The ledger's errors: one family, so that a caller can catch all of them or one."""


class LedgerError(Exception):
    """The ledger refused something; the message says what it got and what it expected."""


class WrongUsage(LedgerError):
    """A setting, an option, a file or a URL cannot be used as given; correct it and try again."""


class Unavailable(LedgerError):
    """The store, an output file or another service cannot be used at present; the same call may succeed later."""


class NotANotification(LedgerError):
    """The text is not a TringMe notification: ``f`` is not ``tm``, or it has no parameters or too many (SPEC 2)."""


class InvalidValue(LedgerError):
    """A parameter's value breaks SPEC 1, and the notification has no signature, so it cannot be quarantined."""


class LedgerSettingsMismatch(WrongUsage):
    """The ledger was created with another correlation or time zone than the settings now say (SPEC 4)."""


class NoLedger(Unavailable):
    """There is no ledger at this URL yet, and this command creates none."""


class UnknownStore(WrongUsage):
    """The store's URL names no known kind of store."""


class PooledByTransaction(WrongUsage):
    """The store's URL leads to a connection pooler that pools by transaction, not by session."""


class MissingDriver(WrongUsage):
    """The driver for this kind of store is not installed; the message says how to install it."""


class StoreUnavailable(Unavailable):
    """The store cannot be read or written now: it is locked, full, unreadable or gone."""


class StoreLocked(StoreUnavailable):
    """Another program held the store's lock for longer than a writer waits; it passes once that program is done."""


class StoreReadOnly(StoreUnavailable):
    """The store's server is a standby, which cannot be written; it can after it is promoted."""


class StoreLost(StoreUnavailable):
    """The store of a running process was replaced or damaged, or lost committed events; an operator must act."""


class CopyIncomplete(StoreUnavailable):
    """A copy that is not complete fills the store; any other write would fork the ledger's history."""


class NotCopyTarget(WrongUsage):
    """The target store of a copy holds other data, which would be lost or mixed."""


class CopyRunning(Unavailable):
    """Another copy is filling the store."""


class CopyDiffers(LedgerError):
    """The target of a copy differs from its source; the message names the table and the first key."""


class CommandRejected(LedgerError):
    """The ledger's present state does not allow an operator's command; the message says what was found and expected."""
