package doctor

import (
	"bufio"
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/phrd/phrd/app/home"
)

// Metrics are the values that a server measures, by the name of the series with its labels as Prometheus writes them:
// phrd_objects{standing="endangered"}.
type Metrics map[string]float64

// AskMetrics reads the metrics of the server on this machine.
func AskMetrics(ctx context.Context, files home.Config) (Metrics, error) {
	body, err := get(ctx, "http://"+strings.TrimPrefix(files.App.API.Address, "tcp://")+"/metrics")
	if err != nil {
		return nil, err
	}
	values := Metrics{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndexByte(line, ' ')
		if end < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(line[end+1:], 64); err == nil {
			values[line[:end]] = value
		}
	}
	return values, lines.Err()
}
