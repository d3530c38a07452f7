package records

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/journal"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// The sizes of a journal's parts in bytes. A request that appends to a part rewrites
// all of it in etcd, so parts are small. An entry that is larger than a piece is cut.
const (
	entriesSize = 256 << 10
	pieceSize   = 128 << 10
)

// A piece is one key of a part: an entry, or a cut of a large one.
type piece struct{ key, text string }

func (p piece) size() int { return len(p.key) + len(p.text) }

// An ending is where a journal ends: the last part, how many bytes it has, and the
// version that it has as far as it was written or read here; "" when it is not known.
type ending struct {
	part, size int
	version    string
	config     string // the label of the run's config, which further parts bear; empty: the run bears none

	failed bool // the last append failed, and tried is what it, and those that failed before it, may have written
	tried  []piece
	isLost bool // another process has gone on with the run
}

func entriesName(id string, part int) string {
	if part == 0 {
		return runName(id)
	}
	return fmt.Sprintf("%s-entries-%03d", runName(id), part)
}

// partNumber returns the number of the part of run id's journal that has this name.
func partNumber(id, name string) (int, bool) {
	number, found := strings.CutPrefix(name, runName(id)+"-entries-")
	n, err := strconv.Atoi(number)
	return n, found && err == nil && n > 0
}

// piecesOf encodes entries. A large one is cut into several pieces, each of which has
// the digest of the whole in its key: what is left of a write that was cut off is
// told from the pieces of another.
func piecesOf(entries []journal.Entry) ([]piece, error) {
	var all []piece
	for _, e := range entries {
		text, err := encodeEntry(e)
		if err != nil {
			return nil, err
		}
		key := fmt.Sprintf("%s%06d", entryPrefix, e.Seq)
		if len(text) <= pieceSize {
			all = append(all, piece{key, text})
			continue
		}
		total, digest := (len(text)+pieceSize-1)/pieceSize, digestOf(text)
		for i := range total {
			cut := text[i*pieceSize : min(len(text), (i+1)*pieceSize)]
			all = append(all, piece{fmt.Sprintf("%s-%s-%dof%d", key, digest, i+1, total), cut})
		}
	}
	return all, nil
}

func digestOf(text string) string {
	return seal.Digest([]byte(text))[:16]
}

// Append makes more entries of run id durable, in one request as long as they fit
// into the part that it ends with.
func (r *Records) Append(ctx context.Context, id string, entries ...journal.Entry) error {
	pieces, err := piecesOf(entries)
	if err != nil {
		return err
	}
	end, err := r.endingOf(ctx, id)
	tried := append(slices.Clone(end.tried), pieces...)
	if err == nil {
		err = r.mayGoOn(ctx, id, end, pieces)
	}
	for len(pieces) > 0 && err == nil {
		n, size := 0, end.size
		for n < len(pieces) && (size+pieces[n].size() <= entriesSize || n == 0 && size == 0) {
			size += pieces[n].size()
			n++
		}
		if n > 0 {
			end.version, err = r.appendTo(ctx, id, end, pieces[:n])
		}
		switch {
		case n == 0, isTooLarge(err) && end.size > 0:
			end, err = ending{part: end.part + 1, config: end.config}, nil
		case err == nil:
			end.size, pieces = size, pieces[n:]
		}
	}
	if err != nil {
		// It may have been written all the same: what follows goes to a part of its
		// own, so that it wins over it.
		r.setEnding(id, ending{part: end.part + 1, config: end.config, failed: true, tried: tried, isLost: errors.Is(err, run.ErrLost)})
		return fmt.Errorf("append to journal of run %s: %w", id, err)
	}
	end.failed, end.tried = false, nil
	r.setEnding(id, end)
	return nil
}

// mayGoOn makes sure, after an append that failed, that no other process has gone on with
// the run since: the part before the one that is begun has nothing that was not tried here.
func (r *Records) mayGoOn(ctx context.Context, id string, end ending, pieces []piece) error {
	lost := fmt.Errorf("%w: another process has gone on with the run", run.ErrLost)
	switch {
	case end.isLost:
		return lost
	case !end.failed || len(pieces) == 0:
		return nil
	}
	for part := max(0, end.part-2); part < end.part; part++ { // it may have gone over the edge of one
		before, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, entriesName(id, part), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		for key, text := range before.Data {
			if strings.HasPrefix(key, entryPrefix) && key >= pieces[0].key && !slices.Contains(end.tried, piece{key, text}) {
				return lost
			}
		}
	}
	return nil
}

// isTooLarge reports whether an API server refused a part for its size: its
// validation, etcd, or whatever is between.
func isTooLarge(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	text := strings.ToLower(err.Error())
	return apierrors.IsRequestEntityTooLargeError(err) || status.Status().Code == http.StatusRequestEntityTooLarge ||
		apierrors.IsInvalid(err) && strings.Contains(text, "too long") || strings.Contains(text, "too large")
}

// endingOf returns where the journal of run id ends.
func (r *Records) endingOf(ctx context.Context, id string) (ending, error) {
	r.mu.Lock()
	end, known := r.endings[id]
	r.mu.Unlock()
	if known {
		return end, nil
	}
	_, end, err := r.read(ctx, id)
	return end, err
}

func (r *Records) setEnding(id string, end ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.endings == nil {
		r.endings = map[string]ending{}
	}
	r.endings[id] = end
}

