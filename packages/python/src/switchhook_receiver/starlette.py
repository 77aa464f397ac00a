"""For Starlette and FastAPI.

    app.add_route("/hook", endpoint(receiver, on_call=save), methods=["POST"])
"""

from typing import Any, Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from ._receiver import Handler, Receiver, too_large
from ._refusal import BodyWasParsed, Refusal
from ._token import MAX_BODY_BYTES

_ADVICE = (
    "in FastAPI, give the route no parameter that is read from the body, and let no middleware call `request.form()` or "
    "`request.stream()` before it"
)


def endpoint(receiver: Receiver, **handlers: Handler) -> Callable[[Request], Awaitable[PlainTextResponse]]:
    """An endpoint that takes a request; the names of the handlers are those of ``Receiver.handler``."""
    handler = receiver.handler(**handlers)

    async def receive_event(request: Request) -> PlainTextResponse:
        try:
            body: Any = await _body(request)
        except (Refusal, BodyWasParsed) as error:
            answer = receiver.refuse(error)
        else:
            answer = await handler.receive_async(body, request.headers)
        return PlainTextResponse(answer.message + "\n", answer.status, answer.headers)

    return receive_event


async def _body(request: Request) -> bytes:
    # What was read as a whole before, Starlette has kept; FastAPI does so for routes with a body.
    if hasattr(request, "_body"):
        return await request.body()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise too_large()
    except ClientDisconnect:
        raise Refusal("broken_off", "the body broke off before its end") from None
    except RuntimeError:
        raise BodyWasParsed(_ADVICE) from None
    return bytes(body)
