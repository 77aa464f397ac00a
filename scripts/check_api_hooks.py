"""What schemathesis must know beside the document, for `scripts/check-api`."""

import re

import schemathesis
from hypothesis import strategies

# Every server decides for itself where it may send to, which no schema can tell; these addresses are always fine.
schemathesis.openapi.format(
    "uri",
    strategies.sampled_from(
        [
            "https://example.com/hooks",
            "https://hooks.example.org:8443/a/b?c=d",
            "https://EXAMPLE.net/%20?x",
        ]
    ),
)

# What has a grammar of its own, which no schema can tell: wherever the schema holds, one that is right is sent instead. A test
# of the server holds what is wrong.
RIGHT = {
    "ca": (str, None),
    "auth": (dict, {"type": "bearer", "token": "t0ken"}),
    "template": (str, "slack-missed-call"),
    "quiet_hours": (str, "22:00-07:00 Europe/Berlin"),
    "event_headers": (dict, {"X-Call": "{{ event.call_id }}"}),
    "filter": (dict, {"state": "hangup"}),
    # It takes a secret, which may be there already.
    "standard_webhooks": (bool, None),
}
LONGEST = {"ca": 32_768, "template": 16_384}


def is_right_for_its_schema(name, value):
    if not isinstance(value, RIGHT[name][0]):
        return False
    if isinstance(value, str):
        return len(value) <= LONGEST.get(name, len(value)) and "\0" not in value
    if name == "event_headers":
        is_header = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
        return len(value) <= 8 and all(is_header(key) and isinstance(text, str) for key, text in value.items())
    return True


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if isinstance(case.body, dict) and path.startswith(("/v1/webhooks", "/v1/subscriptions")):
        for name, (_, right) in RIGHT.items():
            if name in case.body and is_right_for_its_schema(name, case.body[name]):
                case.body[name] = right
    if case.query and path.endswith("/feed"):
        # Waiting is what it is asked for; and a token can only be had for a webhook.
        if str(case.query.get("wait")).isdigit() and int(case.query["wait"]) <= 30:
            case.query["wait"] = 0
        if case.query.get("format") == "jwt":
            case.query["format"] = "json"
