"""The events, typed: what `Received.payload` holds.

Made from the AsyncAPI document by packages/make_types.py; do not change it here.
"""

from typing import Any, Dict, List, Optional, TypedDict, Union

#: An id as text, digit for digit: some come as numbers and some as text, and both may have 64 bits.
Id = str

#: A length of time in milliseconds, with a fraction. Not seconds.
Milliseconds = float

#: The known types of a target. Any other may come: compare with `same_word`.
TargetType = str
KNOWN_TARGET_TYPE = (
    "call_center", "callcenter", "callrouter", "channel", "coachinggroup", "coachingteam", "department",
    "office", "room", "staffgroup", "unknown", "user"
)

#: The known places where a contact is kept; `user` is a colleague. Any other may come: compare with `same_word`.
ContactType = str
KNOWN_CONTACT_TYPE = (
    "google", "local", "microsoft", "shared", "all", "nylas", "user"
)

#: The known states of a leg. The last eleven were observed. Any other may come: compare with `same_word`.
CallState = str
KNOWN_CALL_STATE = (
    "calling", "ringing", "preanswer", "connected", "merged", "hold", "parked", "voicemail",
    "voicemail_uploaded", "transcription", "hangup", "missed", "recording", "call_transcription",
    "dispositions", "recap_summary", "recap_outcome", "recap_purposes", "recap_action_items", "ai_playbook",
    "admin", "admin_recording", "barge", "blocked", "csat", "eavesdrop", "monitor", "pcsat", "postcall",
    "queued", "takeover"
)

#: Which way a call or a message goes, seen from the company. Any other may come: compare with `same_word`.
Direction = str
KNOWN_DIRECTION = (
    "inbound", "outbound"
)

#: What is known to become of messages. Any other may come: compare with `same_word`.
MessageStatus = str
KNOWN_MESSAGE_STATUS = (
    "sent", "failed", "pending", "delivered", "undelivered", "success"
)

#: What agents are known to do. Real traffic has them in lower case. Any other may come: compare with `same_word`.
OnDutyStatus = str
KNOWN_ON_DUTY_STATUS = (
    "Available", "Unavailable", "Occupied", "Wrapup", "Busy"
)

#: What is known to happen to contacts. Any other may come: compare with `same_word`.
ContactChange = str
KNOWN_CONTACT_CHANGE = (
    "Created", "Updated", "Deleted"
)

#: The known sorts of recording. Any other may come: compare with `same_word`.
RecordingType = str
KNOWN_RECORDING_TYPE = (
    "admincallrecording", "callrecording", "voicemail"
)


class ChangedBy(TypedDict, total=False):
    """Who changed a setting. Redacted when it was the provider's staff."""

    #: The user's id.
    id: Optional[Id]
    #: The user's name.
    name: Optional[str]
    #: The user's type.
    type: Optional[str]


class Target(TypedDict, total=False):
    """The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none."""

    #: Its id.
    id: Optional[Id]
    #: What kind of entity it is.
    type: Optional[TargetType]
    #: Its name.
    name: Optional[str]
    #: Its e-mail address.
    email: Optional[str]
    #: Its telephone number.
    phone: Optional[str]
    #: Its telephone number, in sms events (observed)
    phone_number: Optional[str]
    #: The id of the office it belongs to, in call events (observed)
    office_id: Optional[Id]


class Contact(TypedDict, total=False):
    """The outside party. An empty object stands for none."""

    #: Its id. The contract has a string; in real calls and messages a local contact's is an integer.
    id: Optional[Id]
    #: Where the contact is kept.
    type: Optional[ContactType]
    #: First name.
    first_name: Optional[str]
    #: Last name.
    last_name: Optional[str]
    #: The name to show.
    display_name: Optional[str]
    #: Every telephone number.
    phones: Optional[List[str]]
    #: The number to call first.
    primary_phone: Optional[str]
    #: Every e-mail address.
    emails: Optional[List[str]]
    #: The address to write to first.
    primary_email: Optional[str]
    #: The company the contact works for.
    company_name: Optional[str]
    #: What the contact does there.
    job_title: Optional[str]
    #: Web addresses.
    urls: Optional[List[str]]
    #: The trunk group.
    trunk_group: Optional[str]
    #: The extension.
    extension: Optional[str]
    #: The name to show, in call and sms events (observed)
    name: Optional[str]
    #: The e-mail address, in call events (observed)
    email: Optional[str]
    #: The telephone number, in call events (observed)
    phone: Optional[str]
    #: The telephone number, in sms events (observed)
    phone_number: Optional[str]


