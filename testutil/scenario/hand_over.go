package scenario

import (
	"time"

	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
)

// HandsOver sets when the wallet ends.
func (p *Patient) HandsOver(on time.Time) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.SetHandOver(ctx, on); err != nil {
		p.t.Fatalf("set the hand-over: %v", err)
	}
}

// IsShutOut checks that no gateway lets the patient's wallet in.
func (p *Patient) IsShutOut() {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Patient(ctx, p.Number)
	mustBe(p.t, "log in with a wallet that has ended", err, phr.ErrLogin)
}

// HandOverIs waits until an officer of the hospital is shown that hand-over of a patient.
func (h *Hospital) HandOverIs(p *Patient, want *accessv1.HandOver) {
	h.t.Helper()
	want.Patient = p.Number
	officer := h.Officer()
	ctx, cancel := officer.step()
	defer cancel()
	for {
		got, err := officer.client.HandOver(ctx, p.Number)
		if err == nil && proto.Equal(got, want) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("hand-over is %v (%v), want %v", got, err, want)
		}
	}
}
