package verify_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	ics23 "github.com/cosmos/ics23/go"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
)

// network is hospitals with their keys and a log of chance, whose exports are made by the code that makes real ones.
type network struct {
	*rand.Rand
	chainID string
	// before is the chain of the block that hands over; where it is set, there is one.
	before  string
	genesis string // path of the file
	// members sign the first blocks, successors those after the hand-over.
	members, successors []ed25519.PrivateKey
	patients            []lock.ID
	entries             []*auditv1.Entry
	leaves              [][]byte
	hashes              [][]byte
}

func newNetwork(t *testing.T, chance *rand.Rand, entries int) *network {
	t.Helper()
	n := &network{Rand: chance, chainID: "phrd-test-<1>"}
	for range 4 {
		n.members, n.successors = append(n.members, n.key()), append(n.successors, n.key())
	}
	for range 3 {
		n.patients = append(n.patients, must(lock.IDFromBytes(n.octets(16))))
	}
	n.genesis = filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(n.genesis, n.genesisFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	for at := int64(1_800_000_000); len(n.entries) < entries; at += n.Int64N(3) {
		n.add(n.entry(at))
	}
	return n
}

func (n *network) octets(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return b
}

func (n *network) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(n.octets(ed25519.SeedSize)) }

// public is the second half of a key (RFC 8032).
func public(key ed25519.PrivateKey) []byte { return key[ed25519.SeedSize:] }

func (n *network) genesisFile() []byte {
	members := []map[string]any{{"status": "MEMBER_STATUS_LEFT", "consensus_key": n.octets(32)}}
	for _, key := range n.members {
		members = append(members, map[string]any{"status": "MEMBER_STATUS_ACTIVE", "consensus_key": public(key)})
	}
	return must(json.Marshal(map[string]any{
		"chain_id": n.chainID, "app_state": map[string]any{"consortium": map[string]any{"network_id": n.octets(32), "members": members}},
	}))
}

func (n *network) entry(at int64) *auditv1.Entry {
	e := &auditv1.Entry{
		Sequence: uint64(len(n.entries) + 1), Height: at - 1_799_999_000, Time: at, Kind: []string{"stored", "opened", "proposed"}[n.IntN(3)], Actor: fmt.Sprintf("phrd1%d", n.IntN(4)),
		Role: "clinician", Hospital: n.Uint64N(5), Outcome: auditv1.Outcome_OUTCOME_OK, Count: n.Uint64N(3) << n.IntN(40),
	}
	if n.IntN(3) > 0 {
		e.Patient = n.patients[n.IntN(len(n.patients))].String()
	}
	for range n.IntN(3) {
		e.Subjects = append(e.Subjects, &auditv1.Subject{Record: hex.EncodeToString(n.octets(4)), Version: n.Uint64N(3), Length: n.Uint64N(1 << 30)})
	}
	if n.IntN(8) == 0 {
		e.Outcome, e.Reason, e.Target = auditv1.Outcome_OUTCOME_REFUSED, "not_endorsed", "Größe “7” \n"
	}
	return e
}

func (n *network) add(e *auditv1.Entry) {
	leaf := must(proto.MarshalOptions{Deterministic: true}.Marshal(e))
	n.entries, n.leaves, n.hashes = append(n.entries, e), append(n.leaves, leaf), append(n.hashes, rfc6962.DefaultHasher.HashLeaf(leaf))
}

// export writes the file of a head, with notes of witnesses. Every second one has a hand-over to other validators.
func (n *network) export(head logproof.Head, notes ...[]byte) []byte {
	var file bytes.Buffer
	n.write(&file, head, notes)
	return file.Bytes()
}

