package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licenseclassifier/v2/assets"
)

// root is the folder of the repository, seen from this package.
const root = "../.."

// byWord knows licences by the one word that the text is.
type byWord struct{}

func (byWord) of(text []byte) []string {
	if bytes.Contains(text, []byte("unheard")) {
		return nil
	}
	return strings.Fields(string(text))
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWorks(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  []string // title: licences
		texts int
		err   error
	}{
		"one text":                     {files: map[string]string{"LICENSE": "MIT\n"}, want: []string{"m v1: MIT"}, texts: 1},
		"two to keep":                  {files: map[string]string{"LICENSE-APACHE": "Apache-2.0", "License.md": "MIT"}, want: []string{"m v1: Apache-2.0,MIT"}, texts: 2},
		"a notice names no licence":    {files: map[string]string{"COPYING": "ISC", "NOTICE.txt": "unheard"}, want: []string{"m v1: ISC"}, texts: 2},
		"source files are no texts":    {files: map[string]string{"LICENSE": "MIT", "notice.go": "GPL-3.0", "license.go": "GPL-3.0"}, want: []string{"m v1: MIT"}, texts: 1},
		"a linked part of its own":     {files: map[string]string{"LICENSE": "MIT", "linked/LICENSE": "ISC"}, want: []string{"m v1: MIT", "m v1, linked: ISC"}, texts: 2},
		"a part above a linked folder": {files: map[string]string{"LICENSE": "MIT", "deep/LICENSE": "ISC"}, want: []string{"m v1: MIT", "m v1, deep: ISC"}, texts: 2},
		"a part that is not linked":    {files: map[string]string{"LICENSE": "MIT", "tool/LICENSE": "GPL-3.0"}, want: []string{"m v1: MIT"}, texts: 1},
		"no text":                      {files: map[string]string{"README": "MIT"}, err: errNoText},
		"a text of a part alone":       {files: map[string]string{"linked/LICENSE": "MIT"}, err: errNoText},
		"not allowed":                  {files: map[string]string{"LICENSE": "GPL-3.0"}, err: errNotAllowed},
		"one of two not allowed":       {files: map[string]string{"LICENSE": "MIT GPL-3.0"}, err: errNotAllowed},
		"a linked part not allowed":    {files: map[string]string{"LICENSE": "MIT", "linked/COPYING": "AGPL-3.0"}, err: errNotAllowed},
		"not known":                    {files: map[string]string{"LICENSE": "unheard"}, err: errUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			test.files["linked/a.go"], test.files["deep/er/a.go"] = "package a", "package a"
			dir := tree(t, test.files)
			m := module{path: "m", version: "v1", dir: dir, packages: []string{filepath.Join(dir, "linked"), filepath.Join(dir, "deep/er")}}
			works, err := reader{names: byWord{}, allowed: lines(allowedNames)}.works([]module{m})
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			var got []string
			texts := 0
			for _, w := range works {
				got = append(got, w.title+": "+strings.Join(w.licences, ","))
				texts += len(w.texts)
			}
			if !slices.Equal(got, test.want) || texts != test.texts {
				t.Errorf("got %q with %d texts, want %q with %d", got, texts, test.want, test.texts)
			}
		})
	}
}

func TestEachTextIsWrittenOnce(t *testing.T) {
	var out strings.Builder
	write(&out, []work{
		{title: "a v1", licences: []string{"MIT"}, texts: []string{tidy("one\r\n")}},
		{title: "b v2", licences: []string{"MIT"}, texts: []string{tidy("\none \n")}},
		{title: "c v3", licences: []string{"ISC"}, texts: []string{"two"}},
	})
	rule := strings.Repeat("=", 80)
	want := heading + "  a v1: MIT\n  b v2: MIT\n  c v3: ISC\n\n" + rule + "\na v1\nb v2\n\none\n\n" + rule + "\nc v3\n\ntwo\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestMatcher(t *testing.T) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	apache, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	m := matcher{known: known, seen: map[string][]string{}}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"whole text":              {string(apache), []string{"Apache-2.0"}},
		"choice by name":          {"As you like.\nSPDX-License-Identifier: Apache-2.0 OR MIT", []string{"Apache-2.0"}},
		"name beside a text":      {string(apache) + "\nSPDX-License-Identifier: MIT", []string{"Apache-2.0"}},
		"something else":          {"All rights reserved.", nil},
		"the same text once more": {string(apache), []string{"Apache-2.0"}},
	} {
		if got := m.of([]byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// What one platform alone needs is in the list, and the module itself is not.
func TestLinked(t *testing.T) {
	one, err := linked(root, programs[1:], platforms[1:])
	if err != nil {
		t.Fatal(err)
	}
	all, err := linked(root, programs, platforms)
	if err != nil {
		t.Fatal(err)
	}
	has := func(modules []module, path string) bool {
		return slices.ContainsFunc(modules, func(m module) bool { return m.path == path })
	}
	for _, path := range []string{standardLibrary, "github.com/bytedance/sonic/loader", "github.com/cosmos/keyring"} {
		if !has(all, path) {
			t.Errorf("%s is missing", path)
		}
	}
	if has(one, "github.com/bytedance/sonic/loader") || !has(one, standardLibrary) {
		t.Errorf("phrd-verify on %v links %v", platforms[1], one)
	}
	if has(all, "github.com/phrd/phrd") || has(all, "github.com/99designs/keyring") {
		t.Error("the module itself, or a module that is replaced, is listed")
	}
}
