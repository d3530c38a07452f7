package run

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLost says that the lock is no longer held, or not surely: nothing may be
// written any more.
var ErrLost = errors.New("the lock was lost")

type lockKey struct{}

// WithLock returns a context on whose behalf providers write only until deadline,
// which is asked at each try: it moves on as long as the lock is renewed, and lies in
// the past once the lock is lost.
func WithLock(ctx context.Context, deadline func() time.Time) context.Context {
	return context.WithValue(ctx, lockKey{}, deadline)
}

// WithoutLock returns a context that no lock bounds: for the requests that keep the
// lock itself.
func WithoutLock(ctx context.Context) context.Context {
	return context.WithValue(ctx, lockKey{}, (func() time.Time)(nil))
}

// Try returns the context of one try of a write. It ends before the lock may be
// anybody else's, and an [ErrLost] says that the try must not be made. A provider asks
// for it right before each request that may change something.
func Try(ctx context.Context) (context.Context, context.CancelFunc, error) {
	deadline, _ := ctx.Value(lockKey{}).(func() time.Time)
	if deadline == nil {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	end := deadline()
	if !time.Now().Before(end) {
		return nil, nil, ErrLost
	}
	ctx, cancel := context.WithDeadlineCause(ctx, end, fmt.Errorf("%w while a request was under way", ErrLost))
	return ctx, cancel, nil
}
