package logproof

import (
	"bytes"
	"fmt"

	ics23 "github.com/cosmos/ics23/go"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
)

// Store is the name of the log's store in the state.
const Store = "audit"

// FrontierKey is the key of the log's end in the store.
func FrontierKey() []byte { return []byte{1} }

// SubjectKey is the key of the end of a patient's chain.
func SubjectKey(patient lock.ID) []byte { return append([]byte{2}, patient.Bytes()...) }

// State is a value of the log's store, proven to be in the state of a block: Proof holds two ics23 CommitmentProofs, that of the value
// in the store and that of the store's root in the app hash.
type State struct {
	Key   Hex      `json:"key"`
	Value []byte   `json:"value"`
	Proof [][]byte `json:"proof"`
}

// Verify checks that the value stands at the key in the state with this app hash. The error is ErrState.
func (s *State) Verify(key, appHash []byte) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("state at key %x: %w: %w", []byte(s.Key), fmt.Errorf(format, a...), ErrState)
	}
	if !bytes.Equal(s.Key, key) {
		return fail("want key %x", key)
	}
	if len(s.Proof) != 2 {
		return fail("%d proofs, want that in the store and that of the store", len(s.Proof))
	}
	var inStore, ofStore ics23.CommitmentProof
	for i, p := range []*ics23.CommitmentProof{&inStore, &ofStore} {
		if err := p.Unmarshal(s.Proof[i]); err != nil {
			return fail("proof %d: %w", i+1, err)
		}
		if again, err := p.Marshal(); err != nil || !bytes.Equal(again, s.Proof[i]) {
			return fail("proof %d is not in its canonical form", i+1)
		}
	}
	root, err := inStore.Calculate()
	if err != nil {
		return fail("proof in the store: %w", err)
	}
	if !ics23.VerifyMembership(ics23.IavlSpec, root, &inStore, s.Key, s.Value) {
		return fail("the value is not in the store")
	}
	if !ics23.VerifyMembership(ics23.TendermintSpec, appHash, &ofStore, []byte(Store), root) {
		return fail("the store is not in the state with hash %x", appHash)
	}
	return nil
}

// frontier reads the value as the log's end.
func (s *State) frontier() (*auditv1.Frontier, error) {
	var f auditv1.Frontier
	if err := proto.Unmarshal(s.Value, &f); err != nil {
		return nil, fmt.Errorf("the log's end: %w: %w", err, ErrState)
	}
	return &f, nil
}

// subject reads the value as the end of a patient's chain.
func (s *State) subject() (*auditv1.SubjectHead, error) {
	var h auditv1.SubjectHead
	if err := proto.Unmarshal(s.Value, &h); err != nil {
		return nil, fmt.Errorf("the end of the patient's chain: %w: %w", err, ErrState)
	}
	return &h, nil
}
