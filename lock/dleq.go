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

func (k kind) params(label [64]byte) dleq.Params {
	return dleq.Params{G: ristretto, H: crypto.SHA512, DST: append([]byte(k), label[:]...)}
}

// prove shows that public = secret·G and out[i] = secret·in[i] for all i.
func (k kind) prove(label [64]byte, secret Scalar, public Point, in, out []Point, random io.Reader) ([]byte, error) {
	nonce, err := k.nonce(secret, label, random)
	if err != nil {
		return nil, err
	}
	return k.proveWith(nonce, label, secret, public, in, out)
}

// proveWith is prove with the nonce given. Two proofs with one nonce give the secret away.
func (k kind) proveWith(nonce Scalar, label [64]byte, secret Scalar, public Point, in, out []Point) ([]byte, error) {
	if err := secret.checkSecret("secret of a proof"); err != nil {
		return nil, err
	}
	if err := nonce.checkSecret("nonce"); err != nil {
		return nil, err
	}
	if err := checkBatch(public, in, out); err != nil {
		return nil, err
	}
	proof, err := dleq.Prover{Params: k.params(label)}.ProveBatchWithRandomnessRFC9497(
		secret.scalar(), public.element(), elements(in), elements(out), nonce.scalar())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return proof.MarshalBinary()
}

// verify returns an error that is ErrProof unless proof shows what prove shows.
func (k kind) verify(label [64]byte, public Point, in, out []Point, proof []byte) error {
	if err := checkBatch(public, in, out); err != nil {
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
	if !(dleq.Verifier{Params: k.params(label)}).VerifyBatchRFC9497(public.element(), elements(in), elements(out), &parsed) {
		return ErrProof
	}
	return nil
}

// checkBatch refuses identities, which have a proof for every secret, and batches that are not 1 … 64 pairs.
func checkBatch(public Point, in, out []Point) error {
	if len(in) != len(out) || len(in) < 1 || len(in) > MaxBatch {
		return fmt.Errorf("batch of %d and %d points: %w", len(in), len(out), ErrField)
	}
	for _, p := range slices.Concat([]Point{public}, in, out) {
		if err := p.check("point of a batch"); err != nil {
			return err
		}
	}
	return nil
}
