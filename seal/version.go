package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/phrd/phrd/lock"
)

// Terms says how and for whom one version is locked.
type Terms struct {
	Lock      lock.Lock
	Record    lock.ID
	Version   uint64 // from 1
	Owner     lock.Owner
	Custodian uint64          // hospital number; 0 for none
	Key       lock.Generation // the network's key, of kind lock.KeyRecords
	// Recipients are the vaults that get the owner's half: the owner's and one for each
	// grantee of a standing consent, no other. 1 … 48 under lock.LockBoth, none under
	// lock.LockNetwork.
	Recipients []VaultKey
	Emergency  *EmergencyTerms // nil unless the patient agreed
	Signer     [20]byte        // account that signs the message which stores the version
}

// EmergencyTerms says who may open a version in an emergency.
type EmergencyTerms struct {
	Key    lock.Generation // the network's emergency key, of kind lock.KeyEmergency
	Vaults []VaultKey      // emergency vaults
}

// context returns the context of the lock, or an error that is lock.ErrField or
// lock.ErrPoint.
func (t *Terms) context() (lock.Context, error) {
	if err := t.Lock.Check(); err != nil {
		return lock.Context{}, err
	}
	if t.Key.Kind != lock.KeyRecords {
		return lock.Context{}, fmt.Errorf("network key of kind %d for a record: %w", t.Key.Kind, lock.ErrField)
	}
	if (t.Lock == lock.LockBoth) != (len(t.Recipients) > 0) || len(t.Recipients) > lock.MaxOwn {
		return lock.Context{}, fmt.Errorf("%d recipients under lock %d: %w", len(t.Recipients), t.Lock, lock.ErrField)
	}
	if t.Emergency != nil && t.Lock != lock.LockBoth {
		return lock.Context{}, fmt.Errorf("emergency part under lock %d: %w", t.Lock, lock.ErrField)
	}
	gen, err := t.Key.Hash()
	if err != nil {
		return lock.Context{}, err
	}
	return lock.Context{
		Network: t.Key.Network, Suite: lock.Suite1, Lock: t.Lock, Record: t.Record, Version: t.Version,
		Owner: t.Owner, Custodian: t.Custodian, Generation: gen,
	}, nil
}

// Locked is a version that was locked, with what the message that stores it carries.
type Locked struct {
	Header   Header
	Envelope *Envelope
	Block    []byte // the envelope encoded; its CID is Header.Envelope

	Statement lock.LockedVersion // what Proof proves; holds Ū and the own key hashes for the message
	Proof     []byte             // 64 bytes
	Emergency *EmergencyProof    // nil without an emergency part

	// Both halves, by which the storing program reads back what it stored. It keeps them
	// no longer. Half is nil under lock.LockNetwork.
	Half *Half
	K    lock.Point
}

// EmergencyProof is what the message carries of an emergency part.
type EmergencyProof struct {
	Statement lock.EmergencyBox // what Proof proves; holds U_e, Ū_e and the box's hash
	Proof     []byte            // 64 bytes
}

// LockVersion locks the data key of an object under fresh halves and makes envelope,
// header and proof. It serves storing and re-locking alike: the commitment to the data
// key depends on record, version and key alone. The object's bytes are not touched.
//
// The error is lock.ErrField, lock.ErrPoint or lock.ErrKey for terms out of bounds, and
// [ErrEnvelope] for recipients that come twice.
func LockVersion(t Terms, ref Ref, dek DEK) (*Locked, error) {
	return lockVersion(t, ref, dek, rand.Reader)
}

