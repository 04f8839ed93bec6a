package logproof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// The files of testdata are exports of a demo network, made by `phrd audit export`: the whole log, eight seconds of it, all about its
// patient, and the entry of the one reading; genesis.json is that network's.
var samples = []string{"log", "period", "patient", "selection"}

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".ndjson"))
	require.NoError(tb, err)
	return b
}

func genesis(tb testing.TB) logproof.Trust {
	tb.Helper()
	b, err := os.ReadFile("testdata/genesis.json")
	require.NoError(tb, err)
	trust, err := logproof.ReadGenesis(b)
	require.NoError(tb, err)
	return trust
}

func verify(trust logproof.Trust, file []byte) (logproof.Report, error) {
	return logproof.Verify(bytes.NewReader(file), trust, nil)
}

// entries are what the file's entries say.
func entries(t *testing.T, file []byte) (logproof.Report, []*auditv1.Entry) {
	t.Helper()
	var list []*auditv1.Entry
	r, err := logproof.Verify(bytes.NewReader(file), genesis(t), func(e *auditv1.Entry) error {
		list = append(list, e)
		return nil
	})
	require.NoError(t, err)
	return r, list
}

func TestVerify(t *testing.T) {
	whole, all := entries(t, sample(t, "log"))
	require.Equal(t, "phrd-demo-1", whole.ChainID)
	require.True(t, whole.Complete)
	require.EqualValues(t, 35, whole.Size)
	require.Len(t, all, 35)
	require.EqualValues(t, 3, whole.Signed)
	require.EqualValues(t, 4, whole.Votes)
	require.Equal(t, whole.Time.Unix(), whole.Until)

	period, some := entries(t, sample(t, "period"))
	require.True(t, period.Complete)
	require.Equal(t, whole.Root, period.Root)
	require.Equal(t, period.Head.To, period.Until)
	var want, about, read []string
	for _, e := range all {
		if e.GetTime() >= period.Head.From && e.GetTime() < period.Head.To {
			want = append(want, e.String())
		}
		if e.GetPatient() != "" {
			about = append(about, e.String())
		}
		if e.GetKind() == "opened" {
			read = append(read, e.String())
		}
	}
	require.NotEmpty(t, want)
	require.Less(t, len(want), len(all))
	require.Equal(t, want, texts(some))

	patient, some := entries(t, sample(t, "patient"))
	require.True(t, patient.Complete)
	require.Equal(t, about, texts(some))
	require.Zero(t, patient.Size)

	selection, some := entries(t, sample(t, "selection"))
	require.False(t, selection.Complete)
	require.Equal(t, read, texts(some))
}

func texts(list []*auditv1.Entry) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.String())
	}
	return out
}

func TestTrustedBlock(t *testing.T) {
	for _, name := range samples {
		r, err := verify(genesis(t), sample(t, name))
		require.NoError(t, err)
		text := fmt.Sprintf("%d:%x", r.Height, []byte(r.Hash))
		trust, err := logproof.ParseTrust(text)
		require.NoError(t, err)
		again, err := verify(trust, sample(t, name))
		require.NoError(t, err)
		require.Equal(t, r, again)

		trust, err = logproof.ParseTrust(fmt.Sprintf("%d:%x", r.Height+1, []byte(r.Hash)))
		require.NoError(t, err)
		_, err = verify(trust, sample(t, name))
		require.ErrorIs(t, err, logproof.ErrTrust, "a block that is not there")
		trust.Height, trust.Hash = r.Height, bytes.Repeat([]byte{1}, 32)
		_, err = verify(trust, sample(t, name))
		require.ErrorIs(t, err, logproof.ErrTrust, "a block of another hash")
	}
	for _, text := range []string{"", "7", "7:", ":", "0:" + strings.Repeat("00", 32), "-1:" + strings.Repeat("00", 32), "7:00", "7:" + strings.Repeat("0g", 32), "x:" + strings.Repeat("00", 32)} {
		_, err := logproof.ParseTrust(text)
		require.ErrorIs(t, err, logproof.ErrTrust, "%q", text)
	}
	_, err := verify(logproof.Trust{}, sample(t, "log"))
	require.ErrorIs(t, err, logproof.ErrTrust)
}

func TestForeignGenesis(t *testing.T) {
	file, err := os.ReadFile("testdata/genesis.json")
	require.NoError(t, err)
	for _, change := range []struct {
		name     string
		from, to string
		want     error
	}{
		{"another chain", `"phrd-demo-1"`, `"phrd-demo-2"`, logproof.ErrBlock},
		{"a hospital fewer", `"MEMBER_STATUS_ACTIVE"`, `"MEMBER_STATUS_LEFT"`, logproof.ErrBlock},
	} {
		changed := bytes.Replace(file, []byte(change.from), []byte(change.to), 1)
		require.NotEqual(t, file, changed)
		trust, err := logproof.ReadGenesis(changed)
		require.NoError(t, err)
		_, err = verify(trust, sample(t, "log"))
		require.ErrorIs(t, err, change.want, change.name)
	}
	for _, text := range []string{"", "{}", "[]", `{"chain_id":"phrd-demo-1"}`} {
		_, err := logproof.ReadGenesis([]byte(text))
		require.ErrorIs(t, err, logproof.ErrTrust, "%q", text)
	}
}

