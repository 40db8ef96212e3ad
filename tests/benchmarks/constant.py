"""The yardstick of the callbacks: the same server with the same settings, and a route that answers a constant."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def answer(_request: Request) -> Response:
    """Answer what a recorded callback is answered, without doing anything for it."""
    return Response(b'{"status":"recorded","position":12345}', media_type="application/json")


def main() -> None:
    """Serve on the port given, with uvicorn's settings as the service has them."""
    app = Starlette(routes=[Route("/notify", answer, methods=["GET", "POST"])])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        proxy_headers=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
