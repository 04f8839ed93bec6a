// Package logs makes the log of a server.
package logs

import (
	"io"
	"strings"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/rs/zerolog"
)

// New writes a server's log, of a level for all or one for each module ("info", "p2p:debug,*:info"), as lines or as JSON. The
// error is that of the level.
func New(w io.Writer, level string, asJSON bool) (log.Logger, error) {
	filter, err := log.ParseLogLevel(level)
	if err != nil {
		return nil, err
	}
	lowest, err := lowestLevel(level)
	if err != nil {
		return nil, err
	}
	// The filter sees a line when it is written already, so what no module wants is not to come so far: each node of a tree of the
	// state that is saved is a debug line, a tenth of a busy server's time.
	options := []log.Option{log.LevelOption(lowest), log.FilterOption(filter), log.ColorOption(false), log.TimeFormatOption(time.RFC3339)}
	if asJSON {
		options = append(options, log.OutputJSONOption())
	}
	return log.NewLogger(w, options...), nil
}

// lowestLevel is the least of the levels that log.ParseLogLevel reads. Modules that are not named have all lines where there is no level for "*".
func lowestLevel(levels string) (zerolog.Level, error) {
	lowest, rest := zerolog.Disabled, strings.Contains(levels, ":")
	for one := range strings.SplitSeq(levels, ",") {
		module, text, named := strings.Cut(one, ":")
		if !named {
			text = one
		}
		level, err := zerolog.ParseLevel(text)
		if err != nil {
			return zerolog.NoLevel, err
		}
		lowest, rest = min(lowest, level), rest && module != "*"
	}
	if rest {
		return zerolog.TraceLevel, nil
	}
	return lowest, nil
}
