package main

import (
	"fmt"
	"io"
	"strings"
)

// heading says also where the source is, as the Mozilla Public License asks for.
const heading = `Code of others in phrd and phrd-verify, and its licences

Anybody gets the source of a module from a Go module proxy: go mod download -json MODULE@VERSION.

`

// write lists the works, then each text once, under the titles of those that have it.
func write(out io.Writer, works []work) {
	fmt.Fprint(out, heading)
	titles := map[string][]string{}
	var texts []string // in the order of their first works
	for _, w := range works {
		fmt.Fprintf(out, "  %s: %s\n", w.title, strings.Join(w.licences, ", "))
		for _, text := range w.texts {
			if titles[text] == nil {
				texts = append(texts, text)
			}
			titles[text] = append(titles[text], w.title)
		}
	}
	for _, text := range texts {
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(titles[text], "\n"), text)
	}
}
