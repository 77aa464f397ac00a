// Package receiver receives the webhooks of Dialpad and of Switchhook: verified, typed, each event once.
//
//	hook, err := receiver.New(receiver.Options{Secrets: []string{os.Getenv("DIALPAD_WEBHOOK_SECRET")}})
//	…
//	http.Handle("/hook", hook.Handler(receiver.Handlers{
//		OnCall: func(event *receiver.Received) error {
//			call := event.Call()
//			log.Println(call.CallID, call.State, call.DurationMS)
//			return nil
//		},
//	}))
package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Options are what a receiver is made with.
type Options struct {
	// Secrets are those that may have signed: several while one is being replaced by another.
	Secrets []string
	// Unsigned takes events as plain JSON, from anybody. It has to be said, so that a secret that was not set opens no door.
	Unsigned bool
	// AcceptQuoted takes tokens that stand in quotes too, as a gateway makes them that turns every body into JSON.
	AcceptQuoted bool
	// AcceptAnyJSON takes events that are no objects too, such as an array, for whoever keeps what comes and looks at it later.
	// No kind is one: OnOther gets them, and they have their Text and no members.
	AcceptAnyJSON bool
	// Repeats remembers which events were dealt with; the last 100,000 in memory unless given.
	Repeats Repeats
	// Remember is for how long an event is known as a repeat: 7 days unless given.
	Remember time.Duration
	// HandlerTimeout is how long a handler may take before it counts as failed: a minute unless given.
	HandlerTimeout time.Duration
	// Report is called with whatever goes wrong; it is logged unless given.
	Report func(error)
}

// Handlers has a function for each kind of event. One that fails, or takes longer than Options.HandlerTimeout, is answered
// with 500, and the event comes again.
type Handlers struct {
	OnCall, OnSMS, OnAgentStatus, OnContact, OnChangeLog func(*Received) error
	// OnOther gets events that no other function is for, those of no known kind included.
	OnOther func(*Received) error
}

// Answer is what to answer to a request.
type Answer struct {
	Status int
	// Message is a line for the sender's log: nothing secret, nothing of what went wrong inside.
	Message string
	// RetryAfter is in seconds; 0 for none.
	RetryAfter int
}

// ErrNoSecret says that a receiver cannot be made: a secret is empty, or there is none and Unsigned was not said.
var ErrNoSecret = errors.New("receiver: a secret is empty or not set; for unsigned events say Unsigned and give no secret")

// ErrHandlerTimedOut says that a handler did not come to its end in time.
var ErrHandlerTimedOut = errors.New("the handler did not come to its end in time, so the event may come again")

// Receiver checks the bodies of requests. Made once, then shared.
type Receiver struct {
	options Options
	secrets [][]byte
}

// New makes a receiver.
func New(options Options) (*Receiver, error) {
	receiver := &Receiver{options: options}
	for _, secret := range options.Secrets {
		if secret == "" {
			return nil, ErrNoSecret
		}
		receiver.secrets = append(receiver.secrets, []byte(secret))
	}
	if (len(receiver.secrets) == 0) != options.Unsigned {
		return nil, ErrNoSecret
	}
	if options.Repeats == nil {
		receiver.options.Repeats = RepeatsInMemory(100_000)
	}
	if options.Remember == 0 {
		receiver.options.Remember = 7 * 24 * time.Hour
	}
	if options.HandlerTimeout < 0 {
		return nil, errors.New("receiver: HandlerTimeout is less than 0")
	}
	if options.HandlerTimeout == 0 {
		receiver.options.HandlerTimeout = time.Minute
	}
	if options.Report == nil {
		receiver.options.Report = func(err error) { log.Printf("switchhook-receiver: %v", err) }
	}
	return receiver, nil
}

// Verify takes the whole body of a request, whatever its Content-Type: checks its signature, and that it is one event.
// The error is a *Refusal.
func (receiver *Receiver) Verify(body []byte, header http.Header) (*Received, error) {
	if len(body) > MaxBodyBytes {
		return nil, tooLarge()
	}
	if receiver.options.AcceptQuoted {
		bare := bytes.Trim(body, " \t\r\n")
		if len(bare) >= 2 && bare[0] == '"' && bare[len(bare)-1] == '"' {
			body = bare[1 : len(bare)-1]
		}
	}
	if receiver.secrets != nil {
		payload, err := verifyToken(body, receiver.secrets)
		if err != nil {
			return nil, err
		}
		return newReceived(payload, labelsOf(header), receiver.options.AcceptAnyJSON)
	}
	// A token begins with the base64url of `{"`, and JSON never begins with the letter `e`.
	if bytes.HasPrefix(body, []byte("ey")) {
		return nil, refuse("secret_missing", "the event is signed, but this receiver has no secret; give it the webhook's")
	}
	return newReceived(body, labelsOf(header), receiver.options.AcceptAnyJSON)
}

