"""TringMe's API operation ``setnotifyurl``: the signed request that tells TringMe where to send its notifications.

TringMe's page documents neither the signature of a request nor the answer. So the request is signed like a notification, by
the formula in a setting, and the answer is printed unchanged.
"""

from api import urls as addresses
from api.application.sample_notice import new_nonce
from api.settings import InvalidSetting, Settings
from domain.notices.signature import COVERS_ONLY_R, sign

OPERATION = "setnotifyurl"
# Parameters of the request that must not be shown.
SECRET = frozenset({"apikey", "sig"})


def set_notify_url_request(settings: Settings, url: str, flag: str | None) -> list[tuple[str, str]]:
    """Return the signed parameters of the request; raises InvalidSetting if a key is missing."""
    if not settings.api_key:
        raise InvalidSetting("TRINGME_API_KEY is not set: expected the public key of your TringMe account's API")
    pairs = [("apikey", settings.api_key), ("op", OPERATION), ("url", url)]
    if flag is not None:
        pairs.append(("flag", flag))
    if settings.api_signature in COVERS_ONLY_R:
        pairs.append(("r", new_nonce()))
    return sign(settings.api_signature, pairs, settings.needed_keys()[0])


def warnings(settings: Settings, url: str) -> list[str]:
    """Return warnings about a URL that TringMe is going to call."""
    found = []
    if not addresses.is_public(url):
        found.append(f"{url} is not a public URL: TringMe cannot reach it")
    if not addresses.is_encrypted(url):
        found.append(f"{url} is not https: phone numbers, charges and signatures will be sent unencrypted")
    if not addresses.is_encrypted(settings.api_url):
        found.append(f"{settings.api_url} is not https: the API key and the signature are sent unencrypted")
    return found
