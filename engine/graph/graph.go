// Package graph holds an ordered directed graph: the planner's only idea of what
// must come before what.
//
// Place in the pipeline: beneath plan. It is generic and pure.
package graph

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// A Graph is a set of nodes, in the order in which they were added, and of edges
// between them. The zero Graph is empty and ready for use.
type Graph[K comparable] struct {
	nodes []K
	index map[K]int
	after [][]int // by node: those that must come later
}

// Add adds node k; adding it again changes nothing.
func (g *Graph[K]) Add(k K) {
	if _, known := g.index[k]; known {
		return
	}
	if g.index == nil {
		g.index = make(map[K]int)
	}
	g.index[k] = len(g.nodes)
	g.nodes = append(g.nodes, k)
	g.after = append(g.after, nil)
}

// Edge says that first must come before then. Both are added when they are new.
// An edge from a node to itself is a cycle.
func (g *Graph[K]) Edge(first, then K) {
	g.Add(first)
	g.Add(then)
	i, j := g.index[first], g.index[then]
	if !slices.Contains(g.after[i], j) {
		g.after[i] = append(g.after[i], j)
	}
}

// A CycleError is what stands in the way of sorting: each node of Path must come
// before the next, and the last is the first again.
type CycleError[K comparable] struct{ Path []K }

func (e *CycleError[K]) Error() string {
	words := make([]string, len(e.Path))
	for i, k := range e.Path {
		words[i] = fmt.Sprint(k)
	}
	return "cycle: " + strings.Join(words, " → ")
}

// Sort returns the nodes so that every edge points forward. Among the nodes that
// may come next it takes the one that was added first, so that the order is
// stable. It returns a [*CycleError] when there is no such order.
func (g *Graph[K]) Sort() ([]K, error) {
	waits := make([]int, len(g.nodes))
	for _, later := range g.after {
		for _, j := range later {
			waits[j]++
		}
	}
	ready := &ints{}
	for i, n := range waits {
		if n == 0 {
			heap.Push(ready, i)
		}
	}
	sorted := make([]K, 0, len(g.nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		sorted = append(sorted, g.nodes[i])
		for _, j := range g.after[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	if len(sorted) < len(g.nodes) {
		return nil, &CycleError[K]{Path: g.Cycle()}
	}
	return sorted, nil
}

// Cycle returns one cycle, its first node repeated at the end, or nil when there
// is none.
func (g *Graph[K]) Cycle() []K {
	const (
		unseen = iota
		open
		closed
	)
	state := make([]int, len(g.nodes))
	var path []int
	var visit func(i int) []K
	visit = func(i int) []K {
		state[i], path = open, append(path, i)
		for _, j := range g.after[i] {
			switch state[j] {
			case open:
				return g.names(append(slices.Clone(path[slices.Index(path, j):]), j))
			case unseen:
				if found := visit(j); found != nil {
					return found
				}
			}
		}
		state[i], path = closed, path[:len(path)-1]
		return nil
	}
	for i := range g.nodes {
		if state[i] == unseen {
			if found := visit(i); found != nil {
				return found
			}
		}
	}
	return nil
}

func (g *Graph[K]) names(indices []int) []K {
	names := make([]K, len(indices))
	for n, i := range indices {
		names[n] = g.nodes[i]
	}
	return names
}

// ints is a heap of node indices, least first.
type ints []int

func (h ints) Len() int           { return len(h) }
func (h ints) Less(i, j int) bool { return h[i] < h[j] }
func (h ints) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *ints) Push(x any)        { *h = append(*h, x.(int)) }
func (h *ints) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
