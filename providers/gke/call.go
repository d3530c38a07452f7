package gke

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
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
	busy                         // another operation has the cluster: wait for it
	absent                       // the object is not there
	taken                        // the name is in use, perhaps by an earlier try of ours
	moved                        // the object changed since it was read
)

// judge tells the errors of the API apart. GKE answers 429 to a lack of room in
// a reservation, which no waiting cures, and 400 to a busy cluster, which it does.
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
	reason := ""
	if len(answer.Errors) > 0 {
		reason = answer.Errors[0].Reason
	}
	switch answer.Code {
	case http.StatusNotFound:
		return absent
	case http.StatusConflict:
		if reason == "alreadyExists" || strings.Contains(answer.Body, "ALREADY_EXISTS") {
			return taken
		}
		return moved
	case http.StatusPreconditionFailed:
		return moved
	case http.StatusTooManyRequests:
		if strings.Contains(answer.Message, "Reservation") {
			return fatal
		}
		return transient
	case http.StatusBadRequest:
		waits := reason == "failedPrecondition" || strings.Contains(answer.Body, "FAILED_PRECONDITION")
		if waits && (operationIn.MatchString(answer.Message) || strings.Contains(answer.Message, "try again")) {
			return busy
		}
		return fatal
	case http.StatusRequestTimeout:
		return transient
	}
	if answer.Code >= http.StatusInternalServerError {
		return transient
	}
	return fatal
}

// operationIn finds the name of an operation in a message.
var operationIn = regexp.MustCompile(`operation-[0-9a-z-]*[0-9a-z]`)

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
