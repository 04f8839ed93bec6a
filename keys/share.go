package keys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/phrd/phrd/lock"
)

// Share is one share of one of the network's keys. It is of no use for another network, kind, generation or epoch, or at another
// index.
type Share struct {
	Network    lock.Network
	Kind       lock.KeyKind
	Generation uint64
	Epoch      uint64
	Index      uint64
	Scalar     lock.Scalar // secret
}

// shareFile is the share at rest: JSON, bytes in base64.
type shareFile struct {
	Network    []byte `json:"network"`
	Kind       uint64 `json:"kind"`
	Generation uint64 `json:"generation"`
	Epoch      uint64 `json:"epoch"`
	Index      uint64 `json:"index"`
	Scalar     []byte `json:"scalar"`
}

// ShareName is the name under which a share is kept.
func ShareName(kind lock.KeyKind, generation, epoch uint64) string {
	return fmt.Sprintf("%s%d-%d-%d", SharePrefix, kind, generation, epoch)
}

// Encode is the share as JSON. It is secret.
func (s Share) Encode() ([]byte, error) {
	return json.Marshal(shareFile{
		Network: s.Network[:], Kind: uint64(s.Kind), Generation: s.Generation, Epoch: s.Epoch, Index: s.Index, Scalar: s.Scalar.Bytes(),
	})
}

// DecodeShare reads what Encode wrote. The error is ErrDamaged.
func DecodeShare(encoded []byte) (Share, error) {
	var file shareFile
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return Share{}, fmt.Errorf("%w: a share is JSON", ErrDamaged)
	}
	network, err := lock.NetworkFromBytes(file.Network)
	if err != nil {
		return Share{}, fmt.Errorf("%w: network of a share: %w", ErrDamaged, err)
	}
	kind := lock.KeyKind(file.Kind)
	if err := kind.Check(); err != nil {
		return Share{}, fmt.Errorf("%w: kind of a share: %w", ErrDamaged, err)
	}
	if file.Generation == 0 || file.Epoch == 0 || file.Index == 0 {
		return Share{}, fmt.Errorf("%w: generation, epoch and index of a share count from 1", ErrDamaged)
	}
	scalar, err := lock.ParseSecretScalar(file.Scalar)
	if err != nil {
		return Share{}, fmt.Errorf("%w: scalar of a share: %w", ErrDamaged, err)
	}
	share := Share{Network: network, Kind: kind, Generation: file.Generation, Epoch: file.Epoch, Index: file.Index, Scalar: scalar}
	if again, err := share.Encode(); err != nil || !bytes.Equal(again, encoded) {
		return Share{}, fmt.Errorf("%w: a share is written in one way", ErrDamaged)
	}
	return share, nil
}

// PutShare keeps a share. Errors are those of Put.
func (s *Store) PutShare(share Share) error {
	encoded, err := share.Encode()
	if err != nil {
		return err
	}
	return s.Put(ShareName(share.Kind, share.Generation, share.Epoch), encoded)
}

// Share returns the share of a kind, generation and epoch. Errors are those of Get.
func (s *Store) Share(kind lock.KeyKind, generation, epoch uint64) (Share, error) {
	name := ShareName(kind, generation, epoch)
	encoded, err := s.Get(name)
	if err != nil {
		return Share{}, err
	}
	share, err := DecodeShare(encoded)
	if err != nil {
		return Share{}, fmt.Errorf("key %q: %w", name, err)
	}
	if share.Kind != kind || share.Generation != generation || share.Epoch != epoch {
		return Share{}, fmt.Errorf("key %q: %w: it is another share", name, ErrDamaged)
	}
	return share, nil
}

// ReplaceShare keeps a share in place of another one of that kind, generation and epoch, or of none. Errors are those of Replace.
func (s *Store) ReplaceShare(share Share) error {
	encoded, err := share.Encode()
	if err != nil {
		return err
	}
	return s.Replace(ShareName(share.Kind, share.Generation, share.Epoch), encoded)
}

// ShareNames lists kind, generation and epoch of each share that is kept.
func (s *Store) ShareNames() ([]Share, error) {
	names, err := s.Names(SharePrefix)
	if err != nil {
		return nil, err
	}
	var shares []Share
	for _, name := range names {
		var share Share
		var kind uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, SharePrefix), "%d-%d-%d", &kind, &share.Generation, &share.Epoch); err != nil {
			return nil, fmt.Errorf("key %q: %w: not the name of a share", name, ErrDamaged)
		}
		share.Kind = lock.KeyKind(kind)
		shares = append(shares, share)
	}
	return shares, nil
}
