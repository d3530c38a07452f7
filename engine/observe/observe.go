// Package observe reads what exists: it asks every provider once, in parallel,
// and joins the answers.
//
// Place in the pipeline: after expand, before diff.
package observe

import (
	"context"

	"hubcap/engine/resource"
)

// A Reader holds desired objects of one cluster beside the live ones. What could
// not be read is told in the Reading, not as an error; an error means that
// nothing could.
type Reader interface {
	Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error)
}
