package home

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/custody"
)

// SealedShare is a dealt share on its way to its holder: sealed to the holder's round key, and bound to the key and index that it
// is a share of. It may travel by any way that does not lose it.
type SealedShare struct {
	Network    []byte `json:"network"`
	Kind       uint64 `json:"kind"`
	Generation uint64 `json:"generation"`
	Epoch      uint64 `json:"epoch"`
	Index      uint64 `json:"index"`
	PublicKey  []byte `json:"public_key"`
	Sealed     []byte `json:"sealed"`
}

// info binds everything about the share but its value.
func (s SealedShare) info() []byte {
	h := lock.H("phrd/v1/dealt-share", s.Network, lock.Uint(s.Kind), lock.Uint(s.Generation), lock.Uint(s.Epoch), lock.Uint(s.Index), s.PublicKey)
	return h[:]
}

func sealShare(network lock.Network, key custody.Key, share lock.SecretShare, to lock.PublicKey) (SealedShare, error) {
	s := SealedShare{
		Network: network[:], Kind: uint64(key.Kind), Generation: key.Generation, Epoch: key.ShareEpoch,
		Index: share.Index, PublicKey: key.PublicKey,
	}
	var err error
	s.Sealed, err = lock.Seal(to, s.info(), share.Value.Bytes())
	return s, err
}

// maxShareFile is how many bytes the file of a sealed share has at most.
const maxShareFile = 16 << 10

// readShare reads the file of a sealed share. The error is ErrWrongShare for what is none.
func readShare(path string) (SealedShare, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return SealedShare{}, err
	}
	if stat.Size() > maxShareFile {
		return SealedShare{}, fmt.Errorf("%s: %w: %d bytes, at most %d", path, ErrWrongShare, stat.Size(), maxShareFile)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return SealedShare{}, err
	}
	var s SealedShare
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return SealedShare{}, fmt.Errorf("%s: %w: not the file of a share", path, ErrWrongShare)
	}
	return s, nil
}

// open opens a share with the holder's round key and checks it against the key and the holder that the genesis names.
func (s SealedShare) open(round *lock.PrivateKey, g *Genesis, index uint64) (keys.Share, error) {
	if !bytes.Equal(s.Network, g.ID[:]) {
		return keys.Share{}, fmt.Errorf("%w: it is of another network", ErrWrongShare)
	}
	if s.Index != index {
		return keys.Share{}, fmt.Errorf("%w: it is for member %d, this is member %d", ErrWrongShare, s.Index, index)
	}
	key, ok := g.key(s)
	if !ok {
		return keys.Share{}, fmt.Errorf("%w: the genesis has no such key", ErrWrongShare)
	}
	holder, ok := g.holder(key, index)
	if !ok {
		return keys.Share{}, fmt.Errorf("%w: the genesis names no such holder", ErrWrongShare)
	}
	plain, err := round.Open(s.info(), s.Sealed)
	if err != nil {
		return keys.Share{}, fmt.Errorf("%w: it is not sealed to this home: %w", ErrWrongShare, err)
	}
	value, err := lock.ParseSecretScalar(plain)
	if err != nil {
		return keys.Share{}, fmt.Errorf("%w: %w", ErrWrongShare, err)
	}
	if !bytes.Equal(value.Public().Bytes(), holder.PublicShare) {
		return keys.Share{}, fmt.Errorf("%w: it is not the share whose public side the genesis names", ErrWrongShare)
	}
	return keys.Share{Network: g.ID, Kind: lock.KeyKind(s.Kind), Generation: s.Generation, Epoch: s.Epoch, Index: index, Scalar: value}, nil
}

// key finds the key of a share in the genesis.
func (g *Genesis) key(s SealedShare) (custody.Key, bool) {
	for _, k := range g.Custody.Keys {
		if uint64(k.Kind) == s.Kind && k.Generation == s.Generation && k.ShareEpoch == s.Epoch && bytes.Equal(k.PublicKey, s.PublicKey) {
			return k, true
		}
	}
	return custody.Key{}, false
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
