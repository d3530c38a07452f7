package graph

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSort(t *testing.T) {
	for _, test := range []struct {
		reason string
		nodes  []string
		edges  [][2]string
		want   []string
	}{
		{"no edges keep the order of adding", []string{"c", "a", "b"}, nil, []string{"c", "a", "b"}},
		{"an edge moves only what it must", []string{"a", "b", "c"}, [][2]string{{"c", "a"}}, []string{"b", "c", "a"}},
		{"a chain against the order", []string{"a", "b", "c"}, [][2]string{{"c", "b"}, {"b", "a"}}, []string{"c", "b", "a"}},
		{"an edge twice counts once", []string{"a", "b"}, [][2]string{{"b", "a"}, {"b", "a"}}, []string{"b", "a"}},
		{"nothing", nil, nil, []string{}},
	} {
		var g Graph[string]
		for _, n := range test.nodes {
			g.Add(n)
		}
		for _, e := range test.edges {
			g.Edge(e[0], e[1])
		}
		got, err := g.Sort()
		if err != nil {
			t.Errorf("%s: %v", test.reason, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestCycle(t *testing.T) {
	var g Graph[string]
	g.Edge("start", "a")
	g.Edge("a", "b")
	g.Edge("b", "c")
	g.Edge("c", "a")
	_, err := g.Sort()
	var cycle *CycleError[string]
	if !errors.As(err, &cycle) {
		t.Fatalf("Sort = %v, want a CycleError", err)
	}
	if want := []string{"a", "b", "c", "a"}; !cmp.Equal(cycle.Path, want) {
		t.Errorf("path = %v, want %v", cycle.Path, want)
	}
	var self Graph[int]
	self.Edge(1, 1)
	if _, err := self.Sort(); err == nil {
		t.Error("an edge to itself was sorted")
	}
}
