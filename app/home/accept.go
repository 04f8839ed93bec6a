package home

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// Accept makes the home a member of the network of a genesis, which must have the agreed hash (64 hex digits) and name this home's
// keys as those of a member. Errors are ErrWrongHash, ErrWrongGenesis, ErrWrongShare where the genesis names a key of which this home
// should have a share and has none, and ErrExists where the home has accepted another genesis.
func (h Home) Accept(store *keys.Store, genesis, hash string) (*Genesis, consortium.Member, error) {
	fail := func(err error) (*Genesis, consortium.Member, error) {
		return nil, consortium.Member{}, fmt.Errorf("accept genesis: %w", err)
	}
	g, err := readAgreed(genesis, hash)
	if err != nil {
		return fail(err)
	}
	member, err := h.self(g)
	if err != nil {
		return fail(err)
	}
	switch accepted, err := os.ReadFile(h.Genesis()); {
	case err == nil && !bytes.Equal(accepted, g.Text):
		return fail(fmt.Errorf("%s: another genesis %w", h.Genesis(), ErrExists))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fail(err)
	}
	if err := checkShares(store, g, member); err != nil {
		return fail(err)
	}
	door := NewDoor(member.GatewayUrl, member.GatewayFingerprint, g.ChainID, g.ID[:])
	if err := WriteDoor(h.dir, door); err != nil {
		return fail(err)
	}
	// The genesis comes last: with it the home is ready to start.
	if err := writeFile(h.Genesis(), g.Text); err != nil {
		return fail(err)
	}
	return g, member, nil
}

// readAgreed reads a genesis that must have the agreed hash.
func readAgreed(path, hash string) (*Genesis, error) {
	g, err := ReadGenesis(path)
	if err != nil {
		return nil, err
	}
	if got := HashText(g.Hash); !strings.EqualFold(got, hash) {
		return nil, fmt.Errorf("%w: %s, agreed on %s", ErrWrongHash, got, hash)
	}
	return g, nil
}

// self finds the member of the genesis that this home is, and checks that it says what this home declared.
func (h Home) self(g *Genesis) (consortium.Member, error) {
	_, declared, err := ReadMember(h.Member())
	if err != nil {
		return consortium.Member{}, err
	}
	for _, m := range g.Consortium.Members {
		if !bytes.Equal(m.ConsensusKey, declared.ConsensusKey) {
			continue
		}
		want := declared.Found(m.Number, m.Number, m.Since).Member
		said, err := m.Marshal()
		if err != nil {
			return consortium.Member{}, err
		}
		declaredBytes, err := want.Marshal()
		if err != nil {
			return consortium.Member{}, err
		}
		if !bytes.Equal(said, declaredBytes) {
			return consortium.Member{}, fmt.Errorf("%w: it does not say of %q what this home's member.json says", ErrWrongGenesis, declared.Name)
		}
		return m, nil
	}
	return consortium.Member{}, fmt.Errorf("%w: this home's consensus key %s is no member's", ErrWrongGenesis, hex.EncodeToString(declared.ConsensusKey))
}

// checkShares makes sure that the home has its share of each key that the genesis names, as one does that came from another network.
func checkShares(store *keys.Store, g *Genesis, member consortium.Member) error {
	for _, k := range g.Custody.Keys {
		holder, ok := g.holder(k, member.Number)
		if !ok {
			continue
		}
		kept, err := store.Share(lock.KeyKind(k.Kind), k.Generation, k.ShareEpoch)
		if errors.Is(err, keys.ErrNotFound) {
			return fmt.Errorf("%w: the genesis names this hospital as a holder, and its share is missing", ErrWrongShare)
		}
		if err != nil {
			return err
		}
		if kept.Network != g.ID || kept.Index != member.Number || !bytes.Equal(kept.Scalar.Public().Bytes(), holder.PublicShare) {
			return fmt.Errorf("%w: another share of that key is kept already", ErrWrongShare)
		}
	}
	return nil
}

// holder finds a member among the holders of a key's active epoch.
func (g *Genesis) holder(k custody.Key, member uint64) (custody.Holder, bool) {
	for _, h := range g.Custody.Holders {
		if h.Kind == k.Kind && h.Generation == k.Generation && h.ShareEpoch == k.ShareEpoch && h.Index == member {
			return h, true
		}
	}
	return custody.Holder{}, false
}
