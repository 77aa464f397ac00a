// Made from the AsyncAPI document by packages/make_types.py; do not change it here.

/** A word from a set that grows: the known ones, and any other. Compare with `sameWord`. */
export type Word<Known extends string> = Known | (string & {});

/** An id as text, digit for digit: ids have up to 64 bits, and a number of JavaScript only 53. */
export type Id = string;

/** Milliseconds since 1970, UTC. */
export type Time = number;

/** A length of time in milliseconds, with a fraction. Not seconds. */
export type Milliseconds = number;

/** Genuine events have more members than any document lists, and null or `{}` for what is absent. */
export interface Open {
  [member: string]: unknown;
}

/** The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none */
export interface Target extends Open {
  id?: Id | null;
  /** What kind of entity it is */
  type?: TargetType | null;
  name?: string | null;
  /** Its e-mail address */
  email?: string | null;
  phone?: string | null;
  /** Its telephone number, in sms events */
  phone_number?: string | null;
  /** The id of the office it belongs to, in call events */
  office_id?: Id | null;
}

/** The outside party. An empty object stands for none */
export interface Contact extends Open {
  /** Its id. The contract has a string; in real calls and messages a local contact's is an integer */
  id?: Id | null;
  /** Where the contact is kept */
  type?: ContactType | null;
  first_name?: string | null;
  last_name?: string | null;
  /** The name to show */
  display_name?: string | null;
  /** Every telephone number */
  phones?: string[] | null;
  /** The number to call first */
  primary_phone?: string | null;
  /** Every e-mail address */
  emails?: string[] | null;
  /** The address to write to first */
  primary_email?: string | null;
  /** The company the contact works for */
  company_name?: string | null;
  /** What the contact does there */
  job_title?: string | null;
  /** Web addresses */
  urls?: string[] | null;
  trunk_group?: string | null;
  extension?: string | null;
  /** The name to show, in call and sms events */
  name?: string | null;
  /** The e-mail address, in call events */
  email?: string | null;
  /** The telephone number, in call events */
  phone?: string | null;
  /** The telephone number, in sms events */
  phone_number?: string | null;
}

/** The known types of a target */
export type TargetType = Word<
  "call_center" | "callcenter" | "callrouter" | "channel" | "coachinggroup" | "coachingteam" | "department"
  | "office" | "room" | "staffgroup" | "unknown" | "user"
>;

/** The known places where a contact is kept; `user` is a colleague */
export type ContactType = Word<
  "google" | "local" | "microsoft" | "shared" | "all" | "nylas" | "user"
>;

/** The known states of a leg. The last eleven were observed */
export type CallState = Word<
  "calling" | "ringing" | "preanswer" | "connected" | "merged" | "hold" | "parked" | "voicemail" |
  "voicemail_uploaded" | "transcription" | "hangup" | "missed" | "recording" | "call_transcription" |
  "dispositions" | "recap_summary" | "recap_outcome" | "recap_purposes" | "recap_action_items" |
  "ai_playbook" | "admin" | "admin_recording" | "barge" | "blocked" | "csat" | "eavesdrop" | "monitor" |
  "pcsat" | "postcall" | "queued" | "takeover"
>;

/** Which way a call or a message goes, seen from the company */
export type Direction = Word<
  "inbound" | "outbound"
>;

/** What is known to become of messages */
export type MessageStatus = Word<
  "sent" | "failed" | "pending" | "delivered" | "undelivered" | "success"
>;

/** What agents are known to do. Real traffic has them in lower case */
export type OnDutyStatus = Word<
  "Available" | "Unavailable" | "Occupied" | "Wrapup" | "Busy"
>;

/** What is known to happen to contacts */
export type ContactChange = Word<
  "Created" | "Updated" | "Deleted"
>;

/** The known sorts of recording */
export type RecordingType = Word<
  "admincallrecording" | "callrecording" | "voicemail"
>;

/** A recording of a call or a voicemail */
export interface Recording extends Open {
  id?: Id | null;
  /** Its address; needs the scope `recordings_export` */
  url?: string | null;
  /** @deprecated Read `duration_ms`, whose name says the unit */
  duration?: Milliseconds | null;
  duration_ms?: Milliseconds | null;
  /** When it begins */
  start_time?: Time | null;
  /** What sort of recording it is */
  recording_type?: RecordingType | null;
}

