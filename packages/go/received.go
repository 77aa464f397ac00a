package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind says what an event is about. Empty if neither its shape nor its label tells.
type Kind string

const (
	CallKind        Kind = "call"
	SMSKind         Kind = "sms"
	AgentStatusKind Kind = "agent_status"
	ContactKind     Kind = "contact"
	ChangeLogKind   Kind = "changelog"
)

// brief is for how long identical bytes count as a repeat where nothing else tells.
const brief = 5 * time.Minute

// signs are the members that every event of a kind has, even when they are null, in the order in which they are tried.
var signs = []struct {
	kind    Kind
	members []string
}{
	{CallKind, []string{"call_id", "state"}},
	{SMSKind, []string{"from_number", "to_number"}},
	{AgentStatusKind, []string{"on_duty_status"}},
	{ContactKind, []string{"event", "contact"}},
	{ChangeLogKind, []string{"action", "changed_by"}},
}

// Labels are what the headers of a delivery tell. Dialpad sends none of them. They are not signed: believe the event first.
type Labels struct {
	// EventID is the same however often and to whomever the event is delivered.
	EventID string
	Kind    Kind
	// DeliveryID is one event for one webhook.
	DeliveryID string
	// Attempt counts from 1; 0 if absent.
	Attempt int
}

// Received is an event as it was sent, its signature checked if the receiver has a secret.
type Received struct {
	Kind   Kind
	Text   []byte // The event's JSON, byte for byte.
	Labels Labels
	// RepeatKey is the same for each repeat of this event. A `~` before it: only within five minutes.
	RepeatKey string
	members   map[string]json.RawMessage
	context   context.Context
}

// Context ends when the handler's time is over: hand it on to what the handler waits for.
func (event *Received) Context() context.Context {
	if event.context == nil {
		return context.Background()
	}
	return event.context
}

// Call reads the event as a call event. Values of unexpected types are left out.
func (event *Received) Call() *CallEvent { return read[CallEvent](event) }

// SMS reads the event as an SMS event.
func (event *Received) SMS() *SmsEvent { return read[SmsEvent](event) }

// AgentStatus reads the event as an agent status event.
func (event *Received) AgentStatus() *AgentStatusEvent { return read[AgentStatusEvent](event) }

// Contact reads the event as a contact event.
func (event *Received) Contact() *ContactEvent { return read[ContactEvent](event) }

// ChangeLog reads the event as a change log event.
func (event *Received) ChangeLog() *ChangeLogEvent { return read[ChangeLogEvent](event) }

// Summary is the event in a few words, for a log line: no name or number of a person, nothing that was said or written.
func (event *Received) Summary() string {
	word := func(name string) string {
		found, known := asID(event.members[name])
		if !known {
			return "?"
		}
		return strings.Map(func(letter rune) rune {
			if letter < ' ' || letter > '~' {
				return '?'
			}
			return letter
		}, fmt.Sprintf("%.64s", found))
	}
	switch event.Kind {
	case CallKind:
		return word("state") + " " + word("direction") + " call " + word("call_id")
	case SMSKind:
		return word("message_status") + " " + word("direction") + " message " + word("id")
	case AgentStatusKind:
		return "agent is " + word("on_duty_status")
	case ContactKind:
		return "contact " + word("event")
	case ChangeLogKind:
		return word("action")
	}
	return "of no known kind"
}

func read[T any](event *Received) *T {
	view := new(T)
	err := json.Unmarshal(event.Text, view)
	// Members of another type than expected are left out, and the rest is read.
	var other *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &other) {
		panic("an event is JSON: " + err.Error())
	}
	return view
}

func newReceived(body []byte, labels Labels, acceptAnyJSON bool) (*Received, error) {
	members, err := readObject(body, acceptAnyJSON)
	if err != nil {
		return nil, err
	}
	event := &Received{Text: body, Labels: labels, members: members}
	if members != nil {
		event.Kind = labels.Kind
	}
	for _, shape := range signs {
		if hasAll(members, shape.members) {
			event.Kind = shape.kind
			break
		}
	}
	if labels.EventID != "" {
		event.RepeatKey = digest("id", labels.EventID, string(body))
	} else if parts, found := event.naturalKey(); found {
		event.RepeatKey = digest(append([]string{string(event.Kind)}, parts...)...)
	} else {
		event.RepeatKey = "~" + digest("bytes", string(body))
	}
	return event, nil
}

func hasAll(members map[string]json.RawMessage, names []string) bool {
	for _, name := range names {
		if _, found := members[name]; !found {
			return false
		}
	}
	return true
}

// naturalKey is what tells the event from every other of its kind, if anything does.
func (event *Received) naturalKey() ([]string, bool) {
	word := func(name string) string {
		found, _ := asWord(event.members[name])
		return found
	}
	at, isTimed := asTime(event.members["event_timestamp"])
	switch event.Kind {
	case CallKind:
		id, found := asID(event.members["call_id"])
		return []string{id, word("state"), strconv.FormatInt(at, 10)}, found && isTimed
	case SMSKind:
		id, found := asID(event.members["id"])
		return []string{id, word("message_status"), word("message_delivery_result")}, found
	case AgentStatusKind:
		var target map[string]json.RawMessage
		_ = json.Unmarshal(event.members["target"], &target)
		id, found := asID(target["id"])
		return []string{id, strconv.FormatInt(at, 10), ""}, found && isTimed
	}
	return nil, false
}

// digest is half a SHA-256 over the parts, each with its length before it, so that no two lists of parts look alike.
func digest(parts ...string) string {
	whole := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		whole.Write(length[:])
		whole.Write([]byte(part))
	}
	return hex.EncodeToString(whole.Sum(nil)[:16])
}

var isID = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}\z`)

func labelsOf(header http.Header) Labels {
	id := func(name string) string {
		text := strings.TrimSpace(header.Get(name))
		if !isID.MatchString(text) {
			return ""
		}
		return text
	}
	labels := Labels{EventID: id("Switchhook-Event-Id"), DeliveryID: id("Switchhook-Delivery-Id")}
	for _, shape := range signs {
		if SameWord(string(shape.kind), strings.TrimSpace(header.Get("Switchhook-Event-Kind"))) {
			labels.Kind = shape.kind
		}
	}
	if attempt, err := strconv.ParseUint(strings.TrimSpace(header.Get("Switchhook-Attempt")), 10, 30); err == nil {
		labels.Attempt = int(attempt)
	}
	return labels
}
