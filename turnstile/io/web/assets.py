"""The files that pages load: styles, scripts, icons.

They are read once and served from memory, by name: no path of a request reaches the disk. Their address has a
hash of them all, so browsers keep them for ever and fetch them anew after an upgrade.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}


def _read() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}


_FILES = _read()
VERSION = hashlib.sha256(b"".join(name.encode() + data for name, data in _FILES.items())).hexdigest()[:12]


def address(name: str) -> str:
    """Return where a page finds a file.

    Raises:
        KeyError: there is none of this name.
    """
    _FILES[name]
    return f"/static/{VERSION}/{name}"


def routes() -> list[Route]:
    """Return the routes of all files."""
    return [
        Route("/static/{version}/{name}", _file, name="static"),
        Route("/manifest.webmanifest", _manifest, name="manifest"),
    ]


def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    kept = FOR_EVER if request.path_params["version"] == VERSION else "no-cache"
    return _answer(name, kept)


def _manifest(_: Request) -> Response:
    return _answer("site.webmanifest", "no-cache")


def _answer(name: str, cache_control: str) -> Response:
    media_type = MEDIA_TYPES["." + name.rpartition(".")[2]]
    return Response(_FILES[name], media_type=media_type, headers={"Cache-Control": cache_control})
