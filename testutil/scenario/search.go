package scenario

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cockroachdb/pebble"
	cometdb "github.com/cometbft/cometbft-db"
)

// Finding is a place where a secret was found.
type Finding struct {
	// Path of the file, or of the database's folder, below the folder that was searched.
	Path string
	// Form in which the secret stands there: plain, hex or base64.
	Form string
}

// Search looks for a secret in every file below a folder and in every key and value of the databases there, in clear, in hex and in
// base64 wherever it begins. Databases compress what they write, so their files alone would tell nothing. Nobody may have a database
// open meanwhile.
func Search(dir string, secret []byte) ([]Finding, error) {
	s := search{dir: dir, needles: needlesOf(secret)}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return s.folder(path)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		s.look(path, []byte(filepath.Base(path)))
		content, err := os.ReadFile(path)
		s.look(path, content)
		return err
	})
	return s.found, err
}

type search struct {
	dir     string
	needles map[string][][]byte
	found   []Finding
}

// needlesOf are the forms in which a secret is looked for.
func needlesOf(secret []byte) map[string][][]byte {
	lower := hex.EncodeToString(secret)
	needles := map[string][][]byte{"plain": {secret}, "hex": {[]byte(lower), []byte(strings.ToUpper(lower))}}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Three bytes make four characters: what a secret looks like depends on where it begins. The characters that hold bits of
		// its neighbours are left out.
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			first := (8*before + 5) / 6
			last := 8 * (before + len(secret)) / 6
			needles["base64"] = append(needles["base64"], []byte(text[first:last]))
		}
	}
	return needles
}

func (s *search) look(path string, in []byte) {
	for form, needles := range s.needles {
		for _, needle := range needles {
			if !bytes.Contains(in, needle) {
				continue
			}
			below, err := filepath.Rel(s.dir, path)
			if err != nil {
				below = path
			}
			s.found = append(s.found, Finding{below, form})
			break
		}
	}
}

// folder searches a folder's database where it is one.
func (s *search) folder(path string) error {
	switch {
	case hasFiles(path, "OPTIONS-*"):
		return s.pebble(path)
	case hasFiles(path, "CURRENT"):
		return s.leveldb(path)
	}
	return nil
}

func hasFiles(dir, pattern string) bool {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	return err == nil && len(names) > 0
}

// comparerLine is what the options of a database of pebble say of the order of its keys, which is that of their bytes under any name.
var comparerLine = regexp.MustCompile(`(?m)^\s*comparer=(.*)$`)

func (s *search) pebble(path string) (err error) {
	options, err := filepath.Glob(filepath.Join(path, "OPTIONS-*"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(options[len(options)-1])
	if err != nil {
		return err
	}
	order := *pebble.DefaultComparer
	if named := comparerLine.FindSubmatch(text); named != nil {
		order.Name = string(named[1])
	}
	db, err := pebble.Open(path, &pebble.Options{Comparer: &order, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for valid := it.First(); valid; valid = it.Next() {
		s.look(path, it.Key())
		s.look(path, it.Value())
	}
	return errors.Join(it.Error(), it.Close())
}

func (s *search) leveldb(path string) (err error) {
	db, err := cometdb.NewDB(strings.TrimSuffix(filepath.Base(path), ".db"), cometdb.GoLevelDBBackend, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	it, err := db.Iterator(nil, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for ; it.Valid(); it.Next() {
		s.look(path, it.Key())
		s.look(path, it.Value())
	}
	return errors.Join(it.Error(), it.Close())
}
