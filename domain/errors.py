"""The ledger's refusals, one small family, so that a caller can catch them all or one."""

from eventsourcing.persistence import MapperDeserialisationError


class LedgerError(Exception):
    """Something about the ledger was refused; the message says what, and what was expected."""


class NotANotification(LedgerError):
    """The text is no TringMe notification: ``f`` is not ``tm``, or there are no or too many parameters (SPEC 2)."""


class BrokenValue(LedgerError):
    """A parameter's value breaks SPEC 1, and the notification has no signature by which it could be kept aside."""


class SettingsDiffer(LedgerError):
    """The ledger was created with another correlation or time zone than the settings now say (SPEC 4)."""


class NoLedger(LedgerError):
    """There is no ledger at this address yet, and the command at hand creates none."""


class UnknownStore(LedgerError):
    """The store's address is of no kind that is known."""


class MissingDriver(LedgerError):
    """The store is of a kind whose driver is not installed; the message says what installs it."""


class UnknownShape(LedgerError, MapperDeserialisationError):
    """A stored event is of a topic or shape that this version of tringledger does not know."""


class StoreUnavailable(LedgerError):
    """The store cannot take or give anything now: locked, full, unreadable or gone."""


class CopyUnderWay(StoreUnavailable):
    """The store is being filled by a copy that is not complete: who wrote it now would fork the ledger's history."""


class NotACopy(LedgerError):
    """The store that a copy is to fill has something else, which would be lost or mixed."""


class CopyRunning(LedgerError):
    """Another copy fills the store at this moment."""


class CopyDiffers(LedgerError):
    """What a copy has filled differs from what it was to copy; the message names the table and the first key."""


class WrongAct(LedgerError):
    """What an operator asks for makes no sense as things stand; the message says what was found and expected."""
