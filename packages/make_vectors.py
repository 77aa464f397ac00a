"""Makes vectors.json: requests, and what a receiver makes of each.

    python3 packages/make_vectors.py            writes the file
    python3 packages/make_vectors.py --check    fails if the file is not what this program writes

The expectations are worked out here from the rules in docs/receiving.md, with the standard library only. No receiver's
code is used, so a mistake in one of them cannot become an expectation.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import unicodedata

FILE = pathlib.Path(__file__).with_name("vectors.json")
SECRET = "both sides know ït"
OLD = "of before the rotation"
LIMIT = 2 * 1024 * 1024

#: Receivers that take the algorithm from the token have been given the public key as if it were a secret.
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
)

HEADER = '{"alg":"HS256","typ":"JWT"}'
CALL = '{"call_id":4513924407164928,"state":"hangup","event_timestamp":1795253415180,"duration":8951.03}'

DESCRIPTION = (
    "Requests that a receiver of Switchhook's or Dialpad's webhooks may get, and what is right to do with each. Sign "
    "nothing yourself: post `body` (or the bytes of `body_base64`, or `body_repeated`: a text and how many times) as it "
    "is, with `headers`, to a receiver that knows exactly `secrets`. `accept` is true, false or \"either\". `status` and "
    "`refusal` are the answer of Switchhook's own receivers; any 2xx accepts and any 4xx refuses. `small` says why a "
    "receiver that looks less closely may do the opposite; it never may where that is absent. `event` is the event byte "
    "for byte. `reads` holds members as text or as numbers: ids are text, because 64 bits do not fit into a double. "
    "`repeat_key` tells a repeat from a new event: the first 16 bytes of a SHA-256, a `~` before them if they count for "
    "five minutes only. Those whose `refusal` is `not_an_object` have both for receivers that are told to take any JSON. "
    "`calls` are sequences of call events, and which of them are legs of one call; `orders` are call "
    "events in the order of their arrival, and whether each comes after a newer one of its leg."
)


def encoded(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tag(signed, secret, digest=hashlib.sha256):
    return hmac.new(secret.encode(), signed.encode(), digest).digest()


def token(payload=CALL, secret=SECRET, header=HEADER):
    """Signed with HS256, whatever the header says."""
    signed = encoded(header) + "." + encoded(payload)
    return signed + "." + encoded(tag(signed, secret))


def key(what, *parts):
    whole = hashlib.sha256()
    for part in (what, *parts):
        part = part.encode() if isinstance(part, str) else part
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:32]


def call_key(call_id, state, at):
    return key("call", call_id, state, at)


def brief_key(payload):
    return "~" + key("bytes", payload)


VECTORS = []


def vector(name, body, accept, small=None, headers=None, secrets=(SECRET,), **expect):
    entry = {"name": name, "secrets": list(secrets)}
    if headers:
        entry["headers"] = headers
    if isinstance(body, tuple):
        entry["body_repeated"] = list(body)
    elif isinstance(body, bytes):
        entry["body_base64"] = base64.b64encode(body).decode()
    else:
        entry["body"] = body
    entry["accept"] = accept
    if small:
        entry["small"] = small
    VECTORS.append({**entry, **expect})


def good(name, payload, kind="call", body=None, **more):
    vector(name, token(payload) if body is None else body, True, status=200, kind=kind, event=payload, **more)


def bad(name, body, status, refusal, **more):
    vector(name, body, False, status=status, refusal=refusal, **more)


def any_json(payload, refusal="not_an_object"):
    """What else is said of what only a receiver takes that was told to take any JSON."""
    return {"event": payload, "repeat_key": brief_key(payload)} if refusal == "not_an_object" else {}


def genuine():
    named = call_key("4513924407164928", "hangup", "1795253415180")
    good("good", CALL, reads={"call_id": "4513924407164928", "duration_ms": 8951.03}, repeat_key=named)
    body = '{"call_id":1,"state":"hangup"}'
    vector(
        "good-documented", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjYWxsX2lkIjoxLCJzdGF0ZSI6Imhhbmd1cCJ9."
        "ke73qarWiHOgC52GIVjx3D-ICfsGMvruqLWgoLjtzCU", True, secrets=["hunter2"], status=200, kind="call", event=body,
        reads={"call_id": "1"}, repeat_key=brief_key(body),
    )
    for content_type in ("application/jwt", "text/plain", "application/json", "application/octet-stream"):
        name = "content-type-" + content_type.split("/")[1]
        good(name, CALL, headers={"Content-Type": content_type}, repeat_key=named)
    labels = {"Switchhook-Event-Id": "7730318061039616", "Switchhook-Event-Kind": "call", "Switchhook-Attempt": "2"}
    good("labelled", CALL, headers=labels, repeat_key=key("id", "7730318061039616", CALL))
    odd = {"Switchhook-Event-Id": "../../etc/passwd"}
    good("labelled-with-no-id", CALL, headers=odd, repeat_key=named)
    unknown = '{"id":1}'
    good("kind-by-label", unknown, kind="changelog", headers={"Switchhook-Event-Kind": "changelog"},
         repeat_key=brief_key(unknown))
    good("kind-of-none", unknown, kind=None, repeat_key=brief_key(unknown))
    good("empty-object", "{}", kind=None, repeat_key=brief_key("{}"))
    sms = '{"id":5831027746103296,"from_number":"+15550100","to_number":["+15550142"],"message_status":"delivered",' \
          '"message_delivery_result":"accepted","text":null}'
    good("sms", sms, kind="sms", reads={"id": "5831027746103296"},
         repeat_key=key("sms", "5831027746103296", "delivered", "accepted"))
    agent = '{"availability_status":"unavailable","on_duty_status":"wrapup","call_center_ids":["4893016274501632"],' \
            '"target":{"id":5724160613416960,"type":"user"},"event_timestamp":1795253415200}'
    good("agent-status", agent, kind="agent_status", reads={"target.id": "5724160613416960"},
         repeat_key=key("agent_status", "5724160613416960", "1795253415200", ""))
    contact = '{"event":"Updated","contact":{"id":"5109482775412736","type":"shared"}}'
    good("contact", contact, kind="contact", reads={"contact.id": "5109482775412736"}, repeat_key=brief_key(contact))
    change = '{"date":1795253500000,"action":"updated_ivr","additional_data":null,"changed_by":{"id":5724160613416960}}'
    good("changelog", change, kind="changelog", reads={"changed_by.id": "5724160613416960"},
         repeat_key=brief_key(change))


def payloads():
    text = '{"call_id":7,"state":"hangup","event_timestamp":1,"note":"Zoë \\"Z\\" 😀 日本 \\u2028\\u0000 \\\\"}'
    good("unicode", text, repeat_key=call_key("7", "hangup", "1"))
    half = '{"call_id":7,"state":"hangup","event_timestamp":1,"note":"cut \\ud83d"}'
    good("half-a-surrogate", half, small="Ruby and PHP refuse half a surrogate pair",
         repeat_key=call_key("7", "hangup", "1"))
    for name, number in [("int64", "9223372036854775807"), ("int-over-2-53", "9007199254740993"), ("int-zero", "0")]:
        payload = '{"call_id":%s,"state":"ringing","event_timestamp":5}' % number
        good(name, payload, reads={"call_id": number}, repeat_key=call_key(number, "ringing", "5"))
    payload = '{"call_id":"9007199254740993","state":"ringing","event_timestamp":"5"}'
    good("id-as-text", payload, small="a receiver with typed numbers may refuse an id in quotes",
         reads={"call_id": "9007199254740993"}, repeat_key=call_key("9007199254740993", "ringing", "5"))
    payload = '{"call_id":7,"state":"recording","event_timestamp":5.9,"duration":8951.029999999999,' \
              '"recording_details":[{"id":9007199254740993,"duration":12.5}],"mos_score":4.41}'
    good("floats", payload, reads={"duration_ms": 8951.029999999999, "recording_details.0.duration_ms": 12.5,
                                   "recording_details.0.id": "9007199254740993"},
         repeat_key=call_key("7", "recording", "5"))
    payload = '{"call_id":7,"state":"hangup","event_timestamp":5,"duration":8.95103e3,"talk_time":1E2,"hold_time":-0.0}'
    good("floats-with-exponents", payload, reads={"duration_ms": 8951.03, "talk_time_ms": 100},
         repeat_key=call_key("7", "hangup", "5"))
    payload = '{"call_id":7,"state":"hangup","event_timestamp":5,"duration":null,"contact":{},"target":{},' \
              '"labels":[],"date_connected":null,"master_call_id":null,"recording_details":[]}'
    good("nulls", payload, reads={"duration_ms": None}, repeat_key=call_key("7", "hangup", "5"))
    payload = '{"call_id":null,"state":null}'
    good("nothing-but-nulls", payload, repeat_key=brief_key(payload))
    payload = '{"call_id":7,"state":"teleported","event_timestamp":5,"of_tomorrow":{"id":1}}'
    good("unknown-state-and-member", payload, reads={"of_tomorrow.id": "1"},
         repeat_key=call_key("7", "teleported", "5"))
    payload = '{"\\u0063all_id":9007199254740993,"st\\u0061te":"hold","event_timestamp":5}'
    good("members-with-escapes", payload, small="a receiver that finds ids by a pattern rounds this one",
         reads={"call_id": "9007199254740993"}, repeat_key=call_key("9007199254740993", "hold", "5"))
    payload = '{"note":"\\\\\\"{\\"call_id\\":1,[\\\\","call_id":9007199254740993,"state":"hold","event_timestamp":5}'
    good("quotes-and-brackets-in-a-text", payload, reads={"call_id": "9007199254740993"},
         repeat_key=call_key("9007199254740993", "hold", "5"))
    payload = '{"__proto__":{"call_id":7,"state":"hangup"},"constructor":{"prototype":{}}}'
    good("members-of-a-prototype", payload, kind=None, repeat_key=brief_key(payload))
    payload = '{"data":{"call_id":7,"state":"hangup"},"event":"call.ended"}'
    good("an-envelope", payload, kind=None, repeat_key=brief_key(payload))
    payload = '{"on_duty_status":"available","call_center_ids":[9007199254740993,7],"target":{"id":7},"event_timestamp":5}'
    good("ids-in-a-list", payload, kind="agent_status", reads={"call_center_ids.0": "9007199254740993", "target.id": "7"},
         repeat_key=key("agent_status", "7", "5", ""))
    payload = ' {\n "state" : "hold" ,\r\n\t"call_id" : 7 , "event_timestamp" : 5 } \n'
    good("spaced", payload, repeat_key=call_key("7", "hold", "5"))
    payload = '{"call_id":1,"state":"hold","event_timestamp":5,"call_id":7}'
    good("member-twice", payload, reads={"call_id": "7"}, repeat_key=call_key("7", "hold", "5"))
    payload = '{"call_id":7,"state":"hold","event_timestamp":5,"large":1e400}'
    good("beyond-a-double", payload, small="Go refuses a number that is too large for a double",
         repeat_key=call_key("7", "hold", "5"))
    payload = '{"call_id":7,"state":"hold","event_timestamp":5,"exp":1,"aud":"x","sub":5,"iat":1795253415180}'
    good("claims-of-its-own", payload, repeat_key=call_key("7", "hold", "5"))
    payload = '{"call_id":7,"state":"hold","event_timestamp":5,"deep":' + "[" * 50 + "]" * 50 + "}"
    good("nested-50", payload, repeat_key=call_key("7", "hold", "5"))
    payload = '{"call_id":7,"state":"hold","deep":' + "[" * 20_000 + "]" * 20_000 + "}"
    vector("nested-20000", token(payload), "either")
    payload = '{"call_id":7,"state":"hold","event_timestamp":5,"long":"' + "x" * 40_000 + '"}'
    good("long", payload, repeat_key=call_key("7", "hold", "5"))
    refused = [
        ("an-array", "[]", "not_an_object"), ("a-text", '"text"', "not_an_object"), ("a-null", "null", "not_an_object"),
        ("a-number", "7", "not_an_object"), ("no-json", "nonsense", "not_json"), ("no-payload", "", "empty"),
        ("white-space-only", " \n", "empty"), ("two-objects", "{}{}", "not_json"), ("half-an-object", CALL[:-9], "not_json"),
        ("a-comma-too-many", '{"call_id":7,}', "not_json"), ("single-quotes", "{'call_id':7}", "not_json"),
        ("not-a-number", '{"call_id":7,"duration":NaN}', "not_json"),
        ("infinity", '{"call_id":7,"duration":-Infinity}', "not_json"),
        ("a-line-break-in-a-text", '{"call_id":7,"note":"a\nb"}', "not_json"),
        ("a-zero-before-a-number", '{"call_id":07}', "not_json"),
        ("a-byte-order-mark", "\ufeff" + CALL, "not_json"), ("after-a-nul", "\0" + CALL, "not_json"),
        ("spaced-otherwise", "\u00a0" + CALL, "not_json"), ("cut-in-a-letter", CALL[:-1] + ',"note":"\\u00', "not_json"),
    ]
    for name, payload, refusal in refused:
        bad("payload-is-" + name, token(payload), 400, refusal, **any_json(payload, refusal))
    bad("payload-is-no-utf-8", token(b'{"call_id":7,"note":"\xff\xfe"}'), 400, "not_utf8",
        small="Node and Go replace what is no character")
    bad("payload-is-utf-16", token(CALL.encode("utf-16-le")), 400, "not_json")


def headers():
    spelled = [
        ("other-order", '{"typ":"JWT","alg":"HS256"}'), ("spaced", '{ "alg" : "HS256" }'), ("no-type", '{"alg":"HS256"}'),
        ("key-id", '{"alg":"HS256","typ":"JWT","kid":"5ada2679854afa67"}'),
    ]
    for name, header in spelled:
        good("header-" + name, CALL, body=token(header=header))
    own = encoded("another")
    header = '{"alg":"HS256","jwk":{"kty":"oct","k":"%s"},"jku":"http://127.0.0.1:9/keys","kid":"../../dev/null"}' % own
    bad("header-brings-its-own-key", token(secret="another", header=header), 401, "wrong_signature")
    good("header-with-escapes", CALL, body=token(header='{"al\\u0067":"HS\\u003256"}'))
    vector("header-names-two-algorithms", token(header='{"alg":"none","alg":"HS256"}'), "either")
    small = "a receiver that knows no extensions may pass `crit` over"
    bad("header-critical", token(header='{"alg":"HS256","crit":["b64"],"b64":false}'), 400, "critical", small=small)
    for algorithm in ("none", "None", "NONE"):
        header = '{"alg":"%s"}' % algorithm
        bad("unsigned-" + algorithm, encoded(header) + "." + encoded(CALL) + ".", 401, "unsigned")
    bad("unsigned-with-a-signature", token(header='{"alg":"none"}'), 401, "unsigned")
    for algorithm in ("RS256", "ES256", "HS384", "HS512", "hs256", " HS256", ""):
        header = json.dumps({"alg": algorithm, "typ": "JWT"})
        bad("algorithm-" + (algorithm.strip() if algorithm == algorithm.strip() else "spaced"),
            token(header=header), 401, "other_algorithm")
    signed = encoded('{"alg":"HS512","typ":"JWT"}') + "." + encoded(CALL)
    whole = signed + "." + encoded(tag(signed, SECRET, hashlib.sha512))
    bad("algorithm-HS512-rightly-signed", whole, 401, "other_algorithm")
    signed = encoded('{"alg":"RS256","typ":"JWT"}') + "." + encoded(CALL)
    bad("algorithm-RS256-with-a-signature-of-its-size", f"{signed}.{encoded(bytes(range(256)))}", 401, "other_algorithm")
    bad("algorithm-is-a-list", token(header='{"alg":["HS256"]}'), 401, "other_algorithm")
    bad("algorithm-is-null", token(header='{"alg":null}'), 401, "other_algorithm")
    bad("no-algorithm", token(header="{}"), 401, "no_algorithm")
    for name, header in [("an-array", "[]"), ("null", "null"), ("a-text", '"HS256"'), ("no-json", "HS256"), ("empty", ""),
                         ("no-utf-8", b'{"alg":"HS256","x":"\xff"}')]:
        small = "Node and Go replace what is no character" if name == "no-utf-8" else None
        bad("header-is-" + name, token(header=header), 400, "header_not_json", small=small)


def last_changed(segment):
    """The same bytes to a careless decoder: the last character differs in bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


