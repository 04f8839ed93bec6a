package lock

import (
	"fmt"
	"io"
)

// Release is what holders answer: the blinded points of one unlock under one generation of the network's key.
type Release struct {
	Network    Network
	Unlock     [32]byte // the unlock's id
	Generation [64]byte // gen
	M          []Point  // M_1 … M_n in the proposal's order, 1 … 64
}

// Share is one holder's answer. A share names its epoch; only shares of one epoch join.
type Share struct {
	Epoch uint64  // share epoch, from 1
	Index uint64  // the holder's member number, 1 … 2^32−1
	D     []Point // D_k = x_i·M_k in the release's order
	Proof []byte  // 64 bytes
}

// NewShare answers a release with the share x_i of an epoch. The error is ErrField, ErrPoint or ErrScalar where an argument is not
// allowed, else that of random.
func (r Release) NewShare(epoch, index uint64, secret Scalar, random io.Reader) (Share, error) {
	s, public, err := r.answer(epoch, index, secret)
	if err != nil {
		return Share{}, err
	}
	s.Proof, err = kindShare.prove(r.label(s, public), secret, public, r.M, s.D, random)
	return s, err
}

// answer is the share without its proof, and X_i.
func (r Release) answer(epoch, index uint64, secret Scalar) (Share, Point, error) {
	if err := secret.checkSecret("share"); err != nil {
		return Share{}, Point{}, err
	}
	s := Share{Epoch: epoch, Index: index}
	for _, m := range r.M {
		s.D = append(s.D, m.Mul(secret).encoded())
	}
	return s, secret.Public().encoded(), r.check(s)
}

// Verify checks a share against its holder's public share X_i: an error that is ErrProof where it is not x_i·M for every M, and
// ErrField or ErrPoint where it is malformed.
func (r Release) Verify(s Share, holder Point) error {
	if err := r.check(s); err != nil {
		return err
	}
	return kindShare.verify(r.label(s, holder), holder, r.M, s.D, s.Proof)
}

func (r Release) check(s Share) error {
	if err := checkNumber("share epoch", s.Epoch); err != nil {
		return err
	}
	if err := checkIndex("index", s.Index); err != nil {
		return err
	}
	if len(r.M) < 1 || len(r.M) > MaxBatch || len(s.D) != len(r.M) {
		return fmt.Errorf("share of %d points for a release of %d: %w", len(s.D), len(r.M), ErrField)
	}
	for _, d := range s.D {
		if err := d.check("D"); err != nil {
			return err
		}
	}
	return nil
}

func (r Release) label(s Share, holder Point) [64]byte {
	fields := [][]byte{r.Network[:], r.Unlock[:], r.Generation[:], Uint(s.Epoch), Uint(s.Index), holder.Bytes(), Uint(uint64(len(r.M)))}
	for i := range r.M {
		fields = append(fields, r.M[i].Bytes(), s.D[i].Bytes())
	}
	return H("phrd/v1/share", fields...)
}
