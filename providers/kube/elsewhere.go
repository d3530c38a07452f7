package kube

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
)

// elsewhere is a namespace that every cluster has.
const elsewhere = "default"

// checkElsewhere has the server check an object whose namespace is about to be made: in
// that one it would refuse anything, so the same apply is tried dry in a namespace that
// exists. It carries the version of no object, so that nothing of another object of the
// name comes in. Only what the server says of the object itself counts; quotas, policies
// and permissions are that other namespace's.
func (c *comparison) checkElsewhere(ctx context.Context, o *resource.Observation) error {
	body := resource.Object(resourceCopy(c.plain))
	body.Set(elsewhere, "metadata", "namespace")
	body.Set(noVersion, "metadata", "resourceVersion")
	err := retryRead(ctx, func() error {
		_, err := c.p.send(ctx, application{
			kind: c.kind, namespace: elsewhere, name: c.desired.ID.Name, body: body,
			options: metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}},
		})
		return err
	})
	switch {
	case err == nil:
	case c.p.Client.hopeless(ctx, err):
		return err
	case isAboutObject(err):
		reason := strings.ReplaceAll(c.p.against(c.desired.Object, err), "("+elsewhere+"/", "("+c.desired.ID.Namespace+"/")
		o.Refused, o.Preview = "the server rejects it: "+reason, nil
	default:
		o.Notes = append(o.Notes, resource.Unchecked+"its namespace does not exist yet")
	}
	return nil
}

// isAboutObject reports whether the server refused an object for what it is: its fields
// are invalid, it does not fit its type, or it is too large. An admission webhook that
// refuses gives no causes.
func isAboutObject(err error) bool {
	var status apierrors.APIStatus
	switch {
	case strings.Contains(err.Error(), "typed patch object"), apierrors.IsRequestEntityTooLargeError(err):
		return true
	case apierrors.IsInvalid(err) && errors.As(err, &status):
		details := status.Status().Details
		return details != nil && len(details.Causes) > 0
	}
	return false
}
