package lock

import "io"

// popBase is the label of a holder's proof of possession and Q.
func popBase(round [64]byte, h Holder) (label [64]byte, q Point, err error) {
	if err := checkIndex("index", h.Index); err != nil {
		return label, q, err
	}
	if err := h.X.check("public share"); err != nil {
		return label, q, err
	}
	label = H("phrd/v1/pop", round[:], Uint(h.Index), h.X.Bytes())
	return label, witnessBase("pop", label), nil
}

// ProvePossession proves that a receiver of a round (ρ) holds its new share, 96 bytes: x_i·Q and the proof. By it a holder confirms.
func ProvePossession(round [64]byte, share SecretShare, random io.Reader) ([]byte, error) {
	if err := share.Value.checkSecret("share"); err != nil {
		return nil, err
	}
	label, q, err := popBase(round, Holder{Index: share.Index, X: share.Value.Public()})
	if err != nil {
		return nil, err
	}
	return kindPoP.witness(label, q, share.Value, random)
}

// VerifyPossession checks ProvePossession: an error that is ErrProof where the proof does not hold, ErrField or ErrPoint where an argument
// is not allowed.
func VerifyPossession(round [64]byte, h Holder, witness []byte) error {
	label, q, err := popBase(round, h)
	if err != nil {
		return err
	}
	return kindPoP.verifyWitness(label, q, h.X, witness)
}
