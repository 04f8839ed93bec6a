package logs_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/app/logs"
)

// costly is a value of a line that counts how often it was put into words.
type costly struct{ spelled *int }

func (c costly) String() string {
	*c.spelled++
	return "value"
}

func TestLogSpellsOnlyWhatSomebodyWants(t *testing.T) {
	for levels, want := range map[string]struct{ debug, info, p2p bool }{
		"info":                  {info: true},
		"error":                 {},
		"debug":                 {debug: true, info: true, p2p: true},
		"*:info":                {info: true},
		"p2p:debug,*:info":      {info: true, p2p: true},
		"p2p:debug,*:error":     {p2p: true},
		"p2p:error":             {debug: true, info: true},
		"p2p:error,*:warn":      {},
		"consensus:info,*:warn": {},
	} {
		t.Run(levels, func(t *testing.T) {
			var out bytes.Buffer
			l, err := logs.New(&out, levels, true)
			require.NoError(t, err)
			spelled := 0
			l.Debug("a debug line", "value", costly{&spelled})
			l.Info("an info line", "value", costly{&spelled})
			l.With("module", "p2p").Debug("a line of p2p", "value", costly{&spelled})
			lines := 0
			for _, c := range []struct {
				line string
				want bool
			}{{"a debug line", want.debug}, {"an info line", want.info}, {"a line of p2p", want.p2p}} {
				require.Equal(t, c.want, strings.Contains(out.String(), c.line), fmt.Sprintf("%s: %s", c.line, out.String()))
				if c.want {
					lines++
				}
			}
			if !strings.Contains(levels, ":") { // where modules differ the filter decides, after the line was spelled
				require.Equal(t, lines, spelled)
			}
		})
	}
	for _, bad := range []string{"", "loud", "p2p:loud", "p2p:info:debug", "p2p:info,p2p:info"} {
		_, err := logs.New(&bytes.Buffer{}, bad, false)
		require.Error(t, err, bad)
	}
}
