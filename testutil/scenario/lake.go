package scenario

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// Mirrors has a hospital keep every object of a class from its next start on, as an administrator would. The hospital must be
// stopped.
func (h *Hospital) Mirrors(class, size string) {
	h.t.Helper()
	path := h.home.AppConfig()
	text, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatalf("settings of %s: %v", h.name, err)
	}
	changed := string(text)
	for setting, value := range map[string]string{
		"mirror = []": fmt.Sprintf("mirror = [%q]", class), `mirror_size = ""`: fmt.Sprintf("mirror_size = %q", size),
	} {
		if !strings.Contains(changed, setting) {
			h.t.Fatalf("settings of %s have no %s", h.name, setting)
		}
		changed = strings.Replace(changed, setting, value, 1)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		h.t.Fatalf("settings of %s: %v", h.name, err)
	}
}

// Measures waits until the hospital's metrics say all of something, each a line.
func (h *Hospital) Measures(lines ...string) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	for {
		status, body := h.GetLocal("/metrics")
		if status != http.StatusOK {
			h.t.Fatalf("metrics of %s: %d", h.name, status)
		}
		missing := ""
		for _, line := range lines {
			if !strings.Contains(string(body), line+"\n") {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("metrics of %s never say %s", h.name, missing)
		}
	}
}
