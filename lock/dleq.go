package lock

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
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

// prove proves the statement. Two proofs of different statements with one nonce give the secret away. What is multiplied by secret and
// nonce is so in constant time.
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
	m := publicSum(s.weights(), s.in)
	c := s.challenge(m, m.Mul(secret), nonce.Public(), m.Mul(nonce))
	return append(c.Bytes(), nonce.sub(c.mul(secret)).Bytes()...), nil
}

// verify returns an error that is ErrProof unless proof is one of the statement. All of it is public, so its time depends on it.
func (s statement) verify(proof []byte) error {
	if err := s.check(); err != nil {
		return err
	}
	if len(proof) != ProofSize {
		return fmt.Errorf("%d bytes, not %d: %w", len(proof), ProofSize, ErrProof)
	}
	c, err := ParseScalar(proof[:ScalarSize])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	r, err := ParseScalar(proof[ScalarSize:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	weights := s.weights()
	m, z := publicSum(weights, s.in), publicSum(weights, s.out)
	t2, t3 := publicSumWithG(r, c, s.public), publicSum([]Scalar{r, c}, []Point{m, z})
	if !s.challenge(m, z, t2, t3).Equal(c) {
		return ErrProof
	}
	return nil
}

// weights are the d_i of ComputeComposites, RFC 9497, section 2.2.1, by which the pairs of a batch become one, M = Σ d_i·in[i] and
// Z = Σ d_i·out[i]. They follow from what the proof is about, so they are no more secret than that.
func (s statement) weights() []Scalar {
	seed := sha512.Sum512(appendShort(appendShort(nil, s.public.Bytes()), append([]byte("Seed-"), s.context...)))
	weights := make([]Scalar, len(s.in))
	for i := range s.in {
		b := appendShort(nil, seed[:])
		b = binary.BigEndian.AppendUint16(b, uint16(i))
		b = appendShort(appendShort(b, s.in[i].Bytes()), s.out[i].Bytes())
		weights[i] = s.hashToScalar(append(b, "Composite"...))
	}
	return weights
}

// challenge is c, a hash of the composites and of t2 = nonce·G and t3 = nonce·M, which who verifies has as r·G + c·public and r·M + c·Z.
func (s statement) challenge(m, z, t2, t3 Point) Scalar {
	var b []byte
	for _, p := range []Point{s.public, m, z, t2, t3} {
		b = appendShort(b, p.Bytes())
	}
	return s.hashToScalar(append(b, "Challenge"...))
}

// hashToScalar is HashToScalar of RFC 9497, section 4.1.
func (s statement) hashToScalar(message []byte) Scalar {
	return reduce(expandMessage(message, "HashToScalar-"+string(s.context)))
}

// appendShort appends the length of x as two bytes, big-endian, then x.
func appendShort(dst, x []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(x)))
	return append(dst, x...)
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
