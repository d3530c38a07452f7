package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A Difference is the first thing that a plan file says otherwise than the plan that
// is made now.
type Difference struct {
	Text   string // in words, without any sensitive value
	Secret bool   // a sensitive value is another one
}

// A comparison says how a key of the document is compared; the zero comparison asks
// for the same value.
type comparison int

const (
	notCompared comparison = iota + 1
	notMore                // people: no more now than the file's number stands for
	ofPatience             // a time that grows with how many people there are
	checked                // not where the file's maker could not ask the server
)

// comparisons are the keys of the document that may differ from the plan that is made
// now. All others have to be the same. docs/PLANFILE.md has this table.
var comparisons = map[string]comparison{
	"id":                    notCompared, // of the file
	"version":               notCompared,
	"commit":                notCompared,
	"variables":             notCompared, // what they do to the objects is
	"created":               notCompared, // the plan is made for this time
	"scope":                 notCompared, // and for this scope
	"clusters[].where":      notCompared, // a context has another name elsewhere
	"clusters[].sessions":   notCompared,
	"kept":                  notCompared, // goes by who is there; no file makes a plan keep less
	"undeclared":            notCompared, // likewise
	"warnings":              notCompared,
	"left_out":              notCompared,
	"unchanged":             notCompared,
	"takeovers[].release":   notCompared, // as Helm records it now
	"takeovers[].pods":      notCompared,
	"verdicts[].origin":     notCompared,
	"refused[].origin":      notCompared,
	"drift[].fields[].time": notCompared,

	"versions.faults[].origin": notCompared,

	"waves[].steps[].timeout_ns": ofPatience,

	"waves[].steps[].relies_on.counted": notMore,
	"waves[].steps[].relies_on.max":     notCompared, // it follows from the count

	"waves[].steps[].impact.sessions_lost":        notMore,
	"waves[].steps[].impact.sessions_interrupted": notMore,
	"waves[].steps[].impact.launch_gap_ns":        notCompared, // as measured by now
	"waves[].steps[].impact.pods_restarted":       notCompared,
	"waves[].steps[].impact.basis":                notCompared,
	"waves[].steps[].back.sessions_lost":          notMore,
	"waves[].steps[].back.sessions_interrupted":   notMore,
	"waves[].steps[].back.launch_gap_ns":          notCompared,
	"waves[].steps[].back.pods_restarted":         notCompared,
	"waves[].steps[].back.basis":                  notCompared,

	"waves[].steps[].changes[].impact.sessions_lost":        notMore,
	"waves[].steps[].changes[].impact.sessions_interrupted": notMore,
	"waves[].steps[].changes[].impact.launch_gap_ns":        notCompared,
	"waves[].steps[].changes[].impact.pods_restarted":       notCompared,
	"waves[].steps[].changes[].impact.basis":                notCompared,

	"waves[].steps[].changes[].origin":         notCompared, // a line of the config that has moved
	"waves[].steps[].changes[].notes":          notCompared,
	"waves[].steps[].changes[].foreign[].time": notCompared,
	"waves[].steps[].changes[].fields":         checked,
}

// Compare returns the first difference between a plan file and the plan that is made
// now at the file's time and for its scope, or nil. file is as [Decode] returns it; now
// is masked with m. Values that are drawn at random, and those of a file that was made
// without a key, are compared by their place.
func Compare(file, now *Plan, m Mask) (*Difference, error) {
	if d := sameChanges(file, now); d != nil {
		return d, nil
	}
	fresh, _, err := Encode(now, m)
	if err != nil {
		return nil, err
	}
	document, err := marshal(file)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	before, made := tree(document), tree(fresh)
	for _, t := range []map[string]any{before, made} {
		t["verdicts"] = withoutRejections(t["verdicts"]) // they come from the journal, and hold whatever the file says
	}
	c := &comparer{}
	c.moved(before, made)
	c.crowded(file, now)
	for _, key := range documentKeys(before, made) {
		c.compare(spot{key, key}, before[key], made[key])
	}
	return c.first, nil
}

