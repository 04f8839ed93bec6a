package phr

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// Ref names one version of a record. Its text is "<record id>/<version>".
type Ref struct {
	Record  lock.ID
	Version uint64 // from 1
}

// String is the text of the ref.
func (r Ref) String() string { return r.Record.String() + "/" + strconv.FormatUint(r.Version, 10) }

// MarshalText implements encoding.TextMarshaler.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler and reads what ParseRef reads.
func (r *Ref) UnmarshalText(text []byte) error {
	parsed, err := ParseRef(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}

// Compare orders refs as proposals have them: by the bytes of the record, then by version.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(bytes.Compare(r.Record[:], other.Record[:]), cmp.Compare(r.Version, other.Version))
}

// ParseRef reads the text of a ref; without a version it names version 0, which is never stored and stands for the
// newest one. The error is ErrRef.
func ParseRef(text string) (Ref, error) {
	id, number, versioned := strings.Cut(text, "/")
	record, err := lock.ParseID(id)
	if err != nil {
		return Ref{}, fmt.Errorf("%q: %w: %w", text, err, ErrRef)
	}
	if record == (lock.ID{}) {
		return Ref{}, fmt.Errorf("%q: the id of no record: %w", text, ErrRef)
	}
	r := Ref{Record: record}
	if !versioned {
		return r, nil
	}
	if r.Version, err = strconv.ParseUint(number, 10, 63); err != nil || r.Version == 0 {
		return Ref{}, fmt.Errorf("%q: version %q: %w", text, number, ErrRef)
	}
	return r, nil
}

// lockedVersion is a version as the chain keeps it, with what follows from it.
type lockedVersion struct {
	ref     Ref
	stored  *recordsv1.Version
	header  seal.Header
	context [64]byte // ctx
}

// lockOf reads the lock of a version under the records key of its generation. Nothing of it is trusted yet: an
// unlock's hash, or the version's own commitments, must fit.
func lockOf(network lock.Network, key lock.Generation, v *recordsv1.Version) (*lockedVersion, error) {
	record, err := lock.ParseCanonicalID(v.GetRecord())
	if err != nil {
		return nil, err
	}
	h := v.GetHeader()
	if h.GetGeneration() != key.Number {
		return nil, fmt.Errorf("version of generation %d under a key of generation %d: %w", h.GetGeneration(), key.Number, lock.ErrField)
	}
	gen, err := key.Hash()
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(h)
	if err != nil {
		return nil, err
	}
	l := &lockedVersion{ref: Ref{record, v.GetVersion()}, stored: v, header: seal.Header{
		Context: lock.Context{
			Network: network, Suite: lock.Suite(h.GetSuite()), Lock: lock.Lock(h.GetLock()), Record: record, Version: v.GetVersion(),
			Owner: owner, Custodian: h.GetCustodian(), Generation: gen,
		},
		Pc: h.GetPc(), PaddedSize: v.GetSize(),
	}}
	if len(h.GetC()) != len(l.header.C) || len(h.GetDc()) != len(l.header.Dc) {
		return nil, fmt.Errorf("commitments of %d and %d bytes: %w", len(h.GetC()), len(h.GetDc()), lock.ErrField)
	}
	copy(l.header.C[:], h.GetC())
	copy(l.header.Dc[:], h.GetDc())
	if l.header.U, err = lock.ParseEncapsulation(h.GetU()); err != nil {
		return nil, err
	}
	if l.header.Envelope, err = lock.ParseRawCID(v.GetEnvelope()); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if l.header.Object, err = lock.ParseDagCID(v.GetObject()); err != nil {
		return nil, fmt.Errorf("object: %w", err)
	}
	l.context, err = l.header.Context.Hash()
	return l, err
}

func ownerOf(h *recordsv1.Header) (lock.Owner, error) {
	if h.GetOwnerKind() == recordsv1.OwnerKind_OWNER_KIND_HOSPITAL {
		return lock.HospitalOwner(h.GetCustodian())
	}
	patient, err := lock.ParseCanonicalID(h.GetPatient())
	if err != nil {
		return lock.Owner{}, fmt.Errorf("owner: %w", err)
	}
	return lock.PatientOwner(patient), nil
}

// generation is a generation of the network's records key; 0 asks for the newest. It is asked of one connection.
func (c *Client) generation(ctx context.Context, q custodyv1.QueryClient, number uint64) (lock.Generation, *custodyv1.Key, error) {
	return c.keyOf(ctx, q, custodyv1.KeyKind_KEY_KIND_RECORDS, number)
}

// keyOf is generation of a key of any kind.
func (c *Client) keyOf(ctx context.Context, q custodyv1.QueryClient, kind custodyv1.KeyKind, number uint64) (lock.Generation, *custodyv1.Key, error) {
	answer, err := q.Key(ctx, &custodyv1.QueryKeyRequest{Kind: kind, Generation: number})
	if err != nil {
		return lock.Generation{}, nil, err
	}
	key := answer.GetKey()
	x, err := lock.ParsePoint(key.GetPublicKey())
	if err != nil {
		return lock.Generation{}, nil, fmt.Errorf("network key: %w", err)
	}
	if number != 0 && key.GetGeneration() != number {
		return lock.Generation{}, nil, fmt.Errorf("network key of generation %d, want %d: %w", key.GetGeneration(), number, lock.ErrField)
	}
	return lock.Generation{Network: c.network, Kind: lock.KeyKind(kind), Number: key.GetGeneration(), X: x}, key, nil // #nosec G115 -- an enum of both
}
