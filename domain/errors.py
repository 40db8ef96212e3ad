"""The ledger's refusals: a small family, so that a caller can catch all of them or one."""


class LedgerError(Exception):
    """Something about the ledger was refused; the message says what, and what was expected."""


class WrongUsage(LedgerError):
    """A setting, an option, a file or an address cannot be used as given: correct it and try again."""


class Unavailable(LedgerError):
    """The store, a file to write or another service cannot be used at present: the same call may succeed later."""


class NotANotification(LedgerError):
    """The text is no TringMe notification: ``f`` is not ``tm``, or there are no or too many parameters (SPEC 2)."""


class InvalidValue(LedgerError):
    """A parameter's value breaks SPEC 1, and the notification has no signature by which it could be kept aside."""


class LedgerSettingsMismatch(WrongUsage):
    """The ledger was created with another correlation or time zone than the settings now say (SPEC 4)."""


class NoLedger(Unavailable):
    """There is no ledger at this address yet, and the command at hand creates none."""


class UnknownStore(WrongUsage):
    """The store's address is of no kind that is known."""


class MissingDriver(WrongUsage):
    """The store is of a kind whose driver is not installed; the message says what installs it."""


class StoreUnavailable(Unavailable):
    """The store cannot take or give anything now: locked, full, unreadable or gone."""


class StoreLost(StoreUnavailable):
    """The store under a running process was replaced or damaged, or lost what was answered: an operator must act."""


class CopyIncomplete(StoreUnavailable):
    """The store is being filled by a copy that is not complete: who wrote it now would fork the ledger's history."""


class NotCopyTarget(WrongUsage):
    """The store that a copy is to fill has something else, which would be lost or mixed."""


class CopyRunning(Unavailable):
    """Another copy fills the store at this moment."""


class CopyDiffers(LedgerError):
    """What a copy has filled differs from what it was to copy; the message names the table and the first key."""


class CommandRejected(LedgerError):
    """What an operator asks for makes no sense as things stand; the message says what was found and expected."""
