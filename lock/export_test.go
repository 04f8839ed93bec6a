package lock

import (
	"crypto/hpke"
	"fmt"
)

// What the vectors give and the package keeps to itself: nonces, shares without proofs, tags of other protocols.

// Kinds of proofs.
const (
	KindEncap = kindEncap
	KindReq   = kindReq
	KindShare = kindShare
	KindPoK   = kindPoK
	KindPoP   = kindPoP
)

// Hedge is the nonce for fresh bytes.
func (k kind) Hedge(secret Scalar, label [64]byte, fresh [32]byte) Scalar {
	return k.hedge(secret, label, fresh)
}

// ProveWith proves with a nonce that is given.
func (k kind) ProveWith(nonce Scalar, label [64]byte, secret Scalar, in, out []Point) ([]byte, error) {
	return k.statement(label, secret.Public(), in, out).prove(secret, nonce)
}

// ProveIn and VerifyIn are the proof under any context string.
func ProveIn(context string, nonce, secret Scalar, public Point, in, out []Point) ([]byte, error) {
	return statement{[]byte(context), public, in, out}.prove(secret, nonce)
}

// VerifyIn verifies what ProveIn makes.
func VerifyIn(context string, public Point, in, out []Point, proof []byte) error {
	return statement{[]byte(context), public, in, out}.verify(proof)
}

// HashToGroupTag is HashToGroup with another tag.
func HashToGroupTag(message []byte, tag string) Point { return hashToGroup(message, tag) }

// HashToScalar is the hash of a proof's parts under any context string.
func HashToScalar(context string, message []byte) Scalar {
	return statement{context: []byte(context)}.hashToScalar(message)
}

// ParseCoefficient reads a commitment A_k, k ≥ 1.
func ParseCoefficient(b []byte) (Point, error) { return parseCoefficient(b) }

// PublicSum is Σ weights[i]·points[i].
func PublicSum(weights []Scalar, points []Point) Point { return publicSum(weights, points) }

// PublicSumWithG is s·G + c·P.
func PublicSumWithG(s, c Scalar, p Point) Point { return publicSumWithG(s, c, p) }

// OpenHPKE opens one message under our KDF and schedule, with a KEM and an AEAD that may be others, since no published vector has ours
// together. It returns the public key of the private key too.
func OpenHPKE(kemID, aeadID uint16, private, enc, info, aad, ciphertext []byte) (public, plaintext []byte, err error) {
	kem, err := hpke.NewKEM(kemID)
	if err != nil {
		return nil, nil, err
	}
	other, err := hpke.NewAEAD(aeadID)
	if err != nil {
		return nil, nil, err
	}
	if kemID == xwing.ID() {
		kem = xwing
	}
	if aeadID == aead.ID() {
		other = aead
	}
	key, err := kem.NewPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	r, err := hpke.NewRecipient(enc, key, kdf, other, info)
	if err != nil {
		return nil, nil, err
	}
	plaintext, err = r.Open(aad, ciphertext)
	return key.PublicKey().Bytes(), plaintext, err
}

// SuiteIDs are the KEM, KDF and AEAD of own halves, capsules and deals.
func SuiteIDs() [3]uint16 { return [3]uint16{xwing.ID(), kdf.ID(), aead.ID()} }

// Generator is G.
func Generator() Point { return generator }

// Lagrange is λ at 0.
func Lagrange(indexes []uint64) ([]Scalar, error) { return lagrange(indexes) }

// Inverse is s⁻¹.
func (s Scalar) Inverse() Scalar { return s.inverse() }

// Times is s·t.
func (s Scalar) Times(t Scalar) Scalar { return s.mul(t) }

// Minus is s − t.
func (s Scalar) Minus(t Scalar) Scalar { return s.sub(t) }

// Plus is s + t.
func (s Scalar) Plus(t Scalar) Scalar { return s.add(t) }

// Reduce takes 64 bytes modulo the order.
func Reduce(wide [64]byte) Scalar { return reduce(wide) }

// Label is the label of a share's proof.
func (r Release) Label(s Share, holder Point) [64]byte { return r.label(s, holder) }

// DealInfo is the info of a sealed sub-share.
func DealInfo(round [64]byte, d Dealing, receiver uint64) ([]byte, error) {
	return dealInfo(round, d, receiver)
}

// PoKBase is label and Q of a proof of knowledge.
func PoKBase(round [64]byte, d Dealing) ([64]byte, Point, error) { return pokBase(round, d) }

// PoPBase is label and Q of a proof of possession.
func PoPBase(round [64]byte, h Holder) ([64]byte, Point, error) { return popBase(round, h) }

// CombineVerified joins shares whose proofs were checked; all have n points.
func CombineVerified(b Scalar, threshold uint64, n int, shares []Share) (Combined, error) {
	epochs := map[uint64]bool{}
	var committees []Committee
	for _, s := range shares {
		if !epochs[s.Epoch] {
			committees = append(committees, Committee{Epoch: s.Epoch, Threshold: threshold})
		}
		epochs[s.Epoch] = true
	}
	r := Release{M: make([]Point, n)}
	chosen, err := choose(committees, shares, func(_ Committee, s Share) bool { return r.check(s) == nil })
	if err != nil {
		return Combined{}, err
	}
	return join(b, chosen)
}

// CombineWith joins shares with b given.
func CombineWith(b Scalar, r Release, committees []Committee, shares []Share) (Combined, error) {
	return combine(b, r, committees, shares)
}

// CheckLambda compares λ of a reshare's result.
func (r Result) CheckLambda(want [][]byte) error {
	if len(want) != len(r.weights) {
		return fmt.Errorf("%d weights, want %d", len(r.weights), len(want))
	}
	for i, w := range r.weights {
		if string(w.Bytes()) != string(want[i]) {
			return fmt.Errorf("weight %d differs", i)
		}
	}
	return nil
}
