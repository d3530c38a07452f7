package plan

import (
	"crypto/hmac"
	"fmt"

	"hubcap/engine/resource"
)

// MaskObject returns a copy of o without sensitive values, and these by their places,
// which begin with at.
func MaskObject(m Mask, at string, o resource.Object) (resource.Object, map[string]string) {
	secrets := make(map[string]string)
	masked, err := replace(map[string]any(o), "", func(pointer string, v any) (any, error) {
		s, isSensitive := v.(resource.Sensitive)
		if !isSensitive {
			return v, nil
		}
		secrets[at+"#"+pointer] = s.Reveal()
		return Masked{Digest: m.digest(resource.Secret(s.Reveal()))}, nil // what was drawn at random has been drawn by now
	})
	if err != nil {
		panic("plan.MaskObject: masking cannot fail: " + err.Error())
	}
	return masked.(map[string]any), secrets
}

// UnmaskObject puts the sensitive values back that MaskObject took out of o. One that
// lookup does not find, or whose digest under m is another, is an [ErrSecretMoved].
func UnmaskObject(m Mask, at string, o resource.Object, lookup func(place string) (string, bool)) (resource.Object, error) {
	whole, err := replace(map[string]any(o), "", func(pointer string, v any) (any, error) {
		hidden, isMasked := v.(Masked)
		if !isMasked {
			return v, nil
		}
		text, found := lookup(at + "#" + pointer)
		if !found {
			return nil, fmt.Errorf("%s#%s: %w: there is none any more", at, pointer, ErrSecretMoved)
		}
		s := resource.Secret(text)
		if len(m.Key) > 0 && !hmac.Equal([]byte(m.digest(s)), []byte(hidden.Digest)) {
			return nil, fmt.Errorf("%s#%s: %w", at, pointer, ErrSecretMoved)
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return whole.(map[string]any), nil
}

// Normal returns o, which was decoded with json.Number and with masked values as they
// are encoded, as objects are: with int64, float64 and [Masked].
func Normal(o resource.Object) (resource.Object, error) {
	if o == nil {
		return nil, nil
	}
	v, err := normalValue(map[string]any(o))
	if err != nil {
		return nil, err
	}
	m, isMap := v.(map[string]any)
	if !isMap {
		return nil, errMaskKey
	}
	return m, nil
}
