"""Why a request is not taken, and what to answer then. Nothing here holds anything secret."""

_UNAUTHORIZED = frozenset(
    ("plain_json", "no_algorithm", "unsigned", "other_algorithm", "wrong_signature", "secret_missing")
)


class Refusal(ValueError):
    """The body of a request is not an event that this receiver takes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        #: What was wrong; the words are those of ``packages/vectors.json``.
        self.code = code

    @property
    def status(self) -> int:
        """The status to answer: 401 if the signature is missing or wrong, 413 if the body is too large, else 400."""
        if self.code == "too_large":
            return 413
        return 401 if self.code in _UNAUTHORIZED else 400


class BodyWasParsed(TypeError):
    """The framework parsed the body before the receiver saw it, so the bytes that were signed are gone.

    The message says what to change. The answer is 500, so that the event comes again when it has been changed.
    """

    status = 500

    def __init__(self, advice: str) -> None:
        super().__init__(
            "the body was parsed or read before the receiver saw it, and a signature covers its exact bytes; " + advice
        )


class InvalidSecret(ValueError):
    """A receiver cannot be made: a secret is empty or was never set."""


class HandlerTimedOut(TimeoutError):
    """A handler did not come to its end in time. The answer is 500, and the event comes again."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(
            f"the handler did not come to its end within {timeout_seconds:g} s, so the event may come again"
        )
