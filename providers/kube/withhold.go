package kube

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
)

// against says what the server has against an object, without what may quote a
// sensitive value of it: what is said about a sensitive field is withheld, and so is
// in any other message what stands in quotes and is none of the object's open texts.
// Fields and reasons stay.
func (p *Provider) against(o resource.Object, err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !resource.HasSensitive(o) {
		return p.scrub(plainText(err))
	}
	p.secrets.AddAll(o)
	details := status.Status().Details
	if details == nil || len(details.Causes) == 0 || !apierrors.IsInvalid(err) {
		return p.secrets.Withhold(plainText(err), o)
	}
	var said []string
	for _, cause := range details.Causes {
		said = append(said, p.cause(o, cause))
	}
	kind := details.Kind
	if details.Group != "" {
		kind += "." + details.Group
	}
	return fmt.Sprintf("%s %q is invalid: %s", kind, details.Name, strings.Join(said, "; "))
}

// cause says one thing that is wrong with an object.
func (p *Provider) cause(o resource.Object, cause metav1.StatusCause) string {
	field := cause.Field
	if field == "" || field == "<nil>" {
		return p.secrets.Withhold(cause.Message, o)
	}
	if !resource.HasSensitive(fieldAt(o, field)) {
		return field + ": " + p.secrets.Withhold(cause.Message, o)
	}
	said := string(cause.Type)
	if kind, rest, found := strings.Cut(cause.Message, ": "); found && !strings.ContainsAny(kind, "\"'") {
		said = kind
		if value, err := strconv.QuotedPrefix(rest); err == nil {
			said += ": " + resource.Mask + p.secrets.Withhold(rest[len(value):], o)
		}
	}
	return field + ": " + said + " (the value is sensitive, and is not shown)"
}

// fieldPart finds a part of a field as the API's validation names it: "spec",
// "[0]", "[a key]".
var fieldPart = regexp.MustCompile(`\[[^\]]*\]|[^.\[\]]+`)

// fieldAt returns what lies at a field of o, or above it where the field is not there:
// the validation of some objects counts or names their parts in another way.
func fieldAt(o resource.Object, field string) any {
	var v any = map[string]any(o)
	for _, part := range fieldPart.FindAllString(field, -1) {
		key := strings.Trim(part, `[]"`)
		switch at := v.(type) {
		case map[string]any:
			next, has := at[key]
			if !has {
				return v
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return v
			}
			v = at[i]
		default:
			return v
		}
	}
	return v
}

// A scrubbedError is an error whose text tells no secret. It keeps its cause for
// errors.Is and errors.As.
type scrubbedError struct {
	text string
	err  error
}

func (e *scrubbedError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *scrubbedError) Unwrap() error { return e.err }

// scrubbed returns err, of a write of o, without what may quote a sensitive value.
func (p *Provider) scrubbed(err error, o resource.Object) error {
	text := p.against(o, err)
	if text == err.Error() {
		return err
	}
	return &scrubbedError{text: text, err: err}
}
