"""Makes receivers: a body in, an event or a reason out; and for those who want it, a whole answer."""

import asyncio
import inspect
import logging
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Dict, Optional, Sequence, TypeVar, Union

from ._received import BRIEF_SECONDS, HeadersLike, Labels, Received, received
from ._refusal import BodyWasParsed, HandlerTimedOut, InvalidSecret, Refusal
from ._repeats import RepeatsInMemory, RepeatStore
from ._token import MAX_BODY_BYTES, verify_token

Secret = Union[str, bytes]
Handler = Callable[[Received], Any]
T = TypeVar("T")

_LOG = logging.getLogger("switchhook_receiver")
_NOT_GIVEN: Any = object()
_DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Answer:
    """What to answer to a request."""

    status: int
    #: A line for the sender's log: nothing secret, nothing of what went wrong inside.
    message: str
    #: What to put into ``Retry-After``, in seconds.
    retry_after: Optional[int] = None

    @property
    def headers(self) -> Dict[str, str]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.status == 405:
            headers["Allow"] = "POST"
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


@dataclass(frozen=True)
class Trouble:
    """Why an event was not dealt with: ``refused``, ``body_was_parsed``, ``handler_failed`` or ``not_remembered``."""

    what: str
    error: BaseException


def create_receiver(
    secret: Optional[Secret] = _NOT_GIVEN,
    secrets: Optional[Sequence[Secret]] = _NOT_GIVEN,
    *,
    accept_quoted: bool = False,
    accept_any_json: bool = False,
    repeats: Optional[RepeatStore] = None,
    remember_seconds: float = 7 * _DAY_SECONDS,
    handler_timeout_seconds: float = 60,
    report: Optional[Callable[[Trouble], None]] = None,
) -> "Receiver":
    """Makes a receiver. Without a secret it takes unsigned JSON only, from anybody.

    An empty secret, or ``None`` as of an environment variable that is not set, is an error and never an open door.

    :param secret: The secret that was given when the webhook was created.
    :param secrets: Several, while one is being replaced by another: any of them may have signed.
    :param accept_quoted: Takes tokens that stand in quotes too, as a gateway makes them that turns bodies into JSON.
    :param accept_any_json: Takes events that are no objects too, such as an array, for whoever keeps what comes and looks
        at it later. No kind is one: ``on_other`` gets them, and they have their ``text`` and no members.
    :param repeats: Where it is remembered which events were dealt with.
    :param remember_seconds: For how long an event is known as a repeat: deliveries are tried again for three days.
    :param handler_timeout_seconds: How long a handler may take before it counts as failed and its event may come again.
        A coroutine is cancelled then. A plain function cannot be, and goes on.
    :param report: Called with whatever goes wrong. The default logs it with ``logging``.
    """
    given = [] if secret is _NOT_GIVEN else [secret]
    if secrets is not _NOT_GIVEN:
        if not secrets or isinstance(secrets, (str, bytes)):
            raise InvalidSecret("`secrets` is not a list, or an empty one; for unsigned events leave it out")
        given.extend(secrets)
    if not all(isinstance(one, (str, bytes)) and one for one in given):
        raise InvalidSecret(
            "a secret is empty or not set (is its environment variable?); for unsigned events give no secret at all"
        )
    keys = [one.encode() if isinstance(one, str) else one for one in given if one is not None]
    if not handler_timeout_seconds > 0:
        raise ValueError("`handler_timeout_seconds` must be more than 0")
    repeats = repeats or RepeatsInMemory(claim_seconds=handler_timeout_seconds)
    report = report or _write
    return Receiver(keys, accept_quoted, accept_any_json, repeats, remember_seconds, handler_timeout_seconds, report)


class Receiver:
    """Checks the bodies of requests. Made once with ``create_receiver``, then shared, also by threads."""

    def __init__(
        self,
        keys: Sequence[bytes],
        accept_quoted: bool,
        accept_any_json: bool,
        repeats: RepeatStore,
        remember_seconds: float,
        handler_timeout_seconds: float,
        report: Callable[[Trouble], None],
    ) -> None:
        self._keys = keys
        self._accept_quoted = accept_quoted
        self._accept_any_json = accept_any_json
        self._repeats = repeats
        self._remember_seconds = remember_seconds
        self._handler_timeout_seconds = handler_timeout_seconds
        self._report = report

    def verify(self, body: Union[str, bytes], headers: Optional[HeadersLike] = None) -> Received:
        """Takes the whole body of a request, whatever its ``Content-Type``: checks its signature, and that it is one event.

        Raises ``Refusal``, or ``BodyWasParsed`` if it is given anything but text or bytes.
        """
        content = _bytes_of(body)
        if len(content) > MAX_BODY_BYTES:
            raise too_large()
        if self._accept_quoted:
            content = _without_quotes(content)
        if self._keys:
            return received(verify_token(content, self._keys), Labels.of(headers), self._accept_any_json)
        # A token begins with the base64url of `{"`, and JSON never begins with the letter `e`.
        if content.startswith(b"ey"):
            raise Refusal(
                "secret_missing", "the event is signed, but this receiver has no secret; give it the webhook's"
            )
        return received(content, Labels.of(headers), self._accept_any_json)

    def handler(
        self,
        on_call: Optional[Handler] = None,
        on_sms: Optional[Handler] = None,
        on_agent_status: Optional[Handler] = None,
        on_contact: Optional[Handler] = None,
        on_change_log: Optional[Handler] = None,
        on_other: Optional[Handler] = None,
    ) -> "EventHandler":
        """Joins a function for each kind of event. One that raises is answered with 500, and the event comes again.

        ``on_other`` gets the events that no other function is for, those of no known kind included. The functions may be
        coroutines.
        """
        of_kind = {
            "call": on_call,
            "sms": on_sms,
            "agent_status": on_agent_status,
            "contact": on_contact,
            "changelog": on_change_log,
        }
        return EventHandler(self, of_kind, on_other)

    def refuse(self, error: BaseException) -> Answer:
        """The answer to a request whose body could not be taken as a whole."""
        if isinstance(error, Refusal):
            self._report(Trouble("refused", error))
            return Answer(error.status, str(error))
        return self._fail("body_was_parsed" if isinstance(error, BodyWasParsed) else "handler_failed", error)

    def _fail(self, what: str, error: BaseException) -> Answer:
        self._report(Trouble(what, error))
        return Answer(500, "the event could not be handled")


