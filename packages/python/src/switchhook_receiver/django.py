"""For Django.

    urlpatterns = [path("hook", view(receiver, on_call=save))]
"""

from typing import Callable

from django.http import HttpRequest, HttpResponse, RawPostDataException, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from ._receiver import Answer, Handler, Receiver, too_large
from ._refusal import BodyWasParsed, Refusal
from ._token import MAX_BODY_BYTES

_ADVICE = "in Django, let no middleware read `request.POST` or `request.read()` before the view"


def view(receiver: Receiver, **handlers: Handler) -> Callable[[HttpRequest], HttpResponse]:
    """A view that takes a request; the names of the handlers are those of ``Receiver.handler``.

    It is exempt from the CSRF check, which is for browsers.
    """
    handler = receiver.handler(**handlers)

    def receive_event(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            answer = Answer(405, "events are sent with POST")
        else:
            try:
                body = _body(request)
            except (Refusal, BodyWasParsed) as error:
                answer = receiver.refuse(error)
            else:
                answer = handler.receive(body, request.headers)
        return HttpResponse(answer.message + "\n", status=answer.status, headers=answer.headers)

    exempt: Callable[[HttpRequest], HttpResponse] = csrf_exempt(receive_event)
    return exempt


def _body(request: HttpRequest) -> bytes:
    # Not `request.body` where nobody read it: Django's own limit is lower than that of events, and answers 400.
    if hasattr(request, "_body"):
        return bytes(request.body)
    try:
        if getattr(request, "_read_started", False):
            raise RawPostDataException
        body = bytearray()
        length = 0
        for chunk in iter(lambda: request.read(65_536), b""):
            length += len(chunk)
            if length <= MAX_BODY_BYTES:
                body += chunk
    except RawPostDataException:
        raise BodyWasParsed(_ADVICE) from None
    except UnreadablePostError:
        raise Refusal("broken_off", "the body broke off before its end") from None
    if length > MAX_BODY_BYTES:
        raise too_large()
    return bytes(body)
