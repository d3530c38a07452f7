package charts

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// A login is one repository that Helm knows a password of.
type login struct {
	URL      string `json:"url"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// logIn gives a request the name and password that Helm has for where it goes:
// below the address of a repository, so that nobody else sees them.
func (r *Resolver) logIn(request *http.Request) error {
	if r.Repositories == "" {
		return nil
	}
	data, err := os.ReadFile(r.Repositories)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var known struct {
		Repositories []login `json:"repositories"`
	}
	if err == nil {
		err = yaml.Unmarshal(data, &known)
	}
	if err != nil {
		// The text of the error may have a password in it.
		return fmt.Errorf("%s, in which Helm keeps its repositories, cannot be read", r.Repositories)
	}
	for _, l := range known.Repositories {
		if l.Username != "" && l.covers(request.URL) {
			request.SetBasicAuth(l.Username, l.Password)
			return nil
		}
	}
	return nil
}

// covers reports whether an address lies below the repository, on its host.
func (l login) covers(address *url.URL) bool {
	base, err := url.Parse(l.URL)
	if err != nil || base.Host == "" || base.Scheme != address.Scheme || base.Host != address.Host {
		return false
	}
	return strings.HasPrefix(address.Path, strings.TrimSuffix(base.Path, "/")+"/")
}
