package report

import (
	"crypto/sha256"
	"io"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// Make verifies an export against what is trusted and makes its report. It reads the export once, to its end. The error is ErrRules,
// ErrIncomplete, or one of logproof.Verify.
func Make(export io.Reader, trust logproof.Trust, rules Rules) (*Report, error) {
	b, err := NewBuilder(rules)
	if err != nil {
		return nil, err
	}
	whole := sha256.New()
	// What was taken of an export that proves nothing is dropped with the builder.
	proof, err := logproof.Verify(io.TeeReader(export, whole), trust, func(e *auditv1.Entry) error { b.Add(e); return nil })
	if err != nil {
		return nil, err
	}
	return b.Report(proof, [sha256.Size]byte(whole.Sum(nil)))
}
