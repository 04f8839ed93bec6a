// Package layers checks that the imports of this module go one way.
//
// The rules stand in rules.go, one line of reason each. A [Graph] is read from
// the Go tool by [Load]; [Check] walks it and answers with one [Violation] for
// each forbidden import it reaches, together with the path that leads there.
// Rules that concern what a file does rather than what it imports, such as
// reading the clock, are checked by [Sources].
package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sort"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/phrd/phrd"

// A Package is a node of the import graph.
type Package struct {
	// ImportPath is the path by which other packages import this one.
	ImportPath string
	// Dir is the folder of the source files.
	Dir string
	// GoFiles are the names of the source files in Dir, tests not included.
	GoFiles []string
	// Imports are the direct imports of the package itself.
	Imports []string
	// TestImports are the direct imports of its tests, in the package or beside it.
	TestImports []string
}

// A Graph holds packages by import path. Packages of other modules may be
// absent: a path then ends there.
type Graph map[string]Package

// Load asks the Go tool for the packages matching the patterns and everything
// they import, in one call made in folder dir.
func Load(dir string, patterns ...string) (Graph, error) {
	args := append([]string{"list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports"}, patterns...)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	graph := Graph{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var listed struct {
			Package
			XTestImports []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return graph, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: read the answer: %w", err)
		}
		listed.TestImports = append(listed.TestImports, listed.XTestImports...)
		graph[listed.ImportPath] = listed.Package
	}
}

// A Rule forbids imports. Its patterns are import paths; one that ends in "/..."
// also matches everything below, and one that starts with "./" is relative to
// [Module]. In a rule with Only, the whole of this module is forbidden save Only.
type Rule struct {
	// From selects the packages that the rule binds, Except takes some out.
	From, Except []string
	// Never lists what they may not import, directly or through other packages.
	Never []string
	// Only lists the packages of this module that they may import. When it is
	// empty there is no such limit.
	Only []string
	// Deep follows imports through other modules too. Otherwise a path ends at the
	// first package of another module, whose own imports are its own affair.
	Deep bool
	// Tests binds the direct imports of their tests instead of the packages.
	Tests bool
	// Why is the reason, as a clause: "consensus code knows no storage".
	Why string
}

// A Violation is an import that a rule forbids.
type Violation struct {
	// Rule is the rule that was broken.
	Rule Rule
	// Path leads from the bound package to the forbidden one, both included.
	Path []string
}

// String shows the path and the reason on one line.
func (v Violation) String() string {
	arrow := " -> "
	if v.Rule.Tests {
		arrow = " (test) -> "
	}
	return strings.Join(v.Path, arrow) + ": " + v.Rule.Why
}

// Check applies the rules to the graph and returns every violation, ordered by
// rule and package. Each bound package is reported at most once for each
// forbidden package of this module and once for all others that a Never pattern
// matches, by a shortest path.
func Check(graph Graph, rules []Rule) []Violation {
	var violations []Violation
	for _, rule := range rules {
		for _, from := range Bound(graph, rule) {
			violations = append(violations, rule.check(graph, from)...)
		}
	}
	return violations
}

// Bound returns the import paths that the rule binds, in order.
func Bound(graph Graph, rule Rule) []string {
	var bound []string
	for path := range graph {
		if own(path) && matchAny(rule.From, path) && !matchAny(rule.Except, path) {
			bound = append(bound, path)
		}
	}
	sort.Strings(bound)
	return bound
}

// check walks breadth first from one package and stops at what is forbidden.
func (r Rule) check(graph Graph, from string) []Violation {
	var violations []Violation
	reported := map[string]bool{}
	parent := map[string]string{from: ""}
	queue := []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		imports := graph[at].Imports
		if r.Tests {
			imports = graph[at].TestImports
		}
		for _, next := range imports {
			if _, seen := parent[next]; seen {
				continue
			}
			parent[next] = at
			if pattern, forbidden := r.forbids(next); forbidden {
				if !reported[pattern] {
					reported[pattern] = true
					violations = append(violations, Violation{Rule: r, Path: trace(parent, next)})
				}
				continue
			}
			if !r.Tests && (r.Deep || own(next)) {
				queue = append(queue, next)
			}
		}
	}
	return violations
}

// forbids reports whether the rule forbids an import, and by which pattern or,
// for packages of this module, which path.
func (r Rule) forbids(path string) (string, bool) {
	for _, pattern := range r.Never {
		if match(pattern, path) {
			return pattern, true
		}
	}
	if len(r.Only) > 0 && own(path) && !matchAny(r.Only, path) {
		return path, true
	}
	return "", false
}

// trace follows the parents back to the start.
func trace(parent map[string]string, to string) []string {
	var path []string
	for at := to; at != ""; at = parent[at] {
		path = append([]string{at}, path...)
	}
	return path
}

// own reports whether the path lies in this module.
func own(path string) bool { return match(Module+"/...", path) }

func matchAny(patterns []string, path string) bool {
	for _, pattern := range patterns {
		if match(pattern, path) {
			return true
		}
	}
	return false
}

func match(pattern, path string) bool {
	if rest, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = Module + "/" + rest
	}
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}
