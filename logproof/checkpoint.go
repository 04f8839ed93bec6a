package logproof

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/transparency-dev/formats/log"
	cosignature "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is the log at a block, as a witness signs it: the text of C2SP tlog-checkpoint with the block as its extension line.
type Checkpoint struct {
	// Origin names the log: "phrd/" and the chain's id.
	Origin string
	// Size is how many entries it has, Root the Merkle root over them, 32 bytes.
	Size uint64
	Root Hex
	// Height and Hash are those of the block that names the state.
	Height int64
	Hash   Hex
}

// Origin of the log of a chain.
func Origin(chainID string) string { return "phrd/" + chainID }

// Text is what is signed.
func (c Checkpoint) Text() string {
	body := log.Checkpoint{Origin: c.Origin, Size: c.Size, Hash: c.Root}.Marshal()
	return fmt.Sprintf("%sblock %d %x\n", body, c.Height, []byte(c.Hash))
}

// ParseCheckpoint reads the text of a checkpoint. The error is ErrFormat.
func ParseCheckpoint(text string) (Checkpoint, error) {
	var body log.Checkpoint
	rest, err := body.Unmarshal([]byte(text))
	c := Checkpoint{Origin: body.Origin, Size: body.Size, Root: body.Hash}
	if err == nil {
		_, err = fmt.Sscanf(string(rest), "block %d %x\n", &c.Height, (*[]byte)(&c.Hash))
	}
	if err == nil && c.Text() != text {
		err = errors.New("it is not in its canonical form")
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: %w", err, ErrFormat)
	}
	return c, nil
}

// Cosigned is a checkpoint with the signatures of witnesses (a signed note with C2SP cosignatures), and in a file what joins it to the
// log's end.
type Cosigned struct {
	Note []byte `json:"note"`
	// After proves that the log of the checkpoint goes on to the log's end (RFC 9162, section 2.1.4).
	After [][]byte `json:"after,omitempty"`
}

// Witnessed is what a witness has signed.
type Witnessed struct {
	// Name of the witness, and whether its signature was verified with a key that the verifier trusts.
	Name     string
	Verified bool
	// Time of the signature; zero where it was not verified.
	Time       time.Time
	Checkpoint Checkpoint
}

// OpenCosigned reads a note of witnesses, verifies the signatures of those whose keys are given, and lists all. The error is ErrFormat
// where it is no note of a checkpoint, and ErrWitness where a signature of a witness whose key is given is wrong.
func OpenCosigned(text []byte, keys ...note.Verifier) ([]Witnessed, error) {
	n, err := note.Open(text, note.VerifierList(keys...))
	var unverified *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		n = unverified.Note
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("signature of %s: %w", wrong.Name, ErrWitness)
	case err != nil:
		return nil, fmt.Errorf("note of witnesses: %w: %w", err, ErrFormat)
	}
	for _, s := range slices.Concat(n.Sigs, n.UnverifiedSigs) {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return nil, fmt.Errorf("signature of %s: %w: %w", s.Name, err, ErrFormat)
		}
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return nil, err
	}
	var list []Witnessed
	for _, s := range n.Sigs {
		at, err := cosignature.CoSigV1Timestamp(s)
		if err != nil {
			return nil, fmt.Errorf("signature of %s: %w: %w", s.Name, err, ErrFormat)
		}
		list = append(list, Witnessed{Name: s.Name, Verified: true, Time: at.UTC(), Checkpoint: c})
	}
	for _, s := range n.UnverifiedSigs {
		list = append(list, Witnessed{Name: s.Name, Checkpoint: c})
	}
	return list, nil
}

// WitnessKey reads a witness's public key, as `phrd witness init` prints it. The error is ErrWitness.
func WitnessKey(text string) (note.Verifier, error) {
	key, err := cosignature.NewVerifierForCosignatureV1(text)
	if err != nil {
		return nil, fmt.Errorf("key of a witness %q: %w: %w", text, err, ErrWitness)
	}
	return key, nil
}

// SignedBy checks that each of these witnesses has signed the log of the file. The error is ErrWitness.
func (r *Report) SignedBy(keys []note.Verifier) error {
	for _, key := range keys {
		if !slices.ContainsFunc(r.Witnesses, func(w Witnessed) bool { return w.Verified && w.Name == key.Name() }) {
			return fmt.Errorf("%s has not signed it: %w", key.Name(), ErrWitness)
		}
	}
	return nil
}

// verify checks that the checkpoint is of the log that a file proves.
func (c *Cosigned) verify(r *Report, keys []note.Verifier) ([]Witnessed, error) {
	list, err := OpenCosigned(c.Note, keys...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("nobody has signed the checkpoint: %w", ErrFormat)
	}
	p := list[0].Checkpoint
	if p.Origin != Origin(r.ChainID) {
		return nil, fmt.Errorf("%s has witnessed %q, not %q: %w", list[0].Name, p.Origin, Origin(r.ChainID), ErrWitness)
	}
	if p.Height == r.Height && !bytes.Equal(p.Hash, r.Hash) {
		return nil, fmt.Errorf("%s has seen another block %d, %x: %w", list[0].Name, p.Height, []byte(p.Hash), ErrWitness)
	}
	if err := goesOn(p.Size, r.Size, c.After, p.Root, r.Root); err != nil {
		return nil, fmt.Errorf("%s has seen another log of %d entries: %w: %w", list[0].Name, p.Size, err, ErrWitness)
	}
	return list, nil
}

// goesOn checks that a log of one size and root goes on as another one.
func goesOn(first, second uint64, path [][]byte, before, after []byte) error {
	if first == 0 || first > second {
		return fmt.Errorf("it had %d entries, and has %d", first, second)
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, first, second, path, before, after)
}
