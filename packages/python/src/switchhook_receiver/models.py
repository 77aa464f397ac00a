"""The events as pydantic models: `CallEvent.model_validate(received.payload)`. Needs `switchhook-receiver[pydantic]`.

Made from the AsyncAPI document by packages/make_types.py; do not change it here.
"""

from typing import Any, Dict, List, Optional, Union

from pydantic import BaseModel, ConfigDict, field_validator

from .events import (  # noqa: F401
    Id,
    Milliseconds,
    TargetType,
    ContactType,
    CallState,
    Direction,
    MessageStatus,
    OnDutyStatus,
    ContactChange,
    RecordingType,
)


class Model(BaseModel):
    """Keeps members that no schema lists, and reads `{}` for an absent object as `None`."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    @field_validator("*", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return None if value == {} else value


class ChangedBy(Model):
    """Who changed a setting. Redacted when it was the provider's staff."""

    id: Optional[Id] = None
    name: Optional[str] = None
    type: Optional[str] = None


class Target(Model):
    """The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none."""

    id: Optional[Id] = None
    type: Optional[TargetType] = None
    name: Optional[str] = None
    email: Optional[str] = None
    phone: Optional[str] = None
    phone_number: Optional[str] = None
    office_id: Optional[Id] = None


class Contact(Model):
    """The outside party. An empty object stands for none."""

    id: Optional[Id] = None
    type: Optional[ContactType] = None
    first_name: Optional[str] = None
    last_name: Optional[str] = None
    display_name: Optional[str] = None
    phones: Optional[List[str]] = None
    primary_phone: Optional[str] = None
    emails: Optional[List[str]] = None
    primary_email: Optional[str] = None
    company_name: Optional[str] = None
    job_title: Optional[str] = None
    urls: Optional[List[str]] = None
    trunk_group: Optional[str] = None
    extension: Optional[str] = None
    name: Optional[str] = None
    email: Optional[str] = None
    phone: Optional[str] = None
    phone_number: Optional[str] = None


class Recording(Model):
    """A recording of a call or a voicemail."""

    id: Optional[Id] = None
    url: Optional[str] = None
    duration: Optional[Milliseconds] = None
    duration_ms: Optional[Milliseconds] = None
    start_time: Optional[int] = None
    recording_type: Optional[RecordingType] = None


class CallEvent(Model):
    """A leg of a call came to a new state. One call can be several legs, each with events of its own; the four
    ids together tell which belong together.
    """

    call_id: Optional[Id] = None
    master_call_id: Optional[Id] = None
    operator_call_id: Optional[Id] = None
    entry_point_call_id: Optional[Id] = None
    state: Optional[CallState] = None
    direction: Optional[Direction] = None
    target: Optional[Target] = None
    contact: Optional[Contact] = None
    date_started: Optional[int] = None
    date_connected: Optional[int] = None
    date_ended: Optional[int] = None
    duration: Optional[Milliseconds] = None
    duration_ms: Optional[Milliseconds] = None
    event_timestamp: Optional[int] = None
    date_rang: Optional[int] = None
    date_first_rang: Optional[int] = None
    date_queued: Optional[int] = None
    total_duration: Optional[Milliseconds] = None
    total_duration_ms: Optional[Milliseconds] = None
    talk_time: Optional[Milliseconds] = None
    talk_time_ms: Optional[Milliseconds] = None
    hold_time: Optional[Milliseconds] = None
    hold_time_ms: Optional[Milliseconds] = None
    external_number: Optional[str] = None
    internal_number: Optional[str] = None
    selected_caller_id: Optional[Id] = None
    entry_point_target: Optional[Target] = None
    proxy_target: Optional[Target] = None
    transferred_from: Any = None
    group_id: Optional[Id] = None
    target_availability_status: Optional[str] = None
    is_transferred: Optional[bool] = None
    was_recorded: Optional[bool] = None
    is_internal: Optional[bool] = None
    callback_requested: Optional[bool] = None
    labels: Optional[List[str]] = None
    routing_breadcrumbs: Optional[List[Dict[str, Any]]] = None
    recording_details: Optional[List[Recording]] = None
    call_recording_ids: Optional[List[Id]] = None
    recording_url: Optional[List[str]] = None
    admin_recording_urls: Optional[List[str]] = None
    call_recording_share_links: Optional[List[str]] = None
    admin_call_recording_share_links: Optional[List[str]] = None
    voicemail_link: Optional[str] = None
    voicemail_recording_id: Optional[Id] = None
    transcription_text: Optional[str] = None
    company_call_review_share_link: Optional[str] = None
    public_call_review_share_link: Optional[str] = None
    csat_score: Any = None
    mos_score: Optional[float] = None
    custom_data: Any = None
    integrations: Any = None
    recap_summary: Optional[str] = None
    recap_outcome: Any = None
    recap_purposes: Any = None
    recap_action_items: Any = None
    dispositions: Any = None


class SmsEvent(Model):
    """A message was sent or received, or its status changed."""

    id: Optional[Id] = None
    created_date: Optional[int] = None
    direction: Optional[Direction] = None
    target: Optional[Target] = None
    contact: Optional[Contact] = None
    sender_id: Optional[Id] = None
    from_number: Optional[str] = None
    to_number: Optional[List[str]] = None
    mms: Optional[bool] = None
    text: Optional[str] = None
    message_status: Optional[MessageStatus] = None
    message_delivery_result: Optional[str] = None
    event_timestamp: Optional[int] = None
    is_internal: Optional[bool] = None
    text_content: Optional[str] = None
    mms_url: Optional[str] = None
    admins: Optional[List[Target]] = None


class AgentStatusEvent(Model):
    """An agent of a contact centre changed status. Two spellings occur; programs should read both."""

    availability_status: Optional[Union[str, bool]] = None
    on_duty_status: Optional[OnDutyStatus] = None
    on_duty_status_reason: Optional[str] = None
    call_center_ids: Optional[List[Id]] = None
    powerdialer_mode: Optional[bool] = None
    powerdialer_session: Optional[str] = None
    target: Optional[Target] = None
    date: Optional[int] = None
    event_timestamp: Optional[int] = None


class ContactEvent(Model):
    """A contact was made, changed or removed. These events do not say when."""

    event: Optional[ContactChange] = None
    contact: Optional[Contact] = None


class ChangeLogEvent(Model):
    """A setting of the company was changed."""

    date: Optional[int] = None
    action: Optional[str] = None
    note: Optional[str] = None
    additional_data: Optional[Dict[str, Any]] = None
    target: Optional[Target] = None
    changed_by: Optional[ChangedBy] = None