/** Who changed a setting. Redacted when it was the provider's staff */
export interface ChangedBy extends Open {
  /** The user's id */
  id?: Id | null;
  /** The user's name */
  name?: string | null;
  /** The user's type */
  type?: string | null;
}

/**
 * A leg of a call came to a new state. One call can be several legs, each with events of its own; the four
 * ids together tell which belong together
 */
export interface CallEvent extends Open {
  /** The leg */
  call_id?: Id | null;
  /** The leg this one came from, as after a transfer */
  master_call_id?: Id | null;
  /** On a leg by which a caller came in, once answered, the leg of the operator who answered */
  operator_call_id?: Id | null;
  /** On an operator's leg, the leg by which the caller came in */
  entry_point_call_id?: Id | null;
  /** What the leg has come to */
  state?: CallState | null;
  /** Which way the call goes, seen from the company */
  direction?: Direction | null;
  target?: Target | null;
  contact?: Contact | null;
  /** When the leg began */
  date_started?: Time | null;
  /** When two parties began to talk. Null if nobody answered, whatever the state */
  date_connected?: Time | null;
  /** When the leg ended */
  date_ended?: Time | null;
  /** @deprecated Read `duration_ms`, whose name says the unit */
  duration?: Milliseconds | null;
  duration_ms?: Milliseconds | null;
  /** When the event was made */
  event_timestamp?: Time | null;
  /** When a device rang */
  date_rang?: Time | null;
  /** When the first device rang */
  date_first_rang?: Time | null;
  /** When the caller entered a queue */
  date_queued?: Time | null;
  /** @deprecated Read `total_duration_ms`, whose name says the unit */
  total_duration?: Milliseconds | null;
  total_duration_ms?: Milliseconds | null;
  /** @deprecated Read `talk_time_ms`, whose name says the unit */
  talk_time?: Milliseconds | null;
  talk_time_ms?: Milliseconds | null;
  /** @deprecated Read `hold_time_ms`, whose name says the unit */
  hold_time?: Milliseconds | null;
  hold_time_ms?: Milliseconds | null;
  /** The outside party's number */
  external_number?: string | null;
  /** The company's number */
  internal_number?: string | null;
  /** The caller id chosen for an outbound call */
  selected_caller_id?: Id | null;
  /** On an operator's leg, the entity by which the caller came in */
  entry_point_target?: Target | null;
  /** On whose behalf the target acts */
  proxy_target?: Target | null;
  /** Who transferred the call */
  transferred_from?: unknown;
  /** The group, a string such as `CallCenter:4893016274501632` */
  group_id?: Id | null;
  /** Whether the target could have answered */
  target_availability_status?: string | null;
  /** Whether the call was transferred */
  is_transferred?: boolean | null;
  was_recorded?: boolean | null;
  /** Whether both sides belong to the company */
  is_internal?: boolean | null;
  /** Whether the caller asked to be called back */
  callback_requested?: boolean | null;
  /** An array of strings */
  labels?: string[] | null;
  /** The way through menus and queues */
  routing_breadcrumbs?: Record<string, unknown>[] | null;
  /**
   * The recordings with `id`, `url`, `duration` (milliseconds), `start_time` and `recording_type`, which is
   * `admincallrecording`, `callrecording` or `voicemail`; urls need the scope `recordings_export`
   */
  recording_details?: Recording[] | null;
  /** The ids of the recordings */
  call_recording_ids?: Id[] | null;
  /** Addresses of recordings; needs the scope `recordings_export` */
  recording_url?: string[] | null;
  /** Addresses of recordings that an administrator turned on; needs the scope `recordings_export` */
  admin_recording_urls?: string[] | null;
  /** Pages of recordings; needs the scope `recordings_export` */
  call_recording_share_links?: string[] | null;
  /** Pages of an administrator's recordings; needs the scope `recordings_export` */
  admin_call_recording_share_links?: string[] | null;
  /** Address of the voicemail's sound; needs the scope `recordings_export` */
  voicemail_link?: string | null;
  /** The id of the voicemail's sound; needs the scope `recordings_export` */
  voicemail_recording_id?: Id | null;
  /** What was said in the voicemail */
  transcription_text?: string | null;
  /** A page about the call for people of the company */
  company_call_review_share_link?: string | null;
  /** A page about the call for everyone */
  public_call_review_share_link?: string | null;
  /** The caller's satisfaction */
  csat_score?: unknown;
  /** The quality of the sound, a number from 1 to 5 */
  mos_score?: number | null;
  /** What the program that started the call attached to it */
  custom_data?: unknown;
  /** Records of connected programs */
  integrations?: unknown;
  /** The call in short */
  recap_summary?: string | null;
  /** How the call ended */
  recap_outcome?: unknown;
  /** Why the call was made */
  recap_purposes?: unknown;
  /** What is to be done */
  recap_action_items?: unknown;
  /** The agent's wrap-up */
  dispositions?: unknown;
}

