// Package custody_test has two implementations of docs/custody.md check each other: the
// Go packages lock and seal, and the TypeScript of this folder, which was written from
// that text alone. Each takes what the other one made, and refuses it with one bit
// changed.
package custody_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
)

// partner is the other implementation, in a process of its own: a line of JSON for each question, one for each answer.
type partner struct {
	questions io.Writer
	answers   *bufio.Reader
}

// answer is what the partner says. Refused and Fault say why; a fault is one of the partner's own.
type answer struct {
	Out     fields
	Refused string
	Fault   string
}

// newPartner starts the partner that PHRD_PARTNER names; `make custody` builds it. It ends with the test.
func newPartner(t *testing.T) *partner {
	t.Helper()
	program := os.Getenv("PHRD_PARTNER")
	if program == "" {
		t.Skip("PHRD_PARTNER names no program; `make custody` does")
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

// make asks for something of a kind. It is given all chance, and must not refuse.
func (p *partner) make(t *testing.T, kind string, in fields) fields {
	t.Helper()
	got := p.ask(t, map[string]any{"make": kind, "in": in})
	if got.Refused != "" {
		t.Fatalf("%s was not made of %s: %s", kind, in, got.Refused)
	}
	return got.Out
}

// take has what was made here checked or opened, and tells whether it was accepted.
func (p *partner) take(t *testing.T, kind string, in fields) (fields, bool) {
	t.Helper()
	got := p.ask(t, map[string]any{"take": kind, "in": in})
	return got.Out, got.Refused == ""
}

func (p *partner) ask(t *testing.T, question map[string]any) answer {
	t.Helper()
	line, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.questions.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	reply, err := p.answers.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got answer
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatalf("%v in %.200s", err, reply)
	}
	if got.Fault != "" {
		t.Fatalf("the partner failed at %.2000s\n%s", line, got.Fault)
	}
	return got
}
