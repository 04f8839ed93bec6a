// Package attacker is a program that tries to open records with what an attacker can
// get: the homes of hospitals, the patient's wallet and vault, and all that is public.
// It knows every construction of packages lock and seal and nothing else: no chain and
// no service stands in its way, so that what stops it is mathematics.
//
// [NewWorld] sets a consortium up, with a patient and records. [World.Loot] is what
// falls into the attacker's hands, and [Loot.Open] tries every path it can think of. The
// same program opens the record as soon as the loot is enough, which shows that the
// paths are walked in earnest.
//
// The homes are plain structs of what a hospital's disk holds, decrypted: key shares of
// each epoch that was not erased, the block store, the hospital's vault, and the peppers
// of patients who chose its gateway.
package attacker

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// Blocks is a block store.
type Blocks struct {
	mu     sync.Mutex
	blocks map[lock.CID][]byte
}

func newBlocks() *Blocks { return &Blocks{blocks: map[lock.CID][]byte{}} }

// Put implements [seal.Sink].
func (b *Blocks) Put(_ context.Context, c lock.CID, block []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocks[c] = bytes.Clone(block)
	return nil
}

var errAbsent = errors.New("block is absent")

// Get implements [seal.Source].
func (b *Blocks) Get(_ context.Context, c lock.CID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	block, held := b.blocks[c]
	if !held {
		return nil, errAbsent
	}
	return bytes.Clone(block), nil
}

// putRaw stores a block under the CID of its bytes.
func (b *Blocks) putRaw(block []byte) lock.CID {
	c := lock.RawCID(sha256.Sum256(block))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocks[c] = bytes.Clone(block)
	return c
}

// KeyShare is a share of the network's key in one epoch.
type KeyShare struct {
	Epoch uint64
	Share lock.SecretShare
}

// Home is what a hospital holds.
type Home struct {
	Number  uint64
	Shares  []KeyShare // also of past epochs, as a backup may still have them
	Blocks  *Blocks    // every object of the network
	Vault   *seal.Vault
	Peppers []seal.Pepper // of patients' wallet slots

	EmergencyShare lock.SecretShare // of the emergency key
	EmergencyVault *seal.Vault      // nil where the attacker did not get it
}

// Patient is what a patient holds.
type Patient struct {
	ID     lock.ID
	Wallet *secp256k1.PrivateKey
	Pepper seal.Pepper
}

// sign signs a document as a wallet does and returns r‖s.
func sign(key *secp256k1.PrivateKey, document []byte) []byte {
	digest := sha256.Sum256(document)
	return ecdsa.SignCompact(key, digest[:], true)[1:]
}

// Unlock is the public transcript of an unlock.
type Unlock struct {
	Proposal lock.Proposal
	Asked    []seal.Asked
	Capsule  []byte
	Release  lock.Release
	Shares   []lock.Share
}

// Deal is the public part of a reshare's deal.
type Deal struct {
	Dealing lock.Dealing
	Sealed  map[uint64][]byte // sub-shares by receiver
}

// Slot is a slot of a vault as the chain keeps it.
type Slot struct {
	Place   seal.SlotPlace
	Request seal.WalletRequest
	Bytes   []byte
}

// Public is what anybody reads on the chain.
type Public struct {
	Key        lock.Generation
	Emergency  lock.Generation  // the emergency key
	Committees []lock.Committee // by epoch; the last is the live one
	Versions   []seal.Header
	Statements []lock.LockedVersion // as the messages carried them, with their proofs
	Proofs     [][]byte
	Unlocks    []Unlock
	Round      [64]byte // ρ of the reshare
	Deals      []Deal
	Vault      seal.VaultPlace // the patient's
	Blob       lock.CID        // of the vault
	Slots      []Slot
}

