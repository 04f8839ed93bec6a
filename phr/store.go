package phr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/text/unicode/norm"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// maxBatch is how many versions one message stores.
const maxBatch = 16

// Stage names a part of a longer work, for who shows its progress.
type Stage string

// The stages.
const (
	StageUpload   Stage = "upload"    // sealed bytes travel to the hospital
	StageReadBack Stage = "read back" // what was stored is read back and opened
	StageOpen     Stage = "open"      // a version is read and opened
)

// Progress is told how many bytes of a stage are done. It is called often, by one goroutine at a time, and returns fast.
type Progress func(stage Stage, done, total uint64)

// NewVersion is a file that becomes a version of a record.
type NewVersion struct {
	// Record that gets another version; the zero value makes a new record.
	Record lock.ID
	// Patient is the number of the patient who owns a new record; empty for a record that the clerk's hospital owns.
	Patient string
	// NewRecord is the id of a new record, which no other has; the zero value draws one. Who keeps the id before a store that may
	// be cut can ask afterwards what became of it, and never stores twice.
	NewRecord lock.ID
	// Class of a new record.
	Class recordsv1.Class

	// Name and MediaType of the file, kept inside the ciphertext. A name is data, never a path: at most 255 bytes.
	Name, MediaType string
	// Created and Modified are times of the file; the zero value is unix second 0.
	Created, Modified time.Time
	// Size is the exact number of bytes of Content.
	Size uint64
	// Content of the file, read once.
	Content io.Reader

	// Progress may be nil.
	Progress Progress
}

// Stored says what became of a version.
type Stored struct {
	Ref
	// Hospital is the custodian.
	Hospital uint64
	// Size of the file and Padded, the ciphertext bytes that stand on the chain.
	Size, Padded uint64
	// Object and Envelope are the CIDs of the ciphertext's root and of the block that holds its wrapped keys.
	Object, Envelope lock.CID
}

// Uploaded is a version whose ciphertext the hospital holds and that reads back, but that the chain does not know yet.
type Uploaded struct {
	Stored
	message *recordsv1.NewVersion
}

// Store seals a file, uploads it to the clerk's hospital, reads back and opens what was stored, and registers it. It
// returns when the chain has the version; copies at other hospitals follow, see [Client.WaitForCopies].
//
// Memory is constant whatever the size. A cut connection is resumed. Errors are ErrUpload, ErrReadBack, ErrUnreachable,
// *Refused, seal.ErrSize where the content does not have the size given, and those of the content.
func (c *Client) Store(ctx context.Context, v NewVersion) (*Stored, error) {
	up, err := c.Upload(ctx, v)
	if err != nil {
		return nil, err
	}
	if _, err := c.Commit(ctx, up); err != nil {
		return nil, err
	}
	return &up.Stored, nil
}

// Upload is the first part of [Client.Store]: the hospital holds the ciphertext afterwards.
func (c *Client) Upload(ctx context.Context, v NewVersion) (*Uploaded, error) {
	terms, class, err := c.terms(ctx, v)
	if err != nil {
		return nil, err
	}
	home, err := c.doorOf(ctx, terms.Custodian)
	if err != nil {
		return nil, err
	}
	layout, err := seal.LayoutOf(v.Size)
	if err != nil {
		return nil, err
	}
	up, err := home.newUpload(ctx, layout.Padded, v.Progress.of(StageUpload, layout.Padded))
	if err != nil {
		return nil, err
	}
	locked, err := c.sealInto(ctx, up, v, terms)
	if err != nil {
		up.abandon(ctx)
		return nil, err
	}
	v.Progress.done(StageUpload, layout.Padded)
	if err := locked.ReadBack(ctx, &told{Source: up, tell: v.Progress.of(StageReadBack, layout.Padded)}); err != nil {
		up.abandon(ctx)
		if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			return nil, fmt.Errorf("read back: %w", err)
		}
		return nil, fmt.Errorf("%w: %w", err, ErrReadBack)
	}
	v.Progress.done(StageReadBack, layout.Padded)
	up.cancel(nil)
	return &Uploaded{
		Stored: Stored{
			Ref: Ref{terms.Record, terms.Version}, Hospital: terms.Custodian, Size: v.Size, Padded: locked.Header.PaddedSize,
			Object: locked.Header.Object, Envelope: locked.Header.Envelope,
		},
		message: newVersionMessage(terms, class, locked),
	}, nil
}

// Commit registers versions that were uploaded, at most 16: all or none.
func (c *Client) Commit(ctx context.Context, versions ...*Uploaded) (Receipt, error) {
	if len(versions) < 1 || len(versions) > maxBatch {
		return Receipt{}, fmt.Errorf("%d versions, want 1 to %d", len(versions), maxBatch)
	}
	msg := &recordsv1.MsgStoreVersions{Clerk: c.key.Address()}
	for _, v := range versions {
		msg.Versions = append(msg.Versions, v.message)
	}
	return c.send(ctx, c.direct, gasFor(len(versions)), msg, &recordsv1.MsgStoreVersionsResponse{})
}

