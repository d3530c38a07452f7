package schema

import "hubcap/engine/resource"

// secretText returns a text that must not be shown, whether its author marked it
// as sensitive or not: a token, or a URL that lets whoever knows it in.
func (b *body) secretText(name string) resource.Sensitive {
	b.veilIn(name)
	switch v := b.tree(name).(type) {
	case resource.Sensitive:
		return v
	case string:
		b.l.rememberText(v)
		return resource.Secret(v)
	case nil:
	default:
		b.errorIn(name, "Wrong type of value", "%s.%s must be a text.", b.where, name)
	}
	return resource.Sensitive{}
}
