package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// staff are the people of one hospital, by role and name.
type staff struct {
	mu    sync.Mutex
	known map[string]*person
}

// Staff is somebody of a hospital's staff.
type Staff struct {
	Person
	hospital *hospital
}

// Hospital is where the person works.
func (s Staff) Hospital() *Hospital { return &Hospital{s.t, s.hospital} }

// Admin is the admin whose account the hospital's home was made with.
func (h *Hospital) Admin() Staff {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	p, err := h.admin(ctx)
	if err != nil {
		h.t.Fatalf("admin of %s: %v", h.name, err)
	}
	return Staff{Person{h.t, p}, h.hospital}
}

// Clerk stores records and invites patients.
func (h *Hospital) Clerk() Staff { h.t.Helper(); return h.Staff(consortiumv1.Role_ROLE_CLERK, "clerk") }

// Clinician asks for records.
func (h *Hospital) Clinician() Staff {
	h.t.Helper()
	return h.Staff(consortiumv1.Role_ROLE_CLINICIAN, "clinician")
}

// Officer endorses unlocks of records in the hospital's custody.
func (h *Hospital) Officer() Staff {
	h.t.Helper()
	return h.Staff(consortiumv1.Role_ROLE_OFFICER, "officer")
}

// Director is a second officer: for the hospital's own records one endorses and another one approves.
func (h *Hospital) Director() Staff {
	h.t.Helper()
	return h.Staff(consortiumv1.Role_ROLE_OFFICER, "director")
}

// Revisor is the hospital's own auditor, who sees what concerns it.
func (h *Hospital) Revisor() Staff {
	h.t.Helper()
	return h.Staff(consortiumv1.Role_ROLE_AUDITOR, "revisor")
}

// Staff is somebody with a role in the hospital. Whoever is asked for first is registered by the admin.
func (h *Hospital) Staff(role consortiumv1.Role, name string) Staff {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	p, err := h.hire(ctx, role, name)
	if err != nil {
		h.t.Fatalf("%s of %s: %v", name, h.name, err)
	}
	return Staff{Person{h.t, p}, h.hospital}
}

// admin opens the admin's program once.
func (h *hospital) admin(ctx context.Context) (*person, error) {
	h.staff.mu.Lock()
	defer h.staff.mu.Unlock()
	return h.adminOnce(ctx)
}

// adminOnce is admin for a caller that holds the lock.
func (h *hospital) adminOnce(ctx context.Context) (*person, error) {
	if p := h.staff.known[home.AccountAdmin]; p != nil {
		return p, nil
	}
	key, err := h.keys.Account(home.AccountAdmin)
	if err != nil {
		return nil, err
	}
	p, err := h.dial(ctx, key)
	if err != nil {
		return nil, err
	}
	h.staff.known = map[string]*person{home.AccountAdmin: p}
	return p, nil
}

// hire registers somebody who is not known yet.
func (h *hospital) hire(ctx context.Context, role consortiumv1.Role, name string) (*person, error) {
	h.staff.mu.Lock()
	defer h.staff.mu.Unlock()
	admin, err := h.adminOnce(ctx)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%s %s", role, name)
	if p := h.staff.known[id]; p != nil {
		return p, nil
	}
	key, err := h.keys.NewAccount(name)
	if err != nil {
		return nil, err
	}
	if err := admin.client.RegisterStaff(ctx, key.Address(), role); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	p, err := h.dial(ctx, key)
	if err != nil {
		return nil, err
	}
	h.staff.known[id] = p
	return p, nil
}

// seeds are the keys of the hospital's own vault, by epoch.
func (h *hospital) seeds() (map[uint64][]byte, error) {
	seeds := map[uint64][]byte{}
	for epoch := uint64(1); ; epoch++ {
		seed, err := h.keys.Get(fmt.Sprintf("%s%d", keys.HospitalVaultPrefix, epoch))
		if errors.Is(err, keys.ErrNotFound) && epoch > 1 {
			return seeds, nil
		}
		if err != nil {
			return nil, err
		}
		seeds[epoch] = seed
	}
}

// vault is the hospital's own vault.
func (h *hospital) vault() (*phr.Vault, error) {
	seeds, err := h.seeds()
	if err != nil {
		return nil, err
	}
	return phr.HospitalVault(h.number, seeds)
}
