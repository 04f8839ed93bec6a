package custody_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// decoder is what both sides read from bytes that anybody may have made.
type decoder struct {
	kind  string // of the partner's check
	field string
	plain bool // the field is text, not hexadecimal
	valid func(c *chance) []byte
	reads func(b []byte) error
}

var decoders = []decoder{
	{kind: "envelope", field: "envelope", valid: validEnvelope, reads: func(b []byte) error {
		_, err := seal.DecodeEnvelope(lock.RawCID(sha256.Sum256(b)), b)
		return err
	}},
	{kind: "manifest", field: "protobuf", valid: validManifest, reads: func(b []byte) error {
		_, err := seal.DecodeManifest(b)
		return err
	}},
	{kind: "chest", field: "chest", valid: validChest, reads: func(b []byte) error {
		_, err := seal.DecodeChest(lock.RawCID(sha256.Sum256(b)), b)
		return err
	}},
	{kind: "point", field: "point", valid: func(c *chance) []byte { return c.point().Bytes() }, reads: func(b []byte) error {
		_, err := lock.ParsePoint(b)
		return err
	}},
	{kind: "scalar", field: "scalar", valid: func(c *chance) []byte { return c.scalar().Bytes() }, reads: func(b []byte) error {
		_, err := lock.ParseScalar(b)
		return err
	}},
	{kind: "xwing_key", field: "recipient_key", valid: func(c *chance) []byte { return c.key().Public().Bytes() }, reads: func(b []byte) error {
		_, err := lock.ParsePublicKey(b)
		return err
	}},
	{kind: "hospital", field: "id", valid: func(c *chance) []byte { return lock.Uint(c.count(64)) }, reads: func(b []byte) error {
		_, err := lock.ParseOwner(lock.OwnerHospital, b)
		return err
	}},
	{kind: "cid", field: "cid", valid: func(c *chance) []byte { return c.dag().Bytes() }, reads: func(b []byte) error {
		_, err := lock.CIDFromBytes(b)
		return err
	}},
	{kind: "cid_text", field: "text", plain: true, valid: func(c *chance) []byte { return []byte(c.raw().String()) }, reads: func(b []byte) error {
		_, err := lock.ParseCID(string(b))
		return err
	}},
	{kind: "id_text", field: "text", plain: true, valid: func(c *chance) []byte { return []byte(c.id().String()) }, reads: func(b []byte) error {
		_, err := lock.ParseCanonicalID(string(b))
		return err
	}},
	{kind: "code_words", field: "text", plain: true, valid: func(*chance) []byte { return []byte(must(seal.NewCode()).Words()) }, reads: func(b []byte) error {
		_, err := seal.ParseCode(string(b))
		return err
	}},
}

func validEnvelope(c *chance) []byte {
	l := newLocking(c)
	return must(seal.LockVersion(l.terms, l.ref, l.dek)).Block
}

func validChest(c *chance) []byte {
	chest := seal.Chest{Blob: c.octets(40)}
	for range c.below(4) {
		s := seal.Slot{Kind: lock.SlotCode, ID: c.id(), Revision: c.count(32), Wrapped: c.octets(seal.SlotSize)}
		if c.below(2) == 0 {
			s.Kind, s.Site = lock.SlotWallet, "phrd.example"
		}
		chest.Slots = append(chest.Slots, s)
	}
	slices.SortFunc(chest.Slots, func(a, b seal.Slot) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return must(chest.Encode())
}

func validManifest(c *chance) []byte {
	d, file := draft(c)
	return must(must(seal.Seal(context.Background(), shelf{}, bytes.NewReader(file), d)).Contents.Encode())
}

// TestBothImplementationsReadTheSame changes valid encodings at random: what one side refuses, the other one must refuse too.
func TestBothImplementationsReadTheSame(t *testing.T) {
	c, p := seeded(t), newPartner(t)
	for _, d := range decoders {
		t.Run(d.kind, func(t *testing.T) {
			for range cases(t) {
				valid := d.valid(c)
				d.compare(t, p, valid, true)
				for range 5 {
					changed := c.changed(valid, d.plain)
					d.compare(t, p, changed, d.reads(changed) == nil)
				}
			}
		})
	}
}

// TestNoHospitalIsNoOwner has a number refused that chance would not find: 0 is for custodians and requesters, and stands for none.
func TestNoHospitalIsNoOwner(t *testing.T) {
	p := newPartner(t)
	for number, want := range map[uint64]bool{0: false, 1: true} {
		in := fields{"id": text(lock.Uint(number))}
		if _, err := lock.ParseOwner(lock.OwnerHospital, lock.Uint(number)); (err == nil) != want {
			t.Errorf("%d: %v", number, err)
		}
		if _, ok := p.take(t, "hospital", in); ok != want {
			t.Errorf("%d: the other side says %t", number, ok)
		}
	}
}

func (d decoder) compare(t *testing.T, p *partner, b []byte, want bool) {
	t.Helper()
	in := fields{d.field: text(b)}
	if d.plain {
		in = fields{d.field: string(b)}
	}
	if err := d.reads(b); (err == nil) != want {
		t.Fatalf("%v: %s", err, in)
	}
	if _, ok := p.take(t, d.kind, in); ok != want {
		t.Fatalf("accepted here %t, there %t: %s", want, ok, in)
	}
}

// changed is the encoding with a few bytes changed, added, taken out, said twice or put elsewhere. Text stays printable ASCII.
func (c *chance) changed(b []byte, plain bool) []byte {
	b = slices.Clone(b)
	for range 1 + c.below(2) {
		at, length := c.below(len(b)), 1+c.below(4)
		end := min(at+length, len(b))
		piece := slices.Clone(b[at:end])
		switch c.below(5) {
		case 0:
			b[at] ^= 1 << c.below(8)
		case 1:
			b = slices.Insert(b, at, c.octets(length)...)
		case 2:
			b = slices.Delete(b, at, end)
		case 3:
			b = slices.Insert(b, at, piece...)
		default:
			b = slices.Insert(slices.Delete(b, at, end), c.below(len(b)-len(piece)+1), piece...)
		}
		if len(b) == 0 {
			return b
		}
	}
	for i := range b {
		if plain && (b[i] < 0x20 || b[i] > 0x7e) {
			b[i] = ' ' + b[i]%0x5f
		}
	}
	return b
}
