package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/internal/phantom"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
)

// How long the demo waits for what others do, and how long its unlock and invitation live.
const (
	demoWait     = time.Minute
	demoLifetime = time.Hour
)

// demo is a day in a network on this machine: what its people do, by the functions behind the other commands.
type demo struct {
	options   demoOptions
	out       *output
	dir       string
	hospitals []localHospital
	report    demoReport
	users     []*user
	entries   []*auditv1.Entry

	file    string // that is stored
	clerk   *user  // of the first hospital, the custodian
	officer *user  // of the first hospital
	patient *user
	asker   int   // place of the hospital that asks in hospitals
	doctor  *user // of that hospital
	ref     phr.Ref
	unlock  string
}

// story runs the steps in their order.
func (d *demo) story(ctx context.Context) error {
	export := d.export
	if d.options.Export == "" {
		export = nil
	}
	for _, s := range []struct {
		name string
		took *float64
		run  func(context.Context) error
	}{
		{fmt.Sprintf("%d hospitals make their keys, found a network and start", d.options.Hospitals), &d.report.Seconds.Start, d.found},
		{"the hospitals make the network's key together", &d.report.Seconds.Key, d.makeKey},
		{"staff are registered, a patient is invited and opens an account and a vault", nil, d.people},
		{"a clerk of hospital 1 stores a study for the patient", &d.report.Seconds.Store, d.store},
		{"other hospitals copy it and read it back", &d.report.Seconds.Replicate, d.replicate},
		{"a clinician elsewhere asks, an officer endorses, the patient approves, the hospitals give their shares", &d.report.Seconds.Unlock, d.ask},
		{"the clinician opens it", &d.report.Seconds.Open, d.open},
		{"the hospital that stored it stops, and the clinician opens it again", nil, d.lose},
		{"the patient reads who did what", nil, d.log},
		{"an auditor writes the log to a file that proves it", nil, export},
	} {
		if s.run == nil {
			continue
		}
		if err := d.step(s.name, s.took, func() error { return s.run(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// found makes the network and starts it.
func (d *demo) found(ctx context.Context) error {
	made, err := createNetwork(ctx, createOptions{
		Dir: d.dir, Hospitals: d.options.Hospitals, ChainID: "phrd-demo-1", PortOffset: d.options.PortOffset, Fast: true, Capacity: 64 << 30,
	})
	if err != nil {
		return err
	}
	d.report.Homes = made.Homes
	if d.hospitals, err = localNetwork(d.dir); err != nil {
		return err
	}
	d.out.note("  %s, genesis %s", made.ChainID, made.Hash)
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	return startNetwork(ctx, d.hospitals, true)
}

// makeKey waits until the hospitals have made the records key and each has proved that it has its share.
func (d *demo) makeKey(ctx context.Context) error {
	admin, err := d.as(ctx, d.hospitals[0], defaultAccount)
	if err != nil {
		return err
	}
	keys, err := keysWithin(ctx, admin.client, demoWait)
	if err != nil {
		return err
	}
	v := keyViewOf(keys[0])
	d.report.Custody = demoCustody{Origin: v.Origin, Holders: v.confirmed(), Threshold: v.Threshold}
	d.out.note("  nobody ever knows it: %d hospitals hold a share, %d of them open", v.confirmed(), v.Threshold)
	return nil
}

// as opens the account of a hospital's home.
func (d *demo) as(ctx context.Context, h localHospital, account string) (*user, error) {
	u, err := openUser(ctx, userOptions{Home: h.Home, PassphraseFile: h.PassphraseFile, From: account})
	if err != nil {
		return nil, err
	}
	d.users = append(d.users, u)
	return u, nil
}

// hire registers a member of staff at a hospital and opens the account.
func (d *demo) hire(ctx context.Context, h localHospital, name string, role consortiumv1.Role) (*user, error) {
	admin, err := d.as(ctx, h, defaultAccount)
	if err != nil {
		return nil, err
	}
	if _, err := addStaff(ctx, admin, staffOptions{Name: name, Role: role}); err != nil {
		return nil, err
	}
	return d.as(ctx, h, name)
}

// people registers a clerk and an officer at the first hospital, and lets a patient join.
func (d *demo) people(ctx context.Context) (err error) {
	if d.clerk, err = d.hire(ctx, d.hospitals[0], "clerk", consortiumv1.Role_ROLE_CLERK); err != nil {
		return err
	}
	if d.officer, err = d.hire(ctx, d.hospitals[0], "officer", consortiumv1.Role_ROLE_OFFICER); err != nil {
		return err
	}
	invitation, err := d.clerk.client.Invite(ctx, demoLifetime)
	if err != nil {
		return err
	}
	passphrase, err := newPassphrase(d.patientPassphrase())
	if err != nil {
		return err
	}
	joined, err := joinNetwork(ctx, joinOptions{Home: d.patientHome(), Passphrase: passphrase, Invitation: invitation})
	if err != nil {
		return err
	}
	d.report.Homes = append(d.report.Homes, joined.Home)
	d.out.note("  patient %s; the recovery code of 24 words would be written down now", joined.Patient)
	d.patient, err = openUser(ctx, userOptions{Home: d.patientHome(), PassphraseFile: d.patientPassphrase()})
	if err == nil {
		d.users = append(d.users, d.patient)
	}
	return err
}

func (d *demo) patientHome() string { return filepath.Join(d.dir, "alice") }

func (d *demo) patientPassphrase() string { return filepath.Join(d.dir, passphraseFolder, "alice") }

// store stores the file, the built-in study where none was given.
func (d *demo) store(ctx context.Context) error {
	var err error
	if d.file = d.options.File; d.file == "" {
		if d.file, err = d.writeStudy(); err != nil {
			return err
		}
	}
	if d.report.SHA256, err = hashOf(d.file); err != nil {
		return err
	}
	patient, err := d.patient.client.Principal(ctx)
	if err != nil {
		return err
	}
	progress, done := d.out.progress()
	defer done()
	stored, err := storeFile(ctx, d.clerk.client, storeOptions{
		File: d.file, Patient: patient.Patient, Class: recordsv1.Class_CLASS_IMAGING, Wait: waitNone, Progress: progress,
	})
	if err != nil {
		return err
	}
	if d.ref, err = phr.ParseRef(fmt.Sprintf("%s/%d", stored.Record, stored.Version)); err != nil {
		return err
	}
	d.report.Record, d.report.Version, d.report.Bytes = stored.Record, stored.Version, stored.Bytes
	if d.options.File == "" {
		// The plaintext was only there to be stored.
		return os.Remove(d.file)
	}
	return nil
}

// writeStudy writes the built-in study into a file.
func (d *demo) writeStudy() (string, error) {
	path := filepath.Join(d.dir, phantom.Name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	return path, errors.Join(phantom.Write(f), f.Close())
}

// hashOf is the SHA-256 of a file in hex.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %q: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// replicate waits for the copies and chooses a hospital without one.
func (d *demo) replicate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	copies, err := d.clerk.client.WaitForCopies(ctx, d.ref, 0, func(c phr.Copies) { d.out.note("  copies %d of %d", c.Held, c.Target) })
	if err != nil {
		return err
	}
	d.report.Copies, d.report.CopiesTarget = copies.Held, copies.Target
	nodes, err := d.clerk.client.StorageNodes(ctx, 0)
	if err != nil {
		return err
	}
	holds := map[uint64]bool{1: true} // the origin keeps what it brought in until it is collected
	for _, n := range nodes {
		if slices.ContainsFunc(copies.Nodes, func(c *storagev1.Copy) bool { return c.Node == n.Number }) {
			holds[n.Member] = true
		}
	}
	for i := range d.hospitals {
		if !holds[uint64(i+1)] {
			d.asker = i
			d.out.note("  hospital %d holds no copy and will ask", i+1)
			return nil
		}
	}
	return errors.New("every hospital holds a copy, so none is left to ask for one")
}

// ask proposes, endorses and approves, and waits for the shares.
func (d *demo) ask(ctx context.Context) (err error) {
	if d.doctor, err = d.hire(ctx, d.hospitals[d.asker], "clinician", consortiumv1.Role_ROLE_CLINICIAN); err != nil {
		return err
	}
	if d.unlock, err = d.doctor.client.Propose(ctx, phr.Request{Versions: []phr.Ref{d.ref}, Purpose: "TREAT", Lifetime: demoLifetime}); err != nil {
		return err
	}
	d.out.note("  proposed by a clinician of hospital %d", d.asker+1)
	if _, err := d.officer.client.Endorse(ctx, d.unlock); err != nil {
		return err
	}
	d.out.note("  endorsed by an officer of hospital 1")
	vault, err := d.patient.vault(ctx)
	if err != nil {
		return err
	}
	approved, err := approveUnlock(ctx, d.patient.client, vault, d.unlock, nil)
	if err != nil {
		return err
	}
	d.out.note("  approved by the patient: %s, %s, until %s, checked at %d hospitals", approved.Hospital, approved.Purpose, approved.Until.Format(time.RFC3339), len(approved.CheckedAt))
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	if _, err = d.doctor.client.WaitForRelease(ctx, d.unlock); err == nil {
		d.out.note("  released by %d hospitals", d.report.Custody.Threshold)
	}
	return err
}

// open opens the version at the asking hospital.
func (d *demo) open(ctx context.Context) (err error) {
	d.report.OpenedPath, d.report.OpenedSHA256, err = d.openTo(ctx, "opened")
	return err
}

// lose stops the hospital that stored the version and opens it again, within the same session.
func (d *demo) lose(ctx context.Context) (err error) {
	if err := stopNetwork(ctx, d.hospitals[:1]); err != nil {
		return err
	}
	d.out.note("  hospital 1 has stopped")
	d.report.OpenedAfterLossPath, d.report.OpenedAfterLossSHA, err = d.openTo(ctx, "opened-after-loss")
	return err
}

// openTo opens the version into a file of the asking hospital's home and compares it with what was stored.
func (d *demo) openTo(ctx context.Context, name string) (path, sum string, err error) {
	progress, done := d.out.progress()
	defer done()
	opened, err := openRecord(ctx, d.doctor.client, openOptions{
		Unlock: d.unlock, Ref: d.ref, Output: filepath.Join(d.hospitals[d.asker].Home, name+filepath.Ext(d.file)), Timeout: demoWait, Progress: progress,
	})
	if err != nil {
		return "", "", err
	}
	if sum, err = hashOf(opened.Path); err != nil {
		return "", "", err
	}
	if sum != d.report.SHA256 {
		return "", "", fmt.Errorf("%s has SHA-256 %s, want %s", opened.Path, sum, d.report.SHA256)
	}
	d.out.note("  %s, SHA-256 as stored", opened.Path)
	return opened.Path, sum, nil
}

// log reads the record's log as the patient, once what the clinician read in both openings stands in it.
func (d *demo) log(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	owner, err := d.patient.client.Principal(ctx)
	if err != nil {
		return err
	}
	// Each opening reads at least the bytes of the file; of the padding it skips whole leaves.
	wanted := 2 * d.report.Bytes
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		d.entries, err = readLog(ctx, d.patient.client, phr.LogFilter{Record: d.report.Record, Patient: owner.Patient}, 0)
		if err != nil {
			return err
		}
		slices.Reverse(d.entries)
		d.report.Audit = nil
		var read uint64
		for _, e := range d.entries {
			d.report.Audit = append(d.report.Audit, e.Kind)
			for _, s := range e.Subjects {
				if e.Actor == d.doctor.client.Address() {
					read += s.Length
				}
			}
		}
		if read >= wanted {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d bytes read stand in the log: %w", read, wanted, ctx.Err())
		}
	}
}

// demoAuditor is for how long the demo's auditor is appointed.
const demoAuditor = 365 * 24 * time.Hour

// appoint has the hospitals that are up appoint an auditor of the whole log, whose key lies in a home, and opens the account.
func (d *demo) appoint(ctx context.Context, h localHospital, name string) (*user, error) {
	admin, err := d.as(ctx, h, defaultAccount)
	if err != nil {
		return nil, err
	}
	asked, err := proposeAuditor(ctx, admin, auditorOptions{staffOptions: staffOptions{Name: name, Until: time.Now().Add(demoAuditor).Unix()}})
	if err != nil {
		return nil, err
	}
	// More than two thirds decide, and whoever votes after that is refused. The first hospital is down.
	for _, voter := range d.hospitals[1 : 2+2*len(d.hospitals)/3] {
		v, err := d.as(ctx, voter, defaultAccount)
		if err != nil {
			return nil, err
		}
		if err := v.client.Vote(ctx, asked.Proposal, true); err != nil {
			return nil, err
		}
	}
	if err := d.carriedOut(ctx, admin, asked.Proposal); err != nil {
		return nil, err
	}
	return d.as(ctx, h, name)
}

// carriedOut waits until a hospital knows that a proposal was carried out.
func (d *demo) carriedOut(ctx context.Context, u *user, proposal uint64) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		p, _, err := u.client.Proposal(ctx, proposal)
		if err != nil || p.GetStatus() == consortiumv1.ProposalStatus_PROPOSAL_STATUS_EXECUTED {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("proposal %d is %s: %w", proposal, p.GetStatus(), ctx.Err())
		}
	}
}

// export writes the whole log to a file, as an auditor whom the hospitals appointed.
func (d *demo) export(ctx context.Context) error {
	auditor, err := d.appoint(ctx, d.hospitals[d.asker], "auditor")
	if err != nil {
		return err
	}
	done, err := exportLog(ctx, auditor.client, d.options.Export, true, phr.Export{Head: logproof.Head{Kind: logproof.Period}})
	if err != nil {
		return err
	}
	h, err := home.Open(d.hospitals[d.asker].Home)
	if err != nil {
		return err
	}
	d.report.Export = &demoExport{done, h.Genesis()}
	d.out.note("  %d entries, up to block %d, signed with %d of %d votes", done.Entries, done.Height, done.Signed, done.Votes)
	return nil
}

// restart brings the stopped hospital back.
func (d *demo) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	return startNetwork(ctx, d.hospitals[:1], true)
}

// stopAll ends every process of the demo.
func (d *demo) stopAll(ctx context.Context) error {
	hospitals, err := localNetwork(d.dir)
	if errors.Is(err, errNoNetwork) {
		return nil
	}
	if err != nil {
		return err
	}
	return stopNetwork(ctx, hospitals)
}

func (d *demo) close() error {
	var errs []error
	for _, u := range d.users {
		errs = append(errs, u.close())
	}
	return errors.Join(errs...)
}
