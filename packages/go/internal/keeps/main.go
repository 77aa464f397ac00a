// A receiver for `cargo xtask strangers`: each event once, as a line of the file $KEPT.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	receiver "github.com/switchhook/switchhook/packages/go"
)

func main() {
	kept, err := os.Create(os.Getenv("KEPT"))
	if err != nil {
		log.Fatal(err)
	}
	hook, err := receiver.New(receiver.Options{
		Secrets: []string{os.Getenv("SECRET"), "of before"},
		Report:  func(error) {},
	})
	if err != nil {
		log.Fatal(err)
	}
	keep := func(event *receiver.Received) error {
		_, err := fmt.Fprintln(kept, event.Kind, event.RepeatKey)
		return err
	}
	http.Handle("/hook", hook.Handler(receiver.Handlers{OnOther: keep}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
