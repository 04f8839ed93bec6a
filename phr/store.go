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

const (
	// MaxBatch is how many versions one message stores.
	MaxBatch = 100
	// messageBytes is how long a message that stores versions may be: a transaction has at most 64 KiB.
	messageBytes = 63 << 10
	// reasonBusy is why the chain refuses a transaction that comes too soon after others of the account.
	reasonBusy = "consortium/3"
)

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

	// Previous is an earlier version of Record that was opened with [Client.Open], by this program for whoever may read it. Leaves of
	// it whose content stays the same are named again, and neither sent nor stored once more, as far as the hospital still has them
	// whole. Only a version that is not erased, of the same record, owner and lock is taken.
	Previous *File

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
	// Reused is how many of the ciphertext bytes were there already, as leaves of the previous version.
	Reused uint64
}

// Uploaded is a version whose ciphertext the hospital holds and that reads back, but that the chain does not know yet.
type Uploaded struct {
	Stored
	message *recordsv1.NewVersion
}

// Store seals a file, uploads it to the clerk's hospital, reads back and opens what was stored, and registers it. It
// returns when the chain has the version; copies at other hospitals follow, see [Client.WaitForCopies]. Many small files are
// stored faster together, see [Client.StoreAll].
//
// Memory is constant whatever the size. A cut connection is resumed. Errors are ErrUpload, ErrReadBack, ErrUnreachable, ErrPrevious,
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
	return c.upload(ctx, v, &vaults{client: c})
}

// upload is Upload with what is known of the network and the owner.
func (c *Client) upload(ctx context.Context, v NewVersion, known *vaults) (*Uploaded, error) {
	terms, class, err := known.terms(ctx, v)
	if err != nil {
		return nil, err
	}
	previous, err := c.previous(ctx, v, terms)
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
	p := packed{v: v, terms: terms, class: class, draft: draftOf(v)}
	if err := p.reuse(ctx, up, previous); err != nil {
		up.abandon(ctx)
		return nil, err
	}
	if err := p.seal(ctx, up); err != nil {
		up.abandon(ctx)
		return nil, err
	}
	if err := up.finish(ctx); err != nil {
		up.abandon(ctx)
		return nil, err
	}
	v.Progress.done(StageUpload, layout.Padded)
	if err := p.readBack(ctx, &told{Source: up, tell: v.Progress.of(StageReadBack, layout.Padded)}); err != nil {
		up.abandon(ctx)
		return nil, err
	}
	v.Progress.done(StageReadBack, layout.Padded)
	up.cancel(nil)
	return p.uploaded(), nil
}

// packed is a file on its way into a hospital.
type packed struct {
	v      NewVersion
	terms  seal.Terms
	class  recordsv1.Class
	draft  seal.Draft
	sealed *seal.Sealed
	locked *seal.Locked
}

func draftOf(v NewVersion) seal.Draft {
	return seal.Draft{
		Name: norm.NFC.String(v.Name), MediaType: v.MediaType, Created: seconds(v.Created), Modified: seconds(v.Modified), Size: v.Size,
	}
}

// seal seals the file into a sink and locks it; the envelope is the last block.
func (p *packed) seal(ctx context.Context, sink seal.Sink) error {
	var err error
	if p.sealed, err = seal.Seal(ctx, sink, p.v.Content, p.draft); err != nil {
		return err
	}
	if p.locked, err = seal.LockVersion(p.terms, p.sealed.Ref, p.sealed.DEK); err != nil {
		return err
	}
	return sink.Put(ctx, p.locked.Header.Envelope, p.locked.Block)
}

// readBack opens what was stored. The error is ErrReadBack, ErrUnreachable or that of ctx.
func (p *packed) readBack(ctx context.Context, src seal.Source) error {
	err := p.locked.ReadBack(ctx, src, p.sealed.Reused)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnreachable) || ctx.Err() != nil:
		return fmt.Errorf("read back: %w", err)
	default:
		return fmt.Errorf("%w: %w", err, ErrReadBack)
	}
}

// uploaded is the file once it was read back.
func (p *packed) uploaded() *Uploaded {
	message := newVersionMessage(p.terms, p.class, p.locked)
	if len(p.sealed.Reused) > 0 {
		message.SharesWith = p.v.Previous.Ref.Version
	}
	h := p.locked.Header
	return &Uploaded{
		Stored: Stored{
			Ref: Ref{p.terms.Record, p.terms.Version}, Hospital: p.terms.Custodian, Size: p.v.Size, Padded: h.PaddedSize,
			Object: h.Object, Envelope: h.Envelope, Reused: p.sealed.Saved,
		},
		message: message,
	}
}

// Commit registers versions that were uploaded, at most [MaxBatch], and no more than fit into a transaction: all or none. Where the
// account sends more than it may, it waits; the error is ErrBusy, which wraps a *Refused, where that takes too long.
func (c *Client) Commit(ctx context.Context, versions ...*Uploaded) (Receipt, error) {
	if len(versions) < 1 || len(versions) > MaxBatch {
		return Receipt{}, fmt.Errorf("%d versions, want 1 to %d", len(versions), MaxBatch)
	}
	msg := &recordsv1.MsgStoreVersions{Clerk: c.key.Address()}
	for _, v := range versions {
		msg.Versions = append(msg.Versions, v.message)
	}
	for begin := time.Now(); ; {
		receipt, err := c.send(ctx, c.direct, gasToStore(versions), msg, &recordsv1.MsgStoreVersionsResponse{})
		var refused *Refused
		if !errors.As(err, &refused) || refused.Reason != reasonBusy {
			return receipt, err
		}
		if time.Since(begin) > c.patience {
			return Receipt{}, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return Receipt{}, err
		}
	}
}

