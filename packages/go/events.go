// Made from the AsyncAPI document by packages/make_types.py; do not change it here.

package receiver

import "encoding/json"

// ChangedBy: Who changed a setting. Redacted when it was the provider's staff.
type ChangedBy struct {
	// The user's id.
	ID ID `json:"id"`
	// The user's name.
	Name string `json:"name"`
	// The user's type.
	Type string `json:"type"`
}

// Target: The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none.
type Target struct {
	// Its id.
	ID ID `json:"id"`
	// What kind of entity it is.
	Type string `json:"type"`
	// Its name.
	Name string `json:"name"`
	// Its e-mail address.
	Email string `json:"email"`
	// Its telephone number.
	Phone string `json:"phone"`
	// Its telephone number, in sms events (observed)
	PhoneNumber string `json:"phone_number"`
	// The id of the office it belongs to, in call events (observed)
	OfficeID ID `json:"office_id"`
}

// Contact: The outside party. An empty object stands for none.
type Contact struct {
	// Its id. The contract has a string; in real calls and messages a local contact's is an integer.
	ID ID `json:"id"`
	// Where the contact is kept.
	Type string `json:"type"`
	// First name.
	FirstName string `json:"first_name"`
	// Last name.
	LastName string `json:"last_name"`
	// The name to show.
	DisplayName string `json:"display_name"`
	// Every telephone number.
	Phones []string `json:"phones"`
	// The number to call first.
	PrimaryPhone string `json:"primary_phone"`
	// Every e-mail address.
	Emails []string `json:"emails"`
	// The address to write to first.
	PrimaryEmail string `json:"primary_email"`
	// The company the contact works for.
	CompanyName string `json:"company_name"`
	// What the contact does there.
	JobTitle string `json:"job_title"`
	// Web addresses.
	URLs []string `json:"urls"`
	// The trunk group.
	TrunkGroup string `json:"trunk_group"`
	// The extension.
	Extension string `json:"extension"`
	// The name to show, in call and sms events (observed)
	Name string `json:"name"`
	// The e-mail address, in call events (observed)
	Email string `json:"email"`
	// The telephone number, in call events (observed)
	Phone string `json:"phone"`
	// The telephone number, in sms events (observed)
	PhoneNumber string `json:"phone_number"`
}

// Recording: A recording of a call or a voicemail.
type Recording struct {
	// Its id (observed)
	ID ID `json:"id"`
	// Its address; needs the scope `recordings_export` (observed)
	URL string `json:"url"`
	// How long it is, in milliseconds, with a fraction (observed)
	DurationMS *Milliseconds `json:"duration"`
	// When it begins, in milliseconds since 1970 (observed)
	StartTime Time `json:"start_time"`
	// What sort of recording it is (observed)
	RecordingType string `json:"recording_type"`
}

