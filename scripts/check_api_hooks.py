"""What schemathesis must know beside the document, for `scripts/check-api`."""

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
