package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Events writes a Kubernetes Event for every step on the workloads that it
// touched, so that "kubectl describe" tells who was there. It takes notices as
// providers/notify brings them.
type Events struct {
	Client  *Client
	Cluster string // address name of its block; notices about others are ignored
	Now     func() time.Time
}

// mostEvents bounds what one step writes.
const mostEvents = 20

// eventReasons word notices in the manner of Kubernetes.
var eventReasons = map[run.NoticeKind]string{
	run.NoticeStep: "HubcapApplied", run.NoticeHeld: "HubcapHeld", run.NoticeFailed: "HubcapFailed",
	run.NoticeRolledBack: "HubcapRolledBack", run.NoticeStuck: "HubcapStuck",
}

// Send writes the events of one notice. An object that is gone gets none.
func (e *Events) Send(ctx context.Context, n run.Notice) error {
	reason, worthy := eventReasons[n.Kind]
	if !worthy || n.Step == nil || n.Cluster != e.Cluster {
		return nil
	}
	var failed []error
	written := 0
	for _, c := range n.Step.Changes {
		if c.ID.Group != "apps" || c.Action == resource.Delete || written == mostEvents {
			continue
		}
		written++
		if err := e.write(ctx, n, c, reason); err != nil && !apierrors.IsNotFound(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (e *Events) write(ctx context.Context, n run.Notice, c resource.Change, reason string) error {
	mapping, err := e.Client.Mapper.RESTMapping(schema.GroupKind{Group: c.ID.Group, Kind: c.ID.Kind})
	if err != nil {
		return fmt.Errorf("write event about %s: %w", c.ID, err)
	}
	about, err := e.Client.Metadata.Resource(mapping.Resource).Namespace(c.ID.Namespace).Get(ctx, c.ID.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("write event about %s: %w", c.ID, err)
	}
	kind := corev1.EventTypeNormal
	if n.Kind != run.NoticeStep {
		kind = corev1.EventTypeWarning
	}
	at := metav1.NewTime(e.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "hubcap-", Namespace: c.ID.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: mapping.GroupVersionKind.GroupVersion().String(), Kind: c.ID.Kind, Namespace: c.ID.Namespace,
			Name: c.ID.Name, UID: about.UID, ResourceVersion: about.ResourceVersion,
		},
		Type: kind, Reason: reason, Message: shortened(n.Text), Source: corev1.EventSource{Component: "hubcap"},
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}
	if _, err := e.Client.Typed.CoreV1().Events(c.ID.Namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("write event about %s: %w", c.ID, err)
	}
	return nil
}

// shortened keeps a message below what an Event takes.
func shortened(text string) string {
	const most = 1000
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + "…"
}