// gasToStore is what a message that stores versions asks for.
func gasToStore(versions []*Uploaded) uint64 {
	gas := gasBase + gasStored*uint64(len(versions))
	consented := map[string]bool{}
	for _, v := range versions {
		if v.message.GetBox() != nil {
			gas += gasBox
		}
		if n := len(v.message.GetOwnKeys()) - 1; n > 0 {
			gas += gasGrantee * uint64(n)
			consented[v.message.GetHeader().GetPatient()] = true
		}
	}
	gas += gasConsents * uint64(len(consented))
	return min(gas, maxGas)
}

func seconds(t time.Time) uint64 {
	if t.IsZero() || t.Unix() < 0 {
		return 0
	}
	return uint64(t.Unix())
}

// vaults are the keys to which versions are locked, each asked for once, by one goroutine. It serves a few files, not a long time: the chain refuses
// what is locked to a key that is no longer the newest.
type vaults struct {
	client *Client

	key     *lock.Generation
	vaults  map[string]seal.VaultKey // by patient; the hospital's own under ""
	granted map[grantedTo][]seal.VaultKey
	agreed  map[string]*seal.EmergencyTerms // by patient; nil for who did not agree
}

// grantedTo is what decides to whom a version is sealed beside its owner: consents name classes or records.
type grantedTo struct {
	patient string
	class   recordsv1.Class
	record  string // empty for a new one
}

// terms says how and for whom the version is locked: by the network's newest key, and to the owner's newest vault key.
func (k *vaults) terms(ctx context.Context, v NewVersion) (seal.Terms, recordsv1.Class, error) {
	c := k.client
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
	if k.key == nil {
		key, _, err := c.generation(ctx, custodyv1.NewQueryClient(c), 0)
		if err != nil {
			return t, 0, err
		}
		k.key, k.vaults, k.granted = &key, map[string]seal.VaultKey{}, map[grantedTo][]seal.VaultKey{}
		k.agreed = map[string]*seal.EmergencyTerms{}
	}
	t.Key = *k.key
	if t.Owner, err = ownerNamed(patient, who.Hospital); err != nil {
		return t, 0, err
	}
	vault, asked := k.vaults[patient]
	if !asked {
		if vault, err = c.ownerVault(ctx, patient, who.Hospital); err != nil {
			return t, 0, err
		}
		k.vaults[patient] = vault
	}
	named := grantedTo{patient: patient, class: class}
	if t.Version > 1 {
		named.record = t.Record.String()
	}
	granted, asked := k.granted[named]
	if !asked {
		if granted, err = c.grantees(ctx, patient, class, named.record); err != nil {
			return t, 0, err
		}
		k.granted[named] = granted
	}
	t.Recipients = append([]seal.VaultKey{vault}, granted...)
	if t.Emergency, asked = k.agreed[patient]; !asked {
		if t.Emergency, err = c.boxTerms(ctx, patient); err != nil {
			return t, 0, err
		}
		k.agreed[patient] = t.Emergency
	}
	return t, class, nil
}

// ownerNamed is the patient of a number, or the hospital where there is none.
func ownerNamed(patient string, hospital uint64) (lock.Owner, error) {
	if patient == "" {
		return lock.HospitalOwner(hospital)
	}
	number, err := lock.ParseID(patient)
	if err != nil {
		return lock.Owner{}, fmt.Errorf("patient: %w", err)
	}
	return lock.PatientOwner(number), nil
}

// ownerVault is the newest key of the owner's vault.
func (c *Client) ownerVault(ctx context.Context, patient string, hospital uint64) (seal.VaultKey, error) {
	if patient == "" {
		member, err := c.Member(ctx, hospital)
		if err != nil {
			return seal.VaultKey{}, err
		}
		recipient, err := seal.HospitalRecipient(hospital)
		if err != nil {
			return seal.VaultKey{}, err
		}
		key, err := lock.ParsePublicKey(member.GetVaultKey())
		return seal.VaultKey{Recipient: recipient, Epoch: member.GetVaultEpoch(), Key: key}, err
	}
	number, err := lock.ParseID(patient)
	if err != nil {
		return seal.VaultKey{}, fmt.Errorf("patient: %w", err)
	}
	p, err := c.Patient(ctx, number.String())
	if err != nil {
		return seal.VaultKey{}, fmt.Errorf("patient %s: %w", number, err)
	}
	key, err := lock.ParsePublicKey(p.GetVault().GetKey())
	return seal.VaultKey{Recipient: seal.PatientRecipient(number), Epoch: p.GetVault().GetEpoch(), Key: key}, err
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
	if e := l.Emergency; e != nil {
		m.Box = &recordsv1.BoxLock{
			Generation: t.Emergency.Key.Number, U: e.Statement.U.Bytes(), UBar: e.Statement.UBar.Bytes(), Hash: e.Statement.Box[:],
		}
		m.BoxProof = e.Proof
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