def signatures():
    whole = token()
    header, payload, signature = whole.split(".")
    bad("other-secret", token(secret="another"), 401, "wrong_signature")
    bad("other-secret-empty", token(secret=""), 401, "wrong_signature")
    bad("other-secret-with-a-line-break", token(secret=SECRET + "\n"), 401, "wrong_signature")
    decomposed = unicodedata.normalize("NFD", SECRET)
    assert decomposed != SECRET
    bad("other-secret-decomposed", token(secret=decomposed), 401, "wrong_signature")
    bad("other-secret-is-a-public-key", token(secret=PUBLIC_KEY), 401, "wrong_signature")
    bad("other-secret-is-the-encoded-one", token(secret=encoded(SECRET)), 401, "wrong_signature")
    changed = encoded(CALL.replace("hangup", "missed"))
    bad("payload-changed", f"{header}.{changed}.{signature}", 401, "wrong_signature")
    bad("payload-compacted", f"{header}.{encoded(CALL + ' ')}.{signature}", 401, "wrong_signature")
    bad("signature-of-zeros", f"{header}.{payload}.{'A' * 43}", 401, "wrong_signature")
    bad("signature-too-short", f"{header}.{payload}.{encoded(tag(header + '.' + payload, SECRET)[:16])}", 401,
        "wrong_signature")
    bad("signature-missing", f"{header}.{payload}.", 401, "wrong_signature")
    hexadecimal = tag(header + "." + payload, SECRET).hex()
    bad("signature-in-hexadecimal", f"{header}.{payload}.{hexadecimal}", 401, "wrong_signature")
    bad("signature-last-character", f"{header}.{payload}.{last_changed(signature)}", 400, "not_canonical",
        small="many decoders pass over the last bits; the event is the same")
    good("two-secrets-new", CALL, secrets=[SECRET, OLD])
    good("two-secrets-old", CALL, body=token(secret=OLD), secrets=[SECRET, OLD])
    good("two-secrets-old-first", CALL, secrets=[OLD, SECRET])
    bad("two-secrets-unsigned", encoded('{"alg":"none"}') + "." + encoded(CALL) + ".", 401, "unsigned", secrets=[SECRET, OLD])
    bad("two-secrets-neither", token(secret="another"), 401, "wrong_signature", secrets=[SECRET, OLD])
    bad("rotated-away", token(secret=OLD), 401, "wrong_signature")


