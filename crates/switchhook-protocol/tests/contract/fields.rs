//! The published contract as data: its schemas, their fields, types and values. Whatever keeps to it is an event.

pub(crate) const CALL_STATES: &str = "calling ringing preanswer connected merged hold parked voicemail \
    voicemail_uploaded transcription hangup missed recording call_transcription dispositions recap_summary \
    recap_outcome recap_purposes recap_action_items ai_playbook";
pub(crate) const TARGET_TYPES: &str = "callcenter callrouter channel coachinggroup coachingteam department office room \
    staffgroup unknown user";

/// Type of a field in the contract. Words of an enum stand in one string.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    Int64,
    Integer,
    Text,
    Boolean,
    Object,
    Texts,
    Int64s,
    OneOf(&'static str),
    Ref(&'static str),
}

use Type::{Boolean, Int64, Int64s, Integer, Object, OneOf, Ref, Text, Texts};

pub(crate) const CONTRACT: &[(&str, &[(&str, Type)])] = &[
    (
        "Target",
        &[
            ("id", Int64),
            ("type", OneOf(TARGET_TYPES)),
            ("name", Text),
            ("email", Text),
            ("phone", Text),
        ],
    ),
    (
        "Contact",
        &[
            ("id", Text),
            ("type", OneOf("google local microsoft shared all")),
            ("first_name", Text),
            ("last_name", Text),
            ("display_name", Text),
            ("phones", Texts),
            ("primary_phone", Text),
            ("emails", Texts),
            ("primary_email", Text),
            ("company_name", Text),
            ("job_title", Text),
            ("urls", Texts),
            ("trunk_group", Text),
            ("extension", Text),
        ],
    ),
    (
        "CallEventPayload",
        &[
            ("call_id", Int64),
            ("master_call_id", Int64),
            ("operator_call_id", Int64),
            ("entry_point_call_id", Int64),
            ("state", OneOf(CALL_STATES)),
            ("direction", OneOf("inbound outbound")),
            ("target", Ref("Target")),
            ("contact", Ref("Contact")),
            ("date_started", Int64),
            ("date_connected", Int64),
            ("date_ended", Int64),
            ("duration", Integer),
            ("event_timestamp", Int64),
        ],
    ),
    (
        "SmsEventPayload",
        &[
            ("id", Int64),
            ("created_date", Int64),
            ("direction", OneOf("inbound outbound")),
            ("target", Ref("Target")),
            ("contact", Ref("Contact")),
            ("sender_id", Int64),
            ("from_number", Text),
            ("to_number", Texts),
            ("mms", Boolean),
            ("text", Text),
            (
                "message_status",
                OneOf("sent failed pending delivered undelivered"),
            ),
            ("message_delivery_result", Text),
        ],
    ),
    (
        "AgentStatusEventPayload",
        &[
            ("availability_status", Boolean),
            (
                "on_duty_status",
                OneOf("Available Unavailable Occupied Wrapup Busy"),
            ),
            ("on_duty_status_reason", Text),
            ("call_center_ids", Int64s),
            ("powerdialer_mode", Boolean),
            ("powerdialer_session", Text),
            ("target", Ref("Target")),
            ("date", Int64),
            ("event_timestamp", Int64),
        ],
    ),
    (
        "ContactEventPayload",
        &[
            ("event", OneOf("Created Updated Deleted")),
            ("contact", Ref("Contact")),
        ],
    ),
    (
        "ChangeLogEventPayload",
        &[
            ("date", Int64),
            ("action", Text),
            ("note", Text),
            ("additional_data", Object),
            ("target", Ref("Target")),
            ("changed_by", Object),
        ],
    ),
];

pub(crate) const CHANGED_BY: &[(&str, Type)] = &[("id", Int64), ("name", Text), ("type", Text)];
