package logproof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/encoding/protowire"
)

// Errors by which a caller tells what does not hold. All of them come wrapped with the facts.
var (
	// ErrFormat says that a file is no export, or is damaged, cut off, or not in its canonical form.
	ErrFormat = errors.New("not an intact export of the log")
	// ErrBlock says that a block is not what its hospitals signed, or too few of them did.
	ErrBlock = errors.New("block is not signed by more than two thirds")
	// ErrTrust says that a file does not begin with what is trusted.
	ErrTrust = errors.New("does not follow from what is trusted")
	// ErrOtherBlock is ErrTrust where the file has another block of the height that is trusted.
	ErrOtherBlock = fmt.Errorf("another block of that height: %w", ErrTrust)
	// ErrState says that a value is not in the state of the block.
	ErrState = errors.New("value is not in the state")
	// ErrWitness says that what a witness has signed is not the log of the file, or that the signature is not the witness's.
	ErrWitness = errors.New("not what the witness has seen")
	// ErrShrunk is ErrEntry where the log has fewer entries than it had.
	ErrShrunk = fmt.Errorf("the log has shrunk: %w", ErrEntry)
	// ErrEntry says that entries were altered, left out, repeated, put into another order, or are not those that were asked for.
	ErrEntry = errors.New("entries are not those of the log")
)

// Hex are bytes that JSON shows as lower-case hex digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	*h = b
	return err
}

// BlockID names a block: its hash and that of its parts (CometBFT, spec/core/data_structures.md, BlockID).
type BlockID struct {
	Hash       Hex    `json:"hash"`
	PartsTotal uint32 `json:"parts_total"`
	PartsHash  Hex    `json:"parts_hash"`
}

// Validator is the key of a hospital's validator, ed25519, 32 bytes, and its votes.
type Validator struct {
	Key   []byte `json:"key"`
	Votes int64  `json:"votes"`
}

// Signature is a validator's precommit for the block.
type Signature struct {
	// Validator is its place in the block's list, from 0.
	Validator int       `json:"validator"`
	Time      time.Time `json:"time"`
	Signature []byte    `json:"signature"`
}

// Block is the header of a block with the signatures under it (CometBFT, spec/core/data_structures.md, Header and Commit).
type Block struct {
	Version struct {
		Block uint64 `json:"block"`
		App   uint64 `json:"app"`
	} `json:"version"`
	ChainID            string    `json:"chain_id"`
	Height             int64     `json:"height"`
	Time               time.Time `json:"time"`
	LastBlock          BlockID   `json:"last_block"`
	LastCommitHash     Hex       `json:"last_commit_hash"`
	DataHash           Hex       `json:"data_hash"`
	ValidatorsHash     Hex       `json:"validators_hash"`
	NextValidatorsHash Hex       `json:"next_validators_hash"`
	ConsensusHash      Hex       `json:"consensus_hash"`
	AppHash            Hex       `json:"app_hash"`
	LastResultsHash    Hex       `json:"last_results_hash"`
	EvidenceHash       Hex       `json:"evidence_hash"`
	Proposer           Hex       `json:"proposer"`

	// Round in which the block was decided, and its parts.
	Round      int32  `json:"round"`
	PartsTotal uint32 `json:"parts_total"`
	PartsHash  Hex    `json:"parts_hash"`
	// Validators are all of this height, in their order: by votes, the most first, then by address.
	Validators []Validator `json:"validators"`
	// Signatures by the places of those who signed, ascending.
	Signatures []Signature `json:"signatures"`
}

// inUTC tells whether all times of the block are written in UTC; in another zone the same time has another text.
func (b *Block) inUTC() bool {
	utc := func(t time.Time) bool { return t.Location() == time.UTC }
	return utc(b.Time) && !slices.ContainsFunc(b.Signatures, func(s Signature) bool { return !utc(s.Time) })
}

// Hash is the hash of the header: the Merkle root over its fields as protobuf.
func (b *Block) Hash() []byte {
	var version []byte
	version = appendUint(version, 1, b.Version.Block)
	version = appendUint(version, 2, b.Version.App)
	return merkleRoot([][]byte{
		version, wrapped([]byte(b.ChainID)), appendUint(nil, 1, uint64(b.Height)), timestamp(b.Time), b.LastBlock.encode(),
		wrapped(b.LastCommitHash), wrapped(b.DataHash), wrapped(b.ValidatorsHash), wrapped(b.NextValidatorsHash), wrapped(b.ConsensusHash),
		wrapped(b.AppHash), wrapped(b.LastResultsHash), wrapped(b.EvidenceHash), wrapped(b.Proposer),
	})
}

// encode is the BlockID as protobuf: {1: hash, 2: {1: total, 2: hash}}.
func (id BlockID) encode() []byte {
	var parts []byte
	parts = appendUint(parts, 1, uint64(id.PartsTotal))
	parts = appendBytes(parts, 2, id.PartsHash)
	out := appendBytes(nil, 1, id.Hash)
	out = protowire.AppendTag(out, 2, protowire.BytesType)
	return protowire.AppendBytes(out, parts)
}