class EventHandler:
    """Verifies, drops repeats, calls the function of the event's kind, and says what to answer. Never raises."""

    def __init__(
        self, receiver: Receiver, of_kind: Dict[str, Optional[Handler]], otherwise: Optional[Handler]
    ) -> None:
        self.receiver = receiver
        self._of_kind = of_kind
        self._otherwise = otherwise

    def receive(self, body: Any, headers: Optional[HeadersLike] = None) -> Answer:
        """Takes a request on a server that has a thread for each; a coroutine is run to its end."""
        begun = self._begin(body, headers)
        if isinstance(begun, Answer):
            return begun
        try:
            handler = self._handler_of(begun)
            result = handler(begun) if handler else None
            if inspect.isawaitable(result):
                asyncio.run(self._in_time(result))
        except Exception as error:
            return self._give_up(begun, error)
        except BaseException:
            self._forget(begun)
            raise
        return self._done(begun)

    async def receive_async(self, body: Any, headers: Optional[HeadersLike] = None) -> Answer:
        """Takes a request on a server with an event loop. A plain function runs in a thread, as does the store."""
        begun = await _in_thread(self._begin, body, headers)
        if isinstance(begun, Answer):
            return begun
        try:
            handler = self._handler_of(begun)
            if _is_coroutine_function(handler):
                await self._in_time(handler(begun))  # type: ignore
            elif handler:
                result = await self._in_time(_in_thread(self._call, handler, begun))
                if inspect.isawaitable(result):
                    await self._in_time(result)
        except Exception as error:
            return await _in_thread(self._give_up, begun, error)
        except BaseException:
            # Cancelled: nothing can be waited for any more, and the event has to be able to come again.
            self._forget(begun)
            raise
        return await _in_thread(self._done, begun)

    async def _in_time(self, handled: Awaitable[T]) -> T:
        """Waits for what is being done, but no longer than a handler may take."""
        task = asyncio.ensure_future(_as_coroutine(handled))
        timeout = self.receiver._handler_timeout_seconds
        try:
            await asyncio.wait({task}, timeout=timeout)
            if task.done():
                return task.result()
            raise HandlerTimedOut(timeout)
        finally:
            task.cancel()

    def _call(self, handler: Handler, event: Received) -> Any:
        """Calls a plain function in a thread, where nothing can stop it."""
        begun_at = time.monotonic()
        result = handler(event)
        if time.monotonic() - begun_at > self.receiver._handler_timeout_seconds and not inspect.isawaitable(result):
            # Nobody waits any more. It came to a good end after all, and need not be done again.
            self._done(event)
        return result

    def _begin(self, body: Any, headers: Optional[HeadersLike]) -> Union[Received, Answer]:
        try:
            event = self.receiver.verify(body, headers)
        except Exception as error:
            return self.receiver.refuse(error)
        try:
            turn = self.receiver._repeats.begin(event.repeat_key)
        except Exception as error:
            return self.receiver._fail("not_remembered", error)
        if turn == "repeat":
            return Answer(200, "a repeat")
        if turn == "under_way":
            return Answer(503, "this event is being handled", retry_after=5)
        return event

    def _handler_of(self, event: Received) -> Optional[Handler]:
        return self._of_kind.get(event.kind or "") or self._otherwise

    def _give_up(self, event: Received, error: Exception) -> Answer:
        self._forget(event)
        return self.receiver._fail("handler_failed", error)

    def _forget(self, event: Received) -> None:
        try:
            self.receiver._repeats.forget(event.repeat_key)
        except Exception as forgetting:
            self.receiver._fail("not_remembered", forgetting)

    def _done(self, event: Received) -> Answer:
        window = self.receiver._remember_seconds
        if event.repeat_key.startswith("~"):
            window = min(window, BRIEF_SECONDS)
        try:
            self.receiver._repeats.done(event.repeat_key, window)
        except Exception as error:
            return self.receiver._fail("not_remembered", error)
        return Answer(200, "received")


def too_large() -> Refusal:
    return Refusal("too_large", f"the body has more than {MAX_BODY_BYTES} bytes, and more are not looked at")


def _bytes_of(body: Any) -> bytes:
    """The bytes of a body that nobody parsed."""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if body is None:
        return b""
    raise BodyWasParsed("hand over its text or bytes, not an object; each adapter of this package says how")


def _without_quotes(content: bytes) -> bytes:
    """The token inside a JSON string. It holds no character that JSON would escape."""
    bare = content.strip(b" \t\r\n")
    return bare[1:-1] if len(bare) >= 2 and bare[:1] == bare[-1:] == b'"' else content


def _is_coroutine_function(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _write(trouble: Trouble) -> None:
    error = trouble.error
    trace = (type(error), error, error.__traceback__) if trouble.what != "refused" else None
    _LOG.error("%s: %s", trouble.what.replace("_", " "), error, exc_info=trace)
