package charts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"helm.sh/helm/v4/pkg/registry"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// registry returns a client for the host of a ref. Hosts on this machine are
// asked without TLS, as Docker does.
func (r *Resolver) registry(ctx context.Context, ref Ref) (*registry.Client, *Problem) {
	client := *r.client()
	client.Transport = bound{ctx: ctx, agent: r.UserAgent, next: client.Transport}
	options := []registry.ClientOption{registry.ClientOptHTTPClient(&client), registry.ClientOptWriter(io.Discard)}
	if r.Credentials != "" {
		options = append(options, registry.ClientOptCredentialsFile(r.Credentials))
	}
	if isLocal(ref.Repository) {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	c, err := registry.NewClient(options...)
	if err != nil {
		return nil, &Problem{Attr: "repository", Summary: "Unreadable credentials of a registry", Detail: fmt.Sprintf("Before asking %s: %v.", ref.Repository, err)}
	}
	return c, nil
}

func isLocal(repository string) bool {
	u, err := url.Parse(repository)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// bound ends requests with a context that Helm's client does not take.
type bound struct {
	ctx   context.Context
	agent string
	next  http.RoundTripper
}

func (b bound) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })
	request = request.Clone(ctx)
	if b.agent != "" {
		request.Header.Set("User-Agent", b.agent)
	}
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(request)
}

func ociName(ref Ref) string {
	return strings.TrimPrefix(strings.TrimSuffix(ref.Repository, "/"), "oci://") + "/" + ref.Name
}

// tags returns the versions that a registry has of a chart.
func (r *Resolver) tags(ctx context.Context, ref Ref) ([]string, *Problem) {
	c, problem := r.registry(ctx, ref)
	if problem != nil {
		return nil, problem
	}
	tags, err := c.Tags(ociName(ref))
	if err != nil {
		return nil, ociProblem(ctx, ref, err)
	}
	return tags, nil
}

// pull fetches the chart of a tag.
func (r *Resolver) pull(ctx context.Context, ref Ref, version string) ([]byte, *Problem) {
	c, problem := r.registry(ctx, ref)
	if problem != nil {
		return nil, problem
	}
	pulled, err := c.Pull(ociName(ref) + ":" + strings.TrimPrefix(version, "v"))
	if err == nil {
		return pulled.Chart.Data, nil
	}
	if isNotFound(err) {
		if there, problem := r.tags(ctx, ref); problem == nil {
			return nil, noVersion(Ref{Repository: ref.Repository, Name: ref.Name, Constraint: version}, newestFirst(there))
		}
	}
	return nil, ociProblem(ctx, ref, err)
}

func isNotFound(err error) bool {
	var answer *errcode.ErrorResponse
	return errors.Is(err, errdef.ErrNotFound) || errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

func ociProblem(ctx context.Context, ref Ref, err error) *Problem {
	var answer *errcode.ErrorResponse
	switch {
	case ctx.Err() != nil:
		return unreachable(ref, ctx.Err())
	case isNotFound(err):
		return &Problem{Attr: "chart", Summary: "No such chart in the registry", Detail: fmt.Sprintf("%s has no chart %q.", ref.Repository, ref.Name)}
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return &Problem{Attr: "chart", Summary: "Chart that may not be read",
			Detail: fmt.Sprintf("%s answers %d for %q. Log in with helm registry login or docker login; hubcap reads what they write. "+
				"Some registries also say so of a chart that does not exist.", ref.Repository, answer.StatusCode, ref.Name)}
	}
	problem := unreachable(ref, err)
	if problem.unreachable {
		problem.Detail = fmt.Sprintf("Fetching %s/%s: %s. A chart that was fetched once and is in the lock file needs no registry.",
			strings.TrimSuffix(ref.Repository, "/"), ref.Name, ociCause(err))
	}
	return problem
}

// ociCause words an error of the registry's client, without what that was about to
// do and the address that it asked.
func ociCause(err error) string {
	var answer *errcode.ErrorResponse
	var asked *url.Error
	switch {
	case errors.As(err, &answer):
		return fmt.Sprintf("the registry answers %d", answer.StatusCode)
	case errors.As(err, &asked):
		if u, bad := url.Parse(asked.URL); bad == nil {
			return fmt.Sprintf("%s does not answer: %v", u.Host, asked.Err)
		}
		return asked.Err.Error()
	}
	return err.Error()
}
