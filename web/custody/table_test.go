package custody_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var token = regexp.MustCompile("`([a-z][a-z/]*)`|\\b(Test[A-Z][A-Za-z0-9]*)|\\b([a-z_]+/[0-9]+)\\b")

// TestTheTableOfWhatMustFail checks that docs/custody.md names tests of the packages that it says, and cases that there are.
func TestTheTableOfWhatMustFail(t *testing.T) {
	document := string(must(os.ReadFile(filepath.Join(root, "docs", "custody.md"))))
	_, table, found := strings.Cut(document, "\n## What must fail\n")
	table, _, ended := strings.Cut(table, "\n## ")
	if !found || !ended {
		t.Fatal("docs/custody.md has no table of what must fail")
	}
	cases := negativeCases(t)
	rows := 0
	for row := range strings.Lines(table) {
		columns := strings.Split(row, "|")
		if len(columns) != 4 || !strings.Contains(columns[2], "Test") || strings.HasPrefix(columns[1], " Must") {
			continue
		}
		rows++
		folder := ""
		for _, m := range token.FindAllStringSubmatch(columns[2], -1) {
			switch {
			case m[1] != "":
				folder = m[1]
			case m[2] != "" && !declared(t, folder, m[2]):
				t.Errorf("%s: %s has no %s", strings.TrimSpace(columns[1]), folder, m[2])
			case m[3] != "" && !cases[m[3]]:
				t.Errorf("%s: negative.json has no %s", strings.TrimSpace(columns[1]), m[3])
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows were found", rows)
	}
}

func negativeCases(t *testing.T) map[string]bool {
	t.Helper()
	var file struct{ Cases []struct{ Name string } }
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(root, "testdata", "custody", "negative.json"))), &file); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range file.Cases {
		names[c.Name] = true
	}
	return names
}

// declared tells whether a test file of the folder has the test.
func declared(t *testing.T, folder, test string) bool {
	t.Helper()
	for _, file := range must(filepath.Glob(filepath.Join(root, folder, "*_test.go"))) {
		if strings.Contains(string(must(os.ReadFile(file))), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}
