package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// ward is a network with one dealt key of each kind, whose halves the tests release by themselves.
type ward struct {
	network lock.Network
	keys    map[lock.KeyKind]lock.Generation
	alice   lock.ID // a patient
	vault   *seal.Vault
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{keys: map[lock.KeyKind]lock.Generation{}}
	copy(w.network[:], noise(100, 32))
	copy(w.alice[:], noise(101, 16))
	for kind := lock.KeyRecords; kind <= lock.KeyGuardians; kind++ {
		dealt := must(lock.Deal(2, []uint64{1, 2, 3}, chance(uint64(kind))))
		w.keys[kind] = lock.Generation{Network: w.network, Kind: kind, Number: 1, X: dealt.X}
	}
	w.vault = must(seal.NewVault(lock.ID(noise(102, 16))))
	return w
}

func (w *ward) terms() seal.Terms {
	return seal.Terms{
		Lock: lock.LockBoth, Record: lock.ID(noise(103, 16)), Version: 1, Owner: lock.PatientOwner(w.alice), Custodian: 3,
		Key: w.keys[lock.KeyRecords], Recipients: []seal.VaultKey{w.vault.Public(seal.PatientRecipient(w.alice))},
		Signer: [20]byte(noise(104, 20)),
	}
}

func (w *ward) networkOnly() seal.Terms {
	terms := w.terms()
	terms.Lock, terms.Recipients = lock.LockNetwork, nil
	return terms
}

// locked locks a small file.
func (w *ward) locked(t *testing.T, blocks *shelf, terms seal.Terms) (*seal.Locked, *seal.Sealed) {
	t.Helper()
	sealed := store(t, blocks, []byte("chest"))
	l, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	require.NoError(t, blocks.Put(t.Context(), l.Header.Envelope, l.Block))
	return l, sealed
}

func TestAVersionOpensWithBothHalves(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	terms := w.terms()
	bob := must(seal.NewVault(lock.ID(noise(105, 16))))
	staff, hospital := seal.StaffRecipient([20]byte(noise(106, 20))), must(seal.HospitalRecipient(3))
	terms.Recipients = append(terms.Recipients, bob.Public(staff), bob.Public(hospital))
	l, sealed := w.locked(t, blocks, terms)
	require.NoError(t, l.Statement.Verify(l.Proof))
	require.Equal(t, l.Envelope.OwnKeys(), l.Statement.OwnKeys)
	require.Equal(t, terms.Signer, l.Statement.Signer)
	require.NoError(t, l.ReadBack(t.Context(), blocks, nil))

	// The patient's program and the grantee's have the header of the chain and the block, no more.
	e, err := l.Header.OpenEnvelope(l.Block)
	require.NoError(t, err)
	for to, vault := range map[seal.Recipient]*seal.Vault{seal.PatientRecipient(w.alice): w.vault, staff: bob, hospital: bob} {
		p, err := vault.OpenOwn(l.Header, e, to)
		require.NoError(t, err)
		require.True(t, p.Equal(*l.Half))
		dek, err := e.Unlock(l.Header, &p, l.K)
		require.NoError(t, err)
		require.True(t, dek.Equal(sealed.DEK))
		file, err := read(t.Context(), blocks, e.Ref(l.Header), dek)
		require.NoError(t, err)
		require.Equal(t, "chest", string(file))
	}
	_, err = bob.OpenOwn(l.Header, e, seal.PatientRecipient(w.alice))
	require.ErrorIs(t, err, seal.ErrNotRecipient)
	key, _ := bob.Key(1)
	_, err = e.OpenOwn(l.Header, seal.PatientRecipient(w.alice), key)
	require.ErrorIs(t, err, seal.ErrNotRecipient)
	_, err = e.OpenOwn(l.Header, staff, key)
	require.NoError(t, err)

	t.Run("not with one half", func(t *testing.T) {
		wrong := must(seal.HalfFromBytes(noise(107, 32)))
		other := must(lock.NewEncapsulation(w.keys[lock.KeyRecords], chance(108)))
		for _, c := range []struct {
			p    *seal.Half
			k    lock.Point
			want error
		}{
			{nil, l.K, lock.ErrField}, {&wrong, l.K, seal.ErrCommitment}, {l.Half, other.K, seal.ErrCommitment},
			{l.Half, l.Header.U, seal.ErrCommitment}, {l.Half, l.Statement.UBar, seal.ErrCommitment}, {l.Half, lock.Point{}, lock.ErrPoint},
		} {
			_, err := e.Unlock(l.Header, c.p, c.k)
			require.ErrorIs(t, err, c.want)
		}
		require.ErrorIs(t, l.Header.CheckHalf(wrong), seal.ErrCommitment)
		require.NoError(t, l.Header.CheckHalf(*l.Half))
	})
}

