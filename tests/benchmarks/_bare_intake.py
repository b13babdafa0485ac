"""The floor of the intake: a bare ASGI route that verifies a signature and inserts one row, with a commit."""

import base64
import hashlib
import hmac
import json
import sys

import uvicorn
from sqlalchemy import JSON, Column, MetaData, String, Table, create_engine, event, insert
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def main() -> None:
    """Serve with the secret and on the database and port that the arguments name, until killed."""
    secret, database_url, port = sys.argv[1:]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    engine = create_engine(database_url, pool_size=40)
    if engine.dialect.name == "sqlite":  # as safe as ours
        event.listen(engine, "connect", lambda raw, _: raw.executescript("pragma synchronous=full"))
    table = Table("floor", MetaData(), Column("id", String(256), primary_key=True), Column("document", JSON))
    table.create(engine, checkfirst=True)  # it is there from the round before

    def keep(row: dict[str, object]) -> None:
        with engine.begin() as connection:
            connection.execute(insert(table), row)

    async def take(request: Request) -> JSONResponse:
        body, headers = await request.body(), request.headers
        signed = b"%b.%b.%b" % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
        mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        if not hmac.compare_digest(headers["webhook-signature"], f"v1,{mac}"):
            return JSONResponse({}, 401)
        document = json.loads(body)
        await run_in_threadpool(keep, {"id": document["id"], "document": document})
        return JSONResponse({"events": [{"id": document["id"], "duplicate": False}]}, 202)

    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse({})

    app = Starlette(routes=[Route("/hooks/hr", take, methods=["POST"]), Route("/healthz", answer)])
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
