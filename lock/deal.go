package lock

import (
	"fmt"
	"io"
	"slices"
)

// Dealing is a dealer's public contribution to a round.
type Dealing struct {
	Dealer      uint64 // member number
	Commitments Commitments
}

// Complaint is a receiver's word that it got no sub-share that fits the commitments. It needs no proof: the dealer answers it in clear
// or is out.
type Complaint struct {
	Round    [64]byte // ρ
	Dealer   uint64
	Receiver uint64
}

// Justification is a dealer's answer to a complaint: the sub-share in clear.
type Justification struct {
	Round    [64]byte // ρ
	Dealer   uint64
	Receiver uint64
	SubShare Scalar
}

// NewPolynomial draws the polynomial that a dealer shares in this round, one that gives every receiver a share it can accept. In a
// reshare its constant term is share, the dealer's old x_i; in the first round share is the zero Scalar. The error is ErrScalar where it
// is not so, that of Validate, or that of random.
func (r Round) NewPolynomial(share Scalar, random io.Reader) (*Polynomial, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.IsFirst() != share.IsZero() {
		return nil, fmt.Errorf("an old share is for a reshare, and needed there: %w", ErrScalar)
	}
	for {
		var a []Scalar
		if !r.IsFirst() {
			a = []Scalar{share}
		}
		p, err := drawPolynomial(a, r.Threshold, random)
		if err != nil {
			return nil, err
		}
		if p.serves(r.Receivers) {
			return p, nil
		}
	}
}

func (p *Polynomial) serves(receivers []Receiver) bool {
	for _, to := range receivers {
		if _, err := p.Share(to.Number); err != nil {
			return false
		}
	}
	return true
}

// CheckDealing checks what everybody can check of a dealing but the proof of knowledge: that the dealer is one of the round's, the number
// of commitments, and in a reshare that the constant term is the dealer's old X_i among the old holders. The error is ErrField, ErrPoint,
// or ErrShare for another constant term.
func (r Round) CheckDealing(d Dealing, old []Holder) error {
	if !slices.Contains(r.Dealers, d.Dealer) {
		return fmt.Errorf("%d is no dealer of the round: %w", d.Dealer, ErrField)
	}
	if err := d.Commitments.check(r.Threshold); err != nil {
		return err
	}
	if r.IsFirst() {
		return nil
	}
	x, known := Committee{Holders: old}.holder(d.Dealer)
	if !known {
		return fmt.Errorf("dealer %d held no share: %w", d.Dealer, ErrField)
	}
	if !d.Commitments[0].Equal(x) {
		return fmt.Errorf("dealer %d shares another secret than its own share: %w", d.Dealer, ErrShare)
	}
	return nil
}

// dealInfo binds a sealed sub-share to round, dealer, receiver and commitments.
func dealInfo(round [64]byte, d Dealing, receiver uint64) ([]byte, error) {
	if err := checkIndex("dealer", d.Dealer); err != nil {
		return nil, err
	}
	if err := checkIndex("receiver", receiver); err != nil {
		return nil, err
	}
	if err := d.Commitments.check(uint64(len(d.Commitments))); err != nil {
		return nil, err
	}
	fields := append([][]byte{round[:], Uint(d.Dealer), Uint(receiver)}, d.Commitments.Bytes()...)
	info := H("phrd/v1/deal", fields...)
	return info[:], nil
}

// SealSubShare seals a sub-share of a dealing to a receiver's round key; its index is the receiver's number. The error is that of
// Commitments.Check, so that a dealer never posts what it could not justify, or that of Seal.
func SealSubShare(key PublicKey, round [64]byte, d Dealing, s SecretShare) ([]byte, error) {
	info, err := dealInfo(round, d, s.Index)
	if err != nil {
		return nil, err
	}
	if err := d.Commitments.Check(uint64(len(d.Commitments)), s); err != nil {
		return nil, err
	}
	return Seal(key, info, s.Value.Bytes())
}

// OpenSubShare opens and checks a sealed sub-share of a dealing; the receiver complains about any error but ErrField: ErrOpen where it
// does not open, ErrScalar where it is no secret scalar, ErrShare where it does not fit the commitments.
func OpenSubShare(key *PrivateKey, round [64]byte, d Dealing, receiver uint64, sealed []byte) (SecretShare, error) {
	info, err := dealInfo(round, d, receiver)
	if err != nil {
		return SecretShare{}, err
	}
	plain, err := key.Open(info, sealed)
	if err != nil {
		return SecretShare{}, err
	}
	defer clear(plain)
	value, err := ParseSecretScalar(plain)
	if err != nil {
		return SecretShare{}, err
	}
	s := SecretShare{Index: receiver, Value: value}
	return s, d.Commitments.Check(uint64(len(d.Commitments)), s)
}

// CheckComplaint returns an error that is ErrField unless the complaint names this round, one of its dealers and one of its receivers.
func (r Round) CheckComplaint(c Complaint) error {
	return r.checkParties(c.Round, c.Dealer, c.Receiver)
}

// CheckJustification checks that a justification answers for a dealing of this round: an error that is ErrShare where the sub-share does
// not fit the commitments, and ErrField, ErrPoint or ErrScalar where something is not allowed.
func (r Round) CheckJustification(j Justification, d Dealing) error {
	if err := r.checkParties(j.Round, j.Dealer, j.Receiver); err != nil {
		return err
	}
	if j.Dealer != d.Dealer {
		return fmt.Errorf("justification of dealer %d for a dealing of %d: %w", j.Dealer, d.Dealer, ErrField)
	}
	return d.Commitments.Check(r.Threshold, SecretShare{Index: j.Receiver, Value: j.SubShare})
}

func (r Round) checkParties(round [64]byte, dealer, receiver uint64) error {
	hash, err := r.Hash()
	switch {
	case err != nil:
		return err
	case hash != round:
		return fmt.Errorf("message of another round: %w", ErrField)
	case !slices.Contains(r.Dealers, dealer):
		return fmt.Errorf("%d is no dealer of the round: %w", dealer, ErrField)
	case !slices.Contains(r.Numbers(), receiver):
		return fmt.Errorf("%d is no receiver of the round: %w", receiver, ErrField)
	}
	return nil
}