func TestAVersionUnderTheNetworkAlone(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, sealed := w.locked(t, blocks, w.networkOnly())
	require.NoError(t, l.Statement.Verify(l.Proof))
	require.Nil(t, l.Half)
	require.Empty(t, l.Header.Pc)
	require.Empty(t, l.Envelope.Own)
	require.NoError(t, l.ReadBack(t.Context(), blocks, nil))
	dek, err := l.Envelope.Unlock(l.Header, nil, l.K)
	require.NoError(t, err)
	require.True(t, dek.Equal(sealed.DEK))
	p := must(seal.HalfFromBytes(noise(1, 32)))
	_, err = l.Envelope.Unlock(l.Header, &p, l.K)
	require.ErrorIs(t, err, lock.ErrField)
	require.ErrorIs(t, l.Header.CheckHalf(p), lock.ErrField)
	_, err = w.vault.OpenOwn(l.Header, l.Envelope, seal.PatientRecipient(w.alice))
	require.ErrorIs(t, err, seal.ErrNotRecipient)

	// Read as a version under both locks it is refused, and the reverse.
	h := l.Header
	h.Context.Lock = lock.LockBoth
	_, err = h.OpenEnvelope(l.Block)
	require.ErrorIs(t, err, seal.ErrHeader)
	both, _ := w.locked(t, blocks, w.terms())
	h = both.Header
	h.Context.Lock = lock.LockNetwork
	_, err = h.OpenEnvelope(both.Block)
	require.ErrorIs(t, err, seal.ErrHeader)
	_, err = both.Envelope.Unlock(h, nil, both.K)
	require.ErrorIs(t, err, seal.ErrHeader)
}

func TestTermsOutOfBounds(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	sealed := store(t, blocks, nil)
	vaultKey := w.vault.Public(seal.PatientRecipient(w.alice))
	emergency := seal.VaultKey{Recipient: must(seal.EmergencyRecipient(1)), Epoch: 1, Key: vaultKey.Key}
	for what, change := range map[string]func(*seal.Terms){
		"lock 0":                    func(x *seal.Terms) { x.Lock = 0 },
		"lock 3":                    func(x *seal.Terms) { x.Lock = 3 },
		"version 0":                 func(x *seal.Terms) { x.Version = 0 },
		"no owner":                  func(x *seal.Terms) { x.Owner = lock.Owner{} },
		"no recipient":              func(x *seal.Terms) { x.Recipients = nil },
		"recipient without owner":   func(x *seal.Terms) { x.Lock = lock.LockNetwork },
		"key of the emergency kind": func(x *seal.Terms) { x.Key = w.keys[lock.KeyEmergency] },
		"generation 0":              func(x *seal.Terms) { x.Key.Number = 0 },
		"nobody":                    func(x *seal.Terms) { x.Recipients[0].Recipient = seal.Recipient{} },
		"epoch 0":                   func(x *seal.Terms) { x.Recipients[0].Epoch = 0 },
		"an emergency vault in own": func(x *seal.Terms) { x.Recipients[0] = emergency },
		"49 recipients":             func(x *seal.Terms) { x.Recipients = slices.Repeat(x.Recipients, 49) },
		"no emergency vault":        func(x *seal.Terms) { x.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency]} },
		"the records' key for a box": func(x *seal.Terms) {
			x.Emergency = &seal.EmergencyTerms{Key: x.Key, Vaults: []seal.VaultKey{emergency}}
		},
		"a patient's vault in a box": func(x *seal.Terms) {
			x.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{vaultKey}}
		},
		"an emergency vault twice": func(x *seal.Terms) {
			x.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{emergency, emergency}}
		},
		"a box under the network alone": func(x *seal.Terms) {
			*x = w.networkOnly()
			x.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{emergency}}
		},
	} {
		terms := w.terms()
		change(&terms)
		_, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
		require.ErrorIs(t, err, lock.ErrField, what)
	}
	terms := w.terms()
	terms.Key.X = lock.Point{}
	_, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	require.ErrorIs(t, err, lock.ErrPoint)
	terms = w.terms()
	terms.Recipients[0].Key = lock.PublicKey{}
	_, err = seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	require.ErrorIs(t, err, lock.ErrKey)
	terms = w.terms()
	terms.Recipients = slices.Repeat(terms.Recipients, 2)
	_, err = seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	require.ErrorIs(t, err, seal.ErrEnvelope)
	for _, drawn := range []int{0, 31, 32, 95, 96, 127} { // p, r, nonce
		_, err := seal.LockWith(w.terms(), sealed.Ref, sealed.DEK, io.LimitReader(chance(1), int64(drawn)))
		require.Error(t, err)
		require.True(t, bytes.Contains([]byte(err.Error()), []byte("EOF")), err)
	}
	_, err = seal.LockWith(w.terms(), sealed.Ref, sealed.DEK, io.LimitReader(chance(1), 128))
	require.NoError(t, err)
}

