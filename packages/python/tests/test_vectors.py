"""Holds the receiver against vectors.json; SWITCHHOOK_VECTORS says where the file is, if it is not in the repository."""

import base64
import json
import os
import pathlib
import unittest

from switchhook_receiver import Calls, LegOrder, Refusal, create_receiver

FILE = pathlib.Path(os.environ.get("SWITCHHOOK_VECTORS") or pathlib.Path(__file__).parents[2] / "vectors.json")
DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))


def body_of(vector):
    if "body" in vector:
        return vector["body"]
    if "body_repeated" in vector:
        text, times = vector["body_repeated"]
        return text * times
    return base64.b64decode(vector["body_base64"])


def member(payload, path):
    for name in path.split("."):
        payload = payload[int(name) if isinstance(payload, list) else name]
    return payload


def payload_of(text):
    return create_receiver().verify(text).payload


class Vectors(unittest.TestCase):
    def test_every_vector_is_judged_as_the_file_says(self):
        self.assertGreater(len(DOCUMENT["vectors"]), 100)
        for vector in DOCUMENT["vectors"]:
            with self.subTest(vector["name"]):
                self.judge(vector)

    def judge(self, vector):
        options = {"secrets": vector["secrets"]} if vector["secrets"] else {}
        receiver = create_receiver(report=lambda trouble: None, **options)
        answer = receiver.handler().receive(body_of(vector), vector.get("headers"))
        if vector["accept"] == "either":
            self.assertTrue(answer.status == 200 or 400 <= answer.status < 500)
            return
        self.assertEqual(answer.status, vector["status"])
        try:
            event = receiver.verify(body_of(vector), vector.get("headers"))
        except Refusal as refusal:
            self.assertFalse(vector["accept"], refusal)
            self.assertEqual((refusal.code, refusal.status), (vector["refusal"], vector["status"]))
            return
        self.assertTrue(vector["accept"])
        self.assertEqual((event.kind, event.text), (vector["kind"], vector["event"]))
        self.assertEqual(event.repeat_key, vector.get("repeat_key", event.repeat_key))
        for path, value in vector.get("reads", {}).items():
            self.assertEqual(member(event.payload, path), value, path)

    def test_what_is_no_object_is_taken_by_a_receiver_of_any_json(self):
        vectors = [vector for vector in DOCUMENT["vectors"] if vector.get("refusal") == "not_an_object"]
        self.assertTrue(vectors)
        for vector in vectors:
            options = {"secrets": vector["secrets"]} if vector["secrets"] else {}
            event = create_receiver(accept_any_json=True, **options).verify(body_of(vector), {"Switchhook-Event-Kind": "call"})
            found = (event.kind, event.payload, event.text, event.repeat_key, event.summary)
            wanted = (None, {}, vector["event"], vector["repeat_key"], "of no known kind")
            self.assertEqual(found, wanted, vector["name"])

    def test_the_legs_of_a_call_are_those_of_the_file(self):
        for sequence in DOCUMENT["calls"]:
            calls = Calls()
            for step in sequence["events"]:
                of = calls.call_of(payload_of(step["event"]))
                found = (of.key, of.merged, of.possibly)
                self.assertEqual(found, (step["key"], step["merged"], step["possibly"]), step["event"])

    def test_an_event_is_late_where_the_file_says_so(self):
        for sequence in DOCUMENT["orders"]:
            order = LegOrder()
            for step in sequence["events"]:
                self.assertEqual(order.is_late(payload_of(step["event"])), step["is_late"], step["event"])


if __name__ == "__main__":
    unittest.main()
