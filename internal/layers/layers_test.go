package layers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phrd/phrd/internal/layers"
)

// root is the folder of the repository, seen from this package.
const root = "../.."

// load reads the repository's graph once for all tests.
var load = sync.OnceValues(func() (layers.Graph, error) { return layers.Load(root, "./...") })

func repository(t *testing.T) layers.Graph {
	t.Helper()
	graph, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := graph[layers.Module+"/internal/layers"]; !ok {
		t.Fatal("the graph lacks this very package, so it cannot be the repository's")
	}
	return graph
}

func TestRepositoryKeepsItsLayers(t *testing.T) {
	for _, violation := range layers.Check(repository(t), layers.Rules) {
		t.Error(violation)
	}
}

func TestRepositoryKeepsClocksAndChanceOut(t *testing.T) {
	findings, err := layers.Sources(repository(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		t.Error(finding)
	}
}

// own writes a package of this module with imports, which are relative when they
// start with a dot.
func own(path string, imports ...string) layers.Package {
	return layers.Package{ImportPath: full(path), Imports: fullAll(imports)}
}

func full(path string) string { return strings.Replace(path, "./", layers.Module+"/", 1) }

func fullAll(paths []string) []string {
	var all []string
	for _, path := range paths {
		all = append(all, full(path))
	}
	return all
}

func graphOf(packages ...layers.Package) layers.Graph {
	graph := layers.Graph{}
	for _, p := range packages {
		graph[p.ImportPath] = p
	}
	return graph
}

func TestCheckReportsEachForbiddenArrow(t *testing.T) {
	sdk := layers.Package{ImportPath: "github.com/cosmos/cosmos-sdk/types"}
	outsider := layers.Package{ImportPath: "example.org/outsider", Imports: []string{sdk.ImportPath}}
	for name, test := range map[string]struct {
		graph layers.Graph
		want  []string // "" when nothing is wrong, else the path
	}{
		"lock stands alone": {
			graph: graphOf(own("./lock", "crypto/sha256")),
		},
		"lock imports the SDK": {
			graph: graphOf(own("./lock", sdk.ImportPath), sdk),
			want:  []string{"./lock", sdk.ImportPath},
		},
		"lock reaches the SDK through another module": {
			graph: graphOf(own("./lock", outsider.ImportPath), outsider, sdk),
			want:  []string{"./lock", outsider.ImportPath, sdk.ImportPath},
		},
		"seal opens a connection": {
			graph: graphOf(own("./seal", "net")),
			want:  []string{"./seal", "net"},
		},
		"a module imports lock": {
			graph: graphOf(own("./x/custody", "./lock", sdk.ImportPath), own("./lock"), sdk),
		},
		"a module imports a store of bytes": {
			graph: graphOf(own("./x/records/keeper", "./blob"), own("./blob")),
			want:  []string{"./x/records/keeper", "./blob"},
		},
		"records imports what is below it": {
			graph: graphOf(own("./x/records", "./x/custody", "./x/storage", "./x/audit"), own("./x/custody"), own("./x/storage"), own("./x/audit")),
		},
		"audit imports consortium": {
			graph: graphOf(own("./x/audit/keeper", "./x/consortium"), own("./x/consortium")),
			want:  []string{"./x/audit/keeper", "./x/consortium"},
		},
		"storage imports its neighbour custody": {
			graph: graphOf(own("./x/storage", "./x/custody"), own("./x/custody")),
			want:  []string{"./x/storage", "./x/custody"},
		},
		"records imports access": {
			graph: graphOf(own("./x/records/keeper", "./x/access"), own("./x/access")),
			want:  []string{"./x/records/keeper", "./x/access"},
		},
		"domain types import a keeper": {
			graph: graphOf(own("./x/access", "./x/audit/keeper"), own("./x/audit/keeper")),
			want:  []string{"./x/access", "./x/audit/keeper"},
		},
		"phr imports api": {
			graph: graphOf(own("./phr", "./api/phrd/audit/v1"), own("./api/phrd/audit/v1")),
		},
		"phr imports the SDK": {
			graph: graphOf(own("./phr", sdk.ImportPath), sdk),
			want:  []string{"./phr", sdk.ImportPath},
		},
		"api reaches CometBFT": {
			graph: graphOf(own("./api/phrd/audit/v1", "github.com/cometbft/cometbft/crypto")),
			want:  []string{"./api/phrd/audit/v1", "github.com/cometbft/cometbft/crypto"},
		},
		"the gateway imports the app": {
			graph: graphOf(own("./gateway", "./app"), own("./app")),
			want:  []string{"./gateway", "./app"},
		},
		"a command imports the app": {
			graph: graphOf(own("./cmd/phrd", "./app"), own("./app")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			violations := layers.Check(test.graph, layers.Rules)
			if test.want == nil {
				if len(violations) != 0 {
					t.Fatalf("a permitted import was reported: %v", violations)
				}
				return
			}
			found := slices.ContainsFunc(violations, func(v layers.Violation) bool {
				return slices.Equal(v.Path, fullAll(test.want))
			})
			if !found {
				t.Fatalf("violations are %v, want the path %v among them", violations, fullAll(test.want))
			}
		})
	}
}

func TestCheckBindsTestsByTheirOwnRules(t *testing.T) {
	keeper := own("./x/audit/keeper")
	keeper.TestImports = fullAll([]string{"./app"})
	scenario := own("./testutil/scenario")
	scenario.TestImports = fullAll([]string{"./app"})
	violations := layers.Check(graphOf(keeper, scenario, own("./app")), layers.Rules)
	want := fullAll([]string{"./x/audit/keeper", "./app"})
	if len(violations) != 1 || !slices.Equal(violations[0].Path, want) {
		t.Fatalf("violations are %v, want only the path %v", violations, want)
	}
}

func TestSourceFindsClocksAndChance(t *testing.T) {
	for name, test := range map[string]struct {
		source        string
		deterministic bool
		want          []string
	}{
		"durations are not a clock": {
			source: `package p; import "time"; const day = 24 * time.Hour`, deterministic: true,
		},
		"the clock": {
			source: `package p; import "time"; func f() time.Time { return time.Now() }`,
			want:   []string{"no clock here: time.Now"},
		},
		"the clock under another name": {
			source: `package p; import tick "time"; func f() { tick.Sleep(1) }`,
			want:   []string{"no clock here: time.Sleep"},
		},
		"a pure package may draw keys": {
			source: `package p; import _ "crypto/rand"`,
		},
		"a module may not": {
			source: `package p; import _ "crypto/rand"`, deterministic: true,
			want: []string{"consensus code draws no random numbers: crypto/rand"},
		},
		"a module opens a file": {
			source: `package p; import _ "os"`, deterministic: true,
			want: []string{"consensus code does no input or output: os"},
		},
		"a module starts a goroutine": {
			source: `package p; func f() { go f() }`, deterministic: true,
			want: []string{"consensus code starts no goroutine"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := layers.Source("p.go", test.source, test.deterministic)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, finding := range findings {
				got = append(got, finding.Why)
			}
			if !slices.Equal(got, test.want) {
				t.Fatalf("findings are %q, want %q", got, test.want)
			}
		})
	}
}

// TestOnePackageBuildsTheBinary reads every test of the repository: linking the
// program takes most of a minute of CPU, so its tests stand together.
func TestOnePackageBuildsTheBinary(t *testing.T) {
	builders := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "bin" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if buildsBinary(file) {
			builders[filepath.Dir(path)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(builders) > 1 {
		t.Errorf("test packages that run go build: %v, want at most one", builders)
	}
}

func TestBuildsBinarySeesTheCommand(t *testing.T) {
	for source, want := range map[string]bool{
		`package p; import "os/exec"; var c = exec.Command("go", "build", "-o", "phrd", "./cmd/phrd")`: true,
		`package p; import "os/exec"; var c = exec.CommandContext(nil, "go", "build")`:                 true,
		`package p; import "os/exec"; var c = exec.Command("go", "list")`:                              false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "p_test.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := buildsBinary(file); got != want {
			t.Errorf("buildsBinary is %t, want %t for %s", got, want, source)
		}
	}
}

// buildsBinary reports whether the file has a call with the literal arguments
// "go" and "build", one after the other.
func buildsBinary(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		for i := 1; i < len(call.Args); i++ {
			if literal(call.Args[i-1]) == `"go"` && literal(call.Args[i]) == `"build"` {
				found = true
			}
		}
		return true
	})
	return found
}

func literal(expr ast.Expr) string {
	if lit, ok := expr.(*ast.BasicLit); ok {
		return lit.Value
	}
	return ""
}
