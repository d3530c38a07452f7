package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// unserved says why the server has no objects of a kind, and in which version or group it
// has that kind instead.
func (c *Client) unserved(gvk schema.GroupVersionKind) string {
	if err := c.groupDown(gvk.GroupVersion()); err != nil {
		return fmt.Sprintf("it cannot be told whether the server knows kind %s in %s, since the server of that group does not answer: %s",
			gvk.Kind, gvk.GroupVersion(), err)
	}
	reason := fmt.Sprintf("the server knows no kind %s in %s", gvk.Kind, gvk.GroupVersion())
	if m, err := c.served(gvk.GroupKind()); err == nil {
		return fmt.Sprintf("%s, only in %s: a chart or manifest has to be of that version", reason, m.GroupVersionKind.GroupVersion())
	}
	var elsewhere []string
	for _, served := range c.apiVersions() {
		if group, isOf := strings.CutSuffix(served, "/"+gvk.Kind); isOf {
			elsewhere = append(elsewhere, group)
		}
	}
	if len(elsewhere) > 0 {
		return fmt.Sprintf("%s, but in %s", reason, strings.Join(slices.Compact(elsewhere), " and "))
	}
	return reason + ", and no block defines it"
}

// groupDown returns why a group's own server could not be asked, nil when it could.
func (c *Client) groupDown(gv schema.GroupVersion) error {
	_, _, err := c.discovery.ServerGroupsAndResources()
	var failed *discovery.ErrGroupDiscoveryFailed
	if !errors.As(err, &failed) {
		return nil
	}
	return failed.Groups[gv]
}
