"""A service behind nginx with the file in deploy/: TLS, the allow-list, and logs without queries."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, serving
from tests.support.notices import callstatus, signed
from tests.support.ports import free_port
from tests.support.programs import require_program

pytestmark = [pytest.mark.thorough, pytest.mark.only_on("sqlite")]

NGINX = Path(__file__).parents[2] / "deploy/nginx"
HOST = "calls.example.com"


class Proxy(NamedTuple):
    """A running nginx: its folder, its ports, and the certificate that it shows."""

    folder: Path
    plain: int
    port: int
    trusted: ssl.SSLContext

    def ask(self, path: str) -> int:
        """Ask over TLS, and return the status."""
        asked = Request(f"https://127.0.0.1:{self.port}{path}", headers={"Host": HOST})
        try:
            with urlopen(asked, timeout=SECONDS_MAX, context=self.trusted) as answer:
                return int(answer.status)
        except HTTPError as refused:
            with refused:
                return refused.code

    def logs(self) -> str:
        """Return all that nginx has logged."""
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate for the proxy, and return a context that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    trusted = ssl.create_default_context(cadata=pem.decode())
    trusted.check_hostname = False
    return trusted


def configuration(folder: Path, service: int, plain: int, port: int, allowed: str) -> str:
    """Return nginx's whole configuration, with the files in deploy/ as they are, but for paths, ports and addresses."""
    site = (NGINX / "tringledger.conf").read_text()
    for old, new in (
        ("/etc/nginx/tringledger-upstream.conf", f"{folder}/upstream.conf"),
        ("/etc/ssl/tringledger/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("allow 192.0.2.0/24;", f"allow {allowed};"),
    ):
        assert old in site
        site = site.replace(old, new)
    upstream = (NGINX / "tringledger-upstream.conf").read_text().replace(":8000;", f":{service};")
    (folder / "upstream.conf").write_text(upstream)
    return (
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.error.log;\nevents {{}}\n"
        f"http {{ client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n{site}\n}}\n"
    )


@pytest.fixture
def proxy(request: pytest.FixtureRequest, tmp_path: Path, store: str) -> Iterator[Proxy]:  # noqa: ARG001 - It names the ledger.
    """Run a service behind nginx, which lets the addresses in that the test's parameter says."""
    require_program("nginx")
    folder = tmp_path / "nginx"
    folder.mkdir()
    folder.chmod(0o777)
    plain, port = free_port(), free_port()
    trusted = make_certificate(folder)
    with serving(tmp_path) as server:
        file = folder / "nginx.conf"
        file.write_text(configuration(folder, server.port, plain, port, request.param))
        subprocess.run(["nginx", "-t", "-q", "-c", file], check=True, timeout=SECONDS_MAX)
        process = subprocess.Popen(["nginx", "-c", file])
        try:
            made = Proxy(folder, plain, port, trusted)
            eventually(lambda: is_up(made))
            yield made
        finally:
            process.terminate()
            process.wait(SECONDS_MAX)


def is_up(proxy: Proxy) -> bool:
    with suppress(OSError):
        return proxy.ask("/health") == 200
    return False


@pytest.mark.parametrize("proxy", ["127.0.0.1"], indirect=True)
def test_callbacks_are_recorded_and_no_log_has_their_queries(proxy: Proxy) -> None:
    query = signed(callstatus())
    assert proxy.ask(f"/notify?{query}") == 200
    assert proxy.ask(f"/calls?src={(number := '491701234567')}") in {200, 401, 403}
    with closing(HTTPConnection("127.0.0.1", proxy.plain, timeout=SECONDS_MAX)) as plain:
        plain.request("GET", f"/notify?{query}")
        assert plain.getresponse().status == 308
    told = proxy.logs()
    assert "GET /calls " in told
    assert "/notify" not in told
    assert number not in told
    assert "?" not in told


@pytest.mark.parametrize("proxy", ["192.0.2.0/24"], indirect=True)
def test_nobody_else_reaches_the_notify_path_and_all_reach_the_pages(proxy: Proxy) -> None:
    assert proxy.ask(f"/notify?{signed(callstatus())}") == 403
    assert proxy.ask("/calls") in {200, 401, 403}
    assert "sig=" not in proxy.logs()
