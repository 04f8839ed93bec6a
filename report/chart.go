package report

// Sizes of charts in their own units.
const (
	chartWidth  = 720
	chartHeight = 160
	rowHeight   = 22
	labelWidth  = 210
	// maxRows is how many kinds a chart shows; the table below has all.
	maxRows = 12
)

// bar is a rectangle of a chart with its label.
type bar struct {
	X, Y, Width, Height, Text int
	Label                     string
	Value                     int
}

// chart is rectangles in a box.
type chart struct {
	Width, Height, Labels, Highest int
	First, Last                    string
	Bars                           []bar
}

// dayChart shows the reads of each day, side by side.
func (r *Report) dayChart() *chart {
	if len(r.Days) == 0 {
		return nil
	}
	c := &chart{Width: chartWidth, Height: chartHeight, First: r.Days[0].Day, Last: r.Days[len(r.Days)-1].Day}
	for _, d := range r.Days {
		c.Highest = max(c.Highest, d.Reads)
	}
	for i, d := range r.Days {
		left, right := i*chartWidth/len(r.Days), (i+1)*chartWidth/len(r.Days)
		height := d.Reads * chartHeight / max(1, c.Highest)
		c.Bars = append(c.Bars, bar{X: left, Y: chartHeight - height, Width: max(1, min(right-left-1, 48)), Height: height, Label: d.Day, Value: d.Reads})
	}
	return c
}

// kindChart shows the most frequent kinds of entries, one below the other.
func (r *Report) kindChart() *chart {
	if len(r.Kinds) == 0 {
		return nil
	}
	kinds := r.Kinds[:min(maxRows, len(r.Kinds))]
	c := &chart{Width: chartWidth, Height: rowHeight * len(kinds), Labels: labelWidth, Highest: kinds[0].Entries}
	for i, k := range kinds {
		// Room for the number behind the bar.
		width := max(1, k.Entries*(chartWidth-labelWidth-80)/c.Highest)
		c.Bars = append(c.Bars, bar{X: labelWidth, Y: i*rowHeight + 3, Width: width, Height: rowHeight - 6, Text: i*rowHeight + 16, Label: k.Kind, Value: k.Entries})
	}
	return c
}

// Beyond is where the number behind a bar stands.
func (b bar) Beyond() int { return b.X + b.Width + 6 }

// Box is the height of a chart with the line below it.
func (c *chart) Box() int { return c.Height + 2 }