// Records of the world, by their place in Public.Versions.
const (
	Target  = iota // the patient's, under both halves; unlocked once by somebody else
	Decoy          // another of the patient's, which the attacker once had unlocked
	Network        // under the network's half alone
	Granted        // under both halves, and sealed to the vault of hospital 1 too, to which the patient consented
	Agreed         // under both halves, and sealed for emergencies to the vaults of hospitals 1 to 4, to which the patient agreed
)

// World is a consortium with one patient.
type World struct {
	public    Public
	homes     []*Home
	patient   *Patient
	session   *lock.Session // of the attacker's own unlock, of the decoy
	threshold uint64
	files     [5][]byte
	honest    *Holders
}

// NewWorld sets up a consortium of hospitals numbered from 1, at least 4, of which
// floor(2n/3)+1 open together. Its key was made in one epoch and reshared into another.
func NewWorld(ctx context.Context, hospitals int) (*World, error) {
	if hospitals < 4 {
		return nil, fmt.Errorf("%d hospitals, want 4 or more", hospitals)
	}
	w := &World{threshold: uint64(2*hospitals/3 + 1)}
	var network lock.Network
	if _, err := rand.Read(network[:]); err != nil {
		return nil, err
	}
	blocks := newBlocks()
	for number := range uint64(hospitals) {
		id, err := lock.NewID(rand.Reader)
		if err != nil {
			return nil, err
		}
		vault, err := seal.NewVault(id)
		if err != nil {
			return nil, err
		}
		emergency, err := seal.NewVault(id)
		if err != nil {
			return nil, err
		}
		w.homes = append(w.homes, &Home{Number: number + 1, Blocks: blocks, Vault: vault, EmergencyVault: emergency})
	}
	for _, step := range []func() error{
		func() error { return w.makeKey(network) },
		func() error { return w.makeEmergencyKey(network) },
		w.reshare,
		func() error { return w.admit(blocks) },
		func() error { return w.storeAll(ctx, blocks) },
		w.unlockBoth,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *World) numbers() []uint64 {
	var numbers []uint64
	for _, home := range w.homes {
		numbers = append(numbers, home.Number)
	}
	return numbers
}

// makeKey deals the key of epoch 1.
func (w *World) makeKey(network lock.Network) error {
	dealt, err := lock.Deal(w.threshold, w.numbers(), rand.Reader)
	if err != nil {
		return err
	}
	w.public.Key = lock.Generation{Network: network, Kind: lock.KeyRecords, Number: 1, X: dealt.X}
	w.public.Committees = []lock.Committee{{Epoch: 1, Threshold: w.threshold, Holders: dealt.Holders}}
	for i, home := range w.homes {
		home.Shares = append(home.Shares, KeyShare{1, dealt.Shares[i]})
	}
	return nil
}

// makeEmergencyKey deals the emergency key.
func (w *World) makeEmergencyKey(network lock.Network) error {
	dealt, err := lock.Deal(w.emergencyThreshold(), w.numbers(), rand.Reader)
	if err != nil {
		return err
	}
	w.public.Emergency = lock.Generation{Network: network, Kind: lock.KeyEmergency, Number: 1, X: dealt.X}
	for i, home := range w.homes {
		home.EmergencyShare = dealt.Shares[i]
	}
	return nil
}

// emergencyThreshold is how many hospitals open boxes together.
func (w *World) emergencyThreshold() uint64 {
	n := uint64(len(w.homes))
	return max(w.threshold+1, (5*n+5)/6)
}

// emergencyVaults are those to which boxes are sealed.
func (w *World) emergencyVaults() ([]seal.VaultKey, error) {
	var vaults []seal.VaultKey
	for _, home := range w.homes[:boxedVaults] {
		recipient, err := seal.EmergencyRecipient(home.Number)
		if err != nil {
			return nil, err
		}
		vaults = append(vaults, home.EmergencyVault.Public(recipient))
	}
	return vaults, nil
}

// boxedVaults is how many hospitals' emergency vaults a box is sealed to: two that approve, and two more.
const boxedVaults = 4

// reshare makes epoch 2. The round keys are erased with the end of this function.
func (w *World) reshare() error {
	old := w.public.Committees[0]
	r := lock.Round{
		Network: w.public.Key.Network, Kind: lock.KeyRecords, Generation: 1, Epoch: 2, Attempt: 1,
		OldThreshold: w.threshold, Threshold: w.threshold, Dealers: w.numbers(),
	}
	var keys []*lock.PrivateKey
	for _, home := range w.homes {
		key, err := lock.GeneratePrivateKey(rand.Reader)
		if err != nil {
			return err
		}
		keys = append(keys, key)
		r.Receivers = append(r.Receivers, lock.Receiver{Number: home.Number, Key: key.Public()})
	}
	rho, err := r.Hash()
	if err != nil {
		return err
	}
	w.public.Round = rho
	var dealings []lock.Dealing
	got := make([][]lock.SubShare, len(w.homes))
	for _, home := range w.homes {
		p, err := r.NewPolynomial(home.Shares[0].Share.Value, rand.Reader)
		if err != nil {
			return err
		}
		deal := Deal{lock.Dealing{Dealer: home.Number, Commitments: p.Commitments()}, map[uint64][]byte{}}
		for i, to := range r.Receivers {
			value, err := p.Share(to.Number)
			if err != nil {
				return err
			}
			s := lock.SecretShare{Index: to.Number, Value: value}
			if deal.Sealed[to.Number], err = lock.SealSubShare(to.Key, rho, deal.Dealing, s); err != nil {
				return err
			}
			opened, err := lock.OpenSubShare(keys[i], rho, deal.Dealing, to.Number, deal.Sealed[to.Number])
			if err != nil {
				return err
			}
			got[i] = append(got[i], lock.SubShare{Dealer: home.Number, Value: opened.Value})
		}
		dealings = append(dealings, deal.Dealing)
		w.public.Deals = append(w.public.Deals, deal)
	}
	result, err := r.SumReshare(w.public.Key.X, old.Holders, dealings)
	if err != nil {
		return err
	}
	w.public.Committees = append(w.public.Committees, lock.Committee{Epoch: 2, Threshold: w.threshold, Holders: result.Holders})
	for i, home := range w.homes {
		share, err := result.Share(home.Number, got[i])
		if err != nil {
			return err
		}
		home.Shares = append(home.Shares, KeyShare{2, share})
	}
	w.honest = &Holders{network: w.public.Key.Network, key: w.public.Key, epoch: 2, seen: map[string]bool{}}
	for _, home := range w.homes {
		w.honest.shares = append(w.honest.shares, home.Shares[1].Share)
	}
	return nil
}

// admit gives the patient a wallet, a vault and a slot. Hospital 1's gateway keeps the
// pepper.
func (w *World) admit(blocks *Blocks) error {
	wallet, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return err
	}
	pepper, err := seal.NewPepper()
	if err != nil {
		return err
	}
	var ids [3]lock.ID
	for i := range ids {
		if ids[i], err = lock.NewID(rand.Reader); err != nil {
			return err
		}
	}
	w.patient = &Patient{ID: ids[0], Wallet: wallet, Pepper: pepper}
	w.homes[0].Peppers = []seal.Pepper{pepper}
	network := w.public.Key.Network
	w.public.Vault = seal.VaultPlace{Network: network, Vault: ids[1], Newest: 1, Revision: 1}
	slot := Slot{
		Place:   seal.SlotPlace{Network: network, Kind: lock.SlotWallet, Account: account(wallet), Vault: ids[1], Slot: ids[2], Revision: 1},
		Request: seal.WalletRequest{Network: network, ChainID: "phrd-1", Account: "phrd1patient", Vault: ids[1], Slot: ids[2], Site: "phrd.example"},
	}
	secret, err := walletSecret(slot.Request, wallet, pepper)
	if err != nil {
		return err
	}
	vault, err := seal.NewVault(ids[1])
	if err != nil {
		return err
	}
	kv, err := seal.NewKV()
	if err != nil {
		return err
	}
	blob, err := vault.Seal(network, 1, kv)
	if err != nil {
		return err
	}
	w.public.Blob = blocks.putRaw(blob)
	if slot.Bytes, err = slot.Place.Wrap(secret, kv); err != nil {
		return err
	}
	w.public.Slots = []Slot{slot}
	return nil
}

