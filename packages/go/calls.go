package receiver

import (
	"container/list"
	"sort"
	"strings"
	"sync"
)

const (
	withinMilliseconds = 60_000
	// How many calls of one caller are looked at that may be one, and on how many lines.
	mostAlike = 8
	mostLines = 8
	// Shorter numbers are extensions, which many have; before the last eight may stand a country code or a trunk's zero.
	fewestDigits = 7
	mostDigits   = 8
)

// CallOf is what is known about the call of an event.
type CallOf struct {
	// Key is the id of the first of the call's legs that was heard of.
	Key string
	// Merged are keys that were given before and mean this call from now on: merge what was made of them.
	Merged []string
	// Possibly are keys of other calls that may be this one: no id says so, but caller and line are the same and they began
	// within 60 seconds. They are not merged: somebody may have called twice.
	Possibly []string
}

// Calls knows which legs belong together. Bounded: the calls that were quiet for longest are forgotten.
type Calls struct {
	mutex    sync.Mutex
	maxLegs  int
	callOf   map[string]string
	calls    map[string]*call
	quietest *list.List // Of keys, in the order in which they were heard of.
	callers  map[string][]alike
	heard    int
}

type call struct {
	legs   []string
	begun  int
	caller string
	place  *list.Element
}

type alike struct {
	key      string
	likeness *likeness
}

type likeness struct {
	caller    string
	lines     []string
	beganAt   Time
	direction string
}

// NewCalls knows at most so many legs.
func NewCalls(maxLegs int) *Calls {
	if maxLegs < 4 {
		maxLegs = 4
	}
	return &Calls{
		maxLegs: maxLegs, callOf: map[string]string{}, calls: map[string]*call{}, quietest: list.New(),
		callers: map[string][]alike{},
	}
}

// CallOf is the call that an event is about: the union over its four ids. False if it has none of them.
func (calls *Calls) CallOf(event *CallEvent) (CallOf, bool) {
	calls.mutex.Lock()
	defer calls.mutex.Unlock()
	var legs []string
	for _, id := range []ID{event.CallID, event.MasterCallID, event.OperatorCallID, event.EntryPointCallID} {
		// Real traffic writes an absent id as null, some of it as 0.
		if id != "" && id != "0" {
			legs = appendNew(legs, string(id))
		}
	}
	if legs == nil {
		return CallOf{}, false
	}
	var known []string
	for _, leg := range legs {
		if key, found := calls.callOf[leg]; found {
			known = appendNew(known, key)
		}
	}
	sort.SliceStable(known, func(one, other int) bool {
		return calls.calls[known[one]].begun < calls.calls[known[other]].begun
	})
	of := CallOf{Key: legs[0]}
	if known != nil {
		of.Key, of.Merged = known[0], known[1:]
	}
	calls.hearOf(of.Key, legs, of.Merged)
	if likeness := likenessOf(event); likeness != nil {
		of.Possibly = calls.possibly(of.Key, likeness)
	}
	calls.forgetTheQuietest()
	return of, true
}

func (calls *Calls) hearOf(key string, legs, merged []string) {
	calls.heard++
	one, found := calls.calls[key]
	if !found {
		one = &call{begun: calls.heard, place: calls.quietest.PushBack(key)}
		calls.calls[key] = one
	}
	for _, other := range merged {
		was := calls.calls[other]
		calls.forget(other, was)
		for _, leg := range was.legs {
			calls.callOf[leg] = key
		}
		one.legs = append(one.legs, was.legs...)
	}
	for _, leg := range legs {
		if _, found := calls.callOf[leg]; !found {
			calls.callOf[leg] = key
			one.legs = append(one.legs, leg)
		}
	}
	calls.quietest.MoveToBack(one.place)
}

