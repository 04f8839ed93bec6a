package verify_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/phrd/phrd/logproof"
)

const samples = "../../logproof/testdata"

// seeded draws a seed, or takes PHRD_SEED.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("PHRD_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano()) // #nosec G115 -- a seed, not a time
	}
	t.Logf("PHRD_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- cases of a test, which a seed must give again
}

// cases is how many files of each kind are made and changed: PHRD_CASES, or few.
func cases(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("PHRD_CASES"))
	if err != nil {
		return 2
	}
	return n
}

// named is a question about a file of some kind.
type named struct {
	name string
	question
}

// exports are files of all kinds: those of a real network, and of one of chance.
func exports(t *testing.T, chance *rand.Rand) []named {
	t.Helper()
	var all []named
	genesis := filepath.Join(samples, "genesis.json")
	public := strings.TrimSpace(string(must(os.ReadFile(filepath.Join(samples, "witness.pub")))))
	for _, name := range []string{"log", "period", "patient", "selection", "witnessed"} {
		all = append(all, named{"a real " + name, question{File: must(os.ReadFile(filepath.Join(samples, name+".ndjson"))), Genesis: genesis}})
	}
	witnessed := all[len(all)-1]
	witnessed.Witnesses = []string{public}
	all = append(all, named{"a real log with a witness", witnessed.question})

	n := newNetwork(t, chance, 1+chance.IntN(200))
	size, at := len(n.entries), func() int64 { return n.entries[chance.IntN(len(n.entries))].GetTime() }
	from := at()
	ed, edKey := witness(t)
	mldsa, mldsaKey := quantumWitness(t)
	seen := 1 + chance.IntN(size)
	add := func(name string, witnesses []string, head logproof.Head, notes ...[]byte) {
		all = append(all, named{name, question{File: n.export(head, notes...), Genesis: n.genesis, Witnesses: witnesses}})
	}
	add("the whole log", nil, logproof.Head{Kind: logproof.Period})
	add("the whole log with witnesses", []string{edKey, mldsaKey}, logproof.Head{Kind: logproof.Period}, n.seen(seen, ed, mldsa))
	add("a log with a witness of two", []string{mldsaKey}, logproof.Head{Kind: logproof.Period}, n.seen(seen, ed), n.seen(size, mldsa))
	add("a period from a time", nil, logproof.Head{Kind: logproof.Period, From: from})
	add("a period to a time", nil, logproof.Head{Kind: logproof.Period, To: at() + 1})
	add("a period", nil, logproof.Head{Kind: logproof.Period, From: from, To: from + 1 + chance.Int64N(20)})
	add("growth", nil, logproof.Head{Kind: logproof.Growth, Size: uint64(seen), Root: rootOf(n.hashes[:seen])})
	add("a selection", nil, logproof.Head{Kind: logproof.Selection, What: "opened", Hospital: chance.Uint64N(3), From: from})
	for _, e := range n.entries {
		if e.GetPatient() != "" {
			add("a patient", nil, logproof.Head{Kind: logproof.Patient, Patient: e.GetPatient()})
			break
		}
	}
	return all
}

func witness(t *testing.T) (note.Signer, string) {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "first.example")
	if err != nil {
		t.Fatal(err)
	}
	return must(cosignature.NewSignerForCosignatureV1(private)), must(cosignature.VKeyToCosignatureV1(public))
}

func quantumWitness(t *testing.T) (note.Signer, string) {
	t.Helper()
	private, public, err := cosignature.GenerateMLDSAKey("second.example")
	if err != nil {
		t.Fatal(err)
	}
	return must(cosignature.NewMLDSASigner(private)), public
}

// TestBothProveTheSame has both read files of all kinds, against the genesis and against their last block.
func TestBothProveTheSame(t *testing.T) {
	chance, p := seeded(t), newPartner(t)
	for range cases(t) {
		for _, e := range exports(t, chance) {
			if !p.both(t, e.name, e.question) {
				t.Fatalf("%s is not proven: %s", e.name, verified(t, e.question).Refused)
			}
			report := must(logproof.Verify(bytes.NewReader(e.File), trustOf(e.question), nil))
			block := e.question
			block.Genesis, block.Block = "", fmt.Sprintf("%d:%x", report.Height, []byte(report.Hash))
			if !p.both(t, e.name, block) {
				t.Fatalf("%s is not proven by its block: %s", e.name, verified(t, block).Refused)
			}
			block.Block = fmt.Sprintf("%d:%x", report.Height+1, []byte(report.Hash))
			if p.both(t, e.name, block) {
				t.Fatalf("%s is proven by a block that it does not have", e.name)
			}
		}
	}
}

// TestBothWantOneChain has a block of another chain, or of the same, hand over to the validators of a trusted block.
func TestBothWantOneChain(t *testing.T) {
	n, p := newNetwork(t, seeded(t), 20), newPartner(t)
	for chain, want := range map[string]bool{n.chainID: true, "phrd-other-1": false} {
		n.before = chain
		file := n.export(logproof.Head{Kind: logproof.Period})
		q := question{File: file, Block: lastBlock(t, file)}
		if p.both(t, "a block of chain "+chain, q) != want {
			t.Fatalf("a block of chain %s before a trusted one of %s: %s", chain, n.chainID, orProven(verified(t, q)))
		}
	}
}

