package receiver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

type vector struct {
	Name         string            `json:"name"`
	Secrets      []string          `json:"secrets"`
	Headers      map[string]string `json:"headers"`
	Body         *string           `json:"body"`
	BodyBase64   string            `json:"body_base64"`
	BodyRepeated []any             `json:"body_repeated"`
	Accept       any               `json:"accept"`
	Status       int               `json:"status"`
	Refusal      string            `json:"refusal"`
	Event        string            `json:"event"`
	Kind         Kind              `json:"kind"`
	RepeatKey    string            `json:"repeat_key"`
	Reads        map[string]any    `json:"reads"`
}

type file struct {
	Vectors []vector `json:"vectors"`
	Calls   []struct {
		Name   string `json:"name"`
		Events []struct {
			Event    string   `json:"event"`
			Key      string   `json:"key"`
			Merged   []string `json:"merged"`
			Possibly []string `json:"possibly"`
		} `json:"events"`
	} `json:"calls"`
	Orders []struct {
		Name   string `json:"name"`
		Events []struct {
			Event  string `json:"event"`
			IsLate bool   `json:"is_late"`
		} `json:"events"`
	} `json:"orders"`
}

func vectors(t *testing.T) file {
	text, err := os.ReadFile("../vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var read file
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func (vector vector) body(t *testing.T) string {
	if vector.Body != nil {
		return *vector.Body
	}
	if vector.BodyRepeated != nil {
		return strings.Repeat(vector.BodyRepeated[0].(string), int(vector.BodyRepeated[1].(float64)))
	}
	body, err := base64.StdEncoding.DecodeString(vector.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func quiet(t *testing.T, options Options) *Receiver {
	options.Report = func(error) {}
	options.Unsigned = len(options.Secrets) == 0
	receiver, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return receiver
}

func post(handler http.Handler, body string, headers map[string]string) *httptest.ResponseRecorder {
	request := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestEveryVectorIsJudgedAsTheFileSays(t *testing.T) {
	all := vectors(t).Vectors
	if len(all) < 100 {
		t.Fatal(len(all))
	}
	for _, vector := range all {
		receiver := quiet(t, Options{Secrets: vector.Secrets})
		body := vector.body(t)
		status := post(receiver.Handler(Handlers{}), body, vector.Headers).Code
		if vector.Accept == "either" {
			if status != 200 && status/100 != 4 {
				t.Errorf("%s: %d", vector.Name, status)
			}
			continue
		}
		if status != vector.Status {
			t.Errorf("%s: answered with %d, not %d", vector.Name, status, vector.Status)
		}
		header := http.Header{}
		for name, value := range vector.Headers {
			header.Set(name, value)
		}
		event, err := receiver.Verify([]byte(body), header)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			if vector.Accept != false || refusal.Code != vector.Refusal {
				t.Errorf("%s: refused as %s: %v", vector.Name, refusal.Code, err)
			}
		case err != nil:
			t.Errorf("%s: %v", vector.Name, err)
		default:
			checkAccepted(t, vector, event)
		}
	}
}

func TestWhatIsNoObjectIsTakenByAReceiverOfAnyJSON(t *testing.T) {
	for _, vector := range vectors(t).Vectors {
		if vector.Refusal != "not_an_object" {
			continue
		}
		receiver := quiet(t, Options{Secrets: vector.Secrets, AcceptAnyJSON: true})
		event, err := receiver.Verify([]byte(vector.body(t)), http.Header{"Switchhook-Event-Kind": {"call"}})
		if err != nil {
			t.Fatalf("%s: %v", vector.Name, err)
		}
		vector.Accept = true
		checkAccepted(t, vector, event)
		if event.Call().CallID != "" || event.Summary() != "of no known kind" {
			t.Errorf("%s: %s", vector.Name, event.Summary())
		}
	}
}

func checkAccepted(t *testing.T, vector vector, event *Received) {
	if vector.Accept != true || string(event.Text) != vector.Event || event.Kind != vector.Kind {
		t.Errorf("%s: accepted as %s", vector.Name, event.Kind)
	}
	if vector.RepeatKey != "" && event.RepeatKey != vector.RepeatKey {
		t.Errorf("%s: the repeat key is %s, not %s", vector.Name, event.RepeatKey, vector.RepeatKey)
	}
	call := event.Call()
	for path, wanted := range vector.Reads {
		var found any
		switch path {
		case "call_id":
			found = string(call.CallID)
		case "duration_ms":
			if call.DurationMS != nil {
				found = float64(*call.DurationMS)
			}
		case "id":
			found = string(event.SMS().ID)
		case "target.id":
			found = string(event.AgentStatus().Target.ID)
		case "contact.id":
			found = string(event.Contact().Contact.ID)
		default:
			continue
		}
		if !reflect.DeepEqual(found, wanted) {
			t.Errorf("%s: %s is %v, not %v", vector.Name, path, found, wanted)
		}
	}
}

func callEvent(t *testing.T, text string) *CallEvent {
	event, err := quiet(t, Options{}).Verify([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return event.Call()
}

func TestTheLegsOfACallAreThoseOfTheFile(t *testing.T) {
	for _, sequence := range vectors(t).Calls {
		calls := NewCalls(100)
		for _, step := range sequence.Events {
			of, _ := calls.CallOf(callEvent(t, step.Event))
			same := of.Key == step.Key && strings.Join(of.Merged, " ") == strings.Join(step.Merged, " ") &&
				strings.Join(of.Possibly, " ") == strings.Join(step.Possibly, " ")
			if !same {
				t.Errorf("%s: %s: %+v", sequence.Name, step.Event, of)
			}
		}
	}
}

func TestAnEventIsLateWhereTheFileSaysSo(t *testing.T) {
	for _, sequence := range vectors(t).Orders {
		order := NewLegOrder(100)
		for _, step := range sequence.Events {
			if order.IsLate(callEvent(t, step.Event)) != step.IsLate {
				t.Errorf("%s: %s", sequence.Name, step.Event)
			}
		}
	}
}

const hangup = `{"call_id":7,"state":"hangup","event_timestamp":5}`

func TestAnEventIsDealtWithOnceAndComesAgainIfItFails(t *testing.T) {
	count, fails := 0, true
	handler := quiet(t, Options{}).Handler(Handlers{OnCall: func(event *Received) error {
		count++
		if fails {
			panic("no database")
		}
		return nil
	}})
	if answer := post(handler, hangup, nil); answer.Code != 500 || strings.Contains(answer.Body.String(), "database") {
		t.Fatal(answer.Code, answer.Body)
	}
	fails = false
	for range [3]int{} {
		if answer := post(handler, hangup, nil); answer.Code != 200 {
			t.Fatal(answer.Code)
		}
	}
	if count != 2 {
		t.Fatal(count)
	}
	if answer := httptest.NewRecorder(); true {
		handler.ServeHTTP(answer, httptest.NewRequest("GET", "/hook", nil))
		if answer.Code != 405 {
			t.Fatal(answer.Code)
		}
	}
}

func TestAnEventThatIsBeingDealtWithIsAnsweredWith503(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	handler := quiet(t, Options{}).Handler(Handlers{OnOther: func(*Received) error {
		begun <- true
		<-finish
		return nil
	}})
	first := make(chan int)
	go func() { first <- post(handler, hangup, nil).Code }()
	<-begun
	if answer := post(handler, hangup, nil); answer.Code != 503 || answer.Header().Get("Retry-After") != "5" {
		t.Fatal(answer.Code)
	}
	finish <- true
	if status := <-first; status != 200 {
		t.Fatal(status)
	}
}

func TestASecretThatIsNotSetOpensNoDoor(t *testing.T) {
	for _, options := range []Options{{}, {Secrets: []string{""}}, {Secrets: []string{"new", ""}}, {Secrets: []string{"s"}, Unsigned: true}} {
		if _, err := New(options); err != ErrNoSecret {
			t.Errorf("%+v: %v", options, err)
		}
	}
}

func TestAMemoryForgetsWhatIsOldAndWhatIsTooMuch(t *testing.T) {
	now := time.Unix(0, 0)
	memory := newInMemory(2, func() time.Time { return now })
	var turns []Turn
	deal := func(key string) {
		turn, _ := memory.Begin(key)
		turns = append(turns, turn)
		if turn == First {
			_ = memory.Done(key, 100)
		}
	}
	for _, key := range []string{"a", "a", "b", "c", "a"} {
		deal(key)
	}
	now = now.Add(100)
	deal("a")
	if !reflect.DeepEqual(turns, []Turn{First, Repeat, First, First, First, First}) {
		t.Fatal(turns)
	}
}

func TestADurationIsReadAndShownInGoesOwnWay(t *testing.T) {
	call := callEvent(t, `{"call_id":7,"state":"hangup","duration":8951.03}`)
	if call.DurationMS.Duration() != 8951030*time.Microsecond || fmt.Sprint(call.DurationMS, call.TalkTimeMS) != "8.95103s -" {
		t.Fatal(call.DurationMS, call.TalkTimeMS)
	}
}

func TestALineForTheLogNamesNoPerson(t *testing.T) {
	text := `{"call_id":7,"state":"hangup","direction":"inbound","contact":{"name":"Ada"}}`
	event, err := quiet(t, Options{AcceptQuoted: true}).Verify([]byte(text), nil)
	if err != nil || event.Summary() != "hangup inbound call 7" {
		t.Fatal(err, event)
	}
}