// Whatever one bit is changed, nothing is proven any more. Each run changes other bits.
func TestEveryBit(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	trust := genesis(t)
	for _, name := range samples[1:] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			file := sample(t, name)
			step := 5
			if len(file) > 5000 {
				step = 15
			}
			for i := r.IntN(step); i < len(file); i += step {
				bit := byte(1) << r.IntN(8)
				file[i] ^= bit
				_, err := verify(trust, file)
				requireRefused(t, err, "bit %#x of byte %d", bit, i)
				file[i] ^= bit
			}
			_, err := verify(trust, file)
			require.NoError(t, err)
		})
	}
}

func TestCutOff(t *testing.T) {
	trust := genesis(t)
	for _, name := range samples {
		file := sample(t, name)
		for n := 0; n < len(file); n += 1 + n%61 {
			_, err := verify(trust, file[:n])
			require.ErrorIs(t, err, logproof.ErrFormat, "%d bytes of %s", n, name)
		}
		_, err := verify(trust, append(bytes.Clone(file), '\n'))
		require.ErrorIs(t, err, logproof.ErrFormat)
	}
}

func requireRefused(t *testing.T, err error, format string, a ...any) {
	t.Helper()
	require.Error(t, err, append([]any{format}, a...)...)
	for _, want := range []error{logproof.ErrFormat, logproof.ErrTrust, logproof.ErrBlock, logproof.ErrState, logproof.ErrEntry, logproof.ErrWitness} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("%s: %v is none of the errors", fmt.Sprintf(format, a...), err)
}

// forged is a file that somebody changed who knows its form: the last line is right again.
type forged [][]byte

func open(t *testing.T, name string) forged {
	t.Helper()
	return bytes.Split(bytes.TrimSuffix(sample(t, name), []byte("\n")), []byte("\n"))
}

// close makes the last line.
func (f forged) close(t *testing.T) []byte {
	t.Helper()
	lines := f[:len(f)-1]
	file := append(bytes.Join(lines, []byte("\n")), '\n')
	n := 0
	for _, l := range lines {
		if bytes.HasPrefix(l, []byte(`{"entry"`)) {
			n++
		}
	}
	return fmt.Appendf(file, `{"end":{"entries":%d,"sha256":"%x"}}`+"\n", n, sha256.Sum256(file))
}

func object(t *testing.T, v any) map[string]any {
	t.Helper()
	o, ok := v.(map[string]any)
	require.True(t, ok, "%v is no object", v)
	return o
}

func list(t *testing.T, v any) []any {
	t.Helper()
	l, ok := v.([]any)
	require.True(t, ok, "%v is no list", v)
	return l
}

// text is a text or a number as it stands there.
func text(t *testing.T, v any) string {
	t.Helper()
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	s, ok := v.(string)
	require.True(t, ok, "%v is no text", v)
	return s
}

// at finds the lines that begin with a word.
func (f forged) at(name string) []int {
	var found []int
	for i, l := range f {
		if bytes.HasPrefix(l, []byte(`{"`+name+`"`)) {
			found = append(found, i)
		}
	}
	return found
}

// edit changes a line as JSON.
func (f forged) edit(t *testing.T, i int, change func(map[string]any)) forged {
	t.Helper()
	f = slices.Clone(f)
	d := json.NewDecoder(bytes.NewReader(f[i]))
	d.UseNumber()
	var line map[string]any
	require.NoError(t, d.Decode(&line))
	change(line)
	// The fields stand in an order, which the values keep where they are replaced by others of their kind.
	var typed struct {
		Head  *logproof.Head  `json:"head,omitempty"`
		Block *logproof.Block `json:"block,omitempty"`
		State *logproof.State `json:"state,omitempty"`
		Range *logproof.Range `json:"range,omitempty"`
		Entry []byte          `json:"entry,omitempty"`
		Path  [][]byte        `json:"path,omitempty"`
	}
	text, err := json.Marshal(line)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &typed))
	f[i], err = json.Marshal(typed)
	require.NoError(t, err)
	return f
}