// lastBlock is the last block of a file as somebody trusts it.
func lastBlock(t *testing.T, file []byte) string {
	t.Helper()
	var line struct{ Block *logproof.Block }
	for _, text := range linesOf(file) {
		if bytes.HasPrefix(text, []byte(`{"block"`)) {
			line.Block = nil
			if err := json.Unmarshal(text, &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	return fmt.Sprintf("%d:%x", line.Block.Height, line.Block.Hash())
}

// TestBothRefuseOneChangedBit flips one bit anywhere, cuts the file, and puts something behind it.
func TestBothRefuseOneChangedBit(t *testing.T) {
	chance, p := seeded(t), newPartner(t)
	for _, e := range exports(t, chance) {
		for range cases(t) {
			changed := bytes.Clone(e.File)
			at := chance.IntN(len(changed))
			changed[at] ^= 1 << chance.IntN(8)
			for what, file := range map[string][]byte{
				fmt.Sprintf("a bit of byte %d", at): changed, "the end": e.File[:chance.IntN(len(e.File))], "what follows": append(bytes.Clone(e.File), '\n'),
			} {
				q := e.question
				q.File = file
				if p.both(t, e.name+": "+what, q) {
					t.Fatalf("%s is proven with %s changed", e.name, what)
				}
			}
		}
	}
}

// forgeries are what somebody does to lines who knows the form.
var forgeries = []struct {
	name string
	do   func(chance *rand.Rand, lines, others [][]byte) [][]byte
}{
	{"a bit of a line", func(chance *rand.Rand, lines, _ [][]byte) [][]byte {
		i := chance.IntN(len(lines))
		lines[i] = bytes.Clone(lines[i])
		lines[i][chance.IntN(len(lines[i]))] ^= 1 << chance.IntN(8)
		return lines
	}},
	{"a digit", func(chance *rand.Rand, lines, _ [][]byte) [][]byte {
		i := chance.IntN(min(4, len(lines)))
		lines[i] = bytes.Clone(lines[i])
		digits := slices.DeleteFunc(slices.Collect(rangeOf(len(lines[i]))), func(at int) bool { return lines[i][at] < '0' || lines[i][at] > '9' })
		lines[i][digits[chance.IntN(len(digits))]] = byte('0' + chance.IntN(10))
		return lines
	}},
	{"a line left out", func(chance *rand.Rand, lines, _ [][]byte) [][]byte {
		i := chance.IntN(len(lines))
		return slices.Delete(lines, i, i+1)
	}},
	{"a line twice", func(chance *rand.Rand, lines, _ [][]byte) [][]byte {
		i := chance.IntN(len(lines))
		return slices.Insert(lines, i, lines[i])
	}},
	{"two lines in another order", func(chance *rand.Rand, lines, _ [][]byte) [][]byte {
		i, j := chance.IntN(len(lines)), chance.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return lines
	}},
	{"a line of another file", func(chance *rand.Rand, lines, others [][]byte) [][]byte {
		lines[chance.IntN(len(lines))] = others[chance.IntN(len(others))]
		return lines
	}},
	{"another head", func(_ *rand.Rand, lines, others [][]byte) [][]byte {
		lines[0] = others[0]
		return lines
	}},
}

func rangeOf(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// TestBothAgreeOnForgedFiles changes files and makes the last line right again. Some of what comes of it claims something else that is
// true, so both may accept it, of the same entries; nothing was changed where it is closed again as it was.
func TestBothAgreeOnForgedFiles(t *testing.T) {
	chance, p := seeded(t), newPartner(t)
	proven, refused := 0, 0
	all := exports(t, chance)
	for _, e := range all {
		q := e.question
		q.File = closed(linesOf(e.File))
		if !p.both(t, e.name, q) {
			t.Fatalf("%s, put together again, is not proven", e.name)
		}
		for _, f := range forgeries {
			for range 2 * cases(t) {
				q.File = closed(f.do(chance, linesOf(e.File), linesOf(all[chance.IntN(len(all))].File)))
				if p.both(t, e.name+": "+f.name, q) {
					proven++
				} else {
					refused++
				}
			}
		}
	}
	t.Logf("%d forged files refused, %d proven of what they say now", refused, proven)
	if refused < proven {
		t.Fatal("most forged files are proven")
	}
}

// linesOf are the lines but the last.
func linesOf(file []byte) [][]byte {
	lines := bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	return lines[:len(lines)-1]
}

// closed makes the last line.
func closed(lines [][]byte) []byte {
	file := append(bytes.Join(lines, []byte("\n")), '\n')
	entries := 0
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte(`{"entry"`)) {
			entries++
		}
	}
	return fmt.Appendf(file, `{"end":{"entries":%d,"sha256":"%x"}}`+"\n", entries, sha256.Sum256(file))
}

// TestLargeFile has the other verifier read a file of 100 MB, in memory that does not grow with it.
func TestLargeFile(t *testing.T) {
	const size, most = 100 << 20, 400 << 10 // bytes, and KiB of the whole process
	chance, p := seeded(t), newPartner(t)
	n := newNetwork(t, chance, 1)
	for written := 0; written < size; written += 4 * len(n.leaves[len(n.leaves)-1]) / 3 {
		e := n.entry(1_800_000_000)
		e.Target = strings.Repeat("target ", 40)
		n.add(e)
	}
	path := filepath.Join(t.TempDir(), "log.ndjson")
	file := must(os.Create(path))
	out := bufio.NewWriterSize(file, 1<<20)
	n.write(out, logproof.Head{Kind: logproof.Period}, nil)
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := p.ask(t, question{Path: path, Genesis: n.genesis})
	t.Logf("%d entries, %d MB, in %.1f s, with %d MiB", len(n.entries), must(os.Stat(path)).Size()>>20, time.Since(began).Seconds(), got.Memory>>10)
	if got.Refused != "" || !slices.ContainsFunc(got.Lines, func(line []string) bool { return strings.HasPrefix(line[1], strconv.Itoa(len(n.entries))) }) {
		t.Fatalf("not proven: %s %q", got.Refused, got.Lines)
	}
	if got.Memory > most {
		t.Fatalf("it took %d KiB, at most %d", got.Memory, most)
	}
}
