"""TringMe's API operation ``setnotifyurl``: the signed request that tells TringMe where to send its notifications.

TringMe's page shows neither how a request is signed nor an answer. So the request is signed as a notification is, by a
formula that is a setting, and the answer is shown as it came.
"""

import secrets
from urllib.parse import urlencode

from api import urls as addresses
from api.settings import InvalidSetting, Settings
from domain.notices.signature import COVERS_ONLY_R, sign

OPERATION = "setnotifyurl"
MASK = "***"
R_MAX = 2**31
_SECRET = {"apikey", "sig"}


def set_notify_url_request(settings: Settings, url: str, flag: str | None) -> list[tuple[str, str]]:
    """Return the signed parameters of the request; raises InvalidSetting where a key is missing."""
    if not settings.api_key:
        raise InvalidSetting("TRINGME_API_KEY is not set: expected the public key of your TringMe account's API")
    pairs = [("apikey", settings.api_key), ("op", OPERATION), ("url", url)]
    if flag is not None:
        pairs.append(("flag", flag))
    if settings.api_signature in COVERS_ONLY_R:
        pairs.append(("r", str(secrets.randbelow(R_MAX))))
    return sign(settings.api_signature, pairs, settings.needed_keys()[0])


def masked(url: str, pairs: list[tuple[str, str]]) -> str:
    """Return the request's address as it can be shown: nothing that comes from a key can be read in it."""
    shown = [(name, MASK if name in _SECRET else value) for name, value in pairs]
    return f"{url}?{urlencode(shown, safe='*')}"


def warnings(settings: Settings, url: str) -> list[str]:
    """Return what a person should know before TringMe is told this address."""
    found = []
    if not addresses.is_public(url):
        found.append(f"{url} is no public address: TringMe cannot reach it")
    if not addresses.is_encrypted(url):
        found.append(f"{url} is not https: phone numbers, charges and signatures will travel openly")
    if not addresses.is_encrypted(settings.api_url):
        found.append(f"{settings.api_url} is not https: the API key and the signature travel openly")
    return found