// moved compares what the changes expect to find, before what follows from it.
func (c *comparer) moved(file, now map[string]any) {
	is, planned := changesOf(now), changesOf(file)
	for _, key := range slices.Sorted(maps.Keys(planned)) {
		was := planned[key]
		if one := is[key]; one.change != nil {
			c.writers = managers(one.change)
			c.compare(spot{changePath + ".before", fmt.Sprintf("step %v: %v: before", was.step, was.change["address"])}, was.change["before"], one.change["before"])
		}
	}
	c.writers = nil
}

// crowded compares how many people are where the steps disturb them, before all that
// follows from it.
func (c *comparer) crowded(file, now *Plan) {
	relied := make(map[StepID]*SessionBound)
	for _, s := range file.Steps() {
		relied[s.ID] = s.Relies
	}
	for _, s := range now.Steps() {
		was := relied[s.ID]
		if c.first != nil || was == nil || s.Relies == nil || s.Relies.Counted <= relyOn(was.Counted) {
			continue
		}
		c.first = &Difference{Text: fmt.Sprintf("step %s: %s by now (%s), and the plan relies on at most %d", s.ID, servers(s.Relies.Counted), s.Relies, relyOn(was.Counted))}
	}
}

// A changeIn is a change of a document, and the step that it is in.
type changeIn struct {
	step   any
	change map[string]any
}

func changesOf(document map[string]any) map[string]changeIn {
	all := make(map[string]changeIn)
	waves, _ := document["waves"].([]any)
	for _, w := range waves {
		wave, _ := w.(map[string]any)
		steps, _ := wave["steps"].([]any)
		for _, s := range steps {
			step, _ := s.(map[string]any)
			changes, _ := step["changes"].([]any)
			for _, one := range changes {
				change, _ := one.(map[string]any)
				all[fmt.Sprint(change["id"], change["action"], step["hook"])] = changeIn{step["id"], change}
			}
		}
	}
	return all
}

// sameChanges compares which objects two plans change, to say it plainly.
func sameChanges(file, now *Plan) *Difference {
	planned, made := objects(file), objects(now)
	for _, s := range file.Steps() {
		for _, c := range s.Changes {
			if !made[keyOf(c)] {
				return &Difference{Text: fmt.Sprintf("step %s: %s is in the file, and would not be done now: %s", s.ID, c.Address, now.reasonAgainst(c.ID))}
			}
		}
	}
	for _, s := range now.Steps() {
		for _, c := range s.Changes {
			if !planned[keyOf(c)] {
				return &Difference{Text: fmt.Sprintf("step %s: %s would be changed now, and the file does not have it", s.ID, c.Address)}
			}
		}
	}
	return nil
}

// A changeKey tells changes of one plan apart: hooks may make an object twice.
type changeKey struct {
	id     resource.ID
	event  string
	delete bool
}

func keyOf(c resource.Change) changeKey {
	k := changeKey{id: c.ID, delete: c.Action == resource.Delete}
	if c.Hook != nil {
		k.event = c.Hook.Event
	}
	return k
}

func objects(p *Plan) map[changeKey]bool {
	all := make(map[changeKey]bool)
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			all[keyOf(c)] = true
		}
	}
	return all
}

// reasonAgainst says why p does not change an object.
func (p *Plan) reasonAgainst(id resource.ID) string {
	for _, k := range p.Kept {
		if k.ID == id {
			return "it is kept: " + k.Reason
		}
	}
	for _, r := range p.Refused {
		if r.ID == id {
			return r.Reason
		}
	}
	return "it is as wanted already, or the config does not ask for it"
}

func tree(document []byte) map[string]any {
	var t map[string]any
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&t); err != nil {
		panic("plan.Compare: a document that is no JSON: " + err.Error())
	}
	return t
}