class Recording(TypedDict, total=False):
    """A recording of a call or a voicemail."""

    #: Its id (observed)
    id: Optional[Id]
    #: Its address; needs the scope `recordings_export` (observed)
    url: Optional[str]
    #: How long it is, in milliseconds, with a fraction (observed) Read `duration_ms`, whose name says the
    #: unit.
    duration: Optional[Milliseconds]
    #: The same as `duration`: milliseconds.
    duration_ms: Optional[Milliseconds]
    #: When it begins, in milliseconds since 1970 (observed)
    start_time: Optional[int]
    #: What sort of recording it is (observed)
    recording_type: Optional[RecordingType]


class CallEvent(TypedDict, total=False):
    """A leg of a call came to a new state. One call can be several legs, each with events of its own; the four
    ids together tell which belong together.
    """

    #: The leg.
    call_id: Optional[Id]
    #: The leg this one came from, as after a transfer.
    master_call_id: Optional[Id]
    #: On a leg by which a caller came in, once answered, the leg of the operator who answered.
    operator_call_id: Optional[Id]
    #: On an operator's leg, the leg by which the caller came in.
    entry_point_call_id: Optional[Id]
    #: What the leg has come to.
    state: Optional[CallState]
    #: Which way the call goes, seen from the company.
    direction: Optional[Direction]
    target: Optional[Target]
    contact: Optional[Contact]
    #: When the leg began, in milliseconds since 1970.
    date_started: Optional[int]
    #: When two parties began to talk, in milliseconds since 1970. Null if nobody answered, whatever the state.
    date_connected: Optional[int]
    #: When the leg ended, in milliseconds since 1970.
    date_ended: Optional[int]
    #: How long the leg was connected, in milliseconds. The contract has integers, real traffic fractions. Read
    #: `duration_ms`, whose name says the unit.
    duration: Optional[Milliseconds]
    #: The same as `duration`: milliseconds.
    duration_ms: Optional[Milliseconds]
    #: When the event was made, in milliseconds since 1970.
    event_timestamp: Optional[int]
    #: When a device rang, in milliseconds since 1970 (observed)
    date_rang: Optional[int]
    #: When the first device rang, in milliseconds since 1970 (observed)
    date_first_rang: Optional[int]
    #: When the caller entered a queue, in milliseconds since 1970 (observed)
    date_queued: Optional[int]
    #: Time from start to end, in milliseconds, with a fraction (observed) Read `total_duration_ms`, whose name
    #: says the unit.
    total_duration: Optional[Milliseconds]
    #: The same as `total_duration`: milliseconds.
    total_duration_ms: Optional[Milliseconds]
    #: Time spent talking, in milliseconds, with a fraction (observed) Read `talk_time_ms`, whose name says the
    #: unit.
    talk_time: Optional[Milliseconds]
    #: The same as `talk_time`: milliseconds.
    talk_time_ms: Optional[Milliseconds]
    #: Time on hold, in milliseconds, with a fraction (observed) Read `hold_time_ms`, whose name says the unit.
    hold_time: Optional[Milliseconds]
    #: The same as `hold_time`: milliseconds.
    hold_time_ms: Optional[Milliseconds]
    #: The outside party's number (observed)
    external_number: Optional[str]
    #: The company's number (observed)
    internal_number: Optional[str]
    #: The caller id chosen for an outbound call (observed)
    selected_caller_id: Optional[Id]
    #: On an operator's leg, the entity by which the caller came in; an object like a Target (observed)
    entry_point_target: Optional[Target]
    #: On whose behalf the target acts; an object like a Target (observed)
    proxy_target: Optional[Target]
    #: Who transferred the call (observed)
    transferred_from: Any
    #: The group, a string such as `CallCenter:4893016274501632` (observed)
    group_id: Optional[Id]
    #: Whether the target could have answered (observed)
    target_availability_status: Optional[str]
    #: Whether the call was transferred (observed)
    is_transferred: Optional[bool]
    #: Whether it was recorded (observed)
    was_recorded: Optional[bool]
    #: Whether both sides belong to the company (observed)
    is_internal: Optional[bool]
    #: Whether the caller asked to be called back (observed)
    callback_requested: Optional[bool]
    #: An array of strings (observed)
    labels: Optional[List[str]]
    #: The way through menus and queues, an array of objects (observed)
    routing_breadcrumbs: Optional[List[Dict[str, Any]]]
    #: The recordings, an array of objects with `id`, `url`, `duration` (milliseconds), `start_time` and
    #: `recording_type`, which is `admincallrecording`, `callrecording` or `voicemail`; urls need the scope
    #: `recordings_export` (observed)
    recording_details: Optional[List[Recording]]
    #: The ids of the recordings, an array (observed)
    call_recording_ids: Optional[List[Id]]
    #: Addresses of recordings, an array of strings; needs the scope `recordings_export` (observed)
    recording_url: Optional[List[str]]
    #: Addresses of recordings that an administrator turned on, an array of strings; needs the scope
    #: `recordings_export` (observed)
    admin_recording_urls: Optional[List[str]]
    #: Pages of recordings, an array of strings; needs the scope `recordings_export` (observed)
    call_recording_share_links: Optional[List[str]]
    #: Pages of an administrator's recordings, an array of strings; needs the scope `recordings_export`
    #: (observed)
    admin_call_recording_share_links: Optional[List[str]]
    #: Address of the voicemail's sound; needs the scope `recordings_export` (observed)
    voicemail_link: Optional[str]
    #: The id of the voicemail's sound; needs the scope `recordings_export` (observed)
    voicemail_recording_id: Optional[Id]
    #: What was said in the voicemail (observed)
    transcription_text: Optional[str]
    #: A page about the call for people of the company (observed)
    company_call_review_share_link: Optional[str]
    #: A page about the call for everyone (observed)
    public_call_review_share_link: Optional[str]
    #: The caller's satisfaction (observed)
    csat_score: Any
    #: The quality of the sound, a number from 1 to 5 (observed)
    mos_score: Optional[float]
    #: What the program that started the call attached to it (observed)
    custom_data: Any
    #: Records of connected programs, an object (observed)
    integrations: Any
    #: The call in short (observed)
    recap_summary: Optional[str]
    #: How the call ended (observed)
    recap_outcome: Any
    #: Why the call was made, an array (observed)
    recap_purposes: Any
    #: What is to be done, an array (observed)
    recap_action_items: Any
    #: The agent's wrap-up (observed)
    dispositions: Any