// Receive verifies, drops repeats, calls the function of the event's kind, and says what to answer.
func (receiver *Receiver) Receive(body []byte, header http.Header, handlers Handlers) Answer {
	event, err := receiver.Verify(body, header)
	if err != nil {
		return receiver.refuse(err)
	}
	turn, err := receiver.options.Repeats.Begin(event.RepeatKey)
	switch {
	case err != nil:
		return receiver.fail(fmt.Errorf("the store of repeats: %w", err))
	case turn == Repeat:
		return Answer{Status: http.StatusOK, Message: "a repeat"}
	case turn == UnderWay:
		return Answer{Status: http.StatusServiceUnavailable, Message: "this event is being handled", RetryAfter: 5}
	}
	if err := receiver.handle(event, handlers); err != nil {
		return receiver.fail(fmt.Errorf("the handler failed: %w", err))
	}
	return receiver.done(event)
}

// handle calls the function of the event's kind. If it fails or takes too long, the event may come again.
func (receiver *Receiver) handle(event *Received, handlers Handlers) error {
	ctx, cancel := context.WithTimeout(context.Background(), receiver.options.HandlerTimeout)
	defer cancel()
	event.context = ctx
	handled := make(chan error, 1)
	go func() {
		err := errors.New("it ended its goroutine")
		defer func() { handled <- err }()
		err = handlers.call(event)
	}()
	var err error
	select {
	case err = <-handled:
	case <-ctx.Done():
		err = ErrHandlerTimedOut
	}
	if err != nil {
		if forgetting := receiver.options.Repeats.Forget(event.RepeatKey); forgetting != nil {
			receiver.options.Report(fmt.Errorf("the store of repeats: %w", forgetting))
		}
	}
	if err == ErrHandlerTimedOut {
		go func() {
			// What could not be stopped, and comes to a good end after all, need not be done again.
			if <-handled == nil {
				receiver.done(event)
			}
		}()
	}
	return err
}

func (receiver *Receiver) done(event *Received) Answer {
	window := receiver.options.Remember
	if strings.HasPrefix(event.RepeatKey, "~") && window > brief {
		window = brief
	}
	if err := receiver.options.Repeats.Done(event.RepeatKey, window); err != nil {
		return receiver.fail(fmt.Errorf("the store of repeats: %w", err))
	}
	return Answer{Status: http.StatusOK, Message: "received"}
}

// Handler takes requests.
func (receiver *Receiver) Handler(handlers Handlers) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			writer.Header().Set("Allow", http.MethodPost)
			http.Error(writer, "events are sent with POST", http.StatusMethodNotAllowed)
			return
		}
		var answer Answer
		body, err := io.ReadAll(io.LimitReader(request.Body, MaxBodyBytes+1))
		switch {
		case err != nil:
			answer = receiver.refuse(refuse("broken_off", "the body broke off before its end"))
		case len(body) > MaxBodyBytes:
			answer = receiver.refuse(tooLarge())
		default:
			answer = receiver.Receive(body, request.Header, handlers)
		}
		if answer.RetryAfter > 0 {
			writer.Header().Set("Retry-After", strconv.Itoa(answer.RetryAfter))
		}
		writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
		writer.WriteHeader(answer.Status)
		_, _ = io.WriteString(writer, answer.Message+"\n")
	})
}

func (receiver *Receiver) refuse(err error) Answer {
	receiver.options.Report(fmt.Errorf("refused: %w", err))
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return Answer{Status: refusal.Status(), Message: refusal.Error()}
	}
	return Answer{Status: http.StatusBadRequest, Message: "the event could not be read"}
}

func (receiver *Receiver) fail(err error) Answer {
	receiver.options.Report(err)
	return Answer{Status: http.StatusInternalServerError, Message: "the event could not be handled"}
}

// call calls the function of the event's kind; one that panics has failed.
func (handlers Handlers) call(event *Received) (err error) {
	own := map[Kind]func(*Received) error{
		CallKind: handlers.OnCall, SMSKind: handlers.OnSMS, AgentStatusKind: handlers.OnAgentStatus,
		ContactKind: handlers.OnContact, ChangeLogKind: handlers.OnChangeLog,
	}[event.Kind]
	if own == nil {
		own = handlers.OnOther
	}
	if own == nil {
		return nil
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return own(event)
}

func tooLarge() *Refusal {
	return refuse("too_large", "the body has more than "+strconv.Itoa(MaxBodyBytes)+" bytes, and more are not looked at")
}