// account stands for the address of a wallet: 20 bytes that follow from its key.
func account(wallet *secp256k1.PrivateKey) [20]byte {
	sum := sha256.Sum256(wallet.PubKey().SerializeCompressed())
	return [20]byte(sum[:20])
}

func walletSecret(r seal.WalletRequest, wallet *secp256k1.PrivateKey, pepper seal.Pepper) (seal.SlotSecret, error) {
	document, err := r.Document()
	if err != nil {
		return seal.SlotSecret{}, err
	}
	return seal.WalletSecret(r, wallet.PubKey().SerializeCompressed(), sign(wallet, document), pepper)
}

// vaultOf opens the patient's vault, as the patient's own program does.
func (w *World) vaultOf(p *Patient) (*seal.Vault, error) {
	slot := w.public.Slots[0]
	secret, err := walletSecret(slot.Request, p.Wallet, p.Pepper)
	if err != nil {
		return nil, err
	}
	kv, err := slot.Place.Unwrap(secret, slot.Bytes)
	if err != nil {
		return nil, err
	}
	blob, err := w.homes[0].Blocks.Get(context.Background(), w.public.Blob)
	if err != nil {
		return nil, err
	}
	return seal.OpenVault(w.public.Vault, kv, blob)
}

// storeAll stores the records.
func (w *World) storeAll(ctx context.Context, blocks *Blocks) error {
	vault, err := w.vaultOf(w.patient)
	if err != nil {
		return err
	}
	for i := range w.files {
		w.files[i] = make([]byte, 10_000+i)
		if _, err := rand.Read(w.files[i]); err != nil {
			return err
		}
		sealed, err := seal.Seal(ctx, blocks, bytes.NewReader(w.files[i]), seal.Draft{Name: "scan.dcm", Size: uint64(len(w.files[i]))})
		if err != nil {
			return err
		}
		record, err := lock.NewID(rand.Reader)
		if err != nil {
			return err
		}
		terms := seal.Terms{
			Lock: lock.LockBoth, Record: record, Version: 1, Owner: lock.PatientOwner(w.patient.ID), Custodian: 1, Key: w.public.Key,
			Recipients: []seal.VaultKey{vault.Public(seal.PatientRecipient(w.patient.ID))},
		}
		switch i {
		case Network:
			terms.Lock, terms.Recipients = lock.LockNetwork, nil
		case Granted:
			grantee, err := seal.HospitalRecipient(1)
			if err != nil {
				return err
			}
			terms.Recipients = append(terms.Recipients, w.homes[0].Vault.Public(grantee))
		case Agreed:
			vaults, err := w.emergencyVaults()
			if err != nil {
				return err
			}
			terms.Emergency = &seal.EmergencyTerms{Key: w.public.Emergency, Vaults: vaults}
		}
		l, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
		if err != nil {
			return err
		}
		if err := blocks.Put(ctx, l.Header.Envelope, l.Block); err != nil {
			return err
		}
		if err := l.ReadBack(ctx, blocks, nil); err != nil {
			return err
		}
		if err := w.honest.Store(l.Statement, l.Proof); err != nil {
			return err
		}
		w.public.Versions = append(w.public.Versions, l.Header)
		w.public.Statements = append(w.public.Statements, l.Statement)
		w.public.Proofs = append(w.public.Proofs, l.Proof)
	}
	return nil
}