// sealInto seals the file into an upload, locks it and completes the upload with the envelope.
func (c *Client) sealInto(ctx context.Context, up *upload, v NewVersion, terms seal.Terms) (*seal.Locked, error) {
	sealed, err := seal.Seal(ctx, up, v.Content, seal.Draft{
		Name: norm.NFC.String(v.Name), MediaType: v.MediaType, Created: seconds(v.Created), Modified: seconds(v.Modified), Size: v.Size,
	})
	if err != nil {
		return nil, err
	}
	locked, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	if err != nil {
		return nil, err
	}
	if err := up.Put(ctx, locked.Header.Envelope, locked.Block); err != nil {
		return nil, err
	}
	return locked, up.finish(ctx)
}

func seconds(t time.Time) uint64 {
	if t.IsZero() || t.Unix() < 0 {
		return 0
	}
	return uint64(t.Unix())
}

// terms says how and for whom the version is locked: by the network's newest key, and to the owner's newest vault key.
func (c *Client) terms(ctx context.Context, v NewVersion) (seal.Terms, recordsv1.Class, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return seal.Terms{}, 0, err
	}
	t := seal.Terms{Lock: lock.LockBoth, Record: v.Record, Version: 1, Custodian: who.Hospital}
	class, patient := v.Class, v.Patient
	switch {
	case v.Record == (lock.ID{}) && v.NewRecord != (lock.ID{}):
		t.Record = v.NewRecord
	case v.Record == (lock.ID{}):
		if t.Record, err = newID(); err != nil {
			return t, 0, err
		}
	default:
		record, err := c.Record(ctx, v.Record)
		if err != nil {
			return t, 0, err
		}
		t.Version, class, patient = record.GetVersions()+1, record.GetClass(), record.GetPatient()
	}
	signer, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return t, 0, err
	}
	t.Signer = [wallet.AddressSize]byte(signer)
	if t.Key, _, err = c.generation(ctx, custodyv1.NewQueryClient(c), 0); err != nil {
		return t, 0, err
	}
	owner, vault, err := c.ownerVault(ctx, patient, who.Hospital)
	if err != nil {
		return t, 0, err
	}
	t.Owner, t.Recipients = owner, []seal.VaultKey{vault}
	return t, class, nil
}

// ownerVault is who owns the version, and the newest key of that vault.
func (c *Client) ownerVault(ctx context.Context, patient string, hospital uint64) (lock.Owner, seal.VaultKey, error) {
	if patient == "" {
		member, err := c.Member(ctx, hospital)
		if err != nil {
			return lock.Owner{}, seal.VaultKey{}, err
		}
		owner, err := lock.HospitalOwner(hospital)
		if err != nil {
			return lock.Owner{}, seal.VaultKey{}, err
		}
		recipient, err := seal.HospitalRecipient(hospital)
		if err != nil {
			return lock.Owner{}, seal.VaultKey{}, err
		}
		key, err := lock.ParsePublicKey(member.GetVaultKey())
		return owner, seal.VaultKey{Recipient: recipient, Epoch: member.GetVaultEpoch(), Key: key}, err
	}
	number, err := lock.ParseID(patient)
	if err != nil {
		return lock.Owner{}, seal.VaultKey{}, fmt.Errorf("patient: %w", err)
	}
	p, err := c.Patient(ctx, number.String())
	if err != nil {
		return lock.Owner{}, seal.VaultKey{}, fmt.Errorf("patient %s: %w", number, err)
	}
	key, err := lock.ParsePublicKey(p.GetVault().GetKey())
	vault := seal.VaultKey{Recipient: seal.PatientRecipient(number), Epoch: p.GetVault().GetEpoch(), Key: key}
	return lock.PatientOwner(number), vault, err
}

// newVersionMessage is what the chain is told of a version.
func newVersionMessage(t seal.Terms, class recordsv1.Class, l *seal.Locked) *recordsv1.NewVersion {
	m := &recordsv1.NewVersion{
		Record: t.Record.String(), Version: t.Version, Class: class,
		Header: &recordsv1.Header{
			Suite: uint32(l.Header.Context.Suite), Lock: recordsv1.Lock(t.Lock), OwnerKind: recordsv1.OwnerKind(t.Owner.Kind()),
			Custodian: t.Custodian, Generation: t.Key.Number, U: l.Header.U.Bytes(), C: l.Header.C[:], Pc: l.Header.Pc, Dc: l.Header.Dc[:],
		},
		UBar: l.Statement.UBar.Bytes(), Proof: l.Proof, Envelope: l.Header.Envelope.String(), EnvelopeSize: uint32(len(l.Block)),
		Object: l.Header.Object.String(), Size: l.Header.PaddedSize,
	}
	if t.Owner.Kind() == lock.OwnerPatient {
		m.Header.Patient = lock.ID(t.Owner.Bytes()).String()
	}
	for _, hash := range l.Statement.OwnKeys {
		m.OwnKeys = append(m.OwnKeys, hash[:])
	}
	return m
}

// doorOf is the gateway of a hospital.
func (c *Client) doorOf(ctx context.Context, hospital uint64) (*door, error) {
	for range 2 {
		for _, d := range c.order() {
			if d.hospital() == hospital {
				return d, nil
			}
		}
		if err := c.learn(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("gateway of hospital %d is not known: %w", hospital, ErrUnreachable)
}

// of counts up to a total for one stage; nil where nobody listens.
func (p Progress) of(stage Stage, total uint64) func(uint64) {
	if p == nil {
		return nil
	}
	return func(done uint64) { p(stage, min(done, total), total) }
}

func (p Progress) done(stage Stage, total uint64) {
	if p != nil {
		p(stage, total, total)
	}
}
