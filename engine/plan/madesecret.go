package plan

import (
	"fmt"

	"hubcap/engine/resource"
)

// Some objects are a Secret in another form: their controller makes it of them, and with
// them it goes, as it is theirs (owner references). They are treated like it.

// secretMakers are the custom resources that a Secret is made of, and where they say what
// it is called, if not as they are.
var secretMakers = map[string][]string{
	"ExternalSecret":     {"spec", "target", "name"},
	"SealedSecret":       {"spec", "template", "metadata", "name"},
	"Certificate":        {"spec", "secretName"},
	"VaultStaticSecret":  {"spec", "destination", "name"},
	"VaultDynamicSecret": {"spec", "destination", "name"},
	"VaultPKISecret":     {"spec", "destination", "name"},
	"OnePasswordItem":    nil,
}

// renewers are the custom resources that others are made and renewed by.
var renewers = map[string]bool{
	"Issuer": true, "ClusterIssuer": true, "SecretStore": true, "ClusterSecretStore": true, "ClusterExternalSecret": true,
	"VaultAuth": true, "VaultConnection": true,
}

// madeSecret returns the name of the Secret that is made of an object, or "".
func madeSecret(id resource.ID, o resource.Object) string {
	path, makes := secretMakers[id.Kind]
	if !makes || !isCustom(id) || o == nil {
		return ""
	}
	if path != nil {
		if name := o.Text(path...); name != "" {
			return name
		}
	}
	return id.Name
}

// goneSecret returns the name of the Secret that goes by a change of what it is made of,
// or "".
func goneSecret(c *resource.Change) string {
	was := madeSecret(c.ID, c.Before)
	if c.Action == resource.Update && (was == madeSecret(c.ID, c.After) || c.Before == nil) {
		return ""
	}
	return was
}

// holdsSecret reports whether an object is a Secret, or what one is made of.
func holdsSecret(c *resource.Change) bool {
	return c.ID.Kind == "Secret" || madeSecret(c.ID, c.Before) != ""
}

// madeClass says what the end of a custom resource does that a Secret is made of, or
// renewed by; false is for any other.
func madeClass(c *resource.Change) (resource.Class, bool) {
	switch name := goneSecret(c); {
	case name != "":
		c.Notes = append(c.Notes, fmt.Sprintf("the Secret %s goes with it: counted as a restart of what reads that", name))
	case renewers[c.ID.Kind] && isCustom(c.ID):
		c.Notes = append(c.Notes, "what was made by it is renewed no more: counted as a restart")
	default:
		return 0, false
	}
	c.Impact.Unknown = true
	return unknownClass(c.Component, c.ID.Kind), true
}
