package expand

import (
	"strings"
	"testing"
)

// The vectors of DOMAIN §2.7, made with BinderHub's own code.
func TestBinderHubNames(t *testing.T) {
	const prefix = "gcr.io/binder-prod/r2d-g5b5b759-"
	tests := []struct {
		slug, ref string
		image     string // after the prefix, without the ref
		pod       string
		reason    string
	}{
		{"binder-examples-requirements", "50533eb470ee6c24e872043d30b2fee463d6943f",
			"binder-2dexamples-2drequirements-55ab5c", "build-binder-2dexamples-2drequirements-55ab5c-505-2c", "an ordinary repository"},
		{"binderhub-ci-repos-cached-minimal-dockerfile", "596b52f10efb0c9befc0c4ae850cc5175297d71c",
			"binderhub-2dci-2drepos-2dcached-2dminimal-2ddockerfile-c90b2b",
			"build-binderhub-2dci-2drepos-2dcached-2dminimal-2-c90b2b-596-01", "cut in the middle of an escape, 63 characters"},
		{"DS-100-textbook", strings.Repeat("a", 40), "ds-2d100-2dtextbook-089fa5", "build-ds-2d100-2dtextbook-089fa5-aaa-e3",
			"the digest is of the slug before it is made lower case"},
		{"gibiansky-IHaskell", "3cd40d186c800b3360761e312d8e9ddacc83c994", "gibiansky-2dihaskell-790c32",
			"build-gibiansky-2dihaskell-790c32-3cd-ab", "seen in a log (binderhub#566)"},
		{"user-repo_", strings.Repeat("b", 40), "user-2drepo-5f-4de81b", "build-user-2drepo-5f-4de81b-bbb-e2", "an underscore at the end"},
	}
	for _, test := range tests {
		t.Run(test.slug, func(t *testing.T) {
			if got, want := ImageName(prefix, test.slug, test.ref), prefix+test.image+":"+test.ref; got != want {
				t.Errorf("%s: image\n got %s\nwant %s", test.reason, got, want)
			}
			got := BuildPodName(test.slug, test.ref)
			if got != test.pod {
				t.Errorf("%s: pod\n got %s\nwant %s", test.reason, got, test.pod)
			}
			if len(got) > maxPodName {
				t.Errorf("%s: pod name has %d characters", test.reason, len(got))
			}
		})
	}
}

func TestEscape(t *testing.T) {
	tests := map[string]string{"": "", "aZ9": "aZ9", "a-b_c.d": "a-2Db-5Fc-2Ed", "é": "-C3-A9", "a/b": "a-2Fb"}
	for in, want := range tests {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzBuildPodName(f *testing.F) {
	f.Add("jupyterlab-jupyterlab-demo", "18a9793b")
	f.Add("", "")
	f.Add(strings.Repeat("ü", 200), "main")
	f.Fuzz(func(t *testing.T, slug, ref string) {
		name := BuildPodName(slug, ref)
		if len(name) > maxPodName || name != strings.ToLower(name) {
			t.Errorf("BuildPodName(%q, %q) = %q", slug, ref, name)
		}
	})
}