func (n *network) write(file io.Writer, head logproof.Head, notes [][]byte) {
	out := must(logproof.NewWriter(file, head))
	state := n.state(head)
	root := n.prove(state)
	signers := n.members
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	if n.before != "" || n.IntN(2) == 0 {
		check(out.Block(n.block(cmp.Or(n.before, n.chainID), 3, n.octets(32), n.members, n.successors)))
		signers = n.successors
	}
	check(out.Block(n.block(n.chainID, 900, root, signers, signers)))
	check(out.State(state))
	size := len(n.entries)
	for _, text := range notes {
		check(out.Witness(&logproof.Cosigned{Note: text, After: consistency(int(must(logproof.OpenCosigned(text))[0].Checkpoint.Size), n.hashes, true)}))
	}
	first, last := n.stretch(head)
	switch head.Kind {
	case logproof.Growth:
		check(out.Range(&logproof.Range{Last: head.Size, After: consistency(int(head.Size), n.hashes, true)}))
	case logproof.Period:
		before := logproof.Before(uint64(first), uint64(size), inclusion(first-1, n.hashes))
		check(out.Range(&logproof.Range{First: uint64(first), Last: uint64(last), Before: before, After: consistency(last, n.hashes, true)}))
	}
	for i, e := range n.entries {
		switch {
		case head.Kind == logproof.Period && i+1 >= first && i < last, head.Kind == logproof.Patient && e.GetPatient() == head.Patient:
			check(out.Entry(n.leaves[i], nil))
		case head.Kind == logproof.Selection && head.Matches(e):
			check(out.Entry(n.leaves[i], inclusion(i, n.hashes)))
		}
	}
	check(out.Close())
}

// stretch is the period's first and last entry with those at its sides.
func (n *network) stretch(head logproof.Head) (first, last int) {
	first, last = 1, len(n.entries)
	earlier := func(at int64) int {
		return len(n.entries) - len(slices.Collect(func(yield func(int) bool) {
			for i, e := range n.entries {
				if e.GetTime() >= at && !yield(i) {
					return
				}
			}
		}))
	}
	if head.From != 0 {
		first = max(1, earlier(head.From))
	}
	if head.To != 0 {
		last = min(len(n.entries), earlier(head.To)+1)
	}
	return first, last
}

// state is the value that a file of the head ends with.
func (n *network) state(head logproof.Head) *logproof.State {
	if head.Kind != logproof.Patient {
		return &logproof.State{Key: logproof.FrontierKey(), Value: must(proto.Marshal(&auditv1.Frontier{Size: uint64(len(n.entries)), Nodes: frontier(n.hashes)}))}
	}
	var end auditv1.SubjectHead
	for i, e := range n.entries {
		if e.GetPatient() == head.Patient {
			link := lock.H32("phrd/v1/audit/subject", end.GetHead(), lock.Uint(e.GetSequence()), n.hashes[i])
			end.Count, end.Head, end.Last = end.GetCount()+1, link[:], e.GetSequence()
		}
	}
	return &logproof.State{Key: logproof.SubjectKey(must(lock.ParseCanonicalID(head.Patient))), Value: must(proto.Marshal(&end))}
}

// prove puts the value into a store of chance among stores of chance, and gives the hash of the state.
func (n *network) prove(s *logproof.State) []byte {
	inStore := &ics23.ExistenceProof{Key: s.Key, Value: s.Value, Leaf: leafOp(binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(nil, 0), 1), n.Int64N(1<<20)))}
	for height := range int64(n.IntN(5)) {
		prefix := binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(nil, height+1), 2<<height), n.Int64N(1<<20))
		inStore.Path = append(inStore.Path, n.innerOp(append(prefix, 32), 32))
	}
	root := must(inStore.Calculate())
	ofStore := &ics23.ExistenceProof{Key: []byte(logproof.Store), Value: root, Leaf: leafOp([]byte{0})}
	for range n.IntN(5) {
		ofStore.Path = append(ofStore.Path, n.innerOp([]byte{1}, -1))
	}
	for _, p := range []*ics23.ExistenceProof{inStore, ofStore} {
		s.Proof = append(s.Proof, must((&ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: p}}).Marshal()))
	}
	return must(ofStore.Calculate())
}

func leafOp(prefix []byte) *ics23.LeafOp {
	return &ics23.LeafOp{Hash: ics23.HashOp_SHA256, PrehashValue: ics23.HashOp_SHA256, Length: ics23.LengthOp_VAR_PROTO, Prefix: prefix}
}

