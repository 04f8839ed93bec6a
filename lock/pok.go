package lock

import (
	"fmt"
	"io"
)

// WitnessSize is the length in bytes of a proof of knowledge or of possession: secret·Q, then the DLEQ proof.
const WitnessSize = PointSize + ProofSize

// pokBase is the label of a dealing's proof of knowledge and Q.
func pokBase(round [64]byte, d Dealing) (label [64]byte, q Point, err error) {
	if err := checkIndex("dealer", d.Dealer); err != nil {
		return label, q, err
	}
	if err := d.Commitments.check(uint64(len(d.Commitments))); err != nil {
		return label, q, err
	}
	fields := append([][]byte{round[:], Uint(d.Dealer)}, d.Commitments.Bytes()...)
	label = H("phrd/v1/pok", fields...)
	return label, witnessBase("pok", label), nil
}

// ProveKnowledge proves that a dealer of a round (ρ) knows the constant term of its polynomial, 96 bytes: a_0·Q and the proof. Without it
// a dealer who goes last could choose the sum.
func ProveKnowledge(round [64]byte, dealer uint64, p *Polynomial, random io.Reader) ([]byte, error) {
	d := Dealing{Dealer: dealer, Commitments: p.Commitments()}
	label, q, err := pokBase(round, d)
	if err != nil {
		return nil, err
	}
	return kindPoK.witness(label, q, p.Secret(), random)
}

// VerifyKnowledge checks ProveKnowledge: an error that is ErrProof where the proof does not hold, ErrField or ErrPoint where an argument
// is not allowed.
func VerifyKnowledge(round [64]byte, d Dealing, witness []byte) error {
	label, q, err := pokBase(round, d)
	if err != nil {
		return err
	}
	return kindPoK.verifyWitness(label, q, d.Commitments[0], witness)
}

// witnessBase is Q, a point whose logarithm nobody knows.
func witnessBase(name string, label [64]byte) Point {
	return HashToGroup(append(AppendLP(nil, []byte(name)), label[:]...))
}

func (k kind) witness(label [64]byte, q Point, secret Scalar, random io.Reader) ([]byte, error) {
	image := q.Mul(secret)
	proof, err := k.prove(label, secret, secret.Public(), []Point{q}, []Point{image}, random)
	if err != nil {
		return nil, err
	}
	return append(image.Bytes(), proof...), nil
}

func (k kind) verifyWitness(label [64]byte, q, public Point, witness []byte) error {
	if len(witness) != WitnessSize {
		return fmt.Errorf("%d bytes, not %d: %w", len(witness), WitnessSize, ErrProof)
	}
	image, err := ParsePoint(witness[:PointSize])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return k.verify(label, public, []Point{q}, []Point{image}, witness[PointSize:])
}