// lockVersion draws in a fixed order: p under lock.LockBoth, r, r_e with an emergency
// part, the nonces of the proofs.
func lockVersion(t Terms, ref Ref, dek DEK, random io.Reader) (*Locked, error) {
	about, err := t.context()
	if err != nil {
		return nil, err
	}
	ctx, err := about.Hash()
	if err != nil {
		return nil, err
	}
	l := &Locked{Header: Header{Context: about, Dc: commitDEK(t.Record, t.Version, dek), Object: ref.Object, PaddedSize: ref.PaddedSize}}
	if t.Lock == lock.LockBoth {
		p, err := newHalf(random)
		if err != nil {
			return nil, err
		}
		l.Half = &p
	}
	encap, err := lock.NewEncapsulation(t.Key, random)
	if err != nil {
		return nil, err
	}
	l.K, l.Header.U = encap.K, encap.U
	if l.Envelope, err = l.envelope(ctx, encap, ref, dek); err != nil {
		return nil, err
	}
	if l.Half != nil {
		if l.Envelope.Own, err = sealOwns(ctx, encap.U, *l.Half, t.Recipients); err != nil {
			return nil, err
		}
	}
	if t.Emergency != nil {
		if err := l.emergency(ctx, &t, random); err != nil {
			return nil, err
		}
	}
	if err := l.finish(ctx, encap, t.Signer, random); err != nil {
		return nil, err
	}
	return l, nil
}

// envelope makes the envelope but for its recipients, and the header's commitments.
func (l *Locked) envelope(ctx [64]byte, encap *lock.Encapsulation, ref Ref, dek DEK) (*Envelope, error) {
	if l.Half != nil {
		pc := commitHalf(ctx, encap.U, *l.Half)
		l.Header.Pc = pc[:]
	}
	e := &Envelope{Suite: l.Header.Context.Suite, U: encap.U, UBar: encap.UBar, Pc: l.Header.Pc, Dc: l.Header.Dc, Manifest: ref.Manifest}
	salt := wrapping{ctx: ctx, u: e.U, uBar: e.UBar, pc: e.Pc, dc: e.Dc, ref: ref}.salt()
	key, c, err := kek(l.Header.Context.Lock, l.Half, encap.K, salt)
	if err != nil {
		return nil, err
	}
	e.C, l.Header.C = c, c
	e.Wrap, err = wrapDEK(key, dek, salt)
	return e, err
}

// finish encodes the envelope and proves the encapsulation.
func (l *Locked) finish(ctx [64]byte, encap *lock.Encapsulation, signer [20]byte, random io.Reader) error {
	block, err := l.Envelope.Encode()
	if err != nil {
		return err
	}
	l.Block, l.Header.Envelope = block, rawCID(block)
	l.Statement = lock.LockedVersion{
		Context: ctx, Generation: l.Header.Context.Generation, U: encap.U, UBar: encap.UBar,
		C: l.Header.C, Pc: l.Header.Pc, Dc: l.Header.Dc, Envelope: l.Header.Envelope, Object: l.Header.Object,
		OwnKeys: l.Envelope.OwnKeys(), Signer: signer,
	}
	label, err := l.Statement.Label()
	if err != nil {
		return err
	}
	l.Proof, err = encap.Prove(label, random)
	return err
}

// ReadBack opens what was stored as a stranger with both halves would: the envelope and
// the whole object, block by block, from src. The storing program calls it before it
// forgets the halves and the file. The error names what is missing or damaged.
//
// The leaves that Seal has used again, reused, are not read: what they hold is proved by their
// CIDs, and whether the store has them whole was asked by [Draft].Holds.
func (l *Locked) ReadBack(ctx context.Context, src Source, reused []lock.CID) error {
	block, err := src.Get(ctx, l.Header.Envelope)
	if err != nil {
		return fmt.Errorf("read back envelope: %w", err)
	}
	e, err := l.Header.OpenEnvelope(block)
	if err != nil {
		return err
	}
	if !bytes.Equal(block, l.Block) {
		return fmt.Errorf("%w: another block came back", ErrEnvelope)
	}
	dek, err := e.Unlock(l.Header, l.Half, l.K)
	if err != nil {
		return err
	}
	object, err := OpenObject(ctx, src, e.Ref(l.Header), dek)
	if err != nil {
		return err
	}
	return object.check(ctx, reused)
}