func TestAnEnvelopeWithTheMostRecipients(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	terms := w.terms()
	for i := range uint64(47) {
		terms.Recipients = append(terms.Recipients, w.vault.Public(must(seal.HospitalRecipient(i+1))))
	}
	l, _ := w.locked(t, blocks, terms)
	require.Len(t, l.Envelope.Own, lock.MaxOwn)
	require.LessOrEqual(t, len(l.Block), seal.MaxEnvelopeSize)
	require.NoError(t, l.ReadBack(t.Context(), blocks, nil))
}

// TestEveryFlippedByteOfAnEnvelopeIsRefused lets the attacker renew the CID too, on the chain and in the store.
func TestEveryFlippedByteOfAnEnvelopeIsRefused(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	terms := w.terms()
	terms.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{w.vault.Public(must(seal.EmergencyRecipient(4)))}}
	l, _ := w.locked(t, blocks, terms)
	h := l.Header
	open := func(h seal.Header, block []byte) error {
		e, err := h.OpenEnvelope(block)
		if err != nil {
			return err
		}
		p, err := w.vault.OpenOwn(h, e, seal.PatientRecipient(w.alice))
		if err != nil {
			return err
		}
		dek, err := e.Unlock(h, &p, l.K)
		if err != nil {
			return err
		}
		if _, err := w.openEmergency(e, h, l); err != nil {
			return err
		}
		_, err = read(t.Context(), blocks, e.Ref(h), dek)
		return err
	}
	require.NoError(t, open(h, l.Block))
	for i := range l.Block {
		bent := bytes.Clone(l.Block)
		bent[i] ^= 1 << (i % 8)
		_, err := h.OpenEnvelope(bent)
		require.ErrorIs(t, err, seal.ErrEnvelope, "byte %d under its old CID", i)
		renewed := h
		renewed.Envelope = lock.RawCID(sha256.Sum256(bent))
		require.Error(t, open(renewed, bent), "byte %d", i)
	}
}

// openEmergency opens the owner's half by the emergency vault of hospital 4.
func (w *ward) openEmergency(e *seal.Envelope, h seal.Header, l *seal.Locked) (seal.Half, error) {
	gen, err := w.keys[lock.KeyEmergency].Hash()
	if err != nil {
		return seal.Half{}, err
	}
	return w.vault.OpenEmergency(h, e, gen, emergencyHalf(l), must(seal.EmergencyRecipient(4)))
}

// emergencyHalf is K_e as t holders would release it: x_e·U_e.
func emergencyHalf(l *seal.Locked) lock.Point {
	dealt := must(lock.Deal(2, []uint64{1, 2, 3}, chance(uint64(lock.KeyEmergency))))
	x := must(lock.Interpolate(dealt.Shares[:2]))
	return l.Emergency.Statement.U.Mul(x)
}

