"""For AWS Lambda: function URLs, API Gateway (both payload formats) and load balancers.

    handler = lambda_handler(receiver, on_call=save)

Functions share no memory: give the receiver a ``repeats`` store outside, such as DynamoDB.
"""

import base64
import binascii
from typing import Any, Callable, Dict

from ._receiver import Answer, Handler, Receiver
from ._refusal import BodyWasParsed, Refusal

_ADVICE = (
    "in API Gateway, use a proxy integration (`AWS_PROXY`) without a mapping template, so that the function gets the "
    "body as text"
)


def lambda_handler(receiver: Receiver, **handlers: Handler) -> Callable[[Dict[str, Any], Any], Dict[str, Any]]:
    """A function's handler; the names of the handlers are those of ``Receiver.handler``."""
    events = receiver.handler(**handlers)

    def receive_event(event: Dict[str, Any], context: Any = None) -> Dict[str, Any]:
        answer = _answer(event)
        # A load balancer wants it said how the body is encoded.
        one = {"statusCode": answer.status, "isBase64Encoded": False, "headers": answer.headers, "body": answer.message + "\n"}
        if not event.get("headers") and event.get("multiValueHeaders"):
            # One that was told to hand over headers with several values takes no others.
            one["multiValueHeaders"] = {name: [value] for name, value in answer.headers.items()}
        return one

    def _answer(event: Dict[str, Any]) -> Answer:
        http = (event.get("requestContext") or {}).get("http") or {}
        if (event.get("httpMethod") or http.get("method") or "POST") != "POST":
            return Answer(405, "events are sent with POST")
        try:
            body = _body(event)
        except (Refusal, BodyWasParsed) as error:
            return receiver.refuse(error)
        return events.receive(body, event.get("headers") or event.get("multiValueHeaders") or {})

    return receive_event


def _body(event: Dict[str, Any]) -> Any:
    body = event.get("body")
    is_of_gateway = "httpMethod" in event or "requestContext" in event or isinstance(body, str)
    if not is_of_gateway or not (body is None or isinstance(body, str)):
        raise BodyWasParsed(_ADVICE)
    if body is not None and event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error:
            raise Refusal("broken_off", "the gateway's base64 of the body is cut off") from None
    return body
