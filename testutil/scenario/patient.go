package scenario

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

// invitationTime is how long invitations of this package are good.
const invitationTime = time.Hour

// Patient is a patient with an account and a vault.
type Patient struct {
	Person
	// Name appears nowhere in the network.
	Name string
	// Number is the patient number.
	Number string
	// File is the patient's vault file, Code the recovery code.
	File phr.VaultFile
	Code string

	vault *phr.Vault
}

// Patient is a new patient, whom the first hospital's clerk has invited and who has registered.
func (n *Network) Patient(name string) *Patient {
	n.t.Helper()
	return n.Hospital(names[0]).Patient(name)
}

// Patient is a new patient, whom this hospital's clerk has invited and who has registered.
func (h *Hospital) Patient(name string) *Patient {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := step(h.t)
	defer cancel()
	p, err := h.register(ctx, clerk.client, name)
	if err != nil {
		h.t.Fatalf("patient %s of %s: %v", name, h.name, err)
	}
	p.t = h.t
	return p
}

func (h *hospital) register(ctx context.Context, clerk *phr.Client, name string) (*Patient, error) {
	invitation, err := clerk.Invite(ctx, invitationTime)
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	// What travels to the patient is the text.
	if invitation, err = phr.ParseInvitation(invitation.String()); err != nil {
		return nil, err
	}
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	account, err := h.dial(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := account.client.OpenAccount(ctx, invitation); err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	prepared, err := account.client.PreparePatient(phr.DefaultSite)
	if err != nil {
		return nil, err
	}
	if _, err := account.client.RegisterPatient(ctx, prepared.File); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	vault, err := account.client.OpenVault(prepared.File)
	if err != nil {
		return nil, err
	}
	return &Patient{
		Person: Person{person: account}, Name: name, Number: prepared.File.Patient, File: prepared.File, Code: prepared.Code, vault: vault,
	}, nil
}

// In is the patient as another test sees it, such as a part of one.
func (p *Patient) In(t testing.TB) *Patient {
	other := *p
	other.t = t
	return &other
}
