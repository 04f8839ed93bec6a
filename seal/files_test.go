package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vector is one case of the files in testdata/custody.
type vector struct {
	Name string                     `json:"name"`
	What string                     `json:"what"`
	In   map[string]json.RawMessage `json:"in"`
	Out  map[string]json.RawMessage `json:"out"`
	Must string                     `json:"must"`
}

func (v vector) kind() string { return strings.Split(v.Name, "/")[0] }

// both is what is given and what follows from it in one object.
func (v vector) both() map[string]json.RawMessage {
	all := maps.Clone(v.In)
	maps.Copy(all, v.Out)
	return all
}

// decode reads fields into a struct; with strict, the struct must know each of them.
func decode[T any](t *testing.T, fields map[string]json.RawMessage, strict bool) T {
	t.Helper()
	raw, err := json.Marshal(fields)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(raw))
	if strict {
		d.DisallowUnknownFields()
	}
	var into T
	require.NoError(t, d.Decode(&into))
	return into
}

func load(tb testing.TB, file string) []vector {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "custody", file))
	require.NoError(tb, err)
	var parsed struct {
		Version int
		Notes   string
		Cases   []vector
	}
	require.NoError(tb, json.Unmarshal(raw, &parsed))
	require.Equal(tb, 2, parsed.Version)
	require.NotEmpty(tb, parsed.Cases)
	return parsed.Cases
}

// octets are bytes in hex.
type octets []byte

func (o *octets) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	b, err := hex.DecodeString(text)
	*o = b
	return err
}

// number is a JSON number, or a string above 2^53 − 1.
type number uint64

func (n *number) UnmarshalJSON(raw []byte) error {
	u, err := strconv.ParseUint(strings.Trim(string(raw), `"`), 10, 64)
	*n = number(u)
	return err
}

var errWidth = errors.New("wrong width")

// array refuses bytes that do not fill it, as types do in the package's own signatures.
func array[A [20]byte | [32]byte | [64]byte](b []byte) (a A, err error) {
	switch into := any(&a).(type) {
	case *[20]byte:
		if len(b) == len(into) {
			*into = [20]byte(b)
			return a, nil
		}
	case *[32]byte:
		if len(b) == len(into) {
			*into = [32]byte(b)
			return a, nil
		}
	case *[64]byte:
		if len(b) == len(into) {
			*into = [64]byte(b)
			return a, nil
		}
	}
	return a, fmt.Errorf("%d bytes: %w", len(b), errWidth)
}

func raws(list []octets) [][]byte {
	var b [][]byte
	for _, o := range list {
		b = append(b, o)
	}
	return b
}

// must returns the value of a call that has to succeed.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// source gives these bytes and then no more.
func source(parts ...[]byte) io.Reader { return bytes.NewReader(slices.Concat(parts...)) }

// plaintext is hex, or the stream SHA-256(seed ‖ counter).
type plaintext []byte

func (p *plaintext) UnmarshalJSON(raw []byte) error {
	var hexed octets
	if json.Unmarshal(raw, &hexed) == nil {
		*p = plaintext(hexed)
		return nil
	}
	var given struct {
		Seed   octets `json:"sha256_stream_seed"`
		Length int
	}
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	b := make([]byte, 0, given.Length+sha256.Size)
	for i := uint64(0); len(b) < given.Length; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(bytes.Clone(given.Seed), i))
		b = append(b, h[:]...)
	}
	*p = b[:given.Length]
	return nil
}

// cases calls each for every case that testdata/custody/claims.json gives to this package, and fails for one that it gives to none.
func cases(t *testing.T, file string, each func(*testing.T, vector)) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "custody", "claims.json"))
	require.NoError(t, err)
	var claims map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &claims))
	var claimed map[string]string
	require.NoError(t, json.Unmarshal(claims[file], &claimed))
	seen := map[string]bool{}
	for _, v := range load(t, file) {
		packages := strings.Fields(claimed[v.kind()])
		require.NotEmpty(t, packages, "%s: no package reproduces it", v.Name)
		if slices.Contains(packages, "seal") {
			require.False(t, seen[v.Name], "%s is there twice", v.Name)
			seen[v.Name] = true
			t.Run(v.Name, func(t *testing.T) { each(t, v) })
		}
	}
	require.NotEmpty(t, seen)
}