def shapes():
    whole = token()
    header, payload, signature = whole.split(".")
    bad("nothing", "", 400, "empty")
    bad("plain-json", CALL, 401, "plain_json")
    bad("plain-json-spaced", " \n" + CALL, 401, "plain_json")
    bad("text", "hello", 400, "segments")
    bad("two-segments", f"{header}.{payload}", 400, "segments")
    bad("four-segments", f"{whole}.{signature}", 400, "segments")
    bad("dots", "..", 400, "header_not_json")
    bad("dots-four", "....", 400, "segments")
    bad("truncated-in-signature", whole[:-2], 400, "cut_off")
    bad("truncated-in-payload", whole[: len(header) + 30], 400, "segments")
    bad("space-before", " " + whole, 400, "not_base64")
    bad("line-break-after", whole + "\n", 400, "not_base64")
    bad("line-break-of-two-after", whole + "\r\n", 400, "not_base64")
    bad("tab-before", "\t" + whole, 400, "not_base64")
    bad("line-break-in-header", f"{header[:9]}\n{header[9:]}.{payload}.{signature}", 400, "not_base64")
    bad("line-break-in-signature", f"{header}.{payload}.{signature[:9]}\n{signature[9:]}", 400, "not_base64")
    bad("spaces-around-the-dots", f"{header} . {payload} . {signature}", 400, "not_base64")
    bad("line-break-within", f"{header}.{payload[:9]}\n{payload[9:]}.{signature}", 401, "wrong_signature")
    bad("byte-order-mark", "\ufeff" + whole, 400, "not_base64")
    bad("quotes", f'"{whole}"', 400, "not_base64")
    bad("bearer", "Bearer " + whole, 400, "not_base64")
    bad("in-json", json.dumps({"token": whole}), 401, "plain_json")
    bad("padded", whole + "=", 400, "padded")
    standard = base64.b64encode(tag(header + "." + payload, SECRET)).decode().rstrip("=")
    assert set(standard) & set("+/"), "a signature that differs between the two alphabets"
    bad("signature-in-plain-base64", f"{header}.{payload}.{standard}", 400, "not_base64")
    bad("no-ascii", whole[:-1] + "é", 400, "not_base64")
    bad("a-nul", whole + "\0", 400, "not_base64")
    bad("bytes", b"\xff\xfe\x00\x01", 400, "segments")
    bad("utf-16", "\ufeff".encode("utf-16-le") + whole.encode("utf-16-le"), 400, "not_base64")
    bad("truncated-to-two-dots", f"{header}.{payload[:40]}.", 401, "wrong_signature")
    bad("truncated-to-a-part-of-the-signature", whole[:-3], 401, "wrong_signature")
    bad("twice", whole + whole, 400, "segments")
    bad("as-large-as-can-be", ("a", LIMIT), 400, "segments")
    bad("too-large", ("a", LIMIT + 1), 413, "too_large")


