package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// Sizes of the plot in its own units.
const (
	plotWidth, plotHeight = 720, 360
	plotLeft, plotBottom  = 70, 50
	plotRight             = 160
)

// plotColours tell the lines apart on white and on black, beside their names.
var plotColours = []string{"#2a7fb8", "#c2571a", "#4b8f3a", "#8a5fb0"}

// plot draws the series against the sizes of the log, both in powers of ten, as SVG.
func (b *bench) plot(path string) error {
	low, high := math.Inf(1), 0.0
	for _, s := range b.series {
		for i := range s.p50 {
			low, high = min(low, s.p50[i]), max(high, s.p99[i])
		}
	}
	if len(b.series) == 0 {
		return fmt.Errorf("%s: nothing was measured", path)
	}
	bottom, top := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	x := func(i int) float64 {
		return plotLeft + float64(i)*(plotWidth-plotLeft-plotRight)/float64(max(1, len(b.series[0].p50)-1))
	}
	y := func(ms float64) float64 {
		return 20 + (top-math.Log10(ms))/(top-bottom)*(plotHeight-20-plotBottom)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#777"><title>Milliseconds of a query by entries in the log</title>`+"\n", plotWidth, plotHeight)
	for power := bottom; power <= top; power++ {
		at := y(math.Pow(10, power))
		fmt.Fprintf(&s, `<path d="M%d %.1fH%d" stroke="#999" stroke-opacity=".4"/><text x="%d" y="%.1f" text-anchor="end">%g ms</text>`+"\n", plotLeft, at, plotWidth-plotRight, plotLeft-8, at+4, math.Pow(10, power))
	}
	for i := range b.series[0].p50 {
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(i), plotHeight-plotBottom+22, b.sizes[i])
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d">entries; p50 whole, p99 dashed; %s</text>`+"\n", plotLeft, plotHeight-8, b.commit)
	for n, one := range b.series {
		colour := plotColours[n%len(plotColours)]
		fmt.Fprintf(&s, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/><path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="4 4"/>`+"\n",
			line(one.p50, x, y), colour, line(one.p99, x, y), colour)
		fmt.Fprintf(&s, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotWidth-plotRight+14, 30+20*n, colour, one.name)
	}
	s.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(s.String()), 0o644)
}

func line(values []float64, x func(int) float64, y func(float64) float64) string {
	var s strings.Builder
	for i, v := range values {
		fmt.Fprintf(&s, "%c%.1f %.1f", "ML"[min(i, 1)], x(i), y(v))
	}
	return s.String()
}