class SmsEvent(TypedDict, total=False):
    """A message was sent or received, or its status changed."""

    #: The message.
    id: Optional[Id]
    #: When the message was made, in milliseconds since 1970.
    created_date: Optional[int]
    #: Which way the message went, seen from the company.
    direction: Optional[Direction]
    target: Optional[Target]
    contact: Optional[Contact]
    #: The user who wrote the message, where a group's number is used.
    sender_id: Optional[Id]
    #: The sender's number, E.164.
    from_number: Optional[str]
    #: The receivers' numbers, E.164.
    to_number: Optional[List[str]]
    #: Whether it is an MMS.
    mms: Optional[bool]
    #: The text; for an MMS the address of its media. Needs the scope `message_content_export`, or
    #: `message_content_export:all` for the whole company; without it the text is absent or empty.
    text: Optional[str]
    #: What became of the message.
    message_status: Optional[MessageStatus]
    #: Why, as far as the carriers tell. Known are accepted, internal_error, invalid_destination,
    #: invalid_source, no_route, not_supported, rejected, rejected_spam and time_out.
    message_delivery_result: Optional[str]
    #: When the event was made, in milliseconds since 1970 (observed)
    event_timestamp: Optional[int]
    #: Whether both sides belong to the company (observed)
    is_internal: Optional[bool]
    #: The text; needs the same scope as `text` (observed)
    text_content: Optional[str]
    #: Address of the media; needs the same scope as `text` (observed)
    mms_url: Optional[str]
    #: The group's administrators, an array (observed)
    admins: Optional[List[Target]]


class AgentStatusEvent(TypedDict, total=False):
    """An agent of a contact centre changed status. Two spellings occur; programs should read both."""

    #: Whether the agent can take calls, being neither in a call nor on "do not disturb". The contract has a
    #: boolean, real traffic `available` or `unavailable`.
    availability_status: Optional[Union[str, bool]]
    #: What the agent is doing.
    on_duty_status: Optional[OnDutyStatus]
    #: The reason the agent gave.
    on_duty_status_reason: Optional[str]
    #: The contact centres the agent works for. The contract has integers, real traffic strings of digits.
    call_center_ids: Optional[List[Id]]
    #: Whether the agent uses the power dialler.
    powerdialer_mode: Optional[bool]
    #: The power dialler's session.
    powerdialer_session: Optional[str]
    target: Optional[Target]
    #: When the status changed, in milliseconds since 1970.
    date: Optional[int]
    #: When the event was made, in milliseconds since 1970.
    event_timestamp: Optional[int]


class ContactEvent(TypedDict, total=False):
    """A contact was made, changed or removed. These events do not say when."""

    #: What happened to the contact.
    event: Optional[ContactChange]
    contact: Optional[Contact]


class ChangeLogEvent(TypedDict, total=False):
    """A setting of the company was changed."""

    #: When, in milliseconds since 1970, UTC.
    date: Optional[int]
    #: What was done, as a code such as `updated_ivr` or `operator_removed`.
    action: Optional[str]
    #: The same for people. Its form is not fixed.
    note: Optional[str]
    #: What exactly changed, an object. Its form is not fixed.
    additional_data: Optional[Dict[str, Any]]
    target: Optional[Target]
    changed_by: Optional[ChangedBy]


#: The members that are durations; each has a second name that ends in `_ms`.
DURATIONS = ("duration", "total_duration", "talk_time", "hold_time")
