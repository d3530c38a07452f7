package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A refusal is an error answer in the form of Google's APIs.
type refusal struct {
	code    int
	status  string // canonical code: "NOT_FOUND"
	reason  string // "notFound"
	message string
}

func notFound(message string) *refusal {
	return &refusal{http.StatusNotFound, "NOT_FOUND", "notFound", message}
}

func invalid(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, "INVALID_ARGUMENT", "badRequest", fmt.Sprintf(format, args...)}
}

func precondition(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, "FAILED_PRECONDITION", "failedPrecondition", fmt.Sprintf(format, args...)}
}

// refusalOf fills in what usually goes with an HTTP status.
func refusalOf(code int, reason, message string) *refusal {
	known := map[int]refusal{
		400: {400, "INVALID_ARGUMENT", "badRequest", "Invalid value."},
		401: {401, "UNAUTHENTICATED", "authError", "Request had invalid authentication credentials."},
		403: {403, "PERMISSION_DENIED", "forbidden", "Permission denied."},
		404: {404, "NOT_FOUND", "notFound", "Not found."},
		409: {409, "ABORTED", "aborted", "The operation was aborted."},
		429: {429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Quota exceeded for quota metric 'API requests'."},
		500: {500, "INTERNAL", "backendError", "Internal error encountered."},
		502: {502, "UNAVAILABLE", "backendError", "Bad gateway."},
		503: {503, "UNAVAILABLE", "backendError", "The service is currently unavailable."},
		504: {504, "DEADLINE_EXCEEDED", "backendError", "Deadline expired before operation could complete."},
	}
	f, isKnown := known[code]
	if !isKnown {
		f = refusal{code, "UNKNOWN", "unknown", http.StatusText(code)}
	}
	switch reason {
	case "":
	case "failedPrecondition":
		f.status = "FAILED_PRECONDITION"
		f.reason = reason
	case "alreadyExists":
		f.status = "ALREADY_EXISTS"
		f.reason = reason
	default:
		f.reason = reason
	}
	if message != "" {
		f.message = message
	}
	return &f
}

func (f *refusal) response() (int, any) {
	return f.code, map[string]any{"error": map[string]any{
		"code":    f.code,
		"message": f.message,
		"status":  f.status,
		"errors":  []any{map[string]any{"domain": "global", "reason": f.reason, "message": f.message}},
	}}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("emulator: encode answer: %v", err))
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the client is gone: nobody to tell
}

// maxBody is the most that a request may weigh, in bytes.
const maxBody = 4 << 20

// decode reads a request body into v and refuses fields that v does not have, as
// the real API does.
func decode(r *http.Request, v any) (json.RawMessage, *refusal) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, invalid("read body: %v", err)
	}
	if refusal := decodeBytes(data, v); refusal != nil {
		return nil, refusal
	}
	var plain any
	if len(data) > 0 && json.Unmarshal(data, &plain) == nil && holdsNull(plain) {
		return nil, invalid("Invalid JSON payload received. A list holds null.")
	}
	return data, nil
}

// holdsNull reports whether some list in v has an element that is null.
func holdsNull(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if e == nil || holdsNull(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if holdsNull(e) {
				return true
			}
		}
	}
	return false
}

func decodeBytes(data []byte, v any) *refusal {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	if _, field, found := strings.Cut(err.Error(), "unknown field "); found {
		return invalid("Invalid JSON payload received. Unknown name %s: Cannot find field.", field)
	}
	return invalid("Invalid JSON payload received. %v", err)
}

func alreadyExists(link string) *refusal {
	return &refusal{http.StatusConflict, "ALREADY_EXISTS", "alreadyExists", fmt.Sprintf("Already exists: %s.", link)}
}
