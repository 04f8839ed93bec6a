package doctor

import (
	"bufio"
	"bytes"
	"context"
	"strconv"
	"strings"
)

// askMetrics reads the server's metrics: the values of those that have no labels.
func askMetrics(ctx context.Context, rest string) (map[string]float64, error) {
	body, err := get(ctx, rest+"/metrics")
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		name, text, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = value
		}
	}
	return values, lines.Err()
}
