package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShortForm runs every comparison on a small file. It judges no figure: it sees that each comparator verifies its output and
// that each row is measured.
func TestShortForm(t *testing.T) {
	dir := t.TempDir()
	document := filepath.Join(dir, "performance.md")
	if err := os.WriteFile(document, []byte("before\n"+tableBegin+"old\n"+tableEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plot := filepath.Join(dir, "log.svg")
	var out strings.Builder
	if err := run(t.Context(), []string{"-size", "16777216", "-rounds", "1", "-dir", dir, "-write", document, "-plot", plot}, &out); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if want := "before\n" + out.String() + "after\n"; string(written) != want {
		t.Errorf("document is\n%s\nwant\n%s", written, want)
	}
	for _, number := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "12", "14", "15", "16", "17", "19"} {
		if !strings.Contains(out.String(), "\n| "+number+" | ") {
			t.Errorf("row %s is missing in\n%s", number, out.String())
		}
	}
	drawn, err := os.ReadFile(plot)
	if err != nil || xml.Unmarshal(drawn, new(struct{})) != nil || strings.Contains(string(drawn), "NaN") {
		t.Errorf("plot: %v\n%s", err, drawn)
	}
	left, err := filepath.Glob(filepath.Join(dir, "phrd-bench-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMain(m *testing.M) {
	// The memory row runs this program again, as a child.
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		main()
		return
	}
	os.Exit(m.Run())
}
