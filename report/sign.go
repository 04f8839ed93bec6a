package report

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/wallet"
)

// ErrSignature says that a signature is not one of that report, or malformed.
var ErrSignature = errors.New("signature is not one of this report")

// statementTag begins what is signed, so that a signature stands for nothing else.
const statementTag = "phrd/v1/audit-report"

// Statement is what the signer says: that the file with the SHA-256 Report was made of the export with the SHA-256 Export, of that
// period of that chain, up to that block.
type Statement struct {
	ChainID string       `json:"chain_id"`
	From    int64        `json:"from"`
	Until   int64        `json:"until"`
	Height  int64        `json:"block"`
	Hash    logproof.Hex `json:"block_hash"`
	Export  logproof.Hex `json:"export_sha256"`
	Report  logproof.Hex `json:"report_sha256"`
}

// StatementOf is the statement about a file of a report.
func StatementOf(r *Report, file []byte) Statement {
	sum := sha256.Sum256(file)
	return Statement{
		ChainID: r.Proof.ChainID, From: r.Proof.Head.From, Until: r.Proof.Until, Height: r.Proof.Height, Hash: r.Proof.Hash, Export: r.Export[:], Report: sum[:],
	}
}

// text is what is signed, by the wallet's rules for arbitrary data (ADR-36).
func (s Statement) text() []byte {
	return fmt.Appendf(nil, "%s\nchain %s\nperiod %d %d\nblock %d %x\nexport %x\nreport %x\n",
		statementTag, s.ChainID, s.From, s.Until, s.Height, []byte(s.Hash), []byte(s.Export), []byte(s.Report))
}

// Signed is a statement with its signature, the detached file beside a report.
type Signed struct {
	Statement
	Signer    string `json:"signer"`
	PublicKey []byte `json:"public_key"`
	Signature []byte `json:"signature"`
}

// Sign signs a statement with an account's key.
func Sign(s Statement, key *wallet.Key) Signed {
	return Signed{Statement: s, Signer: key.Address(), PublicKey: key.PublicKey(), Signature: key.SignArbitrary(s.text())}
}

// ReadSigned reads a detached signature. The error is ErrSignature.
func ReadSigned(text []byte) (Signed, error) {
	var s Signed
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return s, nil
}

// Verify checks that the signer signed this file. Whether the signer is whom the reader trusts is for the reader to compare, and
// whether the export is, by verifying it. The error is ErrSignature.
func (s Signed) Verify(file []byte) error {
	if sum := sha256.Sum256(file); string(sum[:]) != string(s.Report) {
		return fmt.Errorf("the report has the SHA-256 %x, signed is %x: %w", sum, []byte(s.Report), ErrSignature)
	}
	address, ok := wallet.VerifyArbitrary(s.PublicKey, s.text(), s.Signature)
	if !ok || address != s.Signer {
		return fmt.Errorf("not signed by %s: %w", s.Signer, ErrSignature)
	}
	return nil
}
