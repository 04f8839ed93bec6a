package lock

import (
	"crypto"
	_ "crypto/sha512" // SHA-512 for crypto.SHA512
	"fmt"
	"io"
	"slices"

	"github.com/cloudflare/circl/zk/dleq"
)

const (
	// ProofSize is the length in bytes of a proof, c‖s.
	ProofSize = 64
	// MaxBatch is how many pairs of points one proof speaks for at most.
	MaxBatch = 64
)

// kind says what a proof proves; with the label it is the context string of RFC 9497.
type kind string

const (
	kindEncap kind = "phrd/v1/encap/"
	kindReq   kind = "phrd/v1/req/"
	kindShare kind = "phrd/v1/share/"
	kindPoK   kind = "phrd/v1/pok/"
	kindPoP   kind = "phrd/v1/pop/"
)

// statement says that public = secret·G and out[i] = secret·in[i] for all i, under a context string.
type statement struct {
	context []byte
	public  Point
	in, out []Point
}

func (k kind) statement(label [64]byte, public Point, in, out []Point) statement {
	return statement{append([]byte(k), label[:]...), public, in, out}
}

// prove proves the statement that public, in and out make under a label of this kind.
func (k kind) prove(label [64]byte, secret Scalar, public Point, in, out []Point, random io.Reader) ([]byte, error) {
	nonce, err := k.nonce(secret, label, random)
	if err != nil {
		return nil, err
	}
	return k.statement(label, public, in, out).prove(secret, nonce)
}

// verify returns an error that is ErrProof unless proof is what prove makes.
func (k kind) verify(label [64]byte, public Point, in, out []Point, proof []byte) error {
	return k.statement(label, public, in, out).verify(proof)
}

func (s statement) params() dleq.Params {
	return dleq.Params{G: ristretto, H: crypto.SHA512, DST: s.context}
}

// prove proves the statement. Two proofs of different statements with one nonce give the secret away.
func (s statement) prove(secret, nonce Scalar) ([]byte, error) {
	if err := secret.checkSecret("secret of a proof"); err != nil {
		return nil, err
	}
	if err := nonce.checkSecret("nonce"); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	proof, err := dleq.Prover{Params: s.params()}.ProveBatchWithRandomnessRFC9497(
		secret.scalar(), s.public.element(), elements(s.in), elements(s.out), nonce.scalar())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return proof.MarshalBinary()
}

func (s statement) verify(proof []byte) error {
	if err := s.check(); err != nil {
		return err
	}
	if len(proof) != ProofSize {
		return fmt.Errorf("%d bytes, not %d: %w", len(proof), ProofSize, ErrProof)
	}
	for _, half := range [][]byte{proof[:ScalarSize], proof[ScalarSize:]} {
		if _, err := ParseScalar(half); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
	}
	var parsed dleq.Proof
	if err := parsed.UnmarshalBinary(ristretto, proof); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if !(dleq.Verifier{Params: s.params()}).VerifyBatchRFC9497(s.public.element(), elements(s.in), elements(s.out), &parsed) {
		return ErrProof
	}
	return nil
}

// check refuses identities, which have a proof for every secret, and batches that are not 1 … 64 pairs.
func (s statement) check() error {
	if len(s.in) != len(s.out) || len(s.in) < 1 || len(s.in) > MaxBatch {
		return fmt.Errorf("batch of %d and %d points: %w", len(s.in), len(s.out), ErrField)
	}
	for _, p := range slices.Concat([]Point{s.public}, s.in, s.out) {
		if err := p.check("point of a batch"); err != nil {
			return err
		}
	}
	return nil
}
