package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

const (
	// pagesPolicy lets the pages run what came with them, and nothing else: no script of others, none in the page itself, none made from text. They
	// call the gateways of all hospitals, and show what was opened from memory.
	pagesPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; connect-src 'self' https:; " +
		"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
	pagesPermissions = "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"

	indexPage   = "index.html"
	pagesFolder = "assets"
	// The name of a file in assets changes with what is in it.
	foreverCache = "public, max-age=31536000, immutable"
	noCache      = "no-cache"
)

// page is one file of the pages.
type page struct {
	content []byte
	kind    string
	tag     string
	cache   string
}

// bundle is the files that browsers load, read once.
type bundle struct {
	files map[string]page // by path without a slash before it
	hash  string
}

// PagesHash is the hash of pages, as /chain says it of those that a gateway serves: 64 lower-case hex digits.
func PagesHash(files fs.FS) (string, error) {
	p, err := readPages(files)
	if err != nil {
		return "", err
	}
	return p.hash, nil
}

// readPages reads all files. The hash is that of the bundle: SHA-256 over the lines "<SHA-256 in hex>  <path>\n" of its files, by path, as
// sha256sum prints them.
func readPages(files fs.FS) (*bundle, error) {
	p := &bundle{files: map[string]page{}}
	sums := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(sums, "%x  %s\n", sum, name)
		kind := mime.TypeByExtension(path.Ext(name))
		if kind == "" {
			return fmt.Errorf("%s is of no known type", name)
		}
		cache := noCache
		if strings.HasPrefix(name, pagesFolder+"/") {
			cache = foreverCache
		}
		p.files[name] = page{content: content, kind: kind, tag: `"` + hex.EncodeToString(sum[:16]) + `"`, cache: cache}
		return nil
	})
	if _, ok := p.files[indexPage]; err == nil && !ok {
		err = errors.New("there is no " + indexPage)
	}
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	p.hash = hex.EncodeToString(sums.Sum(nil))
	return p, nil
}

// route serves the pages from a mux.
func (p *bundle) route(mux *http.ServeMux, open func(handler) http.Handler) {
	for name, f := range p.files {
		pattern := "GET /" + name
		if name == indexPage {
			pattern = "GET /{$}"
		}
		mux.Handle(pattern, open(func(w http.ResponseWriter, r *http.Request) error {
			f.serve(w, r)
			return nil
		}))
	}
}

func (f page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagesPolicy)
	h.Set("Permissions-Policy", pagesPermissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
