package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	ics23 "github.com/cosmos/ics23/go"
	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/witness"
)

// consortium is hospitals that sign whatever they like.
type consortium struct {
	t    *testing.T
	keys map[string]ed25519.PrivateKey // by public key
	list []logproof.Validator
}

const chainID = "phrd-test-1"

func newConsortium(t *testing.T) *consortium {
	t.Helper()
	c := &consortium{t: t, keys: map[string]ed25519.PrivateKey{}}
	for range 4 {
		public, private, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		c.keys[string(public)] = private
		c.list = append(c.list, logproof.Validator{Key: public, Votes: 1})
	}
	logproof.SortValidators(c.list)
	return c
}

func (c *consortium) genesis() []byte {
	type member struct {
		Status string `json:"status"`
		Key    []byte `json:"consensus_key"`
	}
	var members []member
	for _, v := range c.list {
		members = append(members, member{"MEMBER_STATUS_ACTIVE", v.Key})
	}
	text, err := json.Marshal(map[string]any{
		"chain_id": chainID, "app_state": map[string]any{"consortium": map[string]any{"network_id": make([]byte, 32), "members": members}},
	})
	require.NoError(c.t, err)
	return text
}

// log is so many entries that begin with a word.
func log(word string, n int) *testonly.Tree {
	tree := testonly.New(rfc6962.DefaultHasher)
	for i := range n {
		tree.AppendData(fmt.Appendf(nil, "%s %d", word, i))
	}
	return tree
}

// end is the log's end in a state that has nothing else.
func (c *consortium) end(tree *testonly.Tree) (state *logproof.State, appHash []byte) {
	c.t.Helper()
	f := &auditv1.Frontier{Size: tree.Size()}
	compactRange := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i := range tree.Size() {
		require.NoError(c.t, compactRange.Append(tree.LeafHash(i), nil))
	}
	f.Nodes = compactRange.Hashes()
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	require.NoError(c.t, err)
	state = &logproof.State{Key: logproof.FrontierKey(), Value: value}
	leaf := func(spec *ics23.ProofSpec, prefix, key, value []byte) []byte {
		p := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: &ics23.ExistenceProof{Key: key, Value: value, Leaf: &ics23.LeafOp{
			Hash: spec.LeafSpec.Hash, PrehashKey: spec.LeafSpec.PrehashKey, PrehashValue: spec.LeafSpec.PrehashValue, Length: spec.LeafSpec.Length, Prefix: prefix,
		}}}}
		encoded, err := p.Marshal()
		require.NoError(c.t, err)
		state.Proof = append(state.Proof, encoded)
		root, err := p.Calculate()
		require.NoError(c.t, err)
		return root
	}
	// A leaf of an IAVL tree: height 0, size 1, version 1, as signed varints.
	root := leaf(ics23.IavlSpec, []byte{0, 2, 2}, state.Key, value)
	return state, leaf(ics23.TendermintSpec, []byte{0}, []byte(logproof.Store), root)
}

// block is signed by all, or by fewer.
func (c *consortium) block(height int64, appHash []byte, signers int) *logproof.Block {
	c.t.Helper()
	validators := logproof.HashValidators(c.list)
	b := &logproof.Block{
		ChainID: chainID, Height: height, Time: time.Unix(1_800_000_000+height, 0).UTC(), ValidatorsHash: validators, NextValidatorsHash: validators,
		AppHash: appHash, Validators: c.list,
	}
	for i := range signers {
		at := b.Time.Add(time.Second)
		b.Signatures = append(b.Signatures, logproof.Signature{Validator: i, Time: at, Signature: ed25519.Sign(c.keys[string(c.list[i].Key)], b.SignBytes(at))})
	}
	return b
}

// shown is what a gateway answers of a log at a height, for what the witness asks.
type shown struct {
	height  int64
	tree    *testonly.Tree
	signers int
	before  *logproof.Block // that the witness has seen; nil for none
	path    [][]byte        // in place of the right one
}

