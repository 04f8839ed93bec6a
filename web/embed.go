// Package web holds the pages that every hospital's gateway serves, as `make pages` builds them from web/pages.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:pages/built
var built embed.FS

// Pages are the built pages, with index.html at the root. They are part of the program, so that an error is a program that was built wrong.
func Pages() (fs.FS, error) { return fs.Sub(built, "pages/built") }