// documentKeys returns the keys of two documents in the order in which they are told:
// first whose plan it is, then what it does.
func documentKeys(a, b map[string]any) []string {
	first := []string{"format_version", "config", "origin", "clusters", "waves"}
	rest := slices.Collect(maps.Keys(a))
	rest = slices.AppendSeq(rest, maps.Keys(b))
	rest = slices.DeleteFunc(rest, func(key string) bool { return slices.Contains(first, key) })
	slices.Sort(rest)
	return append(first, slices.Compact(rest)...)
}

func withoutRejections(verdicts any) any {
	all, _ := verdicts.([]any)
	var kept []any
	for _, v := range all {
		if m, isMap := v.(map[string]any); !isMap || m["name"] != rejected {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// A comparer looks for the first difference.
type comparer struct {
	first   *Difference
	writers []string // who else wrote into the object that is compared
}

// A spot is a place in both documents: as the table of comparisons spells it, and for
// people.
type spot struct{ path, words string }

// people says that there are more people than the file says, in words.
func (s spot) people(now, file int) string {
	place, _, _ := strings.Cut(s.words, ": ")
	if parts := strings.SplitN(s.words, ": ", 3); len(parts) == 3 { // of one change of the step
		place += ": " + parts[1]
	}
	back := ""
	if strings.Contains(s.path, ".back.") {
		back = "on the way back, "
	}
	what := map[string]string{"counted": "%s there by now", "sessions_lost": "%s would be lost by now", "sessions_interrupted": "%s would be interrupted by now"}[s.path[strings.LastIndex(s.path, ".")+1:]]
	return fmt.Sprintf("%s: %s"+what+", and the plan file says %d", place, back, servers(now), file)
}

func (s spot) key(name string) spot {
	if isStep := s.path == "waves[].steps[]" || s.path == changePath; isStep {
		return spot{s.path + "." + name, s.words + ": " + name}
	}
	return spot{s.path + "." + name, s.words + "." + name}
}

// item is an element of a list; steps and changes go by their names.
func (s spot) item(i int, v any) spot {
	at := spot{s.path + "[]", fmt.Sprintf("%s[%d]", s.words, i)}
	m, _ := v.(map[string]any)
	switch at.path {
	case "waves[].steps[]":
		at.words = fmt.Sprintf("step %v", m["id"])
	case changePath:
		step, _, _ := strings.Cut(s.words, ": ")
		at.words = fmt.Sprintf("%s: %v", step, m["address"])
	}
	return at
}

func (c *comparer) found(at spot, text string) {
	if c.first != nil {
		return
	}
	if len(c.writers) > 0 && strings.HasPrefix(at.path, changePath+".before") {
		text += " (written by " + strings.Join(c.writers, ", ") + ")"
	}
	c.first = &Difference{Text: at.words + " " + text}
}

// changePath is where changes are in a document.
const changePath = "waves[].steps[].changes[]"

// managers returns who wrote fields of a change's object beside hubcap.
func managers(change any) []string {
	m, _ := change.(map[string]any)
	fields, _ := m["foreign"].([]any)
	var all []string
	for _, f := range fields {
		field, _ := f.(map[string]any)
		if name, _ := field["manager"].(string); name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func (c *comparer) compare(at spot, file, now any) {
	if c.first != nil {
		return
	}
	switch comparisons[at.path] {
	case notCompared, checked:
		return
	case notMore:
		if n, limit := whole(now), relyOn(whole(file)); n > limit && c.first == nil {
			c.first = &Difference{Text: at.people(n, whole(file))}
		}
		return
	case ofPatience:
		if min(whole(file), whole(now)) >= int(workloadTimeout) {
			return
		}
	}
	fileMap, isMap := file.(map[string]any)
	nowMap, isMapNow := now.(map[string]any)
	fileList, isList := file.([]any)
	nowList, isListNow := now.([]any)
	switch {
	case isMap && isMapNow:
		c.maps(at, fileMap, nowMap)
	case isList && isListNow:
		c.lists(at, fileList, nowList)
	case file != nil && now == nil:
		c.found(at, "is "+short(file)+" in the file, and there is none now")
	case file == nil && now != nil:
		c.found(at, "is "+short(now)+" now, and the file has none")
	case isMap || isList || isMapNow || isListNow || file != now:
		c.found(at, "is "+short(file)+" in the file, and "+short(now)+" now")
	}
}

func (c *comparer) maps(at spot, file, now map[string]any) {
	hidden, isMasked := file[maskKey]
	digest, isMaskedNow := now[maskKey]
	if isMasked && isMaskedNow {
		if hidden != "" && hidden != digest && c.first == nil {
			c.first = &Difference{Text: at.words + ": " + ErrSecretMoved.Error(), Secret: true}
		}
		return
	}
	keys := slices.AppendSeq(slices.Collect(maps.Keys(file)), maps.Keys(now))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		next := at.key(key)
		if comparisons[next.path] == checked && !unchecked(file) {
			next.path += "!" // to be the same
		}
		c.compare(next, file[key], now[key])
	}
}

// unchecked reports whether a change was planned by somebody who could not ask the
// server what it makes of it: then its fields are a guess.
func unchecked(change map[string]any) bool {
	notes, _ := change["notes"].([]any)
	return slices.ContainsFunc(notes, func(n any) bool {
		text, _ := n.(string)
		return strings.HasPrefix(text, resource.Unchecked)
	})
}

func (c *comparer) lists(at spot, file, now []any) {
	for i := range max(len(file), len(now)) {
		switch {
		case i >= len(file):
			c.found(at.item(i, now[i]), "is there now, and the file does not have it")
		case i >= len(now):
			c.found(at.item(i, file[i]), "is in the file, and would not be done now")
		default:
			next := at.item(i, file[i])
			if other := at.item(i, now[i]); other.words != next.words {
				c.found(next, "is in the file where now "+other.words+" is")
				return
			}
			if next.path == changePath {
				c.writers = managers(now[i])
			}
			c.compare(next, file[i], now[i])
		}
		if c.first != nil {
			return
		}
	}
}

// short returns a value of a document for people; sensitive ones are masked there.
func short(v any) string {
	const most = 80
	text, err := json.Marshal(v)
	if err != nil {
		panic("plan.Compare: a document that is no JSON: " + err.Error())
	}
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}

func whole(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}

// Restrict makes p, which is made now, rely on no more people than the plan file that
// it was compared with said, and be known by the file's name.
func (p *Plan) Restrict(file *Plan) {
	p.ID, p.Created = file.ID, file.Created
	for w := range p.Waves {
		for i := range p.Waves[w].Steps {
			mine, approved := &p.Waves[w].Steps[i], file.Waves[w].Steps[i]
			mine.Impact = lesser(mine.Impact, approved.Impact)
			if mine.Relies != nil && approved.Relies != nil {
				bound := *mine.Relies
				bound.Counted = min(bound.Counted, approved.Relies.Counted)
				bound.Max = relyOn(bound.Counted)
				mine.Relies = &bound
			}
			for k := range mine.Changes {
				mine.Changes[k].Impact = lesser(mine.Changes[k].Impact, approved.Changes[k].Impact)
			}
		}
	}
}

func lesser(now, approved resource.Impact) resource.Impact {
	now.SessionsLost = min(now.SessionsLost, approved.SessionsLost)
	now.SessionsInterrupted = min(now.SessionsInterrupted, approved.SessionsInterrupted)
	return now
}

// Beside returns the components of changes that p has nothing of, each once: what came
// up since p was made is not p's.
func (p *Plan) Beside(changes []resource.Change) []resource.Component {
	mine := make(map[resource.Component]bool)
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			mine[c.Component] = true
		}
	}
	var beside []resource.Component
	for _, c := range changes {
		if !mine[c.Component] {
			mine[c.Component] = true
			beside = append(beside, c.Component)
		}
	}
	return beside
}