func TestTheHeaderDecides(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, _ := w.locked(t, blocks, w.terms())
	other, _ := w.locked(t, blocks, w.terms())
	_, err := l.Header.OpenEnvelope(other.Block)
	require.ErrorIs(t, err, seal.ErrEnvelope)
	for what, c := range map[string]struct {
		change func(*seal.Header)
		want   error
	}{
		"U":           {func(h *seal.Header) { h.U = other.Header.U }, seal.ErrHeader},
		"C":           {func(h *seal.Header) { h.C[0] ^= 1 }, seal.ErrHeader},
		"Pc":          {func(h *seal.Header) { h.Pc = other.Header.Pc }, seal.ErrHeader},
		"no Pc":       {func(h *seal.Header) { h.Pc = nil }, seal.ErrHeader},
		"Dc":          {func(h *seal.Header) { h.Dc[0] ^= 1 }, seal.ErrHeader},
		"suite":       {func(h *seal.Header) { h.Context.Suite = 2 }, seal.ErrHeader},
		"object":      {func(h *seal.Header) { h.Object = other.Header.Object }, seal.ErrCommitment},
		"record":      {func(h *seal.Header) { h.Context.Record[0] ^= 1 }, seal.ErrCommitment},
		"version":     {func(h *seal.Header) { h.Context.Version++ }, seal.ErrCommitment},
		"owner":       {func(h *seal.Header) { h.Context.Owner = must(lock.HospitalOwner(1)) }, seal.ErrCommitment},
		"custodian":   {func(h *seal.Header) { h.Context.Custodian++ }, seal.ErrCommitment},
		"network":     {func(h *seal.Header) { h.Context.Network[0] ^= 1 }, seal.ErrCommitment},
		"generation":  {func(h *seal.Header) { h.Context.Generation[0] ^= 1 }, seal.ErrCommitment},
		"version 0":   {func(h *seal.Header) { h.Context.Version = 0 }, lock.ErrField},
		"padded size": {func(h *seal.Header) { h.PaddedSize++ }, seal.ErrManifest},
	} {
		t.Run(what, func(t *testing.T) {
			h := l.Header
			h.Pc = slices.Clone(h.Pc)
			c.change(&h)
			dek, err := l.Envelope.Unlock(h, l.Half, l.K)
			if err == nil {
				_, err = seal.OpenObject(t.Context(), blocks, l.Envelope.Ref(h), dek)
			}
			require.ErrorIs(t, err, c.want)
			if !slices.Contains([]string{"object", "padded size"}, what) {
				_, err = w.vault.OpenOwn(h, l.Envelope, seal.PatientRecipient(w.alice))
				require.Error(t, err, "the owner's half is bound to it too")
			}
		})
	}
}

