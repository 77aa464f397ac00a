package receiver

import "net/http"

// Refusal says why the body of a request is not an event that a receiver takes. It holds nothing secret.
type Refusal struct {
	// Code says what was wrong, in the words of packages/vectors.json.
	Code    string
	message string
}

func (refusal *Refusal) Error() string { return refusal.message }

// Status is what to answer: 401 if the signature is missing or wrong, 413 if the body is too large, else 400.
func (refusal *Refusal) Status() int {
	switch refusal.Code {
	case "too_large":
		return http.StatusRequestEntityTooLarge
	case "plain_json", "no_algorithm", "unsigned", "other_algorithm", "wrong_signature", "secret_missing":
		return http.StatusUnauthorized
	}
	return http.StatusBadRequest
}

func refuse(code, message string) *Refusal { return &Refusal{Code: code, message: message} }
