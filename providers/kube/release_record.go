package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	slashed "path"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// maxRelease bounds one record, unpacked, in bytes. A Secret holds a megabyte at
// most, which gzip can blow up a thousandfold.
const maxRelease = 64 << 20

// A ReleaseChart is the chart of a release as its record holds it: all of it but
// the charts it depends on, which Helm does not record.
type ReleaseChart struct {
	Name       string
	Version    string
	AppVersion string

	Dependencies []ReleaseDependency // that were in use

	files map[string][]byte
}

// A ReleaseDependency is what a chart's metadata says of one it depends on.
type ReleaseDependency struct {
	Name       string // the alias, where there is one
	Version    string // as resolved, where the chart has a lock; else the constraint
	Repository string
}

// Whole reports whether the record has all of the chart.
func (c *ReleaseChart) Whole() bool { return len(c.Dependencies) == 0 }

// Files returns the files of the chart by their path below its folder. Comments
// in Chart.yaml and values.yaml are lost: the record has what they say only.
func (c *ReleaseChart) Files() map[string][]byte { return maps.Clone(c.files) }

// The parts of a record, as Helm 3 and 4 write them.
type (
	recordJSON struct {
		Name      string          `json:"name"`
		Namespace string          `json:"namespace"`
		Version   int             `json:"version"`
		Config    json.RawMessage `json:"config"`
		Manifest  string          `json:"manifest"`
		Apply     string          `json:"apply_method"`
		Info      struct {
			First  string `json:"first_deployed"`
			Last   string `json:"last_deployed"`
			Status string `json:"status"`
		} `json:"info"`
		Hooks []struct {
			Manifest string `json:"manifest"`
		} `json:"hooks"`
		Chart *chartJSON `json:"chart"`
	}
	chartJSON struct {
		Metadata  json.RawMessage `json:"metadata"`
		Lock      *lockJSON       `json:"lock"`
		Templates []fileJSON      `json:"templates"`
		Values    json.RawMessage `json:"values"`
		Schema    []byte          `json:"schema"`
		Files     []fileJSON      `json:"files"`
	}
	lockJSON struct {
		Dependencies []dependencyJSON `json:"dependencies"`
	}
	fileJSON struct {
		Name string `json:"name"`
		Data []byte `json:"data"`
	}
	metadataJSON struct {
		Name         string           `json:"name"`
		Version      string           `json:"version"`
		AppVersion   string           `json:"appVersion"`
		Dependencies []dependencyJSON `json:"dependencies"`
	}
	dependencyJSON struct {
		Name       string `json:"name"`
		Version    string `json:"version"`
		Repository string `json:"repository"`
	}
)

// DecodeRelease decodes the record of one revision: base64 of gzipped JSON. Its
// errors say nothing of what is in it.
func DecodeRelease(data []byte) (*Release, error) {
	text, err := unpackRelease(data)
	if err != nil {
		return nil, err
	}
	var record recordJSON
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a release%s", placeOf(err))
	}
	if record.Name == "" || record.Chart == nil {
		return nil, errors.New("it names no release or has no chart")
	}
	r := &Release{
		Name: record.Name, Namespace: record.Namespace, Revision: record.Version, Status: record.Info.Status,
		Manifest: resource.Secret(record.Manifest), ServerSide: record.Apply == "ssa",
		First: timeOf(record.Info.First), Last: timeOf(record.Info.Last),
	}
	for _, h := range record.Hooks {
		r.Hooks = append(r.Hooks, resource.Secret(h.Manifest))
	}
	values, err := objectOf(record.Config)
	if err != nil {
		return nil, fmt.Errorf("its values are not a table%s", placeOf(err))
	}
	r.Values = resource.Object(resource.Hide(values).(map[string]any))
	if r.Chart, err = record.Chart.decode(); err != nil {
		return nil, err
	}
	return r, nil
}

// unpackRelease returns the JSON of a record.
func unpackRelease(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(plain, data)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	plain = plain[:n]
	if !bytes.HasPrefix(plain, []byte{0x1f, 0x8b, 0x08}) {
		return plain, nil // before Helm packed them
	}
	packed, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return nil, fmt.Errorf("unpack it: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(packed, maxRelease+1))
	if err != nil {
		return nil, fmt.Errorf("unpack it: %w", err)
	}
	if len(text) > maxRelease {
		return nil, fmt.Errorf("it is larger than %d bytes when unpacked", maxRelease)
	}
	return text, nil
}

// placeOf says where JSON is wrong, and not what stands there.
func placeOf(err error) string {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf(" (at byte %d)", syntax.Offset)
	case errors.As(err, &wrong):
		return fmt.Sprintf(" (at %s)", wrong.Field)
	}
	return ""
}

func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{} // "" before it was deployed
	}
	return t
}

// objectOf decodes a table with whole numbers as int64; none is an empty one.
func objectOf(text json.RawMessage) (map[string]any, error) {
	o := map[string]any{}
	if len(text) == 0 {
		return o, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		o = map[string]any{}
	}
	return counted(o).(map[string]any), nil
}

// counted replaces JSON numbers by int64, or float64 where they are no integers.
func counted(v any) any {
	return resource.MapLeaves(v, func(leaf any) any {
		number, isNumber := leaf.(json.Number)
		if !isNumber {
			return leaf
		}
		if n, err := number.Int64(); err == nil {
			return n
		}
		f, err := number.Float64()
		if err != nil {
			return number.String() // beyond what a float holds
		}
		if f == float64(int64(f)) && f < 1<<53 && f > -1<<53 {
			return int64(f) // Helm writes a large number as 2.6e+11
		}
		return f
	})
}

// decode puts the files of the chart back together.
func (c *chartJSON) decode() (ReleaseChart, error) {
	var meta metadataJSON
	if err := json.Unmarshal(c.Metadata, &meta); err != nil || meta.Name == "" {
		return ReleaseChart{}, fmt.Errorf("its chart has no metadata")
	}
	out := ReleaseChart{Name: meta.Name, Version: meta.Version, AppVersion: meta.AppVersion, files: map[string][]byte{}}
	locked := map[string]dependencyJSON{}
	if c.Lock != nil {
		for _, d := range c.Lock.Dependencies {
			locked[d.Name] = d
		}
	}
	for _, d := range meta.Dependencies {
		need := ReleaseDependency(d)
		if l, isLocked := locked[d.Name]; isLocked {
			need.Version = l.Version
		}
		out.Dependencies = append(out.Dependencies, need)
	}
	for _, f := range slices.Concat(c.Templates, c.Files) {
		if name := slashed.Clean(f.Name); slashed.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00") {
			return ReleaseChart{}, fmt.Errorf("its chart has a file outside of the chart")
		}
		out.files[slashed.Clean(f.Name)] = f.Data
	}
	if len(c.Schema) > 0 {
		out.files["values.schema.json"] = c.Schema
	}
	for name, text := range map[string]json.RawMessage{"Chart.yaml": c.Metadata, "values.yaml": c.Values} {
		plain, err := yamlOf(text)
		if err != nil {
			return ReleaseChart{}, fmt.Errorf("its chart has no %s", name)
		}
		out.files[name] = plain
	}
	return out, nil
}

// yamlOf lays JSON out for people; JSON is YAML.
func yamlOf(text json.RawMessage) ([]byte, error) {
	if len(text) == 0 {
		return []byte("{}\n"), nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
