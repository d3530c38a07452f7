package sim

import "regexp"

// A quota says how many sessions a repository may have.
type quota struct {
	perRepo int // 0: any number
	repos   []repoQuota
}

type repoQuota struct {
	pattern *regexp.Regexp // anchored at the start
	limit   int
}

// of returns the limit of a repository, where the last rule that matches counts;
// 0: none.
func (q quota) of(repo string) int {
	limit := q.perRepo
	for _, r := range q.repos {
		if r.pattern.MatchString(repo + "/") {
			limit = r.limit
		}
	}
	return limit
}
