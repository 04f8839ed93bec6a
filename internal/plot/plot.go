// Package plot draws what grows: lines over sizes, both axes in powers of ten, as SVG that reads on white and on black.
package plot

import (
	"errors"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Sizes of a figure in its own units.
const (
	width, height = 720, 360
	left, bottom  = 70, 50
	right         = 160
	over          = 20
)

// colours tell the lines apart, beside their names.
var colours = []string{"#2a7fb8", "#c2571a", "#4b8f3a", "#8a5fb0"}

// Line has a value for each size of its figure, all above 0, and perhaps others of the same kind, which are dashed.
type Line struct {
	Name           string
	Values, Dashed []float64
}

// Figure is what is drawn.
type Figure struct {
	// Title is what a reader who sees no picture is told. Note stands below the sizes, and Unit behind each power of ten.
	Title, Note, Unit string
	// Sizes stand at equal distances.
	Sizes []int
	Lines []Line
}

// SVG draws the figure. Its error says what can't be drawn.
func (f Figure) SVG() ([]byte, error) {
	low, high, err := f.span()
	if err != nil {
		return nil, fmt.Errorf("plot %q: %w", f.Title, err)
	}
	x := func(i int) float64 {
		return left + float64(i)*(width-left-right)/float64(max(1, len(f.Sizes)-1))
	}
	y := func(v float64) float64 {
		return over + (high-math.Log10(v))/(high-low)*(height-over-bottom)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#777"><title>%s</title>`+"\n", width, height, html.EscapeString(f.Title))
	for power := low; power <= high; power++ {
		at := y(math.Pow(10, power))
		fmt.Fprintf(&s, `<path d="M%d %.1fH%d" stroke="#999" stroke-opacity=".4"/><text x="%d" y="%.1f" text-anchor="end">%s %s</text>`+"\n",
			left, at, width-right, left-8, at+4, strconv.FormatFloat(math.Pow(10, power), 'f', -1, 64), html.EscapeString(f.Unit))
	}
	for i, size := range f.Sizes {
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(i), height-bottom+22, size)
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d">%s</text>`+"\n", left, height-8, html.EscapeString(f.Note))
	for n, l := range f.Lines {
		colour := colours[n%len(colours)]
		fmt.Fprintf(&s, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path(l.Values, x, y), colour)
		if l.Dashed != nil {
			fmt.Fprintf(&s, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="4 4"/>`+"\n", path(l.Dashed, x, y), colour)
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-right+14, 30+20*n, colour, html.EscapeString(l.Name))
	}
	s.WriteString("</svg>\n")
	return []byte(s.String()), nil
}

// span are the powers of ten between which all values lie.
func (f Figure) span() (low, high float64, err error) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range f.Lines {
		for _, values := range [][]float64{l.Values, l.Dashed} {
			if values == nil {
				continue
			}
			if len(values) != len(f.Sizes) {
				return 0, 0, fmt.Errorf("%s has %d values for %d sizes", l.Name, len(values), len(f.Sizes))
			}
			for _, v := range values {
				if !(v > 0) || math.IsInf(v, 1) {
					return 0, 0, fmt.Errorf("%s has the value %g", l.Name, v)
				}
				low, high = min(low, math.Log10(v)), max(high, math.Log10(v))
			}
		}
	}
	if math.IsInf(low, 1) {
		return 0, 0, errors.New("nothing was measured")
	}
	low, high = math.Floor(low), math.Ceil(high)
	return low, max(high, low+1), nil
}

func path(values []float64, x func(int) float64, y func(float64) float64) string {
	var s strings.Builder
	for i, v := range values {
		fmt.Fprintf(&s, "%c%.1f %.1f", "ML"[min(i, 1)], x(i), y(v))
	}
	return s.String()
}
