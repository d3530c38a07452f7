package journal

import (
	"bytes"
	"encoding/json"
	"fmt"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// An Image is the after-image of one change: what the server answered to the write,
// in the fields that were wanted. A journal has it where it is another than was
// wanted, since an admission plugin changed it. In a journal that was stored, sensitive
// values are [plan.Masked]; the run's secrets have them.
type Image struct {
	ID     resource.ID     `json:"id"`
	Object resource.Object `json:"object"`
}

// UnmarshalJSON keeps numbers and masked values as objects hold them.
func (i *Image) UnmarshalJSON(text []byte) error {
	type image Image
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode((*image)(i)); err != nil {
		return fmt.Errorf("decode after-image: %w", err)
	}
	var err error
	if i.Object, err = plan.Normal(i.Object); err != nil {
		return fmt.Errorf("decode after-image of %s: %w", i.ID, err)
	}
	return nil
}

// Images returns the after-images that entries hold, the last one of each object.
func Images(entries []Entry) map[resource.ID]resource.Object {
	var all map[resource.ID]resource.Object
	for _, e := range entries {
		for _, image := range e.Images {
			if all == nil {
				all = make(map[resource.ID]resource.Object)
			}
			all[image.ID] = image.Object
		}
	}
	return all
}