func TestReadBackFindsWhatIsMissing(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, sealed := w.locked(t, blocks, w.terms())
	require.NoError(t, l.ReadBack(t.Context(), blocks, nil))
	for _, c := range []lock.CID{l.Header.Envelope, sealed.Ref.Manifest, sealed.Contents.Entries[0].CID} {
		block := blocks.blocks[c]
		bent := bytes.Clone(block)
		bent[len(bent)-1] ^= 1
		err := l.ReadBack(t.Context(), answers{blocks, map[lock.CID][]byte{c: bent}}, nil)
		require.Error(t, err)
		require.NotErrorIs(t, err, errAbsent)
		delete(blocks.blocks, c)
		require.ErrorIs(t, l.ReadBack(t.Context(), blocks, nil), errAbsent)
		blocks.blocks[c] = block
	}
	require.NoError(t, l.ReadBack(t.Context(), blocks, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.ReadBack(ctx, blocks, nil), context.Canceled)
}

// What was used again is proved by its name and stands where it stood: it is not read.
func TestReadBackPassesOverWhatWasUsedAgain(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, sealed := w.locked(t, blocks, w.terms())
	reused := []lock.CID{sealed.Contents.Entries[0].CID}
	delete(blocks.blocks, reused[0])
	require.ErrorIs(t, l.ReadBack(t.Context(), blocks, nil), errAbsent)
	require.NoError(t, l.ReadBack(t.Context(), blocks, reused))
	delete(blocks.blocks, sealed.Ref.Manifest)
	require.ErrorIs(t, l.ReadBack(t.Context(), blocks, reused), errAbsent)
}

func TestResealKeepsTheLock(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, _ := w.locked(t, blocks, w.terms())
	phone := must(seal.NewVault(lock.ID(noise(110, 16))))
	to := phone.Public(seal.PatientRecipient(w.alice))
	e, err := l.Envelope.Reseal(l.Header, *l.Half, []seal.VaultKey{to})
	require.NoError(t, err)
	h := l.Header
	h.Envelope = must(e.CID())
	require.NotEqual(t, l.Header.Envelope, h.Envelope)
	e, err = h.OpenEnvelope(must(e.Encode()))
	require.NoError(t, err)
	p, err := phone.OpenOwn(h, e, seal.PatientRecipient(w.alice))
	require.NoError(t, err)
	_, err = e.Unlock(h, &p, l.K)
	require.NoError(t, err)
	_, err = w.vault.OpenOwn(h, e, seal.PatientRecipient(w.alice))
	require.ErrorIs(t, err, seal.ErrNotRecipient, "the old device is out")

	_, err = l.Envelope.Reseal(l.Header, must(seal.HalfFromBytes(noise(1, 32))), []seal.VaultKey{to})
	require.ErrorIs(t, err, seal.ErrCommitment)
	_, err = l.Envelope.Reseal(l.Header, *l.Half, nil)
	require.ErrorIs(t, err, seal.ErrEnvelope)
	_, err = l.Envelope.Reseal(l.Header, *l.Half, []seal.VaultKey{to, to})
	require.ErrorIs(t, err, seal.ErrEnvelope)
	alone, _ := w.locked(t, blocks, w.networkOnly())
	_, err = alone.Envelope.Reseal(alone.Header, p, []seal.VaultKey{to})
	require.ErrorIs(t, err, lock.ErrField)
	_, err = alone.Envelope.Reseal(l.Header, p, []seal.VaultKey{to})
	require.ErrorIs(t, err, seal.ErrHeader)
}

func TestRelockKeepsTheDataKey(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, sealed := w.locked(t, blocks, w.terms())
	again, err := seal.LockVersion(w.terms(), sealed.Ref, sealed.DEK)
	require.NoError(t, err)
	require.False(t, again.Header.U.Equal(l.Header.U))
	require.False(t, again.Half.Equal(*l.Half))
	require.Equal(t, l.Header.Dc, again.Header.Dc)
	require.NoError(t, blocks.Put(t.Context(), again.Header.Envelope, again.Block))
	require.NoError(t, again.ReadBack(t.Context(), blocks, nil))
	_, err = again.Envelope.Unlock(again.Header, l.Half, l.K)
	require.ErrorIs(t, err, seal.ErrCommitment, "the old halves open the new lock no more")

	// A re-lock to another key shows at opening, since the chain keeps Dc of the first lock.
	other := must(seal.DEKFromBytes(noise(111, 32)))
	swapped, err := seal.LockVersion(w.terms(), sealed.Ref, other)
	require.NoError(t, err)
	h := swapped.Header
	h.Dc = l.Header.Dc
	_, err = swapped.Envelope.Unlock(h, swapped.Half, swapped.K)
	require.ErrorIs(t, err, seal.ErrHeader)
	forged := *swapped.Envelope
	forged.Dc = l.Header.Dc // the envelope lies along: then T is another
	_, err = forged.Unlock(h, swapped.Half, swapped.K)
	require.ErrorIs(t, err, seal.ErrCommitment)
}

func TestAnEmergencyNeedsItsOwnHalfOfTheNetwork(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	terms := w.terms()
	red := must(seal.NewVault(lock.ID(noise(112, 16))))
	terms.Emergency = &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{
		red.Public(must(seal.EmergencyRecipient(9))), w.vault.Public(must(seal.EmergencyRecipient(4))),
	}}
	l, sealed := w.locked(t, blocks, terms)
	require.NoError(t, l.Statement.Verify(l.Proof))
	require.NoError(t, l.Emergency.Statement.Verify(l.Emergency.Proof))
	e, err := l.Header.OpenEnvelope(l.Block)
	require.NoError(t, err)
	p, err := w.openEmergency(e, l.Header, l)
	require.NoError(t, err)
	dek, err := e.Unlock(l.Header, &p, l.K)
	require.NoError(t, err)
	require.True(t, dek.Equal(sealed.DEK))

	gen := must(w.keys[lock.KeyEmergency].Hash())
	statement, err := e.EmergencyStatement(l.Header, gen)
	require.NoError(t, err)
	require.Equal(t, l.Emergency.Statement.Box, statement.Box)
	require.Equal(t, must(l.Emergency.Statement.Hash()), must(statement.Hash()))

	k := emergencyHalf(l)
	four := must(seal.EmergencyRecipient(4))
	_, err = w.vault.OpenEmergency(l.Header, e, gen, l.K, four)
	require.ErrorIs(t, err, seal.ErrEmergency, "the records' half is not the emergency's")
	_, err = w.vault.OpenEmergency(l.Header, e, must(w.keys[lock.KeyRecords].Hash()), k, four)
	require.ErrorIs(t, err, seal.ErrEmergency)
	_, err = w.vault.OpenEmergency(l.Header, e, gen, lock.Point{}, four)
	require.ErrorIs(t, err, lock.ErrPoint)
	_, err = w.vault.OpenEmergency(l.Header, e, gen, k, must(seal.EmergencyRecipient(5)))
	require.ErrorIs(t, err, seal.ErrNotRecipient)
	_, err = w.vault.OpenEmergency(l.Header, e, gen, k, must(seal.HospitalRecipient(4)))
	require.ErrorIs(t, err, seal.ErrNotRecipient)
	_, err = red.OpenEmergency(l.Header, e, gen, k, four)
	require.ErrorIs(t, err, lock.ErrOpen, "the vault of another hospital")
	_, err = red.OpenEmergency(l.Header, e, gen, k, must(seal.EmergencyRecipient(9)))
	require.NoError(t, err)

	plain, _ := w.locked(t, blocks, w.terms())
	_, err = w.vault.OpenEmergency(plain.Header, plain.Envelope, gen, k, four)
	require.ErrorIs(t, err, seal.ErrEmergency, "the patient did not agree")
	_, err = w.vault.OpenEmergency(plain.Header, e, gen, k, four)
	require.ErrorIs(t, err, seal.ErrHeader)

	// Re-sealing keeps the box to the byte.
	fresh, err := e.Reseal(l.Header, p, terms.Recipients)
	require.NoError(t, err)
	require.Equal(t, e.Emergency, fresh.Emergency)
	_, err = w.openEmergency(fresh, l.Header, l)
	require.NoError(t, err)
}

