package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// askTimeout is how long the server has to answer a question about itself.
const askTimeout = 15 * time.Second

// hopeless reports an error after which no other request can succeed: the caller has
// ended, the credentials are refused, or the server is gone. That one request got no
// answer says nothing of the others, so the server is asked whether it is there.
func (c *Client) hopeless(ctx context.Context, err error) bool {
	switch {
	case err == nil:
		return false
	case ctx.Err() != nil, errors.Is(err, context.Canceled), apierrors.IsUnauthorized(err):
		return true
	}
	return isNetwork(err) && !c.answers(ctx)
}

// answers reports whether the server says anything at all.
func (c *Client) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := retryRead(ctx, func() error {
		return c.Typed.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	})
	return err == nil || !isNetwork(err) && !apierrors.IsUnauthorized(err)
}

// unanswered returns why the LIST of a kind came to no answer. It may wait for what the
// server cannot read, as objects that nothing converts; a GET is refused at once, with
// the reason.
func (s *survey) unanswered(ctx context.Context, k *kind, err error) error {
	if ctx.Err() != nil || !isNetwork(err) || len(k.wanted) == 0 {
		return err
	}
	id := s.desired[k.wanted[0]].ID
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, reason := s.p.resourceOf(k, id.Namespace).Get(asking, id.Name, metav1.GetOptions{})
	if reason == nil || isNetwork(reason) || apierrors.IsNotFound(reason) {
		return err
	}
	return reason
}

// reasonText returns why something could not be read, for people.
func reasonText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("the server gave no answer within %s", requestTimeout)
	}
	return plainText(err)
}