// HashValidators is the Merkle root over validators in their order, as blocks name it.
func HashValidators(list []Validator) []byte {
	leaves := make([][]byte, len(list))
	for i, v := range list {
		key := appendBytes(nil, 1, v.Key)
		leaf := protowire.AppendTag(nil, 1, protowire.BytesType)
		leaf = protowire.AppendBytes(leaf, key)
		leaves[i] = appendUint(leaf, 2, uint64(v.Votes))
	}
	return merkleRoot(leaves)
}

// SortValidators brings validators into their order: by votes, the most first, then by address.
func SortValidators(list []Validator) {
	slices.SortFunc(list, func(a, b Validator) int {
		if a.Votes != b.Votes {
			return int(b.Votes - a.Votes)
		}
		return bytes.Compare(a.address(), b.address())
	})
}

// address is the first 20 bytes of the key's SHA-256.
func (v Validator) address() []byte {
	sum := sha256.Sum256(v.Key)
	return sum[:20]
}

// maxVotes bounds the votes of one validator, so that sums and products stay in bounds.
const maxVotes = 1 << 40

// Verify checks that validators of this hash, and no others, signed the block of the chain with more than two thirds of their votes,
// and that every signature is right. The error is ErrBlock.
func (b *Block) Verify(chainID string, validators []byte) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("block %d: %w: %w", b.Height, fmt.Errorf(format, a...), ErrBlock)
	}
	if b.ChainID != chainID {
		return fail("it is of chain %q, not %q", b.ChainID, chainID)
	}
	if !bytes.Equal(b.ValidatorsHash, validators) {
		return fail("its hospitals hash to %x, not %x", []byte(b.ValidatorsHash), validators)
	}
	if !bytes.Equal(HashValidators(b.Validators), validators) {
		return fail("its list of hospitals is another one")
	}
	var all, signed int64
	for i, v := range b.Validators {
		if len(v.Key) != ed25519.PublicKeySize || v.Votes <= 0 || v.Votes > maxVotes {
			return fail("hospital %d has no key or no votes", i)
		}
		all += v.Votes
	}
	last := -1
	for _, s := range b.Signatures {
		if s.Validator <= last || s.Validator >= len(b.Validators) {
			return fail("signature of hospital %d after that of %d", s.Validator, last)
		}
		last = s.Validator
		v := b.Validators[last]
		if !ed25519.Verify(v.Key, b.SignBytes(s.Time), s.Signature) {
			return fail("signature of hospital %d is wrong", last)
		}
		signed += v.Votes
	}
	if 3*signed <= 2*all {
		return fail("%d of %d votes", signed, all)
	}
	return nil
}

// SignBytes is what a validator signs at a time: the canonical vote, a precommit, preceded by its length.
func (b *Block) SignBytes(at time.Time) []byte {
	const precommit = 2
	vote := appendUint(nil, 1, precommit)
	vote = appendFixed(vote, 2, uint64(b.Height))
	vote = appendFixed(vote, 3, uint64(b.Round))
	vote = protowire.AppendTag(vote, 4, protowire.BytesType)
	vote = protowire.AppendBytes(vote, BlockID{Hash: b.Hash(), PartsTotal: b.PartsTotal, PartsHash: b.PartsHash}.encode())
	vote = protowire.AppendTag(vote, 5, protowire.BytesType)
	vote = protowire.AppendBytes(vote, timestamp(at))
	vote = appendBytes(vote, 6, []byte(b.ChainID))
	return protowire.AppendBytes(nil, vote)
}

// timestamp is a time as protobuf's Timestamp.
func timestamp(t time.Time) []byte {
	out := appendUint(nil, 1, uint64(t.Unix()))
	return appendUint(out, 2, uint64(t.Nanosecond()))
}

// wrapped is a field of the header as a message of one field; nothing where it is empty.
func wrapped(b []byte) []byte { return appendBytes(nil, 1, b) }

func appendUint(out []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return out
	}
	return protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), n)
}

func appendFixed(out []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return out
	}
	return protowire.AppendFixed64(protowire.AppendTag(out, field, protowire.Fixed64Type), n)
}

func appendBytes(out []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return out
	}
	return protowire.AppendBytes(protowire.AppendTag(out, field, protowire.BytesType), b)
}

// tree makes the ranges of Merkle trees (RFC 9162, section 2.1).
var tree = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

func leafHash(leaf []byte) []byte { return rfc6962.DefaultHasher.HashLeaf(leaf) }

// merkleRoot is the root over leaves.
func merkleRoot(leaves [][]byte) []byte {
	r := tree.NewEmptyRange(0)
	for _, leaf := range leaves {
		// A range without a visitor takes any leaf.
		if err := r.Append(leafHash(leaf), nil); err != nil {
			panic(err)
		}
	}
	return rootOf(r)
}

// rootOf is the root of a range that begins at 0.
func rootOf(r *compact.Range) []byte {
	if r.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		panic(err) // only of a range that does not begin at 0
	}
	return root
}