// unlockBoth lets a stranger open the target, whose session is gone, and the attacker
// the decoy.
func (w *World) unlockBoth() error {
	vault, err := w.vaultOf(w.patient)
	if err != nil {
		return err
	}
	for _, record := range []int{Target, Decoy} {
		session, err := lock.GenerateSession(rand.Reader)
		if err != nil {
			return err
		}
		u, err := w.unlock(session, vault, w.public.Versions[record])
		if err != nil {
			return err
		}
		w.public.Unlocks = append(w.public.Unlocks, u)
		w.session = session
	}
	return nil
}

func (w *World) unlock(session *lock.Session, vault *seal.Vault, h seal.Header) (Unlock, error) {
	ctx, err := h.Context.Hash()
	if err != nil {
		return Unlock{}, err
	}
	p := lock.Proposal{
		Network: w.public.Key.Network, Hospital: 2, Purpose: "TREAT", Expiry: 1, RequestKeyCID: session.Key().Public().CID(), B: session.B(),
		Versions: []lock.ProposedVersion{{Record: h.Context.Record, Number: 1, Context: ctx, U: h.U, M: session.Blind(h.U), C: h.C[:]}},
	}
	proof, err := session.Prove(p, rand.Reader)
	if err != nil {
		return Unlock{}, err
	}
	u := Unlock{Proposal: p, Asked: []seal.Asked{{Record: h.Context.Record, Version: 1, Lock: h.Context.Lock}}}
	w.honest.approved = append(w.honest.approved, p.ID())
	if u.Release, u.Shares, err = w.honest.Answer(p, proof); err != nil {
		return Unlock{}, err
	}
	block, err := w.homes[0].Blocks.Get(context.Background(), h.Envelope)
	if err != nil {
		return Unlock{}, err
	}
	e, err := h.OpenEnvelope(block)
	if err != nil {
		return Unlock{}, err
	}
	half, err := vault.OpenOwn(h, e, seal.PatientRecipient(w.patient.ID))
	if err != nil {
		return Unlock{}, err
	}
	u.Capsule, err = seal.NewCapsule(session.Key().Public(), p.Network, p.ID(), u.Asked, []*seal.Half{&half})
	return u, err
}

