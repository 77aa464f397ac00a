"""For Flask.

    app.add_url_rule("/hook", view_func=view(receiver, on_call=save), methods=["POST"])
"""

from typing import Callable

from flask import Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from ._receiver import Handler, Receiver, too_large
from ._refusal import BodyWasParsed, Refusal
from ._token import MAX_BODY_BYTES

_ADVICE = "in Flask, let nothing read `request.form` or `request.stream` before the view"


def view(receiver: Receiver, name: str = "receive_event", **handlers: Handler) -> Callable[[], Response]:
    """A view that takes a request; the names of the handlers are those of ``Receiver.handler``."""
    handler = receiver.handler(**handlers)

    def receive_event() -> Response:
        try:
            body = _body()
        except (Refusal, BodyWasParsed) as error:
            answer = receiver.refuse(error)
        else:
            answer = handler.receive(body, request.headers)
        return Response(answer.message + "\n", answer.status, answer.headers)

    receive_event.__name__ = name
    return receive_event


def _body() -> bytes:
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        # Read to its end in slices all the same, so that the sender gets to read the answer.
        while request.stream.read(65_536):
            pass
        raise too_large()
    try:
        # What somebody asked for before is kept there; and what has no length is read no further than it may be long.
        if length is None and "_cached_data" not in request.__dict__:
            body = _read_some(MAX_BODY_BYTES + 1)
            if len(body) > MAX_BODY_BYTES:
                raise too_large()
            return body
        # Not decoded, whatever its content type.
        body = request.get_data(cache=True, parse_form_data=False)
    except RequestEntityTooLarge:
        raise too_large() from None
    except ClientDisconnected:
        raise Refusal("broken_off", "the body broke off before its end") from None
    if not body and length:
        raise BodyWasParsed(_ADVICE)
    return body


def _read_some(most: int) -> bytes:
    parts, left = [], most
    while left > 0:
        part = request.stream.read(min(left, 65_536))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
