package scenario

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/witness"
)

// Exports is what the person exports of the log, with notes of witnesses.
func (p Person) Exports(head logproof.Head, witnesses ...[]byte) []byte {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	var file bytes.Buffer
	if err := p.client.ExportLog(ctx, &file, phr.Export{Head: head, Witnesses: witnesses}); err != nil {
		p.t.Fatalf("export the log: %v", err)
	}
	return file.Bytes()
}

// CannotExport tries to export of the log what the person may not read.
func (p Person) CannotExport(head logproof.Head, want error, witnesses ...[]byte) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	mustBe(p.t, "export the log", p.client.ExportLog(ctx, &bytes.Buffer{}, phr.Export{Head: head, Witnesses: witnesses}), want)
}

// Witness is somebody outside the hospitals who follows the log.
type Witness struct {
	n      *Network
	dir    string
	at     *witness.Witness
	client *phr.Client
}

// Witness begins to follow the log, from the genesis alone and without an account.
func (n *Network) Witness(name string) *Witness {
	n.t.Helper()
	genesis, err := os.ReadFile(n.genesis)
	if err != nil {
		n.t.Fatalf("genesis: %v", err)
	}
	w := &Witness{n: n, dir: n.t.TempDir()}
	if _, err := witness.Create(w.dir, name, genesis); err != nil {
		n.t.Fatalf("witness: %v", err)
	}
	if w.at, err = witness.Open(w.dir); err != nil {
		n.t.Fatalf("witness: %v", err)
	}
	h := n.hospitals[0]
	if w.client, err = phr.Dial(n.t.Context(), phr.Config{Gateway: h.url, Fingerprint: h.pin, ChainID: ChainID, Network: n.id}); err != nil {
		n.t.Fatalf("witness: %v", err)
	}
	n.t.Cleanup(func() {
		if err := w.client.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return w
}

// Signs has the witness look at the log, and returns the checkpoint that it signs as a note.
func (w *Witness) Signs() []byte {
	w.n.t.Helper()
	ctx, cancel := step(w.n.t)
	defer cancel()
	if _, err := w.at.Look(ctx, w.client); err != nil {
		w.n.t.Fatalf("the witness looks: %v", err)
	}
	signed, err := os.ReadFile(filepath.Join(w.dir, witness.CheckpointFile))
	if err != nil {
		w.n.t.Fatalf("the witness looks: %v", err)
	}
	return signed
}

// Proves verifies an export as an outsider does who has it and the genesis and nothing else, and returns what it says.
func (n *Network) Proves(file []byte) (logproof.Report, []*auditv1.Entry) {
	n.t.Helper()
	genesis, err := os.ReadFile(n.genesis)
	if err != nil {
		n.t.Fatalf("genesis: %v", err)
	}
	trust, err := logproof.ReadGenesis(genesis)
	if err != nil {
		n.t.Fatal(err)
	}
	var entries []*auditv1.Entry
	report, err := logproof.Verify(bytes.NewReader(file), trust, func(e *auditv1.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		n.t.Fatalf("the export proves nothing: %v", err)
	}
	return report, entries
}

// ProvesItsLog has an auditor export the whole log, which an outsider verifies, and compares it with what the gateway shows. It
// returns how many blocks lead from the genesis to it.
func (n *Network) ProvesItsLog() (blocks int) {
	n.t.Helper()
	auditor := n.Hospital(names[0]).Auditor()
	file := auditor.Exports(logproof.Head{Kind: logproof.Period})
	report, proven := n.Proves(file)
	ctx, cancel := auditor.step()
	defer cancel()
	shown, err := auditor.log(ctx)
	if err != nil {
		n.t.Fatalf("log: %v", err)
	}
	if !report.Complete || report.Size != uint64(len(proven)) || len(shown) < len(proven) {
		n.t.Fatalf("%d entries of %d are proven, %d are shown", len(proven), report.Size, len(shown))
	}
	for i, e := range proven {
		if !proto.Equal(e, shown[i]) {
			n.t.Fatalf("entry %d is proven to be %v, and shown as %v", i+1, e, shown[i])
		}
	}
	return strings.Count(string(file), "\n{\"block\"")
}