def without_a_secret():
    """For receivers that were set up without a secret."""
    named = call_key("4513924407164928", "hangup", "1795253415180")
    vector("open-good", CALL, True, secrets=[], status=200, kind="call", event=CALL, repeat_key=named)
    vector("open-as-text", CALL, True, secrets=[], headers={"Content-Type": "text/plain"}, status=200, kind="call",
           event=CALL, repeat_key=named)
    spaced = " \t\r\n" + CALL + "\n"
    vector("open-spaced", spaced, True, secrets=[], status=200, kind="call", event=spaced, repeat_key=named)
    bad("open-signed", token(), 401, "secret_missing", secrets=[])
    bad("open-nothing", "", 400, "empty", secrets=[])
    array = "[" + CALL + "]"
    bad("open-array", array, 400, "not_an_object", secrets=[], **any_json(array))
    bad("open-no-json", "call_id=7&state=hangup", 400, "not_json", secrets=[])
    bad("open-truncated", CALL[:-9], 400, "not_json", secrets=[])
    bad("open-byte-order-mark", "\ufeff" + CALL, 400, "not_json", secrets=[])
    bad("open-no-utf-8", b'{"call_id":7,"note":"\xe9"}', 400, "not_utf8", secrets=[])


def leg(**members):
    return json.dumps(members, separators=(",", ":"))