// Threshold is how many hospitals open together.
func (w *World) Threshold() int { return int(w.threshold) }

// Hospitals is how many there are.
func (w *World) Hospitals() int { return len(w.homes) }

// File is what a record holds, for comparing.
func (w *World) File(record int) []byte { return w.files[record] }

// Loot hands the homes of the first hospitals to the attacker, and the patient's wallet
// and device where patient is true. The attacker was the requester of the decoy's
// unlock, and is a user of the network with the right to store and open records of its
// own.
func (w *World) Loot(hospitals int, patient bool) *Loot {
	l := &Loot{Public: w.public, Homes: w.homes[:hospitals], Sessions: []*lock.Session{w.session}, Holders: w.honest, Blocks: w.homes[0].Blocks}
	if patient {
		l.Patient = w.patient
	}
	return l
}

// LootOf is Loot with the homes of these hospitals, by number.
func (w *World) LootOf(patient bool, numbers ...uint64) *Loot {
	l := w.Loot(0, patient)
	for _, number := range numbers {
		l.Homes = append(l.Homes[:len(l.Homes):len(l.Homes)], w.homes[number-1])
	}
	return l
}

// Phished is LootOf with a wallet that signs what the attacker shows it, and without the
// device that has the pepper.
func (w *World) Phished(numbers ...uint64) *Loot {
	l := w.LootOf(false, numbers...)
	l.Patient = &Patient{ID: w.patient.ID, Wallet: w.patient.Wallet}
	return l
}

// WithoutEmergencyVaults is the loot without what the hospitals' emergency vaults open.
func (l *Loot) WithoutEmergencyVaults() *Loot {
	less := *l
	less.Homes = nil
	for _, home := range l.Homes {
		stripped := *home
		stripped.EmergencyVault = nil
		less.Homes = append(less.Homes, &stripped)
	}
	return &less
}
