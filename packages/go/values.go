package receiver

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ID is an id as text, digit for digit: some come as numbers and some as text, and both may have 64 bits. Empty if absent.
type ID string

// UnmarshalJSON takes a number or text; all else counts as absent.
func (id *ID) UnmarshalJSON(text []byte) error {
	word, _ := asID(text)
	*id = ID(word)
	return nil
}

// Time is in milliseconds since 1970, UTC. Zero if absent.
type Time int64

// UnmarshalJSON takes a number or text of digits; all else counts as absent.
func (at *Time) UnmarshalJSON(text []byte) error {
	milliseconds, _ := asTime(text)
	*at = Time(milliseconds)
	return nil
}

// Milliseconds is a length of time, with a fraction. Not seconds.
type Milliseconds float64

// Duration is the same in Go's own type; 0 if absent.
func (length *Milliseconds) Duration() time.Duration {
	if length == nil {
		return 0
	}
	return time.Duration(float64(*length) * float64(time.Millisecond))
}

// String is for a log.
func (length *Milliseconds) String() string {
	if length == nil {
		return "-"
	}
	return length.Duration().String()
}

// SameWord says whether two words say the same: case, `_` and `-` do not count, as genuine events are not of one mind.
func SameWord(one, other string) bool { return letters(one) == letters(other) }

func letters(word string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(word))
}

// readObject reads one JSON object; its members stay as they were written. JSON that is no object has none, where any is
// accepted.
func readObject(body []byte, acceptAnyJSON bool) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, refuse("not_utf8", "the body is not UTF-8")
	}
	trimmed := bytes.Trim(body, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, refuse("empty", "the body is empty; an event is one JSON object")
	}
	if !json.Valid(trimmed) {
		return nil, refuse("not_json", "the body is not JSON")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(trimmed, &members) != nil || members == nil {
		if acceptAnyJSON {
			return nil, nil
		}
		return nil, refuse("not_an_object", "the body is JSON, but not an object; an event is one JSON object")
	}
	return members, nil
}

func isNumber(text []byte) bool {
	return len(text) > 0 && (text[0] == '-' || '0' <= text[0] && text[0] <= '9')
}

// asWord reads text that is not empty.
func asWord(text []byte) (string, bool) {
	var word string
	if len(text) == 0 || text[0] != '"' || json.Unmarshal(text, &word) != nil {
		return "", false
	}
	return word, word != ""
}

func asID(text []byte) (string, bool) {
	if isNumber(text) {
		return string(text), true
	}
	return asWord(text)
}

var isDigits = regexp.MustCompile(`\A[+-]?[0-9]{1,19}\z`)

func asTime(text []byte) (int64, bool) {
	digits := string(text)
	if !isNumber(text) {
		word, found := asWord(text)
		if !found || !isDigits.MatchString(word) {
			return 0, false
		}
		digits = word
	}
	if whole, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return whole, true
	}
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.Abs(number) >= 1<<63 {
		return 0, false
	}
	return int64(number), true
}