def calls():
    """Each event with the key of its call, the keys that mean it from now on, and the keys of calls that it may be."""
    def step(event, call, merged=(), possibly=()):
        return {"event": event, "key": call, "merged": list(merged), "possibly": list(possibly)}

    office = dict(external_number="+15415550102", internal_number="+15415550103", date_started=1795624039404)
    person = dict(contact={"phone": "+15415550102"}, target={"phone": "(541) 555-0199"},
                  entry_point_target={"phone": "+15415550103"}, date_started=1795624041000)
    return [
        {"name": "legs-of-a-transfer", "events": [
            step(leg(call_id=1, state="ringing"), "1"),
            step(leg(call_id=2, entry_point_call_id=1, state="ringing"), "1"),
            step(leg(call_id=3, master_call_id=2, state="connected"), "1"),
            step(leg(call_id=9, state="ringing"), "9"),
        ]},
        {"name": "known-late-as-one", "events": [
            step(leg(call_id=1, state="ringing"), "1"),
            step(leg(call_id=2, state="ringing"), "2"),
            step(leg(call_id=1, operator_call_id=2, state="connected"), "1", merged=["2"]),
            step(leg(call_id=2, state="hangup"), "1"),
        ]},
        {"name": "zero-and-null-are-no-ids", "events": [
            step(leg(call_id=1, master_call_id=0, entry_point_call_id=None), "1"),
            step(leg(call_id=2, master_call_id=0, entry_point_call_id=None), "2"),
        ]},
        {"name": "a-number-and-its-text-are-one-id", "events": [
            step(leg(call_id=9007199254740993), "9007199254740993"),
            step(leg(call_id="5", master_call_id="9007199254740993"), "9007199254740993"),
            step(leg(call_id=9007199254740992), "9007199254740992"),
        ]},
        {"name": "alike-and-tied-by-no-id", "events": [
            step(leg(call_id=1, **office), "1"),
            step(leg(call_id=2, **person), "2", possibly=["1"]),
            step(leg(call_id=3, **{**office, "date_started": 1795624139404}), "3"),
            step(leg(call_id=4, **{**office, "external_number": "+15415550177"}), "4"),
        ]},
    ]


