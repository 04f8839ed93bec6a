package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
)

var (
	errNoText     = errors.New("has no text of its licence")
	errNotAllowed = errors.New("internal/licences/allowed.txt does not list it")
	errUnknown    = errors.New("is the text of no known licence")
)

var (
	// licenceName are the names of files with a licence; those of notices, which the Apache License has passed on, name none.
	licenceName = regexp.MustCompile(`(?i)^(un)?licen[sc]e|^copying`)
	noticeName  = regexp.MustCompile(`(?i)^notice(\.(txt|md))?$`)
	sourceName  = regexp.MustCompile(`\.(go|s|c|h|py|sh)$`)
)

// A work is a module, or the part of one that has texts of its own.
type work struct {
	// title is the module's path and version, with the folder below it where there is one.
	title string
	// licences are the SPDX names of what its texts say, in order.
	licences []string
	texts    []string
}

// names tells which licences a text is that of, by their SPDX names.
type names interface {
	of(text []byte) []string
}

// identifier is how a text that is no licence itself names those that may be chosen from.
var identifier = regexp.MustCompile(`SPDX-License-Identifier: ([\w.-]+)(?: OR [\w.-]+)*`)

// matcher compares texts with those of known licences, each text once.
type matcher struct {
	known *classifier.Classifier
	seen  map[string][]string
}

func (m matcher) of(text []byte) []string {
	found, ok := m.seen[string(text)]
	if !ok {
		found = m.match(text)
		m.seen[string(text)] = found
	}
	return found
}

func (m matcher) match(text []byte) []string {
	var found []string
	for _, match := range m.known.Match(text).Matches {
		if match.MatchType == "License" || match.MatchType == "Header" {
			found = append(found, match.Name)
		}
	}
	if named := identifier.FindSubmatch(text); len(found) == 0 && named != nil {
		found = []string{string(named[1])}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// reader reads the texts of modules.
type reader struct {
	names   names
	allowed map[string]bool
}

// works returns the works of modules, in the order of the modules, each followed by its parts. The error names all that may not be shipped.
func (r reader) works(modules []module) ([]work, error) {
	var works []work
	var wrong []error
	for _, m := range modules {
		for _, folder := range m.folders() {
			w, err := r.work(m, folder)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", w.title, err))
			} else if len(w.texts) > 0 {
				works = append(works, w)
			} else if folder == m.dir {
				wrong = append(wrong, fmt.Errorf("%s: %w", w.title, errNoText))
			}
		}
	}
	return works, errors.Join(wrong...)
}

// folders are the folders of the linked packages and those above, from the module's own on, in order.
func (m module) folders() []string {
	folders := []string{m.dir}
	if m.path == standardLibrary {
		return folders // one text stands for all of it
	}
	for _, folder := range m.packages {
		for ; folder != m.dir; folder = filepath.Dir(folder) {
			folders = append(folders, folder)
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// work reads the texts in one folder of a module.
func (r reader) work(m module, folder string) (work, error) {
	w := work{title: strings.TrimSpace(m.path + " " + m.version)}
	if below, err := filepath.Rel(m.dir, folder); err != nil {
		return w, err
	} else if below != "." {
		w.title += ", " + filepath.ToSlash(below)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return w, err
	}
	for _, entry := range entries {
		isLicence := licenceName.MatchString(entry.Name())
		if !entry.Type().IsRegular() || sourceName.MatchString(entry.Name()) || !isLicence && !noticeName.MatchString(entry.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return w, err
		}
		text := tidy(string(content))
		if isLicence {
			licences, err := r.permitted([]byte(text))
			if err != nil {
				return w, fmt.Errorf("%s: %w", entry.Name(), err)
			}
			w.licences = append(w.licences, licences...)
		}
		w.texts = append(w.texts, text)
	}
	slices.Sort(w.licences)
	w.licences = slices.Compact(w.licences)
	return w, nil
}

// permitted returns the licences that a text is that of, the first where one may choose, or errUnknown, or errNotAllowed.
func (r reader) permitted(text []byte) ([]string, error) {
	found := r.names.of(text)
	if len(found) == 0 {
		return nil, errUnknown
	}
	for _, name := range found {
		if !r.allowed[name] {
			return nil, fmt.Errorf("%s: %w", name, errNotAllowed)
		}
	}
	return found, nil
}

// tidy makes texts equal that differ in how their lines end.
func tidy(text string) string {
	var tidied []string
	for line := range strings.Lines(text) {
		tidied = append(tidied, strings.TrimRight(line, " \t\r\n"))
	}
	return strings.Trim(strings.Join(tidied, "\n"), "\n")
}
