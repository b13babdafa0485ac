"""The yardstick of the sandbox's benchmark: a bare Starlette route that answers a constant of so many bytes."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def main() -> None:
    """Serve on the port and with the size that the arguments name, until killed."""
    port, size = map(int, sys.argv[1:])
    constant = b'"' + b"x" * (size - 2) + b'"'

    async def answer(_request: Request) -> Response:
        return Response(constant, media_type="application/json")

    app = Starlette(routes=[Route("/constant", answer, methods=["GET", "POST", "PUT", "DELETE"])])
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
