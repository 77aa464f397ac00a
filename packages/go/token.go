package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxBodyBytes is the longest body that is looked at: 2 MiB, twice what any sender sends.
const MaxBodyBytes = 2 << 20

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

var isBase64URL = regexp.MustCompile(`\A[A-Za-z0-9_-]*\z`)

// verifyToken returns the payload of a compact JWS (RFC 7515) that one of the secrets signed with HS256.
func verifyToken(token []byte, secrets [][]byte) ([]byte, error) {
	if len(token) == 0 {
		return nil, refuse("empty", "the token is empty")
	}
	if bytes.HasPrefix(bytes.TrimLeft(token, " \t\n\f\r"), []byte("{")) {
		return nil, refuse("plain_json", "this is plain JSON and not a signed token; the sending webhook has no secret")
	}
	segments := bytes.Split(token, []byte("."))
	if len(segments) != 3 {
		return nil, refuse("segments", fmt.Sprintf("a compact JWS has 3 segments separated by dots, and the token has %d", len(segments)))
	}
	header, err := decode(segments[0], "header")
	if err != nil {
		return nil, err
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	given, err := decode(segments[2], "signature")
	if err != nil {
		return nil, err
	}
	signed := token[:len(segments[0])+1+len(segments[1])]
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(signed)
		if hmac.Equal(mac.Sum(nil), given) {
			return decode(segments[1], "payload")
		}
	}
	return nil, refuse("wrong_signature",
		"the signature matches none of the secrets known here: another secret, or the body was changed on its way")
}

func checkHeader(header []byte) error {
	var members map[string]json.RawMessage
	if !utf8.Valid(header) || json.Unmarshal(header, &members) != nil || members == nil {
		return refuse("header_not_json", "the token's header is not a JSON object")
	}
	if _, found := members["crit"]; found {
		return refuse("critical", "the token's header has `crit`, which asks for extensions that are not supported")
	}
	algorithm, found := members["alg"]
	if !found {
		return refuse("no_algorithm", "the token's header names no algorithm; only HS256 is accepted")
	}
	name, _ := asWord(algorithm)
	if name == "HS256" {
		return nil
	}
	if strings.EqualFold(name, "none") {
		return refuse("unsigned", "the token says it is not signed (algorithm `none`); only HS256 is accepted")
	}
	shown := fmt.Sprintf("%.64q", algorithm)
	return refuse("other_algorithm", "the token is signed with "+shown+"; only HS256 is accepted")
}

func decode(segment []byte, part string) ([]byte, error) {
	if bytes.HasSuffix(segment, []byte("=")) {
		return nil, refuse("padded", "the "+part+" of the token is padded with `=`; a JWS uses base64url without padding")
	}
	if !isBase64URL.Match(segment) {
		return nil, refuse("not_base64", "the "+part+" of the token is not base64url: there is white space or another character")
	}
	rest := len(segment) % 4
	if rest == 1 {
		return nil, refuse("cut_off", "the "+part+" of the token is cut off: its length is that of no whole bytes")
	}
	// The bits of the last character that belong to no byte.
	spare := [4]int{0, 0, 15, 3}[rest]
	if spare != 0 && strings.IndexByte(alphabet, segment[len(segment)-1])&spare != 0 {
		return nil, refuse("not_canonical", "the "+part+" of the token ends in a character that no encoder writes")
	}
	decoded := make([]byte, base64.RawURLEncoding.DecodedLen(len(segment)))
	_, err := base64.RawURLEncoding.Decode(decoded, segment)
	return decoded, err
}