// CallEvent: A leg of a call came to a new state. One call can be several legs, each with events of its own; the
// four ids together tell which belong together.
type CallEvent struct {
	// The leg.
	CallID ID `json:"call_id"`
	// The leg this one came from, as after a transfer.
	MasterCallID ID `json:"master_call_id"`
	// On a leg by which a caller came in, once answered, the leg of the operator who answered.
	OperatorCallID ID `json:"operator_call_id"`
	// On an operator's leg, the leg by which the caller came in.
	EntryPointCallID ID `json:"entry_point_call_id"`
	// What the leg has come to.
	State string `json:"state"`
	// Which way the call goes, seen from the company.
	Direction string `json:"direction"`
	// The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none.
	Target *Target `json:"target"`
	// The outside party. An empty object stands for none.
	Contact *Contact `json:"contact"`
	// When the leg began, in milliseconds since 1970.
	DateStarted Time `json:"date_started"`
	// When two parties began to talk, in milliseconds since 1970. Null if nobody answered, whatever the state.
	DateConnected Time `json:"date_connected"`
	// When the leg ended, in milliseconds since 1970.
	DateEnded Time `json:"date_ended"`
	// How long the leg was connected, in milliseconds. The contract has integers, real traffic fractions.
	DurationMS *Milliseconds `json:"duration"`
	// When the event was made, in milliseconds since 1970.
	EventTimestamp Time `json:"event_timestamp"`
	// When a device rang, in milliseconds since 1970 (observed)
	DateRang Time `json:"date_rang"`
	// When the first device rang, in milliseconds since 1970 (observed)
	DateFirstRang Time `json:"date_first_rang"`
	// When the caller entered a queue, in milliseconds since 1970 (observed)
	DateQueued Time `json:"date_queued"`
	// Time from start to end, in milliseconds, with a fraction (observed)
	TotalDurationMS *Milliseconds `json:"total_duration"`
	// Time spent talking, in milliseconds, with a fraction (observed)
	TalkTimeMS *Milliseconds `json:"talk_time"`
	// Time on hold, in milliseconds, with a fraction (observed)
	HoldTimeMS *Milliseconds `json:"hold_time"`
	// The outside party's number (observed)
	ExternalNumber string `json:"external_number"`
	// The company's number (observed)
	InternalNumber string `json:"internal_number"`
	// The caller id chosen for an outbound call (observed)
	SelectedCallerID ID `json:"selected_caller_id"`
	// On an operator's leg, the entity by which the caller came in; an object like a Target (observed)
	EntryPointTarget *Target `json:"entry_point_target"`
	// On whose behalf the target acts; an object like a Target (observed)
	ProxyTarget *Target `json:"proxy_target"`
	// Who transferred the call (observed)
	TransferredFrom json.RawMessage `json:"transferred_from"`
	// The group, a string such as `CallCenter:4893016274501632` (observed)
	GroupID ID `json:"group_id"`
	// Whether the target could have answered (observed)
	TargetAvailabilityStatus string `json:"target_availability_status"`
	// Whether the call was transferred (observed)
	IsTransferred *bool `json:"is_transferred"`
	// Whether it was recorded (observed)
	WasRecorded *bool `json:"was_recorded"`
	// Whether both sides belong to the company (observed)
	IsInternal *bool `json:"is_internal"`
	// Whether the caller asked to be called back (observed)
	CallbackRequested *bool `json:"callback_requested"`
	// An array of strings (observed)
	Labels []string `json:"labels"`
	// The way through menus and queues, an array of objects (observed)
	RoutingBreadcrumbs []map[string]json.RawMessage `json:"routing_breadcrumbs"`
	// The recordings, an array of objects with `id`, `url`, `duration` (milliseconds), `start_time` and
	// `recording_type`, which is `admincallrecording`, `callrecording` or `voicemail`; urls need the scope
	// `recordings_export` (observed)
	RecordingDetails []Recording `json:"recording_details"`
	// The ids of the recordings, an array (observed)
	CallRecordingIDs []ID `json:"call_recording_ids"`
	// Addresses of recordings, an array of strings; needs the scope `recordings_export` (observed)
	RecordingURL []string `json:"recording_url"`
	// Addresses of recordings that an administrator turned on, an array of strings; needs the scope
	// `recordings_export` (observed)
	AdminRecordingURLs []string `json:"admin_recording_urls"`
	// Pages of recordings, an array of strings; needs the scope `recordings_export` (observed)
	CallRecordingShareLinks []string `json:"call_recording_share_links"`
	// Pages of an administrator's recordings, an array of strings; needs the scope `recordings_export` (observed)
	AdminCallRecordingShareLinks []string `json:"admin_call_recording_share_links"`
	// Address of the voicemail's sound; needs the scope `recordings_export` (observed)
	VoicemailLink string `json:"voicemail_link"`
	// The id of the voicemail's sound; needs the scope `recordings_export` (observed)
	VoicemailRecordingID ID `json:"voicemail_recording_id"`
	// What was said in the voicemail (observed)
	TranscriptionText string `json:"transcription_text"`
	// A page about the call for people of the company (observed)
	CompanyCallReviewShareLink string `json:"company_call_review_share_link"`
	// A page about the call for everyone (observed)
	PublicCallReviewShareLink string `json:"public_call_review_share_link"`
	// The caller's satisfaction (observed)
	CsatScore json.RawMessage `json:"csat_score"`
	// The quality of the sound, a number from 1 to 5 (observed)
	MosScore *float64 `json:"mos_score"`
	// What the program that started the call attached to it (observed)
	CustomData json.RawMessage `json:"custom_data"`
	// Records of connected programs, an object (observed)
	Integrations json.RawMessage `json:"integrations"`
	// The call in short (observed)
	RecapSummary string `json:"recap_summary"`
	// How the call ended (observed)
	RecapOutcome json.RawMessage `json:"recap_outcome"`
	// Why the call was made, an array (observed)
	RecapPurposes json.RawMessage `json:"recap_purposes"`
	// What is to be done, an array (observed)
	RecapActionItems json.RawMessage `json:"recap_action_items"`
	// The agent's wrap-up (observed)
	Dispositions json.RawMessage `json:"dispositions"`
}