func TestABoxThatNoWriterMakes(t *testing.T) {
	good := []seal.Boxed{{1, 1, make([]byte, 1168)}, {1, 2, make([]byte, 1168)}, {2, 1, make([]byte, 1168)}}
	plain, err := seal.EncodeBox(good)
	require.NoError(t, err)
	got, err := seal.DecodeBox(plain)
	require.NoError(t, err)
	require.Equal(t, good, got)
	for what, entries := range map[string][]seal.Boxed{
		"nobody": nil, "hospital 0": {{0, 1, good[0].Ciphertext}}, "epoch 0": {{1, 0, good[0].Ciphertext}},
		"1167 bytes": {{1, 1, make([]byte, 1167)}}, "unsorted": {good[2], good[0]}, "repeated": {good[0], good[0]},
	} {
		_, err := seal.EncodeBox(entries)
		require.ErrorIs(t, err, lock.ErrField, what)
	}
	one := len(plain) / 3
	swapped := slices.Concat(plain[one:2*one], plain[:one], plain[2*one:])
	for _, bad := range [][]byte{nil, plain[:len(plain)-1], append(slices.Clone(plain), 0), swapped, append(slices.Clone(plain), plain[2*one:]...)} {
		_, err := seal.DecodeBox(bad)
		require.Error(t, err)
	}
	k := must(lock.RandomScalar(chance(1))).Public()
	box, err := seal.SealBox(k, [64]byte{1}, good)
	require.NoError(t, err)
	require.NoError(t, seal.OpenBox(k, [64]byte{1}, box))
	require.ErrorIs(t, seal.OpenBox(k, [64]byte{2}, box), seal.ErrEmergency)
	for i := range box {
		bent := slices.Clone(box)
		bent[i] ^= 0x80
		require.ErrorIs(t, seal.OpenBox(k, [64]byte{1}, bent), seal.ErrEmergency)
	}
}

