package gate

import (
	"fmt"
	"math"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// slope holds the slope of the curve against its bounds. It fails only what is
// beyond a bound for certain, and passes only what is within for certain; what
// lies between needs more points.
func (j *judgement) slope() []finding {
	check := j.check.Slope
	s, trouble := j.series()
	if trouble != nil {
		return []finding{*trouble}
	}
	if len(s.xs) < check.MinPoints {
		return []finding{early("%d of %d points seen", len(s.xs), check.MinPoints)}
	}
	line, fits := Fit(s.xs, s.ys, s.loads, check.Confidence)
	switch {
	case !fits && s.loads != nil:
		return []finding{early("cannot tell yet: the load grows along with the %s", s.unit)}
	case !fits:
		return []finding{early("no slope yet: nothing moves along the axis")}
	}
	var all []finding
	if check.Max != nil {
		all = append(all, certain(line.Slope, line.Low, line.High, *check.Max,
			fmt.Sprintf("%s (at most %s)", s.grows(line, check.Confidence), Number(*check.Max))))
	}
	if check.Limit != nil {
		all = append(all, j.projected(s, line, check))
	}
	return all
}

// A series is points to lay a line through.
type series struct {
	xs, ys, loads []float64 // loads: what else ys depend on; nil: nothing
	unit          string    // of x
	perHour       float64   // units in an hour
}

func (s *series) grows(l Line, confidence float64) string {
	return fmt.Sprintf("%s per %s, between %s and %s with %g %% confidence", Number(l.Slope), s.unit, Number(l.Low), Number(l.High), confidence*100)
}

// series lays the curve over the time, or over the work done.
func (j *judgement) series() (series, *finding) {
	check, curve := j.check.Slope, j.answers[Curve][0]
	s := series{unit: "hour", perHour: 1}
	var along, load map[int64]float64
	for _, r := range []struct {
		role Role
		name string
		at   *map[int64]float64
	}{{Curve, "", nil}, {Work, "work: ", &along}, {Load, "load: ", &load}} {
		if len(j.answers[r.role]) == 0 {
			continue
		}
		a := j.answers[r.role][0]
		if _, trouble := numberOf(a); trouble != "" {
			f := unclear("%s%s", r.name, trouble)
			return s, &f
		}
		if r.at == nil {
			continue
		}
		points := finite(a.Points)
		if r.role == Work {
			points = cumulative(points)
			if early := s.work(points, check); early != nil {
				return s, early
			}
		}
		*r.at = make(map[int64]float64, len(points))
		for _, p := range points {
			(*r.at)[p.Time.UnixMilli()] = p.Value
		}
	}
	for _, p := range finite(curve.Points) {
		at := p.Time.UnixMilli()
		x, y := p.Time.Sub(curve.From).Hours(), p.Value
		if along != nil {
			done, known := along[at]
			if !known {
				continue
			}
			x = done
		}
		if load != nil {
			n, known := load[at]
			if !known {
				continue
			}
			s.loads = append(s.loads, n)
		}
		s.xs, s.ys = append(s.xs, x), append(s.ys, y)
	}
	return s, nil
}

// work notes how fast work was done, or that there was too little of it.
func (s *series) work(done []Point, check *plan.SlopeCheck) *finding {
	s.unit = "unit of work"
	total := 0.0
	if n := len(done); n > 0 {
		total = done[n-1].Value - done[0].Value
		if hours := done[n-1].Time.Sub(done[0].Time).Hours(); hours > 0 {
			s.perHour = total / hours
		}
	}
	if total < check.MinWork || total <= 0 {
		f := early("%s of %s units of work seen", Number(total), Number(max(check.MinWork, 1)))
		return &f
	}
	return nil
}

// cumulative mends the resets of a counter: what restarts from 0 goes on from
// where it was.
func cumulative(points []Point) []Point {
	grown := make([]Point, len(points))
	base := 0.0
	for i, p := range points {
		if i > 0 && p.Value < points[i-1].Value {
			base += points[i-1].Value
		}
		grown[i] = Point{p.Time, p.Value + base}
	}
	return grown
}

func finite(points []Point) []Point {
	var good []Point
	for _, p := range points {
		if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
			good = append(good, p)
		}
	}
	return good
}

// projected says where the line will be after the time that the check looks
// ahead.
func (j *judgement) projected(s series, l Line, check *plan.SlopeCheck) finding {
	limit, last := *check.Limit, s.xs[len(s.xs)-1]
	now, ahead := l.At(last), s.perHour*check.Within.Hours()
	f := certain(now+l.Slope*ahead, now+l.Low*ahead, now+l.High*ahead, limit,
		fmt.Sprintf("%s: from %s to %s in %s (limit %s)", s.grows(l, check.Confidence), Number(now), Number(now+l.Slope*ahead), span(check.Within), Number(limit)))
	if now > limit {
		f.verdict, f.early = run.Fail, false
		f.reason = fmt.Sprintf("%s is beyond the limit of %s already", Number(now), Number(limit))
	} else if f.verdict == run.Fail && l.Slope > 0 {
		f.reason += fmt.Sprintf(", reached in %s", span(time.Duration((limit-now)/(l.Slope*s.perHour)*float64(time.Hour)).Round(time.Minute)))
	}
	return f
}