/** A message was sent or received, or its status changed */
export interface SmsEvent extends Open {
  /** The message */
  id?: Id | null;
  /** When the message was made */
  created_date?: Time | null;
  /** Which way the message went, seen from the company */
  direction?: Direction | null;
  target?: Target | null;
  contact?: Contact | null;
  /** The user who wrote the message, where a group's number is used */
  sender_id?: Id | null;
  /** The sender's number, E.164 */
  from_number?: string | null;
  /** The receivers' numbers, E.164 */
  to_number?: string[] | null;
  mms?: boolean | null;
  /**
   * The text; for an MMS the address of its media. Needs the scope `message_content_export`, or
   * `message_content_export:all` for the whole company; without it the text is absent or empty
   */
  text?: string | null;
  /** What became of the message */
  message_status?: MessageStatus | null;
  /**
   * Why, as far as the carriers tell. Known are accepted, internal_error, invalid_destination,
   * invalid_source, no_route, not_supported, rejected, rejected_spam and time_out
   */
  message_delivery_result?: string | null;
  /** When the event was made */
  event_timestamp?: Time | null;
  /** Whether both sides belong to the company */
  is_internal?: boolean | null;
  /** The text; needs the same scope as `text` */
  text_content?: string | null;
  /** Address of the media; needs the same scope as `text` */
  mms_url?: string | null;
  /** The group's administrators */
  admins?: Target[] | null;
}

/** An agent of a contact centre changed status. Two spellings occur; programs should read both */
export interface AgentStatusEvent extends Open {
  /**
   * Whether the agent can take calls, being neither in a call nor on "do not disturb". The contract has a
   * boolean, real traffic `available` or `unavailable`
   */
  availability_status?: string | boolean | null;
  /** What the agent is doing */
  on_duty_status?: OnDutyStatus | null;
  /** The reason the agent gave */
  on_duty_status_reason?: string | null;
  /** The contact centres the agent works for. The contract has integers, real traffic strings of digits */
  call_center_ids?: Id[] | null;
  /** Whether the agent uses the power dialler */
  powerdialer_mode?: boolean | null;
  /** The power dialler's session */
  powerdialer_session?: string | null;
  target?: Target | null;
  /** When the status changed */
  date?: Time | null;
  /** When the event was made */
  event_timestamp?: Time | null;
}

/** A contact was made, changed or removed. These events do not say when */
export interface ContactEvent extends Open {
  /** What happened to the contact */
  event?: ContactChange | null;
  contact?: Contact | null;
}

/** A setting of the company was changed */
export interface ChangeLogEvent extends Open {
  date?: Time | null;
  /** What was done, as a code such as `updated_ivr` or `operator_removed` */
  action?: string | null;
  /** The same for people. Its form is not fixed */
  note?: string | null;
  /** What exactly changed. Its form is not fixed */
  additional_data?: Record<string, unknown> | null;
  target?: Target | null;
  changed_by?: ChangedBy | null;
}

/** The event of each kind. */
export interface EventOf {
  call: CallEvent;
  sms: SmsEvent;
  agent_status: AgentStatusEvent;
  contact: ContactEvent;
  changelog: ChangeLogEvent;
}

/** The members that are durations; each has a second name that ends in `_ms`. */
export const DURATIONS: readonly string[] = ["duration", "total_duration", "talk_time", "hold_time"];