func TestForgersAreCaught(t *testing.T) {
	trust := genesis(t)
	for _, name := range samples {
		_, err := verify(trust, open(t, name).close(t))
		require.NoError(t, err, "%s, put together again", name)
	}
	for _, name := range samples {
		f := open(t, name)
		at := f.at("entry")
		for n, i := range at {
			without := slices.Delete(slices.Clone(f), i, i+1)
			twice := slices.Insert(slices.Clone(f), i, f[i])
			altered := f.edit(t, i, func(l map[string]any) {
				b, err := base64.StdEncoding.DecodeString(text(t, l["entry"]))
				require.NoError(t, err)
				b[len(b)-1] ^= 1
				l["entry"] = base64.StdEncoding.EncodeToString(b)
			})
			if name != "selection" {
				_, err := verify(trust, without.close(t))
				requireRefused(t, err, "%s without entry %d", name, n)
			}
			_, err := verify(trust, twice.close(t))
			requireRefused(t, err, "%s with entry %d twice", name, n)
			_, err = verify(trust, altered.close(t))
			requireRefused(t, err, "%s with entry %d altered", name, n)
			if n > 0 {
				swapped := slices.Clone(f)
				swapped[i], swapped[i-1] = f[i-1], f[i]
				_, err = verify(trust, swapped.close(t))
				requireRefused(t, err, "%s with entry %d before the one before it", name, n)
			}
		}
	}
}

func TestForgedClaims(t *testing.T) {
	trust := genesis(t)
	head := func(name string, change func(h map[string]any)) forged {
		return open(t, name).edit(t, 0, func(l map[string]any) { change(object(t, l["head"])) })
	}
	line := func(name, of string, change func(l map[string]any)) forged {
		f := open(t, name)
		return f.edit(t, f.at(of)[0], func(l map[string]any) { change(object(t, l[of])) })
	}
	number := func(v any) int64 {
		n, err := json.Number(text(t, v)).Int64()
		require.NoError(t, err)
		return n
	}
	flipped := func(h map[string]any, field string) {
		b, err := hex.DecodeString(text(t, h[field]))
		require.NoError(t, err)
		b[0] ^= 1
		h[field] = hex.EncodeToString(b)
	}
	for _, c := range []struct {
		name string
		file forged
		want error
	}{
		{"a period that began before", head("period", func(h map[string]any) { h["from"] = number(h["from"]) - 60 }), logproof.ErrEntry},
		{"a period that begins with the log", head("period", func(h map[string]any) { delete(h, "from") }), logproof.ErrEntry},
		{"a period that ended later", head("period", func(h map[string]any) { h["to"] = number(h["to"]) + 3600 }), logproof.ErrEntry},
		{"a period that ends with the log", head("period", func(h map[string]any) { delete(h, "to") }), logproof.ErrEntry},
		{"a shorter period than its entries", head("period", func(h map[string]any) { h["from"] = number(h["from"]) + 1 }), logproof.ErrEntry},
		{"a log that is called a selection", head("log", func(h map[string]any) { h["kind"], h["what"] = "selection", "opened" }), logproof.ErrFormat},
		{"a patient's log that is called another's", head("patient", func(h map[string]any) { h["patient"] = "00000000000000000000000000" + "0" }), logproof.ErrState},
		{"a patient's log of nobody", head("patient", func(h map[string]any) { h["patient"] = "alice" }), logproof.ErrFormat},
		{"a selection of another kind", head("selection", func(h map[string]any) { h["what"] = "stored" }), logproof.ErrEntry},
		{"a selection of another time", head("selection", func(h map[string]any) { h["to"] = 5 }), logproof.ErrEntry},
		{"a selection without a filter", head("selection", func(h map[string]any) { delete(h, "what") }), logproof.ErrFormat},
		{"a file of another form", head("log", func(h map[string]any) { h["format"] = "phrd log export 2" }), logproof.ErrFormat},

		{"a later block", line("log", "block", func(b map[string]any) { b["height"] = number(b["height"]) + 1 }), logproof.ErrBlock},
		{"another time", line("log", "block", func(b map[string]any) { b["time"] = "2026-11-30T03:18:37.21296073Z" }), logproof.ErrBlock},
		{"the same time in another zone", line("log", "block", func(b map[string]any) {
			at, err := time.Parse(time.RFC3339Nano, text(t, b["time"]))
			require.NoError(t, err)
			b["time"] = at.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)
		}), logproof.ErrFormat},
		{"a signature's time in another zone", line("log", "block", func(b map[string]any) {
			signed := object(t, list(t, b["signatures"])[0])
			at, err := time.Parse(time.RFC3339Nano, text(t, signed["time"]))
			require.NoError(t, err)
			signed["time"] = at.In(time.FixedZone("", -3600)).Format(time.RFC3339Nano)
		}), logproof.ErrFormat},
		{"another state", line("log", "block", func(b map[string]any) { flipped(b, "app_hash") }), logproof.ErrBlock},
		{"other hospitals", line("log", "block", func(b map[string]any) { flipped(b, "validators_hash") }), logproof.ErrBlock},
		{"other hospitals afterwards", line("log", "block", func(b map[string]any) { flipped(b, "next_validators_hash") }), logproof.ErrBlock},
		{"another round", line("log", "block", func(b map[string]any) { b["round"] = 7 }), logproof.ErrBlock},
		{"other parts", line("log", "block", func(b map[string]any) { flipped(b, "parts_hash") }), logproof.ErrBlock},
		{"another chain", line("log", "block", func(b map[string]any) { b["chain_id"] = "phrd-demo-2" }), logproof.ErrBlock},
		{"two thirds of the signatures and no more", line("log", "block", func(b map[string]any) { b["signatures"] = list(t, b["signatures"])[1:] }), logproof.ErrBlock},
		{"a signature twice", line("log", "block", func(b map[string]any) {
			signed := list(t, b["signatures"])
			b["signatures"] = append([]any{signed[0]}, signed...)
		}), logproof.ErrBlock},
		{"a signature of another", line("log", "block", func(b map[string]any) {
			signed := list(t, b["signatures"])
			object(t, signed[0])["signature"] = object(t, signed[1])["signature"]
		}), logproof.ErrBlock},
		{"a signature of nobody", line("log", "block", func(b map[string]any) { object(t, list(t, b["signatures"])[2])["validator"] = 4 }), logproof.ErrBlock},
		{"more votes", line("log", "block", func(b map[string]any) { object(t, list(t, b["validators"])[0])["votes"] = 9 }), logproof.ErrBlock},

		{"the end of another thing", line("log", "state", func(s map[string]any) { s["key"] = "02" }), logproof.ErrState},
		{"a proof too few", line("log", "state", func(s map[string]any) { s["proof"] = list(t, s["proof"])[:1] }), logproof.ErrState},
		{"proofs in another order", line("log", "state", func(s map[string]any) { slices.Reverse(list(t, s["proof"])) }), logproof.ErrState},
		{"a log that is said to end before", line("log", "range", func(r map[string]any) { r["last"] = number(r["last"]) - 1 }), logproof.ErrEntry},
		{"a log that is said to begin later", line("log", "range", func(r map[string]any) { r["first"] = 2 }), logproof.ErrEntry},
		{"no entries", line("log", "range", func(r map[string]any) { r["first"], r["last"] = 0, 0 }), logproof.ErrEntry},
		{"entries of after the end", line("log", "range", func(r map[string]any) { r["last"] = number(r["last"]) + 1 }), logproof.ErrEntry},
		{"something else before", line("period", "range", func(r map[string]any) { slices.Reverse(list(t, r["before"])) }), logproof.ErrEntry},
		{"something else behind", line("period", "range", func(r map[string]any) { r["after"] = list(t, r["after"])[1:] }), logproof.ErrEntry},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verify(trust, c.file.close(t))
			require.ErrorIs(t, err, c.want)
		})
	}
}

