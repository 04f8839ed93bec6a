package logproof_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phrd/phrd/logproof"
)

// witnessKey is of the witness who signed the log of testdata/witnessed.ndjson.
func witnessKey(t *testing.T) note.Verifier {
	t.Helper()
	text, err := os.ReadFile("testdata/witness.pub")
	require.NoError(t, err)
	key, err := logproof.WitnessKey(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return key
}

func TestWitnessed(t *testing.T) {
	trust := genesis(t)
	r, err := verify(trust, sample(t, "witnessed"))
	require.NoError(t, err)
	require.Len(t, r.Witnesses, 1)
	require.False(t, r.Witnesses[0].Verified)
	require.ErrorIs(t, r.SignedBy([]note.Verifier{witnessKey(t)}), logproof.ErrWitness)

	trust.Witnesses = []note.Verifier{witnessKey(t)}
	r, err = verify(trust, sample(t, "witnessed"))
	require.NoError(t, err)
	require.NoError(t, r.SignedBy(trust.Witnesses))
	require.Equal(t, "auditor.example", r.Witnesses[0].Name)
	require.Equal(t, r.Root, r.Witnesses[0].Checkpoint.Root)

	// A key of the same name that is another one's.
	_, public, err := note.GenerateKey(rand.Reader, "auditor.example")
	require.NoError(t, err)
	other, err := logproof.WitnessKey(public)
	require.NoError(t, err)
	trust.Witnesses = []note.Verifier{other}
	r, err = verify(trust, sample(t, "witnessed"))
	require.NoError(t, err)
	require.ErrorIs(t, r.SignedBy(trust.Witnesses), logproof.ErrWitness)
	for _, text := range []string{"", "auditor.example", "auditor.example+00000000+AAAA"} {
		_, err := logproof.WitnessKey(text)
		require.ErrorIs(t, err, logproof.ErrWitness, "%q", text)
	}
}

// A signature has one form: bits of base64 that no byte takes are 0.
func TestSignaturesHaveOneForm(t *testing.T) {
	file := open(t, "witnessed")
	var line struct {
		Witness struct{ Note []byte }
	}
	require.NoError(t, json.Unmarshal(file[file.at("witness")[0]], &line))
	text := line.Witness.Note
	_, err := logproof.OpenCosigned(text, witnessKey(t))
	require.NoError(t, err)
	end := bytes.LastIndex(text, []byte("==\n"))
	require.Positive(t, end)
	text[end-1]++
	for _, keys := range [][]note.Verifier{nil, {witnessKey(t)}} {
		_, err = logproof.OpenCosigned(text, keys...)
		require.ErrorIs(t, err, logproof.ErrFormat)
	}
}

// What witnesses have signed is of this log, or the file is refused.
func TestWitnessOfAnotherLog(t *testing.T) {
	r, err := verify(genesis(t), sample(t, "witnessed"))
	require.NoError(t, err)
	secret, public, err := note.GenerateKey(rand.Reader, "other.example")
	require.NoError(t, err)
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	require.NoError(t, err)
	key, err := logproof.WitnessKey(public)
	require.NoError(t, err)
	signed := func(text string) []byte {
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		require.NoError(t, err)
		return signed
	}
	with := func(text []byte) (logproof.Report, error) {
		f := open(t, "witnessed")
		var line struct {
			Witness logproof.Cosigned `json:"witness"`
		}
		at := f.at("witness")[0]
		require.NoError(t, json.Unmarshal(f[at], &line))
		line.Witness.Note = text
		f[at], err = json.Marshal(line)
		require.NoError(t, err)
		trust := genesis(t)
		trust.Witnesses = []note.Verifier{key}
		return verify(trust, f.close(t))
	}
	right := r.Witnesses[0].Checkpoint
	report, err := with(signed(right.Text()))
	require.NoError(t, err)
	require.NoError(t, report.SignedBy([]note.Verifier{key}))
	for _, c := range []struct {
		name   string
		change func(*logproof.Checkpoint)
	}{
		{"of another chain", func(c *logproof.Checkpoint) { c.Origin = "phrd/other" }},
		{"of another root", func(c *logproof.Checkpoint) { c.Root = bytes.Repeat([]byte{1}, 32) }},
		{"of another size", func(c *logproof.Checkpoint) { c.Size-- }},
		{"of a longer log", func(c *logproof.Checkpoint) { c.Size++ }},
		{"of no log", func(c *logproof.Checkpoint) { c.Size = 0 }},
		{"of another block of this height", func(c *logproof.Checkpoint) { c.Height, c.Hash = r.Height, bytes.Repeat([]byte{1}, 32) }},
	} {
		wrong := right
		c.change(&wrong)
		_, err := with(signed(wrong.Text()))
		require.ErrorIs(t, err, logproof.ErrWitness, c.name)
	}
	forgery := bytes.Replace(signed(right.Text()), []byte("block "), []byte("block 1"), 1)
	_, err = with(forgery)
	require.ErrorIs(t, err, logproof.ErrWitness, "a text that was not signed")
	for _, text := range []string{"", "hello", right.Text(), string(signed("phrd/phrd-demo-1\n35\nAAAA\n")), string(signed(right.Text() + "more\n"))} {
		_, err := with([]byte(text))
		require.ErrorIs(t, err, logproof.ErrFormat, "%q", text)
	}
}

func TestCheckpointText(t *testing.T) {
	c := logproof.Checkpoint{Origin: "phrd/a", Size: 7, Root: bytes.Repeat([]byte{2}, 32), Height: 9, Hash: bytes.Repeat([]byte{3}, 32)}
	again, err := logproof.ParseCheckpoint(c.Text())
	require.NoError(t, err)
	require.Equal(t, c, again)
	for _, text := range []string{
		"", "\n\n\n", strings.Replace(c.Text(), "\n7\n", "\n07\n", 1), strings.Replace(c.Text(), "block 9", "block +9", 1), strings.TrimSuffix(c.Text(), "\n"),
		c.Text() + "\n", strings.ToUpper(c.Text()),
	} {
		_, err := logproof.ParseCheckpoint(text)
		require.ErrorIs(t, err, logproof.ErrFormat, "%q", text)
	}
}
