package custody_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/phrd/phrd/lock"
)

// fields are a case as the files of testdata/custody have them: bytes in hexadecimal, numbers above 2^53−1 as text.
type fields map[string]any

func (f fields) String() string {
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// with has further fields, which stand before those that are there.
func (f fields) with(more fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// octets are the bytes of a field.
func (f fields) octets(name string) []byte { return unhex(f[name]) }

// list are the bytes of each member of a field.
func (f fields) list(name string) [][]byte {
	var all [][]byte
	for _, member := range f.members(name) {
		all = append(all, unhex(member))
	}
	return all
}

// all are the members of a field that are fields themselves.
func (f fields) all(name string) []fields {
	var all []fields
	for _, member := range f.members(name) {
		inner, ok := member.(map[string]any)
		if !ok {
			panic(fmt.Sprintf("%s has a member %T", name, member))
		}
		all = append(all, inner)
	}
	return all
}

// members are those of a list, whether it was made here or read from an answer.
func (f fields) members(name string) []any {
	switch list := f[name].(type) {
	case []any:
		return list
	case []string:
		var all []any
		for _, member := range list {
			all = append(all, member)
		}
		return all
	default:
		panic(fmt.Sprintf("%s is %T, no list", name, list))
	}
}

// number is a field's number.
func (f fields) number(name string) uint64 { return number(f[name]) }

func number(v any) uint64 {
	switch n := v.(type) {
	case float64:
		return uint64(n)
	case string:
		parsed, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			panic(err)
		}
		return parsed
	default:
		panic(fmt.Sprintf("%T is no number", v))
	}
}

// flipped is a copy with one bit of one of the named fields changed, or of one member of one that is a list.
func (f fields) flipped(c *chance, names ...string) fields {
	name := names[c.below(len(names))]
	if text, ok := f[name].(string); ok {
		return f.with(fields{name: c.flip(text)})
	}
	members := slices.Clone(f.members(name))
	at := c.below(len(members))
	members[at] = c.flip(text(unhex(members[at])))
	return f.with(fields{name: members})
}

func unhex(v any) []byte {
	text, ok := v.(string)
	if !ok {
		panic(fmt.Sprintf("%T is no text", v))
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func text(b []byte) string { return hex.EncodeToString(b) }

func texts[T interface{ Bytes() []byte }](all []T) []string {
	list := []string{}
	for _, one := range all {
		list = append(list, text(one.Bytes()))
	}
	return list
}

// whole is a number as the files write it.
func whole(n uint64) any {
	if n >= 1<<53 {
		return strconv.FormatUint(n, 10)
	}
	return n
}

func points(encoded [][]byte) ([]lock.Point, error) {
	var all []lock.Point
	for _, b := range encoded {
		p, err := lock.ParsePoint(b)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// must is for what the test itself made.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
