package gate

import (
	"fmt"
	"math"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// slope holds the slope of the curve, per hour or per unit of work, against its
// bounds. It fails only what is beyond a bound for certain, and passes only what
// is within for certain; what lies between needs more points.
func (j *judgement) slope(q run.Question) []finding {
	check := j.check.Slope
	curve := j.answers[Curve][0]
	if _, trouble := numberOf(curve); trouble != "" {
		return []finding{unclear("%s", trouble)}
	}
	points := finite(curve.Points)
	s := series{unit: "hour"}
	for _, p := range points {
		s.add(p.Time.Sub(curve.From).Hours(), p.Value)
	}
	s.perHour = 1
	if check.Per != "" {
		var trouble *finding
		if s, trouble = j.perWork(points, check); trouble != nil {
			return []finding{*trouble}
		}
	}
	if len(s.xs) < check.MinPoints {
		return []finding{early("%d of %d points seen", len(s.xs), check.MinPoints)}
	}
	line, fits := Fit(s.xs, s.ys, check.Confidence)
	if !fits {
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
	xs, ys  []float64
	unit    string  // of x
	perHour float64 // units in an hour
}

func (s *series) add(x, y float64) { s.xs, s.ys = append(s.xs, x), append(s.ys, y) }

func (s *series) grows(l Line, confidence float64) string {
	return fmt.Sprintf("%s per %s, between %s and %s with %g %% confidence", Number(l.Slope), s.unit, Number(l.Low), Number(l.High), confidence*100)
}

// perWork lays the curve over the work done instead of over time.
func (j *judgement) perWork(points []Point, check *plan.SlopeCheck) (series, *finding) {
	s := series{unit: "unit of work"}
	work := j.answers[Work][0]
	if _, trouble := numberOf(work); trouble != "" {
		f := unclear("work: %s", trouble)
		return s, &f
	}
	done := make(map[int64]float64, len(work.Points))
	grown := cumulative(finite(work.Points))
	for _, p := range grown {
		done[p.Time.UnixMilli()] = p.Value
	}
	for _, p := range points {
		if x, known := done[p.Time.UnixMilli()]; known {
			s.add(x, p.Value)
		}
	}
	total := 0.0
	if n := len(grown); n > 0 {
		total = grown[n-1].Value - grown[0].Value
		if hours := grown[n-1].Time.Sub(grown[0].Time).Hours(); hours > 0 {
			s.perHour = total / hours
		}
	}
	if total < check.MinWork || total <= 0 {
		f := early("%s of %s units of work seen", Number(total), Number(max(check.MinWork, 1)))
		return s, &f
	}
	return s, nil
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

// At returns the line's height at x.
func (l Line) At(x float64) float64 { return l.y + l.Slope*(x-l.x) }

// Fit lays a line through points by least squares. The interval of its slope is
// Student's, made wider where neighbours stray from the line together, as memory
// does that is freed in bursts: such points say less than their number. It fits
// nothing through fewer than three points, or when all have the same x.
func Fit(xs, ys []float64, confidence float64) (Line, bool) {
	n := float64(len(xs))
	if len(xs) < 3 {
		return Line{}, false
	}
	var l Line
	for i := range xs {
		l.x += xs[i] / n
		l.y += ys[i] / n
	}
	var sxx, sxy float64
	for i := range xs {
		sxx += (xs[i] - l.x) * (xs[i] - l.x)
		sxy += (xs[i] - l.x) * (ys[i] - l.y)
	}
	if sxx <= 0 {
		return Line{}, false
	}
	l.Slope = sxy / sxx
	// What is smaller than the digits that the numbers have is nothing.
	nothing := 1e-12 * math.Abs(l.y)
	if math.Abs(l.Slope)*math.Sqrt(sxx/n) < nothing {
		l.Slope = 0
	}
	var squares, neighbours, previous float64
	for i := range xs {
		r := ys[i] - l.At(xs[i])
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
	effective = max(effective, 3)
	deviation := math.Sqrt(squares / (n - 2) / sxx * n / effective)
	margin := student(confidence, effective-2) * deviation
	l.Low, l.High = l.Slope-margin, l.Slope+margin
	return l, true
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