def orders():
    """Each event with whether a newer one of its leg was there before."""
    def step(late, **members):
        return {"event": leg(**members), "is_late": late}

    return [
        {"name": "ringing-after-hangup", "events": [
            step(False, call_id=1, state="ringing", event_timestamp=5),
            step(False, call_id=1, state="hangup", event_timestamp=9),
            step(True, call_id=1, state="connected", event_timestamp=7),
            step(False, call_id=2, state="ringing", event_timestamp=7),
            step(False, call_id=1, state="recording", event_timestamp=11),
        ]},
        {"name": "of-one-instant", "events": [
            step(False, call_id=1, state="hangup", event_timestamp=9),
            step(True, call_id=1, state="ringing", event_timestamp=9),
            step(False, call_id=1, state="recording", event_timestamp=9),
            step(False, call_id=1, state="teleported", event_timestamp=10),
        ]},
        {"name": "without-a-time", "events": [
            step(False, call_id=1, state="hangup", event_timestamp=9),
            step(False, call_id=1, state="ringing"),
        ]},
    ]


def whole_file():
    VECTORS.clear()
    for part in (genuine, payloads, headers, signatures, shapes, without_a_secret):
        part()
    names = [entry["name"] for entry in VECTORS]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    document = {"description": DESCRIPTION, "version": 1, "vectors": VECTORS, "calls": calls(), "orders": orders()}
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def main():
    text = whole_file()
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != text:
            sys.exit("packages/vectors.json is not current: run python3 packages/make_vectors.py")
    else:
        FILE.write_text(text, encoding="utf-8")
        print(f"{FILE.name}: {len(VECTORS)} vectors")


if __name__ == "__main__":
    main()
