"""The files that pages load: styles, scripts, the chart library; from this host only.

Their path contains a digest of all of them, so a browser may keep them permanently and never shows old ones. The
digest is the folder's name, so one script can import another by a relative path.
"""

import hashlib
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from api.web.compression import compressed_file, is_compressible, takes_gzip
from api.web.problems import problem

FOLDER = Path(__file__).parent / "static"
KEPT_FOR_EVER = "public, max-age=31536000, immutable"
DIGITS = 12


@cache
def files() -> dict[str, Path]:
    """Return all files by their name within the folder; other files are not served."""
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}


@cache
def digest() -> str:
    """Return the digest of this set of files."""
    hashed = hashlib.sha256()
    for name, path in files().items():
        hashed.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:DIGITS]


def asset_path(name: str) -> str:
    """Return the path of a file; raises KeyError if there is none of that name."""
    assert files()[name]
    return f"/static/{digest()}/{name}"


def serve(request: Request) -> Response:
    """Answer with a file; under an older digest with the present file, which is not to be kept then."""
    path = files().get(request.path_params["name"])
    if path is None:
        return problem(404, f"there is no file {request.path_params['name']}")
    lasting = request.path_params["digest"] == digest()
    headers = {"Cache-Control": KEPT_FOR_EVER if lasting else "no-cache"}
    media = guess_type(path.name)[0] or "application/octet-stream"
    if is_compressible(media):
        headers["Vary"] = "Accept-Encoding"
        if takes_gzip(request):
            return Response(compressed_file(path), headers=headers | {"Content-Encoding": "gzip"}, media_type=media)
    return FileResponse(path, headers=headers)