func TestACapsuleFitsItsProposal(t *testing.T) {
	session := must(lock.GenerateSession(chance(120)))
	network, unlock := lock.Network(noise(121, 32)), [32]byte(noise(122, 32))
	id := func(n byte) lock.ID { return lock.ID{n} }
	p := func(n uint64) *seal.Half {
		h := must(seal.HalfFromBytes(noise(n, 32)))
		return &h
	}
	asked := []seal.Asked{{id(1), 1, lock.LockBoth}, {id(1), 2, lock.LockNetwork}, {id(2), 1, lock.LockBoth}}
	halves := []*seal.Half{p(1), nil, p(3)}
	capsule, err := seal.NewCapsule(session.Key().Public(), network, unlock, asked, halves)
	require.NoError(t, err)
	got, err := seal.OpenCapsule(session.Key(), network, unlock, asked, capsule)
	require.NoError(t, err)
	require.True(t, got[0].Equal(*halves[0]))
	require.Nil(t, got[1])
	require.True(t, got[2].Equal(*halves[2]))

	for what, other := range map[string][]seal.Asked{
		"one fewer":          asked[:2],
		"one more":           append(slices.Clone(asked), seal.Asked{Record: id(3), Version: 1, Lock: lock.LockBoth}),
		"another version":    {asked[0], asked[1], {id(2), 2, lock.LockBoth}},
		"another record":     {asked[0], asked[1], {id(3), 1, lock.LockBoth}},
		"another lock":       {asked[0], {id(1), 2, lock.LockBoth}, asked[2]},
		"the network's only": {{id(1), 1, lock.LockNetwork}},
	} {
		_, err := seal.OpenCapsule(session.Key(), network, unlock, other, capsule)
		require.ErrorIs(t, err, seal.ErrCapsule, what)
	}
	// Halves in another order than the proposal's, as a wrong program could have sealed them.
	plain := must(session.Key().Open(seal.CapsuleInfo(network, unlock), capsule))
	const entry = 56
	require.Len(t, plain, 8+2*entry)
	swapped := slices.Concat(plain[:8], plain[8+entry:], plain[8:8+entry])
	capsule = must(lock.Seal(session.Key().Public(), seal.CapsuleInfo(network, unlock), swapped))
	_, err = seal.OpenCapsule(session.Key(), network, unlock, asked, capsule)
	require.ErrorIs(t, err, seal.ErrCapsule)

	for what, list := range map[string][]seal.Asked{
		"empty": nil, "65": slices.Repeat(asked[:1], 65), "twice": {asked[0], asked[0]}, "unsorted": {asked[2], asked[0]},
		"lock 0": {{id(1), 1, 0}}, "version 0": {{id(1), 0, lock.LockBoth}},
	} {
		_, err := seal.NewCapsule(session.Key().Public(), network, unlock, list, make([]*seal.Half, len(list)))
		require.ErrorIs(t, err, lock.ErrField, what)
		_, err = seal.OpenCapsule(session.Key(), network, unlock, list, capsule)
		require.ErrorIs(t, err, lock.ErrField, what)
	}
	for what, list := range map[string][]*seal.Half{"too few": halves[:2], "a half under lock 2": {p(1), p(2), p(3)}, "none under lock 1": {nil, nil, p(3)}} {
		_, err := seal.NewCapsule(session.Key().Public(), network, unlock, asked, list)
		require.ErrorIs(t, err, lock.ErrField, what)
	}
	none, err := seal.NewCapsule(session.Key().Public(), network, unlock, asked[1:2], make([]*seal.Half, 1))
	require.NoError(t, err)
	require.Nil(t, none)
	got, err = seal.OpenCapsule(session.Key(), network, unlock, asked[1:2], nil)
	require.NoError(t, err)
	require.Equal(t, []*seal.Half{nil}, got)
}

