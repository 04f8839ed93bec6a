package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A platform is one that programs are shipped for.
type platform struct{ system, processor string }

// A module is what somebody else wrote, at one version.
type module struct {
	path, version string
	// dir is the module's folder.
	dir string
	// packages are the folders of those packages that are linked, in order.
	packages []string
}

// standardLibrary stands for the packages that come with the Go tool, which say no version.
const standardLibrary = "Go standard library"

// linked returns the modules of others of which packages are linked into one of the programs on one of the platforms, by path.
func linked(dir string, programs []string, platforms []platform) ([]module, error) {
	found := map[string]*module{}
	for _, p := range platforms {
		if err := list(dir, p, programs, found); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", p.system, p.processor, err)
		}
	}
	var modules []module
	for _, m := range found {
		slices.Sort(m.packages)
		m.packages = slices.Compact(m.packages)
		modules = append(modules, *m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules, nil
}

// listedModule is a module as `go list` tells of it.
type listedModule struct {
	Path, Version, Dir, GoVersion string
	Main                          bool
	Replace                       *listedModule
}

// listedPackage is a package as `go list` tells of it.
type listedPackage struct {
	Dir, Root string
	Standard  bool
	Module    *listedModule
}

// list adds what is linked on one platform.
func list(dir string, p platform, programs []string, found map[string]*module) error {
	command := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,Root,Standard,Module"}, programs...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOOS="+p.system, "GOARCH="+p.processor, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	answer, err := command.Output()
	if err != nil {
		return fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	for {
		var listed listedPackage
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go list: read the answer: %w", err)
		}
		listed.add(found)
	}
}

// add adds the package to its module, unless that is the one whose programs are listed.
func (l listedPackage) add(found map[string]*module) {
	from := l.Module
	switch {
	case l.Standard:
		from = &listedModule{Path: standardLibrary, Dir: l.Root}
	case from == nil || from.Main:
		return
	case from.Replace != nil:
		from = from.Replace
	}
	m := found[from.Path]
	if m == nil {
		m = &module{path: from.Path, version: from.Version, dir: from.Dir}
		found[from.Path] = m
	}
	m.packages = append(m.packages, l.Dir)
}
