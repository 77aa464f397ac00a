package receiver

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestAHandlerThatDoesNotEndInTimeHasFailedAndItsEventComesAgain(t *testing.T) {
	handler := quiet(t, Options{HandlerTimeout: time.Nanosecond}).Handler(Handlers{OnCall: func(event *Received) error {
		<-event.Context().Done()
		select {} // And it does not even stop then.
	}})
	for range [2]int{} {
		if answer := post(handler, hangup, nil); answer.Code != 500 {
			t.Fatal(answer.Code)
		}
	}
}

func TestAHandlerThatEndsWellTooLateIsNotCalledAgain(t *testing.T) {
	finish, done := make(chan bool), make(chan string)
	var troubles []error
	hook, err := New(Options{
		Unsigned: true, HandlerTimeout: time.Nanosecond, Repeats: heard{RepeatsInMemory(9), done},
		Report: func(err error) { troubles = append(troubles, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	handler := hook.Handler(Handlers{OnOther: func(*Received) error {
		count++
		<-finish
		return nil
	}})
	if answer := post(handler, hangup, nil); answer.Code != 500 {
		t.Fatal(answer.Code)
	}
	if len(troubles) != 1 || !errors.Is(troubles[0], ErrHandlerTimedOut) {
		t.Fatal(troubles)
	}
	finish <- true
	<-done
	if answer := post(handler, hangup, nil); answer.Code != 200 || count != 1 {
		t.Fatal(answer.Code, count)
	}
}

// heard tells when an event was dealt with.
type heard struct {
	Repeats
	done chan string
}

func (repeats heard) Done(key string, window time.Duration) error {
	err := repeats.Repeats.Done(key, window)
	repeats.done <- key
	return err
}

func TestAHandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	handler := quiet(t, Options{}).Handler(Handlers{OnCall: func(*Received) error {
		runtime.Goexit()
		return nil
	}})
	if answer := post(handler, hangup, nil); answer.Code != 500 {
		t.Fatal(answer.Code)
	}
}

func TestATimeThatIsLessThanNoneIsAMistake(t *testing.T) {
	if _, err := New(Options{Unsigned: true, HandlerTimeout: -1}); err == nil {
		t.Fatal("taken")
	}
}
