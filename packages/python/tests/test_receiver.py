"""What a receiver does with events, beyond judging them."""

import asyncio
import threading
import unittest

from signing import SECRET, hangup, sign
from switchhook_receiver import (
    BodyWasParsed,
    Calls,
    HandlerTimedOut,
    InvalidSecret,
    LegOrder,
    RepeatsInMemory,
    create_receiver,
    same_word,
)


def quiet(**options):
    return create_receiver(secret=SECRET, report=lambda trouble: None, **options)


class Broken:
    """A store of which one method fails."""

    def __init__(self, method):
        self.method = method

    def _ask(self, method, answer):
        if method == self.method:
            raise OSError("down")
        return answer

    def begin(self, key):
        return self._ask("begin", "first")

    def done(self, key, window_seconds):
        return self._ask("done", None)

    def forget(self, key):
        return self._ask("forget", None)


class Receiving(unittest.TestCase):
    def test_each_kind_goes_to_its_own_function_and_the_rest_to_the_other_one(self):
        seen = []

        def note(name):
            return lambda event: seen.append((name, event.kind))

        handler = quiet().handler(
            on_call=note("call"),
            on_sms=note("sms"),
            on_agent_status=note("agent"),
            on_contact=note("contact"),
            on_change_log=note("change"),
            on_other=note("other"),
        )
        events = [
            hangup(),
            {"id": 1, "from_number": "+1", "to_number": []},
            {"on_duty_status": None},
            {"event": "Created", "contact": {}},
            {"action": "updated_ivr", "changed_by": None},
            {"nobody": "knows"},
        ]
        self.assertEqual([handler.receive(sign(event)).status for event in events], [200] * 6)
        kinds = [("call", "call"), ("sms", "sms"), ("agent", "agent_status"), ("contact", "contact")]
        self.assertEqual(seen, [*kinds, ("change", "changelog"), ("other", None)])

    def test_an_event_that_comes_again_is_dealt_with_once(self):
        seen = []
        handler = quiet().handler(on_call=seen.append)
        body = sign(hangup())
        self.assertEqual([handler.receive(body).status for _ in range(3)], [200] * 3)
        self.assertEqual(len(seen), 1)

    def test_an_event_whose_function_fails_comes_again_and_the_reason_stays_here(self):
        troubles = []
        fails = [True]

        def save(event):
            if fails:
                raise OSError("no database")

        handler = create_receiver(secret=SECRET, report=troubles.append).handler(on_call=save)
        body = sign(hangup())
        answer = handler.receive(body)
        self.assertEqual(answer.status, 500)
        self.assertNotIn("database", answer.message)
        self.assertEqual([(trouble.what, str(trouble.error)) for trouble in troubles], [("handler_failed", "no database")])
        fails.clear()
        self.assertEqual(handler.receive(body).status, 200)

    def test_an_event_that_is_being_dealt_with_is_answered_with_503(self):
        begun, finish = threading.Event(), threading.Event()

        def save(event):
            begun.set()
            finish.wait()

        handler = quiet().handler(on_call=save)
        body = sign(hangup())
        first = threading.Thread(target=handler.receive, args=(body,))
        first.start()
        begun.wait()
        second = handler.receive(body)
        self.assertEqual((second.status, second.headers["Retry-After"]), (503, "5"))
        finish.set()
        first.join()
        self.assertEqual(handler.receive(body).message, "a repeat")

    def test_coroutines_are_run_on_servers_of_both_sorts(self):
        seen = []

        async def save(event):
            await asyncio.sleep(0)
            seen.append(event.kind)

        handler = quiet().handler(on_call=save, on_sms=lambda event: seen.append(event.kind))
        sms = {"id": 1, "from_number": "+1", "to_number": []}
        self.assertEqual(handler.receive(sign(hangup())).status, 200)
        self.assertEqual(asyncio.run(handler.receive_async(sign(hangup()))).status, 200)
        self.assertEqual(asyncio.run(handler.receive_async(sign(sms))).status, 200)
        self.assertEqual(seen, ["call", "call", "sms"])

    def test_an_event_whose_function_is_cancelled_comes_again(self):
        seen = []

        async def slow(event):
            seen.append(event)
            if len(seen) == 1:
                await asyncio.sleep(60)

        handler = quiet().handler(on_call=slow)
        body = sign(hangup())

        async def twice():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(handler.receive_async(body), 0.05)
            return await handler.receive_async(body)

        self.assertEqual((asyncio.run(twice()).status, len(seen)), (200, 2))

    def test_a_handler_that_does_not_end_in_time_has_failed_and_its_event_comes_again(self):
        for receive in (lambda handler, body: asyncio.run(handler.receive_async(body)), lambda handler, body: handler.receive(body)):
            seen, troubles = [], []

            async def hang(event):
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(event)

            receiver = create_receiver(secret=SECRET, handler_timeout_seconds=0.01, report=troubles.append)
            handler = receiver.handler(on_call=hang)
            body = sign(hangup())
            self.assertEqual([receive(handler, body).status for _ in range(2)], [500, 500])
            self.assertEqual(len(seen), 2)
            self.assertEqual([type(trouble.error) for trouble in troubles], [HandlerTimedOut] * 2)

    def test_a_plain_function_that_ends_well_too_late_is_not_called_again(self):
        seen, finish, done = [], threading.Event(), threading.Event()

        class Heard(RepeatsInMemory):
            def done(self, key, window_seconds):
                super().done(key, window_seconds)
                done.set()

        def slow(event):
            seen.append(event)
            finish.wait()

        handler = quiet(handler_timeout_seconds=0.01, repeats=Heard()).handler(on_call=slow)
        body = sign(hangup())

        async def twice():
            first = await handler.receive_async(body)
            finish.set()
            await asyncio.get_running_loop().run_in_executor(None, done.wait)
            return first.status, (await handler.receive_async(body)).status

        self.assertEqual((asyncio.run(twice()), len(seen)), ((500, 200), 1))

    def test_a_time_that_is_no_time_is_a_mistake_and_infinity_is_none(self):
        for wrong in (0, -1, float("nan")):
            with self.assertRaises(ValueError):
                create_receiver(handler_timeout_seconds=wrong)

        async def save(event):
            await asyncio.sleep(0)

        handler = quiet(handler_timeout_seconds=float("inf")).handler(on_call=save)
        self.assertEqual(asyncio.run(handler.receive_async(sign(hangup()))).status, 200)

    def test_a_claim_of_which_nothing_is_heard_ends(self):
        now = [0]
        repeats = RepeatsInMemory(now=lambda: now[0])
        self.assertEqual(repeats.begin("a"), "first")
        now[0] = 59
        self.assertEqual(repeats.begin("a"), "under_way")
        now[0] = 60
        self.assertEqual(repeats.begin("a"), "first")

    def test_lists_in_lists_without_end_are_refused_in_words(self):
        handler = create_receiver(report=lambda trouble: None).handler()
        for depth in (600, 20_000):
            self.assertEqual(handler.receive("[" * depth + "]" * depth).status, 400, depth)

    def test_a_store_that_fails_costs_no_event(self):
        for method in ("begin", "done"):
            handler = quiet(repeats=Broken(method)).handler()
            self.assertEqual(handler.receive(sign(hangup())).status, 500, method)

    def test_a_memory_forgets_what_is_old_and_what_is_too_much(self):
        now = [0]
        repeats = RepeatsInMemory(events=2, now=lambda: now[0])

        def deal(key):
            turn = repeats.begin(key)
            if turn == "first":
                repeats.done(key, 100)
            return turn

        self.assertEqual([deal(key) for key in "aabca"], ["first", "repeat", "first", "first", "first"])
        now[0] = 100
        self.assertEqual(deal("a"), "first")
        self.assertEqual(repeats.begin("z"), "first")
        self.assertEqual(repeats.begin("z"), "under_way")
        repeats.forget("z")
        self.assertEqual(repeats.begin("z"), "first")

    def test_a_secret_that_is_empty_or_not_set_is_a_mistake_and_not_an_open_door(self):
        for options in (
            {"secret": None},
            {"secret": ""},
            {"secret": b""},
            {"secrets": None},
            {"secrets": []},
            {"secrets": ["new", ""]},
            {"secrets": "abc"},
        ):
            with self.assertRaises(InvalidSecret, msg=str(options)):
                create_receiver(**options)

    def test_a_body_that_was_parsed_is_told_from_a_wrong_one(self):
        with self.assertRaises(BodyWasParsed):
            quiet().verify({"call_id": 1})
        self.assertEqual(quiet().handler().receive({"call_id": 1}).status, 500)

    def test_a_token_in_quotes_is_taken_only_if_that_was_asked_for(self):
        body = b' "' + sign(hangup()) + b'"\n'
        with self.assertRaises(ValueError):
            quiet().verify(body)
        self.assertEqual(quiet(accept_quoted=True).verify(body).kind, "call")

    def test_a_line_for_the_log_names_no_person(self):
        event = {**hangup(), "direction": "inbound", "contact": {"name": "Ada Byron"}, "external_number": "+15550142"}
        received = quiet().verify(sign(event), {"Switchhook-Attempt": "3"})
        self.assertEqual(received.summary, f"hangup inbound call {event['call_id']}")
        self.assertEqual(received.labels.attempt, 3)

    def test_words_are_the_same_whatever_their_case_and_separators(self):
        self.assertTrue(same_word("Call_Center", "callcenter"))
        self.assertFalse(same_word(None, "callcenter"))
        self.assertFalse(same_word("call_centre", "callcenter"))

    def test_what_is_known_of_calls_is_bounded(self):
        calls, order = Calls(max_legs=4), LegOrder(max_legs=2)
        for number in range(1, 9):
            self.assertEqual(calls.call_of({"call_id": str(number)}).key, str(number))
            order.is_late({"call_id": str(number), "event_timestamp": 9, "state": "hangup"})
        self.assertEqual(calls.call_of({"call_id": "9", "master_call_id": "8"}).key, "8")
        self.assertEqual(calls.call_of({"call_id": "9", "master_call_id": "1"}).key, "8")
        late = [order.is_late({"call_id": leg, "event_timestamp": 5}) for leg in ("8", "1")]
        self.assertEqual(late, [True, False])


if __name__ == "__main__":
    unittest.main()
