package kube

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

const (
	compareWorkers = 16 // also bounds the dry runs; more only adds latency
	manyMissing    = 8  // so many objects of a kind and namespace are cheaper listed than got one by one
)

// Read holds desired beside what is live. It makes one LIST of each kind, by our
// label; what is not found that way (new, or somebody else's) is got apart; and
// only what differs is previewed by a dry run. The number of requests grows with
// kinds and differences, never with unchanged objects.
func (p *Provider) Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error) {
	s, kinds, err := p.survey(ctx, desired)
	if err != nil {
		return resource.Reading{}, err
	}
	if err := s.leaveScaled(ctx); err != nil {
		return resource.Reading{}, err
	}
	s.leaveGrown()
	if err := s.readLineages(ctx); err != nil {
		return resource.Reading{}, err
	}
	observations, err := s.compareAll(ctx, kinds)
	if err != nil {
		return resource.Reading{}, err
	}
	s.sort()
	slices.SortFunc(s.unsealed, func(a, b resource.Unsealed) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	slices.SortFunc(s.orphans, func(a, b resource.Live) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	slices.SortFunc(s.unreadable, func(a, b resource.Unreadable) int { return strings.Compare(a.What, b.What) })
	return resource.Reading{
		Observations: observations, Orphans: s.orphans, Unsealed: s.unsealed, Unreadable: s.unreadable, Releases: s.releases(),
	}, nil
}

// survey reads what is live of desired, and nothing about it yet.
func (p *Provider) survey(ctx context.Context, desired []resource.Desired) (*survey, []*kind, error) {
	if err := p.Client.discover(ctx); err != nil {
		return nil, nil, err
	}
	desired = p.prepareAll(desired)
	kinds, unknown := p.kinds(desired)
	s := &survey{
		p: p, desired: desired, unknown: unknown,
		live:   make([]*unstructured.Unstructured, len(desired)),
		hidden: make([]bool, len(desired)),
		byID:   make(map[resource.ID]int, len(desired)),
	}
	for i, d := range desired {
		s.byID[d.ID] = i
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readKey(groupCtx) })
	group.Go(func() error { return s.listAll(groupCtx, kinds) })
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	if err := s.listLeft(ctx); err != nil {
		return nil, nil, err
	}
	return s, kinds, s.findMissing(ctx, kinds)
}

// prepareAll returns desired with its objects as they will be written.
func (p *Provider) prepareAll(desired []resource.Desired) []resource.Desired {
	prepared := slices.Clone(desired)
	for i := range prepared {
		prepared[i].Object = p.prepare(prepared[i])
		p.secrets.AddAll(prepared[i].Object)
	}
	return prepared
}

// discover asks what the server can do, once. Its error is about the whole
// cluster: unreachable, or the credentials are refused.
func (c *Client) discover(ctx context.Context) error {
	err := retryRead(ctx, func() error {
		_, err := c.discovery.ServerGroups()
		if err == nil {
			return ctx.Err()
		}
		c.discovery.Invalidate()
		return err
	})
	return c.explain("read", "cluster", err)
}

// compareAll compares every desired object with its live one. Objects that could
// not be read are left out: nothing can be said about them.
func (s *survey) compareAll(ctx context.Context, kinds []*kind) ([]resource.Observation, error) {
	observations := make([]*resource.Observation, len(s.desired))
	byIndex := make(map[int]*kind, len(s.desired))
	for _, k := range kinds {
		for _, i := range k.wanted {
			byIndex[i] = k
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareWorkers)
	for i := range s.desired {
		if s.hidden[i] {
			continue
		}
		group.Go(func() error {
			o, err := s.observe(ctx, i, byIndex[i])
			observations[i] = o
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []resource.Observation
	for _, o := range observations {
		if o != nil {
			all = append(all, *o)
		}
	}
	return all, nil
}

func (s *survey) observe(ctx context.Context, i int, k *kind) (*resource.Observation, error) {
	d := s.desired[i]
	if k == nil {
		return s.observeUnknown(d, s.unknown[i])
	}
	if why := s.ending(i); why != "" {
		return &resource.Observation{Desired: d, Refused: why}, nil
	}
	c := &comparison{
		p: s.p, kind: k, desired: s.keepChecksums(i), live: s.live[i], makes: s.makesNamespace(d.ID.Namespace), written: s.written(i), lacksSeal: s.lacksSeal(i),
		leaving: s.leaving(d), leads: s.leads[i],
	}
	o, err := c.compare(ctx)
	if err != nil {
		return nil, s.p.Client.explain("preview", objectText(d.ID), err)
	}
	s.blame(o)
	return o, nil
}

// observeUnknown is for an object of a kind that the server does not know (yet).
func (s *survey) observeUnknown(d resource.Desired, err error) (*resource.Observation, error) {
	gvk := gvkOf(d.Object)
	if !isNoKind(err) {
		return nil, s.p.Client.explain("discover", gvk.String(), err)
	}
	for _, other := range s.desired {
		if madeBy(other.Object, gvk) {
			return &resource.Observation{
				Desired: d, Preview: d.Object.Copy(),
				Notes: []string{resource.Unchecked + "its kind is defined by " + other.Address.String()},
			}, nil
		}
	}
	return &resource.Observation{Desired: d, Refused: s.p.Client.unserved(gvk)}, nil
}

// makesNamespace reports whether namespace is missing and about to be made.
func (s *survey) makesNamespace(namespace string) bool {
	i, wanted := s.byID[resource.ID{Cluster: s.p.Cluster, Kind: "Namespace", Name: namespace}]
	return namespace != "" && wanted && s.live[i] == nil && !s.hidden[i]
}
