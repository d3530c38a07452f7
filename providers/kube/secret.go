package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
)

// Secret returns one value of a Secret.
func (c *Client) Secret(ctx context.Context, namespace, name, key string) (resource.Sensitive, error) {
	secret, err := c.Typed.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return resource.Sensitive{}, c.explain("read", "secret "+namespace+"/"+name, err)
	}
	value, has := secret.Data[key]
	if !has {
		return resource.Sensitive{}, fmt.Errorf("read secret %s/%s: it has no key %q", namespace, name, key)
	}
	return resource.Secret(string(value)), nil
}
