"""Who may speak with the studio: the page it has given out itself, and nobody else.

It hears only what comes over loopback, asked for under loopback's own name (so that a name that turns to it by a trick
of DNS is refused), from its own page (so that no other site can use it), with a key that is new at each start (so that
no other user of the machine can).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from kws.errors import Failure, Misuse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "kws_studio"
CONTENT = "; ".join((
    "default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'", "connect-src 'self'",
    "img-src 'self' data: blob:", "media-src 'self' blob:", "style-src 'self'", "font-src 'none'", "frame-src 'self'",
    "base-uri 'none'", "form-action 'none'",
))  # fmt: skip
"""The page's Content-Security-Policy, which its own text repeats for where it is hosted without a server."""
HEADERS = {
    "Content-Security-Policy": f"{CONTENT}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Busy(Failure):
    """It cannot be done while something else is; asked again later it can."""


_STATUS: dict[type[Exception], int] = {FileNotFoundError: 404, Misuse: 400, Busy: 409, Failure: 422}
"""The first that fits counts."""


class Guard:
    """Lets in what may come in, and puts HEADERS on all that goes out."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(24)
        """What the first address must bring; a cookie carries it from then on."""

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or refuse it; whatever went wrong is one sentence."""
        try:
            answer = self._refused(request) or await handler(request)
        except web.HTTPException as error:
            answer = told(error.status, error.reason)
        except (Failure, FileNotFoundError) as error:
            status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
            answer = told(status, str(error))
        if not answer.prepared:
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
        return answer

    def _refused(self, request: web.Request) -> web.Response | None:
        """The answer to one who may not come in; None to one who may."""
        if urlsplit(f"//{request.host}").hostname not in _HOSTS:
            return told(403, "the studio is only to be had under this machine's own name, such as 127.0.0.1.")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return told(403, "another site's page may not use the studio.")
        if request.headers.get("Sec-Fetch-Site", "none") == "cross-site" and request.method != "GET":
            return told(403, "another site's page may not use the studio.")
        if request.path == "/" and self._is_key(request.query.get("key", "")):
            answer = web.Response(status=303, headers={"Location": "./"})
            answer.set_cookie(COOKIE, self.key, httponly=True, samesite="Strict", path="/")
            return answer
        if not self._is_key(request.cookies.get(COOKIE, "")):
            return told(401, "open the address that kws studio has printed: it carries the key.")
        return None

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.key.encode())


def told(status: int, sentence: str) -> web.Response:
    """An answer that says what is wrong."""
    return web.json_response({"error": sentence}, status=status)
