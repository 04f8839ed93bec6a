package scenario

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

// refusalTime is how long somebody waits for an unlock that is not to open.
const refusalTime = 5 * time.Second

// Opens has the hospital's clinician open a version under the newest unlock that names it.
func (h *Hospital) Opens(v Version) { h.t.Helper(); h.Clinician().Opens(v) }

// Opens opens a version under the person's newest unlock that names it, and compares it with what was stored.
func (p Person) Opens(v Version) {
	p.t.Helper()
	u := p.newest(v)
	ctx, cancel := p.step()
	defer cancel()
	name, content, err := p.open(ctx, u, v)
	if err != nil {
		p.t.Fatalf("open %s: %v", v.Name, err)
	}
	if name != v.Name || !bytes.Equal(content, v.Content) {
		p.t.Fatalf("open %s: another file came out: %q, %d bytes", v.Name, name, len(content))
	}
}

// CannotOpen has the hospital's clinician fail to open a version.
func (h *Hospital) CannotOpen(v Version, want error) { h.t.Helper(); h.Clinician().CannotOpen(v, want) }

// CannotOpen tries to open a version under the person's newest unlock that names it, which ends with an error in bounded time.
func (p Person) CannotOpen(v Version, want error) {
	p.t.Helper()
	u := p.newest(v)
	ctx, cancel := p.stepFor(refusalTime)
	defer cancel()
	_, content, err := p.open(ctx, u, v)
	mustBe(p.t, "open "+v.Name, err, want)
	if len(content) != 0 {
		p.t.Errorf("open %s: %d bytes came out before %v", v.Name, len(content), err)
	}
}

func (p Person) open(ctx context.Context, u Unlock, v Version) (name string, content []byte, err error) {
	file, err := p.client.Open(ctx, u.ID, v.Ref)
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	_, err = file.WriteTo(ctx, &out, nil)
	return file.Name, out.Bytes(), err
}

// mustBe fails the test unless an error is the one that is wanted.
func mustBe(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// CannotOpenWith tries to open a version under an unlock, which ends with an error in bounded time.
func (p Person) CannotOpenWith(u Unlock, v Version, want error) {
	p.t.Helper()
	ctx, cancel := p.stepFor(refusalTime)
	defer cancel()
	_, _, err := p.open(ctx, u, v)
	mustBe(p.t, "open "+v.Name, err, want)
}
