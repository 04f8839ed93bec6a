package layers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// A Finding is a place in a source file that breaks a rule about its content.
type Finding struct {
	// Position is the file and line.
	Position token.Position
	// Why says what is wrong there.
	Why string
}

// String shows the place and the reason on one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s", f.Position.Filename, f.Position.Line, f.Why)
}

// clock names the functions of package time that read the clock or wait for it.
var clock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
	"Tick": true, "NewTimer": true, "NewTicker": true,
}

// random names packages whose answers differ from one machine to the next.
var random = map[string]bool{"crypto/rand": true, "math/rand": true, "math/rand/v2": true}

// outside names packages that reach beyond the process.
var outside = map[string]bool{"net": true, "net/http": true, "os": true, "os/exec": true}

// Sources reads the Go files, tests left out, of every package of this module in
// the graph that must not depend on where and when it runs: lock and seal may not
// read the clock; the modules of the chain, which must come to the same result on
// every validator, may moreover start no goroutine, draw no random number and do
// no input or output. Generated files are left out. An unreadable file is an error.
func Sources(graph Graph) ([]Finding, error) {
	var findings []Finding
	for _, path := range Bound(graph, Rule{From: []string{"./lock/...", "./seal/...", "./x/..."}}) {
		deterministic := match("./x/...", path)
		for _, name := range graph[path].GoFiles {
			if strings.HasSuffix(name, ".pb.go") {
				continue
			}
			found, err := Source(filepath.Join(graph[path].Dir, name), nil, deterministic)
			if err != nil {
				return nil, err
			}
			findings = append(findings, found...)
		}
	}
	return findings, nil
}

// Source reads one file for [Sources]. The content is taken from src, a string,
// []byte or io.Reader, or from the named file when src is nil. With deterministic
// the stricter rules of the chain's modules apply.
func Source(name string, src any, deterministic bool) ([]Finding, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read source: %w", err)
	}
	var findings []Finding
	report := func(at token.Pos, why string) {
		findings = append(findings, Finding{Position: files.Position(at), Why: why})
	}
	timeName := ""
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("read source: import %s: %w", spec.Path.Value, err)
		}
		switch {
		case path == "time":
			timeName = "time"
			if spec.Name != nil {
				timeName = spec.Name.Name
			}
		case deterministic && random[path]:
			report(spec.Pos(), "consensus code draws no random numbers: "+path)
		case deterministic && outside[path]:
			report(spec.Pos(), "consensus code does no input or output: "+path)
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			pkg, ok := node.X.(*ast.Ident)
			if ok && timeName != "" && pkg.Name == timeName && clock[node.Sel.Name] {
				report(node.Pos(), "no clock here: time."+node.Sel.Name)
			}
		case *ast.GoStmt:
			if deterministic {
				report(node.Pos(), "consensus code starts no goroutine")
			}
		}
		return true
	})
	return findings, nil
}