// certain judges an estimate by the interval that it is in.
func certain(estimate, low, high, bound float64, reason string) finding {
	f := hold(estimate, bound, high <= bound, reason)
	if low <= bound && high > bound {
		f.verdict, f.early = run.Inconclusive, true
		f.reason = "cannot tell yet: " + reason
	}
	return f
}

// A Line is the straight line that fits points best, and how sure its slope is.
type Line struct {
	Slope     float64
	Low, High float64 // the slope is between them with the confidence asked for
	x, y      float64 // a point on it: the means
}

// At returns the line's height at x, at a middling load.
func (l Line) At(x float64) float64 { return l.y + l.Slope*(x-l.x) }

// leastOwn is the share of the movement along the axis that must not be the
// load's: with less, whose effect it is cannot be told.
const leastOwn = 0.02

// Fit lays a line through points by least squares. What of ys and xs goes along
// with loads, which may be nil, is taken out first: memory that more users need is
// no leak. The interval of the slope is Student's, made wider where neighbours
// stray from the line together, as memory does that is freed in bursts: such
// points say less than their number. It fits nothing through fewer than four
// points, when all have the same x, or when loads and xs move as one.
func Fit(xs, ys, loads []float64, confidence float64) (Line, bool) {
	if len(xs) < 4 {
		return Line{}, false
	}
	n, spent := float64(len(xs)), 2.0 // degrees of freedom that the line has
	l := Line{x: mean(xs), y: mean(ys)}
	dx, dy := around(xs, l.x), around(ys, l.y)
	sxx := dot(dx, dx)
	if dl := around(loads, mean(loads)); dot(dl, dl) > 0 {
		spent++
		dx, dy = without(dx, dl), without(dy, dl)
		if dot(dx, dx) < leastOwn*sxx {
			return Line{}, false
		}
		sxx = dot(dx, dx)
	}
	if sxx <= 0 {
		return Line{}, false
	}
	l.Slope = dot(dx, dy) / sxx
	// What is smaller than the digits that the numbers have is nothing.
	nothing := 1e-12 * math.Abs(l.y)
	if math.Abs(l.Slope)*math.Sqrt(sxx/n) < nothing {
		l.Slope = 0
	}
	var squares, neighbours, previous float64
	for i := range dx {
		r := dy[i] - l.Slope*dx[i]
		if math.Abs(r) < nothing {
			r = 0
		}
		squares += r * r
		neighbours += r * previous
		previous = r
	}
	effective := n
	if squares > 0 {
		together := min(max(neighbours/squares, 0), 0.95)
		effective = n * (1 - together) / (1 + together)
	}
	effective = max(effective, spent+1)
	deviation := math.Sqrt(squares / (n - spent) / sxx * n / effective)
	margin := student(confidence, effective-spent) * deviation
	l.Low, l.High = l.Slope-margin, l.Slope+margin
	return l, true
}

func mean(vs []float64) float64 {
	sum := 0.0
	for _, v := range vs {
		sum += v / float64(len(vs))
	}
	return sum
}

// around returns how far each value is from the middle.
func around(vs []float64, middle float64) []float64 {
	ds := make([]float64, len(vs))
	for i, v := range vs {
		ds[i] = v - middle
	}
	return ds
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// without takes out of ds what goes along with ls.
func without(ds, ls []float64) []float64 {
	share := dot(ds, ls) / dot(ls, ls)
	rest := make([]float64, len(ds))
	for i := range ds {
		rest[i] = ds[i] - share*ls[i]
	}
	return rest
}

// student returns the quantile of Student's distribution within which a value is
// with this confidence, on both sides.
func student(confidence, freedom float64) float64 {
	z := math.Sqrt2 * math.Erfinv(confidence)
	if freedom < 3 { // where the expansion is poor: between the exact values
		one := math.Tan(math.Pi / 2 * confidence)
		two := math.Sqrt2 * confidence / math.Sqrt(1-confidence*confidence)
		if freedom <= 2 {
			return one + (two-one)*max(freedom-1, 0)
		}
		return two + (expansion(z, 3)-two)*(freedom-2)
	}
	return expansion(z, freedom)
}

// expansion is Cornish's and Fisher's.
func expansion(z, v float64) float64 {
	z2 := z * z
	g1 := z * (z2 + 1) / 4
	g2 := z * (5*z2*z2 + 16*z2 + 3) / 96
	g3 := z * (3*z2*z2*z2 + 19*z2*z2 + 17*z2 - 15) / 384
	g4 := z * (79*z2*z2*z2*z2 + 776*z2*z2*z2 + 1482*z2*z2 - 1920*z2 - 945) / 92160
	return z + g1/v + g2/(v*v) + g3/(v*v*v) + g4/(v*v*v*v)
}
