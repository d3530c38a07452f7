package kube

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

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
		return p.secrets.Withhold(plainText(err), o, serverTexts...)
	}
	said := p.causes(o, details.Causes)
	kind := details.Kind
	if details.Group != "" {
		kind += "." + details.Group
	}
	return fmt.Sprintf("%s %q is invalid: %s", kind, details.Name, strings.Join(said, "; "))
}

// withoutValue is the causes whose text does not begin with the value.
var withoutValue = []metav1.CauseType{metav1.CauseTypeFieldValueRequired, metav1.CauseTypeForbidden, metav1.CauseTypeTooLong, metav1.CauseTypeTooMany}

// causes says each thing that is wrong with an object, the same of several fields once.
func (p *Provider) causes(o resource.Object, causes []metav1.StatusCause) (said []string) {
	var reasons []string
	fields := map[string][]string{}
	for _, cause := range causes {
		text := p.cause(o, cause)
		field, reason := "", text
		if rest, has := strings.CutPrefix(text, cause.Field+": "); has {
			field, reason = cause.Field, rest
		}
		if _, isKnown := fields[reason]; !isKnown {
			reasons = append(reasons, reason)
			fields[reason] = nil
		}
		if field != "" && !slices.Contains(fields[reason], field) {
			fields[reason] = append(fields[reason], field)
		}
	}
	for _, reason := range reasons {
		switch at := fields[reason]; len(at) {
		case 0:
			said = append(said, reason)
		case 1:
			said = append(said, at[0]+": "+reason)
		default:
			said = append(said, fmt.Sprintf("%s (and %d more): %s", at[0], len(at)-1, reason))
		}
	}
	return said
}

// serverTexts is what the API's own validation quotes, of whatever object: its patterns and examples.
var serverTexts = func() (texts []string) {
	for _, messages := range [][]string{
		validation.IsDNS1123Label("_"), validation.IsDNS1123Subdomain("_"), validation.IsDNS1035Label("_"), validation.IsWildcardDNS1123Subdomain("_"),
		validation.IsQualifiedName("_"), validation.IsValidLabelValue("_"), validation.IsConfigMapKey("/"), validation.IsEnvVarName("="),
		validation.IsHTTPHeaderName(" "), validation.IsCIdentifier("-"), validation.IsValidPortName("_"), validation.IsValidPercent("_"),
	} {
		for _, message := range messages {
			for _, found := range serverQuote.FindAllString(message, -1) {
				texts = append(texts, found[1:len(found)-1])
			}
		}
	}
	return append(texts, "cpu", "memory", "ephemeral-storage")
}()

var serverQuote = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// cause says one thing that is wrong with an object.
func (p *Provider) cause(o resource.Object, cause metav1.StatusCause) string {
	field := cause.Field
	if field == "" || field == "<nil>" {
		return p.secrets.Withhold(cause.Message, o, serverTexts...)
	}
	if !resource.HasSensitive(fieldAt(o, field)) {
		return field + ": " + p.secrets.Withhold(cause.Message, o, serverTexts...)
	}
	said := string(cause.Type)
	if kind, rest, found := strings.Cut(cause.Message, ": "); found && !strings.ContainsAny(kind, "\"'") {
		said = kind
		if slices.Contains(withoutValue, cause.Type) {
			said += ": " + p.secrets.Withhold(rest, o, serverTexts...)
		} else if value, err := strconv.QuotedPrefix(rest); err == nil {
			said += ": " + resource.Mask + p.secrets.Withhold(rest[len(value):], o, serverTexts...)
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
