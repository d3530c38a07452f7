package gke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"hubcap/engine/run"
)

// A verdict says what to do about an error answer.
type verdict int

const (
	fatal     verdict = iota + 1 // trying again would not help
	transient                    // try again after a pause
	busy                         // another operation has the cluster, or its state does not allow it: see which
	absent                       // the object is not there
	taken                        // the name is in use, perhaps by an earlier try of ours
	moved                        // the object changed since it was read
)

// judge tells the errors of the API apart by their codes: HTTP's, google.rpc's, and the
// reason. Words change, and are read by people alone. Where a code says two things (429
// is a limit on requests, and a lack of room in a reservation), patience ends it.
func judge(err error) verdict {
	var answer *googleapi.Error
	var own *permanentError
	var credentials *oauth2.RetrieveError
	switch {
	case errors.As(err, &own):
		return fatal
	case errors.As(err, &credentials):
		return fatal
	case !errors.As(err, &answer):
		return transient // the network, or an answer that is none
	}
	is := codesOf(answer)
	switch answer.Code {
	case http.StatusNotFound:
		return absent
	case http.StatusConflict:
		if is.reason == "alreadyExists" || is.status == "ALREADY_EXISTS" {
			return taken
		}
		return moved
	case http.StatusPreconditionFailed:
		return moved
	case http.StatusBadRequest:
		if is.reason == "failedPrecondition" || is.status == "FAILED_PRECONDITION" {
			return busy
		}
	case http.StatusForbidden:
		if is.reason == "rateLimitExceeded" || is.reason == "userRateLimitExceeded" {
			return transient
		}
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return transient
	}
	return fatal
}

// codes are what an error answer says beside its HTTP code.
type codes struct {
	reason string // of the first of its errors: "alreadyExists"
	status string // the name of a google.rpc code: "ALREADY_EXISTS"
}

func codesOf(answer *googleapi.Error) codes {
	var body struct {
		Error struct{ Status string }
	}
	_ = json.Unmarshal([]byte(answer.Body), &body) // not every answer has a body of GKE's
	is := codes{status: body.Error.Status}
	if len(answer.Errors) > 0 {
		is.reason = answer.Errors[0].Reason
	}
	return is
}

// explain returns the error as people should read it: GKE's own words, without
// the codes and the JSON around them.
func explain(err error) error {
	var answer *googleapi.Error
	if !errors.As(err, &answer) {
		return err
	}
	text := answer.Message
	if text == "" {
		text = http.StatusText(answer.Code)
	}
	return &answerError{text: text, err: err}
}

// An answerError is an error answer of the API in short.
type answerError struct {
	text string
	err  error
}

func (e *answerError) Error() string { return e.text }
func (e *answerError) Unwrap() error { return e.err }

// A backoff is the growing pause between two tries.
type backoff struct {
	next, most time.Duration
}

func (p *Provider) backoff() *backoff {
	return &backoff{next: min(500*time.Millisecond, p.c.Poll), most: max(30*time.Second, p.c.Poll)}
}

// pause sleeps for the next pause, give or take a quarter, or until ctx ends.
func (b *backoff) pause(ctx context.Context) error {
	d := b.next
	b.next = min(2*b.next, b.most)
	d += time.Duration((rand.Float64() - 0.5) / 2 * float64(d)) // jitter: no secret
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read asks until there is an answer that is not transient, for a tenth of the
// provider's patience: who plans does not want to wait for long.
func read[T any](ctx context.Context, p *Provider, ask func(context.Context) (T, error)) (T, error) {
	return try(ctx, p, p.c.Patience/10, ask)
}

// answerWithin is how long one request may take. GKE answers within seconds, as
// the work itself is left to operations; an answer that does not come is lost.
const answerWithin = 30 * time.Second

// once asks once, and takes an answer that does not come for an error of the
// network's, not for the end of ctx.
func once[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	within, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := ask(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return answer, fmt.Errorf("no answer within %s", answerWithin)
	}
	return answer, err
}

// change asks once for a change, and only while the lock of the run is held: the request
// ends before anybody else may have it. A request that arrives later all the same is
// refused where GKE takes what it is based on: an update by its etag, a creation by the
// pool's name. Calls that take neither are setAutoscaling, setManagement and delete;
// whoever has the lock then waits for operations and reads the pool again before relying
// on it (see [Provider.Look]), and after its own calls (see [write.until]).
func change[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	held, cancel, err := run.Try(ctx)
	if err != nil {
		var none T
		return none, permanent(err)
	}
	defer cancel()
	return once(held, ask)
}

// try asks until there is an answer that is not transient, for as long as
// patience lasts. The error is the API's in short, or ctx's.
func try[T any](ctx context.Context, p *Provider, patience time.Duration, ask func(context.Context) (T, error)) (T, error) {
	b := p.backoff()
	began := p.c.Now()
	for tries := 1; ; tries++ {
		answer, err := once(ctx, ask)
		if err == nil {
			return answer, nil
		}
		if ended := ctx.Err(); ended != nil {
			return answer, ended
		}
		spent := tries > 1 && p.c.Now().Sub(began)+b.next > patience
		if judge(err) != transient || spent {
			return answer, explain(err)
		}
		if ended := b.pause(ctx); ended != nil {
			return answer, ended
		}
	}
}

// A permanentError is one of our own, which no other try would cure.
type permanentError struct{ err error }

func permanent(err error) error { return &permanentError{err} }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
