"""For aiohttp's server.

    app.router.add_post("/hook", handler(receiver, on_call=save))
"""

from typing import Awaitable, Callable

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from ._receiver import Handler, Receiver, too_large
from ._refusal import BodyWasParsed, Refusal
from ._token import MAX_BODY_BYTES

_ADVICE = "in aiohttp, let no middleware read `request.content` or `request.post()` before the handler"


def handler(receiver: Receiver, **handlers: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that takes a request; the names of the handlers are those of ``Receiver.handler``."""
    events = receiver.handler(**handlers)

    async def receive_event(request: web.Request) -> web.Response:
        try:
            body = await _body(request)
        except (Refusal, BodyWasParsed) as error:
            answer = receiver.refuse(error)
        else:
            answer = await events.receive_async(body, request.headers)
        return web.Response(text=answer.message + "\n", status=answer.status, headers=answer.headers)

    return receive_event


async def _body(request: web.Request) -> bytes:
    # Kept by aiohttp, if somebody asked for it before.
    if getattr(request, "_read_bytes", None) is not None:
        return await request.read()
    body = bytearray()
    length = 0
    try:
        # Not `request.read()`, which stops at the application's own limit of 1 MiB.
        async for chunk in request.content.iter_any():
            length += len(chunk)
            if length <= MAX_BODY_BYTES:
                body += chunk
    except HTTPRequestEntityTooLarge:
        raise too_large() from None
    except (web.PayloadAccessError, ConnectionError):
        raise Refusal("broken_off", "the body broke off before its end") from None
    if length > MAX_BODY_BYTES:
        raise too_large()
    if not body and request.content_length:
        raise BodyWasParsed(_ADVICE)
    return bytes(body)