// SmsEvent: A message was sent or received, or its status changed.
type SmsEvent struct {
	// The message.
	ID ID `json:"id"`
	// When the message was made, in milliseconds since 1970.
	CreatedDate Time `json:"created_date"`
	// Which way the message went, seen from the company.
	Direction string `json:"direction"`
	// The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none.
	Target *Target `json:"target"`
	// The outside party. An empty object stands for none.
	Contact *Contact `json:"contact"`
	// The user who wrote the message, where a group's number is used.
	SenderID ID `json:"sender_id"`
	// The sender's number, E.164.
	FromNumber string `json:"from_number"`
	// The receivers' numbers, E.164.
	ToNumber []string `json:"to_number"`
	// Whether it is an MMS.
	MMS *bool `json:"mms"`
	// The text; for an MMS the address of its media. Needs the scope `message_content_export`, or
	// `message_content_export:all` for the whole company; without it the text is absent or empty.
	Text string `json:"text"`
	// What became of the message.
	MessageStatus string `json:"message_status"`
	// Why, as far as the carriers tell. Known are accepted, internal_error, invalid_destination, invalid_source,
	// no_route, not_supported, rejected, rejected_spam and time_out.
	MessageDeliveryResult string `json:"message_delivery_result"`
	// When the event was made, in milliseconds since 1970 (observed)
	EventTimestamp Time `json:"event_timestamp"`
	// Whether both sides belong to the company (observed)
	IsInternal *bool `json:"is_internal"`
	// The text; needs the same scope as `text` (observed)
	TextContent string `json:"text_content"`
	// Address of the media; needs the same scope as `text` (observed)
	MMSURL string `json:"mms_url"`
	// The group's administrators, an array (observed)
	Admins []Target `json:"admins"`
}

// AgentStatusEvent: An agent of a contact centre changed status. Two spellings occur; programs should read both.
type AgentStatusEvent struct {
	// Whether the agent can take calls, being neither in a call nor on "do not disturb". The contract has a boolean,
	// real traffic `available` or `unavailable`.
	AvailabilityStatus json.RawMessage `json:"availability_status"`
	// What the agent is doing.
	OnDutyStatus string `json:"on_duty_status"`
	// The reason the agent gave.
	OnDutyStatusReason string `json:"on_duty_status_reason"`
	// The contact centres the agent works for. The contract has integers, real traffic strings of digits.
	CallCenterIDs []ID `json:"call_center_ids"`
	// Whether the agent uses the power dialler.
	PowerdialerMode *bool `json:"powerdialer_mode"`
	// The power dialler's session.
	PowerdialerSession string `json:"powerdialer_session"`
	// The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none.
	Target *Target `json:"target"`
	// When the status changed, in milliseconds since 1970.
	Date Time `json:"date"`
	// When the event was made, in milliseconds since 1970.
	EventTimestamp Time `json:"event_timestamp"`
}

// ContactEvent: A contact was made, changed or removed. These events do not say when.
type ContactEvent struct {
	// What happened to the contact.
	Event string `json:"event"`
	// The outside party. An empty object stands for none.
	Contact *Contact `json:"contact"`
}

// ChangeLogEvent: A setting of the company was changed.
type ChangeLogEvent struct {
	// When, in milliseconds since 1970, UTC.
	Date Time `json:"date"`
	// What was done, as a code such as `updated_ivr` or `operator_removed`.
	Action string `json:"action"`
	// The same for people. Its form is not fixed.
	Note string `json:"note"`
	// What exactly changed, an object. Its form is not fixed.
	AdditionalData map[string]json.RawMessage `json:"additional_data"`
	// The Dialpad entity an event is about: a user, a group, an office. An empty object stands for none.
	Target *Target `json:"target"`
	// Who changed a setting. Redacted when it was the provider's staff.
	ChangedBy *ChangedBy `json:"changed_by"`
}