// A box is made anew under the same lock, or taken out; the one before opens no more by the new half.
func TestRebox(t *testing.T) {
	w, blocks := newWard(t), newShelf()
	l, _ := w.locked(t, blocks, w.terms())
	terms := &seal.EmergencyTerms{Key: w.keys[lock.KeyEmergency], Vaults: []seal.VaultKey{w.vault.Public(must(seal.EmergencyRecipient(4)))}}
	signer := [20]byte{7}
	boxed, proof, err := l.Envelope.Rebox(l.Header, *l.Half, terms, signer)
	require.NoError(t, err)
	require.NoError(t, proof.Statement.Verify(proof.Proof))
	require.Equal(t, signer, proof.Statement.Signer)
	require.Equal(t, l.Envelope.Own, boxed.Own)
	h := l.Header
	h.Envelope = must(boxed.CID())
	opened, err := h.OpenEnvelope(must(boxed.Encode()))
	require.NoError(t, err)
	gen := must(w.keys[lock.KeyEmergency].Hash())
	k := emergencyHalf(&seal.Locked{Emergency: proof})
	entries, err := opened.OpenBox(h, gen, k)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	key, held := w.vault.Key(entries[0].Epoch)
	require.True(t, held)
	p, err := h.OpenBoxEntry(entries[0], key)
	require.NoError(t, err)
	require.NoError(t, h.CheckHalf(p))
	for _, change := range []func(*seal.BoxEntry){
		func(b *seal.BoxEntry) { b.Hospital++ },
		func(b *seal.BoxEntry) { b.Epoch++ },
		func(b *seal.BoxEntry) { b.Ciphertext = append([]byte{b.Ciphertext[0] ^ 1}, b.Ciphertext[1:]...) },
	} {
		entry := entries[0]
		change(&entry)
		_, err = h.OpenBoxEntry(entry, key)
		require.ErrorIs(t, err, lock.ErrOpen)
	}
	_, err = h.OpenBoxEntry(seal.BoxEntry{Hospital: 4, Epoch: 1, Ciphertext: entries[0].Ciphertext[1:]}, key)
	require.ErrorIs(t, err, lock.ErrField)
	other := h
	other.Pc = append([]byte{h.Pc[0] ^ 1}, h.Pc[1:]...)
	_, err = other.OpenBoxEntry(entries[0], key)
	require.ErrorIs(t, err, seal.ErrCommitment)

	again, second, err := boxed.Rebox(h, *l.Half, terms, signer)
	require.NoError(t, err)
	require.NotEqual(t, boxed.Emergency.U, again.Emergency.U)
	_, err = again.OpenBox(h, gen, k)
	require.ErrorIs(t, err, seal.ErrEmergency)
	_, err = boxed.OpenBox(h, gen, emergencyHalf(&seal.Locked{Emergency: second}))
	require.ErrorIs(t, err, seal.ErrEmergency)
	plain, none, err := boxed.Rebox(h, *l.Half, nil, signer)
	require.NoError(t, err)
	require.Nil(t, none)
	require.Nil(t, plain.Emergency)
	_, _, err = boxed.Rebox(h, *l.Half, &seal.EmergencyTerms{Key: w.keys[lock.KeyRecords], Vaults: terms.Vaults}, signer)
	require.ErrorIs(t, err, lock.ErrField)
	_, _, err = boxed.Rebox(h, *l.Half, &seal.EmergencyTerms{Key: terms.Key}, signer)
	require.ErrorIs(t, err, lock.ErrField)
	foreign, _ := w.locked(t, blocks, w.terms())
	_, _, err = boxed.Rebox(h, *foreign.Half, terms, signer)
	require.ErrorIs(t, err, seal.ErrCommitment)
}
