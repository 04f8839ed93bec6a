package doctor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/app/doctor"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/phr"
)

// noon is when the hospital of the tests is examined.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// newHospital is a home, and facts of a server of it that is well in a network of three hospitals. What a check reads
// from the home is real.
func newHospital(t *testing.T) *doctor.Facts {
	t.Helper()
	created, err := home.Create(filepath.Join(t.TempDir(), "home"), home.Options{
		Hospital: "Clinic", Site: "Vienna", TimeZone: "Europe/Vienna", Host: "127.0.0.1", Listen: "127.0.0.1", Capacity: 1 << 30,
		Passphrase: []byte("correct horse battery"), KeyOptions: []keys.Option{keys.WithWorkFactor(1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, declared, err := home.ReadMember(created.Home.Member())
	if err != nil {
		t.Fatal(err)
	}
	own := &consortiumv1.Member{
		Number: 1, Name: "Clinic", Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE, CometId: "own", CometAddress: declared.CometAddress,
		GatewayUrl: declared.GatewayUrl, GatewayFingerprint: declared.GatewayFingerprint,
	}
	f := &doctor.Facts{
		Doctor: doctor.Doctor{Home: created.Home, Keys: created.Keys, Version: "v1"}, At: noon,
		Server: &doctor.ServerFacts{
			Height: 7, BlockTime: noon.Add(-5 * time.Second), Own: own,
			Members: []*consortiumv1.Member{own},
			Node:    &consortiumv1.StorageNode{Number: 1, Member: 1, Address: declared.Libp2PAddress},
			Staff:   []*consortiumv1.Staff{admin(false), admin(false)},
			Peers:   map[string]bool{"heart": true, "hill": true},
			Metrics: map[string]float64{"process_max_fds": 1 << 16},
		},
	}
	if f.Files, err = created.Home.Config(); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"heart", "hill"} {
		f.Server.Members = append(f.Server.Members, &consortiumv1.Member{
			Number: uint64(i) + 2, Name: name, Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE, CometId: name,
		})
		f.Others = append(f.Others, doctor.OtherFacts{Name: name, Told: node.Told{Version: "v1", Ahead: time.Duration(i) * time.Millisecond}})
		f.Reaches = append(f.Reaches, phr.Reach{From: phr.Door{Name: name}, Ports: ports(true, true)})
	}
	f.Doctor.Reach = func(context.Context, uint64) ([]phr.Reach, error) { return nil, nil }
	f.Genesis = &home.Genesis{ChainID: "phrd-1"}
	giveShare(t, f)
	if err := created.Home.NoteBackup(noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, path := range filesOf(t, created.Home.Dir()) {
		if err := os.Chtimes(path, noon, noon.Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func admin(revoked bool) *consortiumv1.Staff {
	return &consortiumv1.Staff{Role: consortiumv1.Role_ROLE_ADMIN, Revoked: revoked}
}

func ports(answers, known bool) []phr.Reached {
	var all []phr.Reached
	for _, port := range []string{node.PortComet, node.PortLibp2p, node.PortGateway} {
		all = append(all, phr.Reached{Port: port, Answers: answers, Known: known})
	}
	return all
}

// giveShare deals a share of a key to the hospital.
func giveShare(t *testing.T, f *doctor.Facts) {
	t.Helper()
	value, err := lock.RandomScalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	share := keys.Share{Kind: 1, Generation: 1, Epoch: 1, Index: 1, Scalar: value}
	share.Network[0] = 1
	if err := f.Keys.PutShare(share); err != nil {
		t.Fatal(err)
	}
	key := &custodyv1.Key{Kind: 1, Generation: 1, ShareEpoch: 1}
	f.Server.Keys = []*custodyv1.Key{key}
	f.Server.Holders = map[*custodyv1.Key][]*custodyv1.Holder{key: {{Index: 1, Confirmed: true, PublicShare: value.Public().Bytes()}}}
}

// Every check finds a server well that is, and has something to say when it is not.
func TestChecks(t *testing.T) {
	bad := map[string]map[string]struct {
		damage func(patient)
		want   doctor.Status
	}{
		"permissions": {
			"others read a key": {func(f patient) {
				f.chmod(filepath.Join(f.Home.Keys(), "account", "admin.age"), 0o644)
			}, doctor.Fail},
			"others enter the folder of keys":   {func(f patient) { f.chmod(f.Home.Keys(), 0o755) }, doctor.Fail},
			"the home was opened with an error": {func(f patient) { f.Loose = home.ErrLoose }, doctor.Fail},
		},
		"configuration": {
			"a file is damaged": {func(f patient) { f.FilesErr = errors.New("app.toml: line 3") }, doctor.Fail},
		},
		"network": {
			"none was accepted": {func(f patient) { f.Genesis = nil }, doctor.Fail},
		},
		"server": {
			"it does not run":              {stop, doctor.Fail},
			"the network does not know it": {func(f patient) { f.Server.Own = nil }, doctor.Fail},
		},
		"chain": {
			"it stands still": {func(f patient) { f.Server.BlockTime = noon.Add(-time.Minute) }, doctor.Fail},
			"catching up":     {func(f patient) { f.Server.CatchingUp = true }, doctor.Warn},
			"stopped":         {stop, doctor.Unknown},
		},
		"clock": {
			"two minutes ahead":         {func(f patient) { shift(f, 2*time.Minute) }, doctor.Fail},
			"two minutes behind":        {func(f patient) { shift(f, -2*time.Minute) }, doctor.Fail},
			"ten seconds":               {func(f patient) { shift(f, 10*time.Second) }, doctor.Warn},
			"nobody tells the time":     {func(f patient) { f.Others = nil }, doctor.Unknown},
			"only the chain tells time": {func(f patient) { f.Others, f.Server.BlockTime = nil, noon.Add(time.Minute) }, doctor.Fail},
		},
		"peers": {
			"one is away":  {func(f patient) { delete(f.Server.Peers, "hill") }, doctor.Warn},
			"all are away": {func(f patient) { clear(f.Server.Peers) }, doctor.Fail},
			"stopped":      {stop, doctor.Unknown},
		},
		"reach": {
			"a port does not answer":  {func(f patient) { f.Reaches[1].Ports[1].Answers = false }, doctor.Fail},
			"another server is there": {func(f patient) { f.Reaches[0].Ports[2].Known = false }, doctor.Fail},
			"nobody is asked":         {func(f patient) { f.Doctor.Reach = nil }, doctor.Unknown},
			"nobody calls": {func(f patient) {
				f.Reaches = []phr.Reach{{Err: phr.ErrUnreachable}}
			}, doctor.Unknown},
			"no list of hospitals": {func(f patient) { f.ReachErr = phr.ErrUnreachable }, doctor.Unknown},
		},
		"addresses": {
			"another gateway port":  {func(f patient) { f.Server.Own.GatewayUrl = "https://127.0.0.1" }, doctor.Warn},
			"another chain address": {func(f patient) { f.Server.Own.CometAddress = "phrd.clinic.example:26656" }, doctor.Warn},
			"another blob port":     {func(f patient) { f.Server.Node.Address = "/ip4/127.0.0.1/tcp/4002" }, doctor.Warn},
			"stopped":               {stop, doctor.Unknown},
		},
		"certificate": {
			"it has ended":   {func(f patient) { f.At = time.Now().AddDate(11, 0, 0) }, doctor.Fail},
			"it ends soon":   {func(f patient) { f.At = time.Now().AddDate(10, 0, -7) }, doctor.Warn},
			"another key":    {func(f patient) { f.Server.Own.GatewayFingerprint = make([]byte, 32) }, doctor.Fail},
			"no certificate": {func(f patient) { f.remove(f.Home.GatewayCertificate()) }, doctor.Fail},
		},
		"versions": {
			"one is newer": {func(f patient) { f.Others[0].Told.Version = "v2" }, doctor.Warn},
			"nobody answers": {func(f patient) {
				f.Others[0].Err, f.Others[1].Err = phr.ErrCertificate, phr.ErrCertificate
			}, doctor.Unknown},
		},
		"share": {
			"it is missing": {func(f patient) {
				f.remove(filepath.Join(f.Home.Keys(), keys.ShareName(1, 1, 1)+".age"))
			}, doctor.Fail},
			"it is another": {func(f patient) {
				f.Server.Holders[f.Server.Keys[0]][0].PublicShare = make([]byte, 32)
			}, doctor.Fail},
			"nobody can read it":    {func(f patient) { f.Keys = nil }, doctor.Unknown},
			"the hospital has none": {func(f patient) { clear(f.Server.Holders) }, doctor.Warn},
			"it was not confirmed":  {func(f patient) { f.Server.Holders[f.Server.Keys[0]][0].Confirmed = false }, doctor.Warn},
			"there is no key":       {func(f patient) { f.Server.Keys = nil }, doctor.Warn},
			"stopped":               {stop, doctor.Unknown},
		},
		"admins": {
			"only one":  {func(f patient) { f.Server.Staff = []*consortiumv1.Staff{admin(false), admin(true)} }, doctor.Warn},
			"none left": {func(f patient) { f.Server.Staff = []*consortiumv1.Staff{admin(true)} }, doctor.Fail},
			"stopped":   {stop, doctor.Unknown},
		},
		"backup": {
			"there is none": {func(f patient) { f.remove(filepath.Join(f.Home.Data(), "last-backup")) }, doctor.Warn},
			"it is old":     {func(f patient) { f.At = noon.AddDate(0, 2, 0) }, doctor.Warn},
			"keys are newer": {func(f patient) {
				if _, err := f.Keys.NewAccount("deputy"); err != nil {
					f.t.Fatal(err)
				}
				path := filepath.Join(f.Home.Keys(), "account", "deputy.age")
				if err := os.Chtimes(path, noon, noon); err != nil {
					f.t.Fatal(err)
				}
				f.At = noon.Add(25 * time.Hour)
			}, doctor.Warn},
			"the note is damaged": {func(f patient) {
				if err := os.WriteFile(filepath.Join(f.Home.Data(), "last-backup"), []byte("yesterday"), 0o600); err != nil {
					f.t.Fatal(err)
				}
			}, doctor.Warn},
		},
		"disk": {
			"more is promised than there is": {func(f patient) { f.Files.Services.Capacity = 1 << 60 }, doctor.Warn},
			"the folder is gone":             {func(f patient) { f.remove(f.Home.Blobs()) }, doctor.Fail},
		},
		"open files": {
			"few":     {func(f patient) { f.Server.Metrics["process_max_fds"] = 4096 }, doctor.Warn},
			"too few": {func(f patient) { f.Server.Metrics["process_max_fds"] = 512 }, doctor.Fail},
		},
		"webhooks": {
			"one is behind": {func(f patient) { f.Server.Metrics["phrd_gateway_webhooks_behind"] = 1 }, doctor.Warn},
			"stopped":       {stop, doctor.Unknown},
		},
		"core dumps": {},
	}
	for _, name := range doctor.Checks() {
		cases, listed := bad[name]
		if !listed {
			t.Errorf("no bad case for %s", name)
		}
		if name != "core dumps" { // which looks at this machine
			if r := doctor.Look(name, newHospital(t)); r.Status != doctor.OK || r.Finding == "" || r.Remedy != "" {
				t.Errorf("%s of a server that is well: %+v", name, r)
			}
		}
		for what, c := range cases {
			f := newHospital(t)
			c.damage(patient{f, t})
			r := doctor.Look(name, f)
			if r.Status != c.want || r.Finding == "" {
				t.Errorf("%s, %s: %+v, want %s", name, what, r, c.want)
			}
			if (r.Status == doctor.Warn || r.Status == doctor.Fail) && r.Remedy == "" {
				t.Errorf("%s, %s: %q without a remedy", name, what, r.Finding)
			}
		}
	}
}

// patient is a server at which a test breaks something.
type patient struct {
	*doctor.Facts
	t *testing.T
}

func stop(f patient) {
	f.Server, f.ServerErr = nil, errors.New("connection refused")
}

func shift(f patient, by time.Duration) {
	for i := range f.Others {
		f.Others[i].Told.Ahead = by
	}
}

func (f patient) chmod(path string, mode os.FileMode) {
	f.t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		f.t.Fatal(err)
	}
}

func (f patient) remove(path string) {
	f.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		f.t.Fatal(err)
	}
}

// One hospital whose clock is wrong does not make this one look wrong.
func TestOneWrongClockIsOutvoted(t *testing.T) {
	f := newHospital(t)
	f.Others = append(f.Others, doctor.OtherFacts{Name: "lake", Told: node.Told{Ahead: time.Hour}})
	if r := doctor.Look("clock", f); r.Status != doctor.OK {
		t.Errorf("%+v", r)
	}
}

func TestDisk(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		room doctor.Room
		want doctor.Status
	}{
		"room for all":               {doctor.NewRoom(10*gib, 10*gib, 0, 0, 8*gib), doctor.OK},
		"what is held needs no more": {doctor.NewRoom(2*gib, 10*gib, 7*gib, 0, 8*gib), doctor.OK},
		"the cache gives way":        {doctor.NewRoom(2*gib, 10*gib, 0, 6*gib, 8*gib), doctor.OK},
		"less than is promised":      {doctor.NewRoom(2*gib, 10*gib, 0, 0, 8*gib), doctor.Warn},
		"nearly full":                {doctor.NewRoom(gib/2, 10*gib, 8*gib, 0, 8*gib), doctor.Fail},
		"no room for the chain":      {doctor.NewRoom(10*gib, gib/2, 0, 0, 8*gib), doctor.Fail},
		"more is held than promised": {doctor.NewRoom(2*gib, 10*gib, 9*gib, 0, 8*gib), doctor.OK},
	} {
		if r := doctor.JudgeDisk(c.room); r.Status != c.want {
			t.Errorf("%s: %+v, want %s", name, r, c.want)
		}
	}
}

func TestCorePattern(t *testing.T) {
	for pattern, want := range map[string]doctor.Status{
		"core":                                  doctor.OK,
		"/var/crash/core.%p":                    doctor.OK,
		"|/usr/lib/systemd/systemd-coredump %P": doctor.OK,
		"|/usr/share/apport/apport -p%p":        doctor.Warn,
	} {
		if r := doctor.JudgeCorePattern(pattern); r.Status != want {
			t.Errorf("%s: %+v, want %s", pattern, r, want)
		}
	}
}

// A server that does not run is examined as far as it goes.
func TestExaminationOfAStoppedServer(t *testing.T) {
	f := newHospital(t)
	results := f.Doctor.Examine(t.Context())
	if len(results) != len(doctor.Checks()) || doctor.Failed(results) == 0 {
		t.Errorf("%d results, %d failed", len(results), doctor.Failed(results))
	}
	found := map[string]doctor.Status{}
	for _, r := range results {
		found[r.Check] = r.Status
	}
	if found["server"] != doctor.Fail || found["chain"] != doctor.Unknown || found["permissions"] != doctor.OK {
		t.Errorf("%v", found)
	}
	if !slices.ContainsFunc(results, func(r doctor.Result) bool { return r.Check == "network" && r.Status == doctor.Fail }) {
		t.Error("a home without a genesis belongs to a network")
	}
}