// A file names the place where it is wrong.
func TestErrorsNameThePlace(t *testing.T) {
	f := open(t, "log")
	at := f.at("entry")
	_, err := verify(genesis(t), slices.Delete(slices.Clone(f), at[4], at[5]).close(t))
	require.ErrorContains(t, err, fmt.Sprintf("line %d: entry 6 stands where entry 5 should", at[4]+1))
	f = open(t, "log")
	f[at[6]] = append([]byte(" "), f[at[6]]...)
	_, err = verify(genesis(t), f.close(t))
	require.ErrorContains(t, err, fmt.Sprintf("line %d: it is not in its canonical form", at[6]+1))
}

// What is at a place in a log before an entry is what a compact range of it has.
func TestBefore(t *testing.T) {
	require.Empty(t, logproof.Before(1, 1, nil))
	require.Empty(t, logproof.Before(1, 9, [][]byte{{1}, {2}, {3}, {4}}))
	require.Equal(t, [][]byte{{4}}, logproof.Before(9, 9, [][]byte{{4}}))
	require.Equal(t, [][]byte{{3}, {2}, {1}}, logproof.Before(8, 8, [][]byte{{1}, {2}, {3}}))
}

func FuzzVerify(f *testing.F) {
	trust := genesis(f)
	for _, name := range samples {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := verify(trust, file); err != nil {
			requireRefused(t, err, "%d bytes", len(file))
			return
		}
		for _, name := range samples {
			if bytes.Equal(file, sample(t, name)) {
				return
			}
		}
		// A selection without an entry proves nothing and is none the less one; so is one that leaves entries out.
		if !bytes.Contains(file, []byte(`"kind":"selection"`)) {
			t.Fatalf("%q is proven", file)
		}
	})
}
