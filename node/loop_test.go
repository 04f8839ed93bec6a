package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/phrd/phrd/node"
)

// What waits for the node itself is told once, however many blocks go by, and is no warning.
func TestTroubleIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	behind := func(height int) error { return fmt.Errorf("catching up at height %d: %w", height, node.ErrNotReady) }
	broken := errors.New("disk is broken")
	node.Report(t.Context(), logger, "nothing is done", behind(1), behind(2), behind(3), node.ErrNotStorage, broken, broken, nil, nil)
	want := strings.Join([]string{
		`level=INFO msg="nothing is done yet" reason="catching up at height 1: node is not ready to write"`,
		`level=INFO msg="nothing is done yet" reason="account is no storage node of the network"`,
		`level=WARN msg="nothing is done" reason="disk is broken"`,
		`level=INFO msg="no longer: nothing is done"`, ``,
	}, "\n")
	if got := log.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