// innerOp stands left or right of a neighbour of chance, before whose hash the store writes a byte or, with -1, nothing.
func (n *network) innerOp(prefix []byte, length int) *ics23.InnerOp {
	neighbour := n.octets(32)
	if n.IntN(2) == 0 {
		if length >= 0 {
			neighbour = append([]byte{byte(length)}, neighbour...)
		}
		return &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: prefix, Suffix: neighbour}
	}
	prefix = append(prefix, neighbour...)
	if length >= 0 {
		prefix = append(prefix, byte(length))
	}
	return &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: prefix}
}

// block is signed by three or four of its validators.
func (n *network) block(chainID string, height int64, appHash []byte, now, next []ed25519.PrivateKey) *logproof.Block {
	at := time.Unix(1_800_000_000+height, n.Int64N(1e9)).UTC()
	b := &logproof.Block{
		ChainID: chainID, Height: height, Time: at, LastBlock: logproof.BlockID{Hash: n.octets(32), PartsTotal: 1, PartsHash: n.octets(32)},
		LastCommitHash: n.octets(32), DataHash: n.octets(32), ConsensusHash: n.octets(32), AppHash: appHash, LastResultsHash: n.octets(32),
		EvidenceHash: n.octets(32), Proposer: n.octets(20), Round: n.Int32N(3), PartsTotal: 1, PartsHash: n.octets(32),
	}
	b.Version.Block, b.Version.App = 11, n.Uint64N(2)
	b.Validators = validators(now)
	b.ValidatorsHash, b.NextValidatorsHash = logproof.HashValidators(b.Validators), logproof.HashValidators(validators(next))
	away := n.IntN(2 * len(now))
	for i, v := range b.Validators {
		if i == away {
			continue
		}
		for _, key := range now {
			if bytes.Equal(v.Key, public(key)) {
				signed := at.Add(time.Duration(n.Int64N(1e9)))
				b.Signatures = append(b.Signatures, logproof.Signature{Validator: i, Time: signed, Signature: ed25519.Sign(key, b.SignBytes(signed))})
			}
		}
	}
	return b
}

func validators(keys []ed25519.PrivateKey) []logproof.Validator {
	var list []logproof.Validator
	for _, key := range keys {
		list = append(list, logproof.Validator{Key: public(key), Votes: 1})
	}
	logproof.SortValidators(list)
	return list
}

// seen is a note of witnesses who have seen the log up to an entry.
func (n *network) seen(size int, witnesses ...note.Signer) []byte {
	block := sha256.Sum256(n.octets(8))
	text := logproof.Checkpoint{Origin: logproof.Origin(n.chainID), Size: uint64(size), Root: rootOf(n.hashes[:size]), Height: 700, Hash: block[:]}.Text()
	return must(note.Sign(&note.Note{Text: text}, witnesses...))
}

// split is the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func rootOf(hashes [][]byte) []byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := split(len(hashes))
	return rfc6962.DefaultHasher.HashChildren(rootOf(hashes[:k]), rootOf(hashes[k:]))
}

// frontier are the roots of the perfect subtrees, the largest first.
func frontier(hashes [][]byte) [][]byte {
	if len(hashes) == 0 {
		return nil
	}
	k := 1 << (bits.Len(uint(len(hashes))) - 1)
	return append([][]byte{rootOf(hashes[:k])}, frontier(hashes[k:])...)
}

// inclusion is the proof of a leaf (RFC 9162, section 2.1.3.1).
func inclusion(i int, hashes [][]byte) [][]byte {
	if len(hashes) == 1 {
		return nil
	}
	k := split(len(hashes))
	if i < k {
		return append(inclusion(i, hashes[:k]), rootOf(hashes[k:]))
	}
	return append(inclusion(i-k, hashes[k:]), rootOf(hashes[:k]))
}

// consistency is the proof from the log of a size (RFC 9162, section 2.1.4.1).
func consistency(size int, hashes [][]byte, whole bool) [][]byte {
	if size == len(hashes) {
		if whole {
			return nil
		}
		return [][]byte{rootOf(hashes)}
	}
	k := split(len(hashes))
	if size <= k {
		return append(consistency(size, hashes[:k], whole), rootOf(hashes[k:]))
	}
	return append(consistency(size-k, hashes[k:], false), rootOf(hashes[:k]))
}