func (c *consortium) file(w *witness.Witness, s shown) ([]byte, *logproof.Block) {
	c.t.Helper()
	head := w.Next().Head
	var file bytes.Buffer
	out, err := logproof.NewWriter(&file, head)
	require.NoError(c.t, err)
	if s.before != nil {
		require.NoError(c.t, out.Block(s.before))
	}
	state, appHash := c.end(s.tree)
	b := c.block(s.height, appHash, s.signers)
	require.NoError(c.t, out.Block(b))
	require.NoError(c.t, out.State(state))
	if head.Size > 0 {
		if s.path == nil && head.Size <= s.tree.Size() {
			s.path, err = s.tree.ConsistencyProof(head.Size, s.tree.Size())
			require.NoError(c.t, err)
		}
		require.NoError(c.t, out.Range(&logproof.Range{Last: head.Size, After: s.path}))
	}
	require.NoError(c.t, out.Close())
	return file.Bytes(), b
}

// begin makes a witness that has seen a log of five entries at block 10.
func begin(t *testing.T) (*consortium, string, *witness.Witness, *logproof.Block) {
	t.Helper()
	c, dir := newConsortium(t), filepath.Join(t.TempDir(), "witness")
	_, err := witness.Create(dir, "auditor.example", c.genesis())
	require.NoError(t, err)
	w, err := witness.Open(dir)
	require.NoError(t, err)
	file, b := c.file(w, shown{height: 10, tree: log("entry", 5), signers: 4})
	_, err = w.Observe(file)
	require.NoError(t, err)
	return c, dir, w, b
}

func checkpoint(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, witness.CheckpointFile))
	require.NoError(t, err)
	return text
}

func evidence(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "evidence-*"))
	require.NoError(t, err)
	return list
}

func TestWitnessFollows(t *testing.T) {
	c, dir, w, seen := begin(t)
	for round := range 3 {
		tree := log("entry", 5+3*round)
		if round == 1 { // it has been restarted
			var err error
			w, err = witness.Open(dir)
			require.NoError(t, err)
		}
		file, b := c.file(w, shown{height: 20 + int64(round), tree: tree, signers: 3, before: seen})
		got, err := w.Observe(file)
		require.NoError(t, err)
		require.Equal(t, logproof.Checkpoint{Origin: "phrd/" + chainID, Size: tree.Size(), Root: tree.Hash(), Height: b.Height, Hash: b.Hash()}, got)
		seen = b

		public, err := os.ReadFile(filepath.Join(dir, witness.PublicKeyFile))
		require.NoError(t, err)
		key, err := logproof.WitnessKey(string(bytes.TrimSpace(public)))
		require.NoError(t, err)
		signed, err := logproof.OpenCosigned(checkpoint(t, dir), key)
		require.NoError(t, err)
		require.Len(t, signed, 1)
		require.True(t, signed[0].Verified)
		require.Equal(t, got, signed[0].Checkpoint)
		require.WithinDuration(t, time.Now(), signed[0].Time, time.Minute)
	}
	require.Empty(t, evidence(t, dir))
}

// What hospitals have signed twice is kept as proof against them, and nothing is signed.
func TestForksAreKept(t *testing.T) {
	for _, fork := range []struct {
		name string
		show func(c *consortium, seen *logproof.Block) shown
	}{
		{"a log that lost its last entry", func(_ *consortium, seen *logproof.Block) shown {
			return shown{height: 11, tree: log("entry", 4), signers: 3, before: seen}
		}},
		{"another block of the height that was seen", func(c *consortium, _ *logproof.Block) shown {
			_, appHash := c.end(log("other", 5))
			return shown{height: 11, tree: log("other", 6), signers: 3, before: c.block(10, appHash, 3)}
		}},
	} {
		t.Run(fork.name, func(t *testing.T) {
			c, dir, w, seen := begin(t)
			before := checkpoint(t, dir)
			file, _ := c.file(w, fork.show(c, seen))
			_, err := w.Observe(file)
			require.ErrorIs(t, err, witness.ErrFork)
			require.Equal(t, before, checkpoint(t, dir))
			kept := evidence(t, dir)
			require.Len(t, kept, 1)
			text, err := os.ReadFile(kept[0])
			require.NoError(t, err)
			require.Equal(t, file, text)
			// It goes on from what it has seen.
			file, _ = c.file(w, shown{height: 12, tree: log("entry", 9), signers: 4, before: seen})
			_, err = w.Observe(file)
			require.NoError(t, err)
		})
	}
}

