// Package verify_test has two verifiers of exports of the log check each other: the Go package logproof, and the TypeScript of this
// folder, which was written from docs/audit-export.md alone. They prove the same of the same files, and refuse the same.
package verify_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// partner is the other verifier, in a process of its own: a line of JSON for each question, one for each answer.
type partner struct {
	questions io.Writer
	answers   *bufio.Reader
}

// question is a file, whole or by its path, and what it is verified against.
type question struct {
	Path      string   `json:"path,omitempty"`
	File      []byte   `json:"file,omitempty"`
	Genesis   string   `json:"genesis,omitempty"`
	Block     string   `json:"block,omitempty"`
	Witnesses []string `json:"witnesses,omitempty"`
}

// verdict is what a verifier says: what is proven and of which entries, or why nothing is.
type verdict struct {
	Lines   [][]string        `json:"lines"`
	Entries []json.RawMessage `json:"entries"`
	Refused string            `json:"refused"`
	// Memory is the most that the partner has used, in KiB.
	Memory int `json:"memory"`
	// Fault is one of the partner's own.
	Fault string `json:"fault"`
}

// newPartner starts the partner that PHRD_VERIFIER names; `make verify-ts` builds it. It ends with the test.
func newPartner(t *testing.T) *partner {
	t.Helper()
	program := os.Getenv("PHRD_VERIFIER")
	if program == "" {
		t.Skip("PHRD_VERIFIER names no program; `make verify-ts` does")
	}
	command := exec.CommandContext(t.Context(), "node", program)
	command.Stderr = os.Stderr
	questions, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = questions.Close()
		_ = command.Wait()
	})
	return &partner{questions: questions, answers: bufio.NewReader(answers)}
}

func (p *partner) ask(t *testing.T, q question) verdict {
	t.Helper()
	line := must(json.Marshal(q))
	if _, err := p.questions.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	reply, err := p.answers.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got verdict
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatalf("%v in %.200s", err, reply)
	}
	if got.Fault != "" {
		t.Fatalf("the partner failed at %.2000s\n%s", line, got.Fault)
	}
	return got
}

// verified is what the Go verifier says to the same question.
func verified(t *testing.T, q question) verdict {
	t.Helper()
	trust := trustOf(q)
	var got verdict
	report, err := logproof.Verify(bytes.NewReader(q.File), trust, func(e *auditv1.Entry) error {
		got.Entries = append(got.Entries, plain(e))
		return nil
	})
	if err == nil {
		err = report.SignedBy(trust.Witnesses)
	}
	if err != nil {
		return verdict{Refused: err.Error()}
	}
	got.Lines = report.Lines(trust)
	return got
}

func trustOf(q question) logproof.Trust {
	var trust logproof.Trust
	if q.Block != "" {
		trust = must(logproof.ParseTrust(q.Block))
	} else {
		trust = must(logproof.ReadGenesis(must(os.ReadFile(q.Genesis))))
	}
	for _, key := range q.Witnesses {
		trust.Witnesses = append(trust.Witnesses, must(logproof.WitnessKey(key)))
	}
	return trust
}

// plain is an entry as the partner writes it.
func plain(e *auditv1.Entry) json.RawMessage {
	type subject struct {
		Record  string `json:"record"`
		Version string `json:"version"`
		Offset  string `json:"offset"`
		Length  string `json:"length"`
	}
	subjects := []subject{}
	for _, s := range e.GetSubjects() {
		subjects = append(subjects, subject{s.GetRecord(), fmt.Sprint(s.GetVersion()), fmt.Sprint(s.GetOffset()), fmt.Sprint(s.GetLength())})
	}
	outcome := strings.ToLower(strings.TrimPrefix(e.GetOutcome().String(), "OUTCOME_"))
	return must(json.Marshal(map[string]any{
		"sequence": fmt.Sprint(e.GetSequence()), "height": fmt.Sprint(e.GetHeight()), "time": fmt.Sprint(e.GetTime()), "kind": e.GetKind(), "actor": e.GetActor(),
		"role": e.GetRole(), "hospital": fmt.Sprint(e.GetHospital()), "patient": e.GetPatient(), "subjects": subjects, "target": e.GetTarget(), "unlock": e.GetUnlock(),
		"purpose": e.GetPurpose(), "outcome": outcome, "reason": e.GetReason(), "count": fmt.Sprint(e.GetCount()),
	}))
}

// both has both verifiers judge, demands that they agree, and tells whether the file is proven.
func (p *partner) both(t *testing.T, name string, q question) bool {
	t.Helper()
	here, there := verified(t, q), p.ask(t, q)
	if (here.Refused == "") != (there.Refused == "") {
		t.Fatalf("%s: they do not agree\nhere:  %s\nthere: %s\n%.20000s", name, orProven(here), orProven(there), q.File)
	}
	if here.Refused != "" {
		return false
	}
	if !slices.EqualFunc(here.Lines, there.Lines, slices.Equal) {
		t.Fatalf("%s: they prove different things\nhere:  %q\nthere: %q", name, here.Lines, there.Lines)
	}
	if !slices.EqualFunc(here.Entries, there.Entries, same) {
		t.Fatalf("%s: they read different entries\nhere:  %s\nthere: %s", name, here.Entries, there.Entries)
	}
	return true
}

func orProven(v verdict) string {
	if v.Refused == "" {
		return "proven"
	}
	return v.Refused
}

func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && bytes.Equal(must(json.Marshal(x)), must(json.Marshal(y)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
