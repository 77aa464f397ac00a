package receiver

import (
	"container/list"
	"sync"
)

const middle = 2

// stages are how far a call is in a state, for events of the same instant; any other state is in the middle.
var stages = map[string]int{
	"calling": 0, "queued": 0, "ringing": 0, "preanswer": 1, "missed": 3, "voicemail": 3, "blocked": 3, "hangup": 4,
	"voicemailuploaded": 5, "recording": 5, "adminrecording": 5, "transcription": 5, "calltranscription": 5,
	"recapsummary": 6, "recapoutcome": 6, "recappurposes": 6, "recapactionitems": 6, "aiplaybook": 6,
	"csat": 6, "pcsat": 6, "dispositions": 6, "postcall": 6,
}

// LegOrder knows how far each leg is. Switchhook keeps the order of a call's events; Dialpad does not, and a `ringing` after
// its `hangup` leaves a record stuck. Bounded: the legs that are known for longest are forgotten.
type LegOrder struct {
	mutex   sync.Mutex
	maxLegs int
	passed  map[ID]place
	known   *list.List
}

type place struct {
	at    Time
	stage int
}

// NewLegOrder knows at most so many legs.
func NewLegOrder(maxLegs int) *LegOrder {
	if maxLegs < 1 {
		maxLegs = 1
	}
	return &LegOrder{maxLegs: maxLegs, passed: map[ID]place{}, known: list.New()}
}

// IsLate lets an event pass, and says whether a newer one of its leg passed before: then do not take its state over. An event
// without an id or a time is never late.
func (order *LegOrder) IsLate(event *CallEvent) bool {
	if event.CallID == "" || event.EventTimestamp == 0 {
		return false
	}
	order.mutex.Lock()
	defer order.mutex.Unlock()
	stage, found := stages[letters(event.State)]
	if !found {
		stage = middle
	}
	newest, found := order.passed[event.CallID]
	if found && (newest.at > event.EventTimestamp || newest.at == event.EventTimestamp && newest.stage > stage) {
		return true
	}
	if !found {
		order.known.PushBack(event.CallID)
	}
	order.passed[event.CallID] = place{event.EventTimestamp, stage}
	for len(order.passed) > order.maxLegs {
		delete(order.passed, order.known.Remove(order.known.Front()).(ID))
	}
	return false
}
