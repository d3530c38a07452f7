package render

import (
	"bytes"
	"html/template"
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"hubcap/engine/journal"
)

// The size of the plot of one gate.
const (
	plotWidth  = 22 * vg.Centimeter
	plotHeight = 6 * vg.Centimeter

	legendRoom = 0.4 // of the height of what is drawn, so that the legend lies on none of it
)

var (
	valueColor = color.RGBA{R: 0x2f, G: 0x5f, B: 0xa8, A: 0xff}
	boundColor = color.RGBA{R: 0xc4, G: 0x45, B: 0x3c, A: 0xff}
)

// plotGate draws what a gate measured against its bound, over time, as SVG. A
// gate that measures no numbers has no plot.
func plotGate(g *accountGate) (template.HTML, error) {
	values, bounds, bad := series(g.samples)
	if len(values) == 0 {
		return "", nil
	}
	p := plot.New()
	p.X.Tick.Marker = plot.TimeTicks{Format: "15:04:05", Time: plot.UTCUnixTime}
	p.Legend.Top, p.Legend.Left = true, true // what grows leaves the left free
	for _, f := range []*font.Font{&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant = "Sans"
	}
	line, points, err := plotter.NewLinePoints(values)
	if err != nil {
		return "", err
	}
	line.Color, line.Width = valueColor, vg.Points(1.5)
	points.Color, points.Radius, points.Shape = valueColor, vg.Points(1.5), draw.CircleGlyph{}
	p.Add(plotter.NewGrid(), line, points)
	p.Legend.Add("measured", line)
	if len(bounds) > 0 {
		bound, err := plotter.NewLine(bounds)
		if err != nil {
			return "", err
		}
		bound.Color, bound.Dashes = boundColor, []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(bound)
		p.Legend.Add("bound", bound)
	}
	if len(bad) > 0 {
		marks, err := plotter.NewScatter(bad)
		if err != nil {
			return "", err
		}
		marks.Color, marks.Radius, marks.Shape = boundColor, vg.Points(3), draw.CrossGlyph{}
		p.Add(marks)
		p.Legend.Add("bad sample", marks)
	}
	p.Y.Max += legendRoom * (p.Y.Max - p.Y.Min)
	return svg(p)
}

// series are the points of the samples that have numbers; times are Unix seconds.
func series(samples []journal.Sample) (values, bounds, bad plotter.XYs) {
	for _, s := range samples {
		x := float64(s.Time.UnixNano()) / float64(time.Second)
		if s.Bound != nil && s.Value != nil {
			bounds = append(bounds, plotter.XY{X: x, Y: *s.Bound})
		}
		if s.Value == nil {
			continue
		}
		values = append(values, plotter.XY{X: x, Y: *s.Value})
		if s.Verdict == "fail" {
			bad = append(bad, plotter.XY{X: x, Y: *s.Value})
		}
	}
	return values, bounds, bad
}

// svg draws p without the header of an XML file, so that it can stand in a page.
func svg(p *plot.Plot) (template.HTML, error) {
	canvas := vgsvg.New(plotWidth, plotHeight)
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	text := b.Bytes()
	if at := bytes.Index(text, []byte("<svg")); at > 0 {
		text = text[at:]
	}
	// The library wrote this from numbers and from the words above.
	return template.HTML(text), nil
}
