// Command licences prints the licences of the code of others that is linked into the programs, with their texts.
//
//	licences >cmd/phrd/licences.txt
//
// It asks the Go tool which packages of other modules each program needs on each platform that it is shipped for, and reads the
// texts that stand in their folders and in those above, up to their module's. It fails where a module has no text, or a text is of no
// licence that allowed.txt lists. What the pages are made of stands in a list of their own, which `make pages` writes.
package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/licenseclassifier/v2/assets"
)

// programs are what is shipped, and platforms what for.
var (
	programs  = []string{"./cmd/phrd", "./cmd/phrd-verify"}
	platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}}
)

//go:embed allowed.txt
var allowedNames string

func main() {
	if err := run(".", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licences: error:", err)
		os.Exit(1)
	}
}

// run writes the list of the module in a folder.
func run(dir string, out io.Writer) error {
	modules, err := linked(dir, programs, platforms)
	if err != nil {
		return err
	}
	known, err := assets.DefaultClassifier()
	if err != nil {
		return fmt.Errorf("read the texts of known licences: %w", err)
	}
	r := reader{names: matcher{known: known, seen: map[string][]string{}}, allowed: lines(allowedNames)}
	works, err := r.works(modules)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(out)
	write(buffered, works)
	return buffered.Flush()
}

// lines is the set of a text's lines.
func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}