// possibly finds other calls that may be this one, and notes what is known of this.
func (calls *Calls) possibly(key string, like *likeness) []string {
	var others []string
	for _, known := range calls.callers[like.caller] {
		if known.key != key && known.likeness.mayBeOneCallWith(like) {
			others = append(others, known.key)
		}
	}
	calls.note(key, like)
	return others
}

// note: of a call's legs the first tells when it began; the lines of all are its.
func (calls *Calls) note(key string, like *likeness) {
	one := calls.calls[key]
	if one.caller == "" {
		one.caller = like.caller
	}
	if one.caller != like.caller {
		return
	}
	of := calls.callers[like.caller]
	for _, known := range of {
		if known.key == key {
			for _, line := range like.lines {
				if len(known.likeness.lines) < mostLines {
					known.likeness.lines = appendNew(known.likeness.lines, line)
				}
			}
			return
		}
	}
	of = append(of, alike{key, like})
	if len(of) > mostAlike {
		of = of[1:]
	}
	calls.callers[like.caller] = of
}

// forgetTheQuietest never forgets the call that was heard of last, so a key that was just given is always known.
func (calls *Calls) forgetTheQuietest() {
	for len(calls.callOf) > calls.maxLegs && len(calls.calls) > 1 {
		key := calls.quietest.Front().Value.(string)
		was := calls.calls[key]
		calls.forget(key, was)
		for _, leg := range was.legs {
			delete(calls.callOf, leg)
		}
	}
}

func (calls *Calls) forget(key string, was *call) {
	delete(calls.calls, key)
	calls.quietest.Remove(was.place)
	var rest []alike
	for _, known := range calls.callers[was.caller] {
		if known.key != key {
			rest = append(rest, known)
		}
	}
	if rest == nil {
		delete(calls.callers, was.caller)
	} else {
		calls.callers[was.caller] = rest
	}
}

// likenessOf is by what a leg can be known as one of a call's, weaker than by an id.
func likenessOf(event *CallEvent) *likeness {
	var like likeness
	for _, number := range []string{event.ExternalNumber, contactPhone(event.Contact)} {
		if like.caller == "" {
			like.caller = digitsOf(number)
		}
	}
	numbers := []string{event.InternalNumber}
	for _, target := range []*Target{event.Target, event.EntryPointTarget, event.ProxyTarget} {
		if target != nil {
			numbers = append(numbers, firstOf(target.Phone, target.PhoneNumber))
		}
	}
	for _, number := range numbers {
		if digits := digitsOf(number); digits != "" {
			like.lines = appendNew(like.lines, digits)
		}
	}
	like.beganAt = event.DateStarted
	if like.beganAt == 0 {
		like.beganAt = event.EventTimestamp
	}
	like.direction = letters(event.Direction)
	if like.caller == "" || like.lines == nil || like.beganAt == 0 {
		return nil
	}
	return &like
}

func contactPhone(contact *Contact) string {
	if contact == nil {
		return ""
	}
	return firstOf(append([]string{contact.PrimaryPhone, contact.Phone, contact.PhoneNumber}, contact.Phones...)...)
}

func (like *likeness) mayBeOneCallWith(other *likeness) bool {
	apart := like.beganAt - other.beganAt
	if apart > withinMilliseconds || apart < -withinMilliseconds {
		return false
	}
	if like.direction != "" && other.direction != "" && like.direction != other.direction {
		return false
	}
	for _, line := range like.lines {
		for _, others := range other.lines {
			if line == others {
				return true
			}
		}
	}
	return false
}

func digitsOf(number string) string {
	digits := strings.Map(func(letter rune) rune {
		if letter < '0' || letter > '9' {
			return -1
		}
		return letter
	}, number)
	if len(digits) < fewestDigits {
		return ""
	}
	if len(digits) > mostDigits {
		digits = digits[len(digits)-mostDigits:]
	}
	return digits
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func appendNew(texts []string, text string) []string {
	for _, known := range texts {
		if known == text {
			return texts
		}
	}
	return append(texts, text)
}
