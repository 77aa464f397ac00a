// A receiver in Go, standard library only: go run receiver.go, with SECRET and PORT in the environment.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

const maxBody = 2 << 20

var errSignature = errors.New("the signature does not hold")

// verified returns the event in a signed body.
func verified(secret, body []byte) ([]byte, error) {
	encoding := base64.RawURLEncoding.Strict()
	segments := bytes.Split(body, []byte("."))
	if len(segments) != 3 {
		return nil, errSignature
	}
	var decoded [3][]byte
	for i, segment := range segments {
		if bytes.ContainsAny(segment, "\r\n") { // which Go's decoder passes over
			return nil, errSignature
		}
		var err error
		if decoded[i], err = encoding.DecodeString(string(segment)); err != nil {
			return nil, errSignature
		}
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil || header.Alg != "HS256" {
		return nil, errSignature
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body[:len(segments[0])+1+len(segments[1])])
	if !hmac.Equal(mac.Sum(nil), decoded[2]) {
		return nil, errSignature
	}
	return decoded[1], nil
}

func main() {
	secret := []byte(os.Getenv("SECRET"))
	if len(secret) == 0 {
		log.Fatal("SECRET is not set")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		payload, err := verified(secret, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var event struct {
			CallID int64  `json:"call_id"`
			State  string `json:"state"`
		}
		isObject := bytes.HasPrefix(bytes.TrimSpace(payload), []byte("{")) // Go would take null for an empty one
		if err := json.Unmarshal(payload, &event); err != nil || !isObject {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		// Drop what was seen before: the same event has the same id on every attempt.
		fmt.Println(r.Header.Get("Switchhook-Event-Id"), event.State)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}
