package receiver

import (
	"container/list"
	"sync"
	"time"
)

// Turn says what to do with an event.
type Turn int

const (
	// First is to deal with it; then call Done or Forget.
	First Turn = iota
	// Repeat is to answer 200 and do nothing.
	Repeat
	// UnderWay is to answer 503: nobody knows yet whether dealing with it succeeds.
	UnderWay
)

// Repeats remembers which events were dealt with. Several processes, or functions that live for one request, need one
// outside of the memory of a process. Called from many goroutines.
type Repeats interface {
	// Begin says whose turn it is. First claims the key, so that nobody else gets it until Done or Forget.
	Begin(key string) (Turn, error)
	// Done says that the event was dealt with: it is a repeat for so long.
	Done(key string, window time.Duration) error
	// Forget says that it was not: it may come again.
	Forget(key string) error
}

type inMemory struct {
	mutex    sync.Mutex
	events   int
	now      func() time.Time
	until    map[string]*list.Element
	order    *list.List // Of entries, in the order in which they were dealt with.
	underWay map[string]bool
}

type entry struct {
	key   string
	until time.Time
}

// RepeatsInMemory remembers so many events in this process: after a restart every event is new.
func RepeatsInMemory(events int) Repeats { return newInMemory(events, time.Now) }

func newInMemory(events int, now func() time.Time) *inMemory {
	return &inMemory{
		events: events, now: now, until: map[string]*list.Element{}, order: list.New(), underWay: map[string]bool{},
	}
}

func (memory *inMemory) Begin(key string) (Turn, error) {
	memory.mutex.Lock()
	defer memory.mutex.Unlock()
	if memory.underWay[key] {
		return UnderWay, nil
	}
	if element, found := memory.until[key]; found && element.Value.(entry).until.After(memory.now()) {
		return Repeat, nil
	}
	memory.underWay[key] = true
	return First, nil
}

func (memory *inMemory) Done(key string, window time.Duration) error {
	memory.mutex.Lock()
	defer memory.mutex.Unlock()
	delete(memory.underWay, key)
	if element, found := memory.until[key]; found {
		memory.order.Remove(element)
	}
	memory.until[key] = memory.order.PushBack(entry{key, memory.now().Add(window)})
	for oldest := memory.order.Front(); oldest != nil; oldest = memory.order.Front() {
		if len(memory.until) <= memory.events && oldest.Value.(entry).until.After(memory.now()) {
			break
		}
		delete(memory.until, oldest.Value.(entry).key)
		memory.order.Remove(oldest)
	}
	return nil
}

func (memory *inMemory) Forget(key string) error {
	memory.mutex.Lock()
	defer memory.mutex.Unlock()
	delete(memory.underWay, key)
	return nil
}