// What hospitals have not signed accuses nobody but the gateway, and is not signed either.
func TestGatewaysThatLie(t *testing.T) {
	for _, lie := range []struct {
		name string
		show func(c *consortium, seen *logproof.Block) shown
		want error
	}{
		{"too few signatures", func(_ *consortium, seen *logproof.Block) shown {
			return shown{height: 11, tree: log("entry", 6), signers: 2, before: seen}
		}, logproof.ErrBlock},
		{"too few signatures under a shorter log", func(_ *consortium, seen *logproof.Block) shown {
			return shown{height: 11, tree: log("entry", 4), signers: 2, before: seen}
		}, logproof.ErrBlock},
		{"too few signatures under another block", func(c *consortium, _ *logproof.Block) shown {
			_, appHash := c.end(log("other", 5))
			return shown{height: 11, tree: log("other", 6), signers: 4, before: c.block(10, appHash, 2)}
		}, logproof.ErrTrust},
		{"no proof that the log goes on", func(_ *consortium, seen *logproof.Block) shown {
			return shown{height: 11, tree: log("entry", 7), signers: 4, before: seen, path: [][]byte{make([]byte, 32)}}
		}, logproof.ErrEntry},
		{"not the block that was seen", func(c *consortium, _ *logproof.Block) shown {
			return shown{height: 11, tree: log("entry", 7), signers: 4}
		}, logproof.ErrTrust},
	} {
		t.Run(lie.name, func(t *testing.T) {
			c, dir, w, seen := begin(t)
			before := checkpoint(t, dir)
			file, _ := c.file(w, lie.show(c, seen))
			_, err := w.Observe(file)
			require.ErrorIs(t, err, lie.want)
			require.NotErrorIs(t, err, witness.ErrFork)
			require.Empty(t, evidence(t, dir))
			require.Equal(t, before, checkpoint(t, dir))
		})
	}
}

// An answer to an earlier question, and one to another one, are none.
func TestAnswersToOtherQuestions(t *testing.T) {
	c, dir, w, seen := begin(t)
	early, b := c.file(w, shown{height: 11, tree: log("entry", 6), signers: 4, before: seen})
	_, err := w.Observe(early)
	require.NoError(t, err)
	_, err = w.Observe(early)
	require.ErrorIs(t, err, logproof.ErrEntry)
	_, err = w.Observe(nil)
	require.ErrorIs(t, err, logproof.ErrFormat)
	file, _ := c.file(w, shown{height: 12, tree: log("entry", 6), signers: 4, before: b})
	sum := sha256.Sum256(file)
	file[len(file)-10] ^= sum[0] | 1
	_, err = w.Observe(file)
	require.ErrorIs(t, err, logproof.ErrFormat)
	require.Empty(t, evidence(t, dir))
}

func TestFolders(t *testing.T) {
	c, dir, _, _ := begin(t)
	_, err := witness.Create(dir, "auditor.example", c.genesis())
	require.ErrorIs(t, err, witness.ErrExists)
	_, err = witness.Create(t.TempDir(), "auditor.example", []byte("{}"))
	require.ErrorIs(t, err, logproof.ErrTrust)
	for _, name := range []string{"", "two words", "a+b"} {
		fresh := filepath.Join(t.TempDir(), "witness")
		_, err = witness.Create(fresh, name, c.genesis())
		require.Error(t, err, "%q", name)
		require.NoDirExists(t, fresh)
	}
	_, err = witness.Open(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	// A state that can't be read is not one that is missing: a witness that began anew would sign another past.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state.json"), []byte("{"), 0o600))
	_, err = witness.Open(dir)
	require.Error(t, err)
	info, err := os.Stat(filepath.Join(dir, witness.KeyFile))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}