// appendTo adds pieces to the part with which a journal ends, which it makes when it is
// a further one and new, and returns the version that it has then. The part has to be as
// it was seen here last: when another process goes on with the run, what this one still
// has on its way is refused.
func (r *Records) appendTo(ctx context.Context, id string, end ending, pieces []piece) (string, error) {
	name, data := entriesName(id, end.part), make(map[string]string, len(pieces))
	for _, p := range pieces {
		data[p.key] = p.text
	}
	parts := r.client.CoreV1().ConfigMaps(r.namespace)
	for {
		patch := map[string]any{"data": data}
		if end.version != "" {
			patch["metadata"] = map[string]any{"resourceVersion": end.version}
		}
		text, err := json.Marshal(patch)
		if err != nil {
			return "", err
		}
		cm, err := parts.Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{})
		if apierrors.IsNotFound(err) && end.part > 0 {
			cm, err = parts.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: runLabels("entries", id, end.config)}, Data: data}, metav1.CreateOptions{})
		}
		if err == nil {
			return cm.ResourceVersion, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return end.version, err
		}
		cm, readErr := parts.Get(ctx, name, metav1.GetOptions{})
		if readErr != nil {
			return end.version, readErr
		}
		switch isThere, isOthers := within(cm.Data, pieces); {
		case isThere: // the answer got lost
			return cm.ResourceVersion, nil
		case isOthers:
			return end.version, fmt.Errorf("%w: another process has gone on with the run", run.ErrLost)
		}
		end.version = cm.ResourceVersion // somebody put a label on it
	}
}

// within reports whether all of the pieces are in a part, and whether the part has
// entries of somebody else's where these would come.
func within(data map[string]string, pieces []piece) (isThere, isOthers bool) {
	isThere = true
	for _, p := range pieces {
		isThere = isThere && data[p.key] == p.text
	}
	for key := range data {
		if strings.HasPrefix(key, entryPrefix) && key >= pieces[0].key {
			isOthers = true
		}
	}
	return isThere, isOthers && !isThere
}

// joined are the entries of a journal, put together from its parts.
type joined struct {
	found map[int]found
	cuts  map[string]map[int]string // by the key of the whole, which has its digest
	parts map[string]int            // of cuts: the last part that has one
	end   ending
	err   error
}

// A found entry is one text, and the part that it lies in.
type found struct {
	part int
	text string
}

func (j *joined) add(part int, cm *corev1.ConfigMap) {
	size := 0
	for key, text := range cm.Data {
		size += piece{key, text}.size()
		if name, is := strings.CutPrefix(key, entryPrefix); is {
			j.take(part, name, text)
		}
	}
	if part >= j.end.part {
		j.end = ending{part: part, size: size, version: cm.ResourceVersion}
	}
}

func (j *joined) take(part int, name, text string) {
	whole, cut, isCut := cutName(name)
	if !isCut {
		j.keep(name, found{part, text})
		return
	}
	if j.cuts == nil {
		j.cuts, j.parts = map[string]map[int]string{}, map[string]int{}
	}
	if j.cuts[whole] == nil {
		j.cuts[whole] = map[int]string{}
	}
	j.cuts[whole][cut], j.parts[whole] = text, max(part, j.parts[whole])
}

// cutName splits "000012-DIGEST-2of3" into "000012-DIGEST-3" and 2.
func cutName(name string) (whole string, n int, isCut bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return "", 0, false
	}
	at, total, isCut := strings.Cut(name[i+1:], "of")
	n, err := strconv.Atoi(at)
	return name[:i+1] + total, n, isCut && err == nil
}

// keep takes an entry for the journal's. When there are two of one number, the write
// of the first had failed, as it seemed, and the one in the later part counts.
func (j *joined) keep(number string, f found) {
	seq, err := strconv.Atoi(number)
	if err != nil {
		j.err = cmp.Or(j.err, error(&undecodedError{"entry " + strconv.Quote(number)}))
		return
	}
	if j.found == nil {
		j.found = map[int]found{}
	}
	if before, has := j.found[seq]; !has || f.part > before.part {
		j.found[seq] = f
	}
}

// join puts the pieces of large entries together. An entry that is not whole was
// being written when its run died: nothing was done yet of what it announces.
func (j *joined) join() {
	for _, whole := range slices.Sorted(maps.Keys(j.cuts)) {
		number, rest, _ := strings.Cut(whole, "-")
		digest, total, _ := strings.Cut(rest, "-")
		n, err := strconv.Atoi(total)
		if err != nil || len(j.cuts[whole]) != n {
			continue
		}
		var text strings.Builder
		for i := range n {
			text.WriteString(j.cuts[whole][i+1])
		}
		if digestOf(text.String()) == digest {
			j.keep(number, found{j.parts[whole], text.String()})
		}
	}
}

// drop forgets what is left of writes that seemed to fail: whatever comes next is in a
// later part, and stands for all of its number and behind it in the parts before.
func (j *joined) drop() {
	first := map[int]int{} // of each part
	for seq, f := range j.found {
		if n, has := first[f.part]; !has || seq < n {
			first[f.part] = seq
		}
	}
	for seq, f := range j.found {
		for part, n := range first {
			if part > f.part && seq >= n {
				delete(j.found, seq)
			}
		}
	}
}

// entries returns what could be decoded, in order, and an error when not all could.
func (j *joined) entries() ([]journal.Entry, error) {
	j.join()
	j.drop()
	var all []journal.Entry
	for _, seq := range slices.Sorted(maps.Keys(j.found)) {
		var e journal.Entry
		if err := json.Unmarshal([]byte(j.found[seq].text), &e); err != nil || e.Seq != seq {
			j.err = cmp.Or(j.err, error(&undecodedError{fmt.Sprintf("entry %d", seq)}))
			continue
		}
		all = append(all, e)
	}
	return all, j.err
}
