package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// seed is the first test key of RFC 8032.
const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

func testKey(t *testing.T) Key {
	t.Helper()
	text, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var statement = Statement{
	Type: "object", Cluster: "5c4f2c5e-8f3b-4a57-9c7b-5a3c2d1e0f9a", Config: "prod",
	Place: Place("apps", "Deployment", "hub", "proxy"), Content: Digest([]byte("hello")),
}

// TestVector holds the format: seals that older versions wrote stay valid. The same
// vector is in docs/SECURITY.md.
func TestVector(t *testing.T) {
	const (
		signed = "6875626361702e6465762f7365616c2f76310a" +
			"00000000000000066f626a656374" +
			"000000000000002435633466326335652d386633622d346135372d396337622d356133633264316530663961" +
			"000000000000000470726f64" +
			"0000000000000019617070732f4465706c6f796d656e742f6875622f70726f7879" +
			"000000000000004032636632346462613566623061333065323665383362326163356239653239653162313631653563316661373432356537333034333336323933386239383234"
		public = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
		seal   = "v1.21fe31dfa154.1fq0eanjk_qtAZ2zTFZZ9AALbclGasYrF8_4YM20w2VSKHHFEEZMS6A8SQHDPSk797oHDqcXc9-feRZUIUBfCA"
	)
	k := testKey(t)
	if got := hex.EncodeToString(statement.bytes()); got != signed {
		t.Errorf("signed bytes = %s, want %s", got, signed)
	}
	if got := k.Public().String(); got != public {
		t.Errorf("public key = %s, want %s", got, public)
	}
	if got := k.Sign(statement); got != seal {
		t.Errorf("seal = %s, want %s", got, seal)
	}
	if !k.Public().Verify(statement, seal) {
		t.Error("the seal does not verify")
	}
}

// TestEveryFieldCounts changes one field at a time, and moves text from one to the
// next: the seal is of none of them.
func TestEveryFieldCounts(t *testing.T) {
	k := testKey(t)
	seal := k.Sign(statement)
	for name, change := range map[string]func(*Statement){
		"type":    func(s *Statement) { s.Type = "record" },
		"cluster": func(s *Statement) { s.Cluster = "other" },
		"config":  func(s *Statement) { s.Config = "staging" },
		"place":   func(s *Statement) { s.Place = Place("apps", "Deployment", "hub", "hub") },
		"content": func(s *Statement) { s.Content = Digest([]byte("hello!")) },
		"border":  func(s *Statement) { s.Config, s.Place = s.Config+s.Place[:1], s.Place[1:] },
		"empty":   func(s *Statement) { s.Content = "" },
	} {
		s := statement
		change(&s)
		if k.Public().Verify(s, seal) {
			t.Errorf("%s: the seal of another statement verifies", name)
		}
	}
}

// TestForgedSeals tries texts that are no seal of the statement.
func TestForgedSeals(t *testing.T) {
	k := testKey(t)
	other, err := Draw()
	if err != nil {
		t.Fatal(err)
	}
	good := k.Sign(statement)
	_, signature, _ := strings.Cut(strings.TrimPrefix(good, "v1."), ".")
	for _, forged := range []string{
		"", "v1", "v1..", "v2" + good[2:], good + " ", good + "A", good[:len(good)-1], strings.ToUpper(good),
		other.Sign(statement),
		"v1." + other.Public().ID() + "." + signature,
		"v1." + k.Public().ID() + "." + strings.SplitN(other.Sign(statement), ".", 3)[2],
	} {
		if k.Public().Verify(statement, forged) {
			t.Errorf("%q verifies", forged)
		}
	}
	if (Public{}).Verify(statement, good) {
		t.Error("no key verifies a seal")
	}
	if !k.Public().Verify(statement, good) {
		t.Error("the seal itself does not verify: the test proves nothing")
	}
}

func TestRoundTrip(t *testing.T) {
	k, err := Draw()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseKey(k.Bytes())
	if err != nil || back.Public() != k.Public() || !back.Public().Verify(statement, k.Sign(statement)) {
		t.Errorf("a stored key is another one (%v)", err)
	}
	p, err := ParsePublic(k.Public().String() + "\n")
	if err != nil || p != k.Public() {
		t.Errorf("ParsePublic = %v, %v", p, err)
	}
	for _, bad := range []string{"", "ed25519:", "ed25519:AAAA", k.Public().String()[8:], "rsa" + k.Public().String()} {
		if p, err := ParsePublic(bad); err == nil || !p.IsZero() {
			t.Errorf("ParsePublic(%q) = %v, %v", bad, p, err)
		}
	}
	if _, err := ParseKey([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
	if got := KeyOf(k.Sign(statement)); got != k.Public().ID() {
		t.Errorf("KeyOf = %q", got)
	}
	if KeyOf("v1") != "" || KeyOf("x.y.z") != "" {
		t.Error("a text that is no seal has a key")
	}
}

// TestKeyIsHidden tries the ways in which a key could slip out.
func TestKeyIsHidden(t *testing.T) {
	k := testKey(t)
	bare := k.reveal()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{k, &k, struct{ K Key }{k}, struct{ k Key }{k}, []Key{k}} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, seed[:8]) || strings.Contains(text, fmt.Sprintf("%d %d %d", bare[0], bare[1], bare[2])) || bytes.Contains([]byte(text), bare[:8]) {
				t.Errorf("%s of %T shows the key: %s", verb, v, text)
			}
		}
	}
	if text, err := json.Marshal(struct{ K Key }{k}); err == nil {
		t.Errorf("Marshal = %s, want an error", text)
	}
}

func TestPlace(t *testing.T) {
	if Place("a/b", "c") == Place("a", "b/c") || Place("", "a") == Place("a", "") || Place("a%2Fb") == Place("a/b") {
		t.Error("two places are one")
	}
	if got := Place("", "ConfigMap", "hub", "hub-config"); got != "/ConfigMap/hub/hub-config" {
		t.Errorf("Place = %q", got)
	}
}
