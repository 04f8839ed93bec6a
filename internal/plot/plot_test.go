package plot_test

import (
	"encoding/xml"
	"math"
	"strings"
	"testing"

	"github.com/phrd/phrd/internal/plot"
)

func TestSVG(t *testing.T) {
	f := plot.Figure{
		Title: "a < b", Note: "sizes", Unit: "ms", Sizes: []int{4, 7},
		Lines: []plot.Line{{Name: "one", Values: []float64{1, 10}, Dashed: []float64{2, 20}}, {Name: "two", Values: []float64{0.5, 0.5}}},
	}
	drawn, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		Title string `xml:"title"`
		Paths []struct {
			D    string `xml:"d,attr"`
			Dash string `xml:"stroke-dasharray,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(drawn, &svg); err != nil {
		t.Fatal(err)
	}
	if svg.Title != "a < b" {
		t.Errorf("title %q", svg.Title)
	}
	// The axis has 0.1 to 100: a power of ten is a third of its 290 units.
	lines := svg.Paths[len(svg.Paths)-3:]
	if lines[0].D != "M70.0 213.3L560.0 116.7" || lines[0].Dash != "" || lines[1].Dash == "" || !strings.HasPrefix(lines[2].D, "M70.0 242.4") {
		t.Errorf("lines %+v", lines)
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	for name, l := range map[string]plot.Line{
		"nothing": {}, "too few": {Values: []float64{1}}, "zero": {Values: []float64{0, 1}}, "below": {Values: []float64{1, -1}},
		"no number": {Values: []float64{1, math.NaN()}}, "too many dashed": {Values: []float64{1, 1}, Dashed: []float64{1, 1, 1}},
		"endless": {Values: []float64{1, math.Inf(1)}},
	} {
		f := plot.Figure{Sizes: []int{4, 7}, Lines: []plot.Line{l}}
		if drawn, err := f.SVG(); err == nil {
			t.Errorf("%s: drawn as\n%s", name, drawn)
		}
	}
	equal := plot.Figure{Sizes: []int{4}, Lines: []plot.Line{{Values: []float64{1}}}}
	if drawn, err := equal.SVG(); err != nil || strings.Contains(string(drawn), "NaN") {
		t.Errorf("one value: %v\n%s", err, drawn)
	}
}
