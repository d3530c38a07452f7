package chart

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// placesShown are where a text of an object is shown and cannot be hidden; # is the text.
var placesShown = map[string]string{
	"name":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: #}\n",
	"part of a name": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'a-#-z'}\n",
	"namespace":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: #}\n",
	"kind":           "apiVersion: v1\nkind: #\nmetadata: {name: c}\n",
	"label":          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {'#': x}}\n",
	"annotation":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {'x/#': x}}\n",
	"data":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b, '#': x}\n",
	"file name":      "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\nstringData: {'#.json': x}\n",
	"in a list":      "apiVersion: x.io/v1\nkind: X\nmetadata: {name: c}\nspec: {a: [{b: {'#': {c: d}}}]}\n",
}

// readable are spellings in which a secret, or a part of it, can be read.
var readable = map[string]string{
	"as it is": `.Values.s`, "lower": `lower .Values.s`, "upper": `upper .Values.s`, "cut": `trunc 6 .Values.s`, "last": `trunc -5 .Values.s`,
	"reversed":    `splitList "" .Values.s | reverse | join ""`,
	"replaced":    `replace "3" "" .Values.s | lower`,
	"hexadecimal": `printf "%x" .Values.s`,
	"encoded":     `b64enc .Values.s`,
	"swapped":     `swapcase .Values.s`,
	"joined":      `splitList "r" .Values.s | join "r" | lower`,
}

// TestNothingReadableIsShown: a secret in a place that is shown is refused, whatever its
// spelling and place, and whether the second rendering has the object or not.
func TestNothingReadableIsShown(t *testing.T) {
	const secret = "Tr0ub4dor3zebra"
	for place, object := range placesShown {
		for spelling, expression := range readable {
			for branch, text := range map[string]string{
				"always":       object,
				"by its value": "{{ if eq .Values.s \"" + secret + "\" }}\n" + object + "{{ end }}",
			} {
				if branch != "always" && spelling != "as it is" && spelling != "lower" && spelling != "reversed" {
					continue // without a twin only the whole is found
				}
				c := source{"templates/c.yaml": strings.ReplaceAll(text, "#", "{{ "+expression+" }}")}
				_, err := c.load(t).Render(Request{Release: "rel", Namespace: "ns", Unnamed: []string{secret}, Values: map[string]any{"s": resource.Secret(secret)}})
				if err == nil || !strings.Contains(err.Error(), "cannot be hidden") {
					t.Errorf("%s, %s, %s: %v", place, spelling, branch, err)
				} else if said := strings.ToLower(err.Error()); strings.Contains(said, "tr0u") || strings.Contains(said, "arbez") {
					t.Errorf("%s, %s, %s: the error shows it: %s", place, spelling, branch, said)
				}
			}
		}
	}
}

// TestDigestsAreTold: a digest in such a place is shown, and said; a key that is there by
// a secret's doing, and is not made of it, is shown.
func TestDigestsAreTold(t *testing.T) {
	for place, object := range placesShown {
		if place == "kind" {
			continue
		}
		c := source{"templates/c.yaml": strings.ReplaceAll(object, "#", "{{ sha256sum .Values.s | trunc 12 }}")}
		r, err := c.load(t).Render(Request{Release: "rel", Namespace: "ns", Unnamed: []string{"Tr0ub4dor3zebra"}, Values: map[string]any{"s": resource.Secret("Tr0ub4dor3zebra")}})
		if err != nil || !strings.Contains(strings.Join(r.Warnings, " "), "a name cannot be hidden") {
			t.Errorf("%s: %v, warns %q", place, err, r.Warnings)
		}
	}
}
