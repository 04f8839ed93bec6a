package gateway_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/gateway"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

const gatewayHost = "door.clinic.example:8443"

// clock is the gateway's clock, which a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// person is somebody with a wallet.
type person struct {
	key   *wallet.Key
	token string
}

func (p *person) address() string { return p.key.Address() }

// door is a gateway of hospital 1 with a network around it: alice's scan is in the custody of
// hospital 1, and er, a clinician of hospital 4, has a released unlock of its version 1.
type door struct {
	t       *testing.T
	node    *fakeNode
	clock   *clock
	store   blob.Store
	fetcher *fakeFetcher
	config  gateway.Config
	gateway *gateway.Gateway
	url     string
	client  *http.Client

	people   map[string]*person
	alice    string // patient number
	carol    string // patient number of somebody with guardians, none of whom is here
	bob      string
	record   string
	object   *blobtest.Object
	content  []byte
	envelope lock.CID
	unlock   string
	pending  string // an unlock of er's that is only endorsed
	rk       lock.CID
	capsule  lock.CID
	vault    lock.CID
	dataLeaf lock.CID
	recovery struct{ rk, shares, capsule lock.CID } // of alice's wallet
}

// fakeFetcher has the blocks of other hospitals.
type fakeFetcher struct {
	mu     sync.Mutex
	blocks map[lock.CID][]byte
	asked  int
}

func (f *fakeFetcher) Block(_ context.Context, c lock.CID, _ int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	b, ok := f.blocks[c]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return bytes.Clone(b), nil
}

func (f *fakeFetcher) Blocks(ctx context.Context, cids []lock.CID, take func(lock.CID, []byte) error) error {
	for _, c := range cids {
		block, err := f.Block(ctx, c, blob.MaxBlock)
		if err == nil && !blob.Matches(c, block) {
			err = blob.ErrMismatch
		}
		if err == nil {
			err = take(c, block)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// option changes the config of a gateway before it is made.
type option func(*gateway.Config)

func newDoor(t *testing.T, options ...option) *door {
	t.Helper()
	d := prepareDoor(t, options...)
	d.start()
	return d
}

// prepareDoor makes the network and the config, and no gateway yet.
func prepareDoor(t *testing.T, options ...option) *door {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	d := &door{
		t: t, clock: c, node: newFakeNode(t, c.now), store: memory.NewAt(c.now), fetcher: &fakeFetcher{blocks: map[lock.CID][]byte{}},
		people: map[string]*person{},
	}
	d.populate()
	folder := t.TempDir()
	certFile, keyFile := writeCertificate(t, folder)
	genesis := filepath.Join(folder, "genesis.json")
	if err := os.WriteFile(genesis, []byte(`{"chain_id":"phrd-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.config = gateway.Config{
		Listen: "127.0.0.1:0", CertificateFile: certFile, KeyFile: keyFile, Folder: filepath.Join(folder, "gateway"), GenesisFile: genesis,
		Origins: []string{"https://page.clinic.example"}, Pages: testPages, Version: "test", Chain: d.node, Store: d.store, Fetcher: d.fetcher,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)), Now: c.now,
		Limits: gateway.Limits{Logins: gateway.Rate{Burst: 1000, Count: 1000, Per: time.Second}, ReportQuiet: 20 * time.Millisecond},
	}
	for _, o := range options {
		o(&d.config)
	}
	return d
}

// testWriter writes the gateway's log into the test's.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

// start starts a gateway over what is there, as after a restart of the process.
func (d *door) start() {
	d.t.Helper()
	g, err := gateway.New(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := g.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.gateway, d.url = g, "https://"+g.Addr()
	d.client = trusting(d.t, d.config.CertificateFile)
	d.t.Cleanup(d.stop)
}

// trusting is a client that takes a certificate and no other.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	cert, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(cert)
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// stop stops the gateway; a second call does nothing.
func (d *door) stop() {
	if d.gateway == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d.client.CloseIdleConnections()
	if err := d.gateway.Stop(ctx); err != nil {
		d.t.Error(err)
	}
	d.gateway = nil
}

func (d *door) newPerson(name string, role consortiumv1.Role, hospital uint64, patient string) *person {
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	p := &person{key: key}
	d.people[name] = p
	if role != consortiumv1.Role_ROLE_UNSPECIFIED {
		d.node.principals[key.Address()] = &consortiumv1.Principal{
			Address: key.Address(), Role: role, Hospital: hospital, Active: true, Patient: patient,
		}
	}
	return p
}

func newID(t *testing.T) string {
	t.Helper()
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// rawBlock is a block of that text and its CID.
func rawBlock(text string) (lock.CID, []byte) {
	return lock.RawCID(sha256.Sum256([]byte(text))), []byte(text)
}

func hexOf(c byte) string { return hex.EncodeToString(bytes.Repeat([]byte{c}, 32)) }

// populate fills the network.
func (d *door) populate() {
	n := d.node
	d.alice, d.bob = newID(d.t), newID(d.t)
	node1 := d.newPerson("node1", consortiumv1.Role_ROLE_NODE, 1, "")
	n.account = node1.address()
	n.member = &consortiumv1.Member{Number: 1, Name: "clinic", GatewayUrl: "https://" + gatewayHost, NodeAccount: node1.address()}
	for name, staff := range map[string]struct {
		role     consortiumv1.Role
		hospital uint64
	}{
		"clerk1":   {consortiumv1.Role_ROLE_CLERK, 1},
		"clerk2":   {consortiumv1.Role_ROLE_CLERK, 2},
		"doctor1":  {consortiumv1.Role_ROLE_CLINICIAN, 1},
		"doctor3":  {consortiumv1.Role_ROLE_CLINICIAN, 3},
		"er":       {consortiumv1.Role_ROLE_CLINICIAN, 4},
		"officer1": {consortiumv1.Role_ROLE_OFFICER, 1},
		"officer3": {consortiumv1.Role_ROLE_OFFICER, 3},
		"officer4": {consortiumv1.Role_ROLE_OFFICER, 4},
		"admin2":   {consortiumv1.Role_ROLE_ADMIN, 2},
		"auditor":  {consortiumv1.Role_ROLE_AUDITOR, 0},
		"auditor1": {consortiumv1.Role_ROLE_AUDITOR, 1},
		"auditor3": {consortiumv1.Role_ROLE_AUDITOR, 3},
		"auditor4": {consortiumv1.Role_ROLE_AUDITOR, 0},
		"node2":    {consortiumv1.Role_ROLE_NODE, 2},
	} {
		d.newPerson(name, staff.role, staff.hospital, "")
	}
	for name, scope := range map[string]*consortiumv1.AuditScope{
		"auditor": {All: true}, "auditor1": {Hospitals: []uint64{1}}, "auditor3": {Hospitals: []uint64{3}}, "auditor4": {Hospitals: []uint64{2, 4}},
	} {
		n.principals[d.people[name].address()].Audits = scope
	}
	alice := d.newPerson("alice", consortiumv1.Role_ROLE_PATIENT, 0, d.alice)
	bob := d.newPerson("bob", consortiumv1.Role_ROLE_PATIENT, 0, d.bob)
	d.newPerson("newcomer", consortiumv1.Role_ROLE_PATIENT, 0, "")
	d.newPerson("stranger", consortiumv1.Role_ROLE_UNSPECIFIED, 0, "")

	vault, blobOfVault := rawBlock("alice's vault")
	d.vault = vault
	d.fetcher.blocks[vault] = blobOfVault
	n.patients[d.alice] = &recordsv1.Patient{Id: d.alice, Address: alice.address(), Vault: &recordsv1.Vault{Blob: vault.String()}}
	n.patients[d.bob] = &recordsv1.Patient{Id: d.bob, Address: bob.address(), Vault: &recordsv1.Vault{}}
	n.accounts[alice.address()] = &authv1.BaseAccount{Address: alice.address(), AccountNumber: 7, Sequence: 3}
	d.populateRecord(alice)
	d.populateRecoveries()
}

// populateRecoveries makes bob a guardian of alice, who has lost her wallet: the newcomer is to have its place.
func (d *door) populateRecoveries() {
	d.carol = newID(d.t)
	put := func(text string) lock.CID {
		cid, block := rawBlock(text)
		d.fetcher.blocks[cid] = block
		return cid
	}
	d.recovery.rk, d.recovery.shares, d.recovery.capsule = put("one-time key"), put("shares"), put("share of bob")
	d.node.guardians = map[string]*accessv1.Guardians{
		d.alice: {Patient: d.alice, Guardians: []string{d.bob}, Shares: d.recovery.shares.String()},
		d.carol: {Patient: d.carol, Guardians: []string{newID(d.t)}},
	}
	d.node.handedOver = d.alice
	d.node.recoveries = map[uint64]*accessv1.QueryRecoveryResponse{
		1: {Status: accessv1.RecoveryStatus_RECOVERY_STATUS_DUE, Recovery: &accessv1.Recovery{
			Number: 1, Patient: d.alice, Account: d.people["newcomer"].address(), Guardians: []string{d.bob}, Unlock: hexOf(0x44),
			RequestKey: d.recovery.rk.String(), Approvals: []*accessv1.RecoveryApproval{{Capsule: d.recovery.capsule.String()}},
		}},
		2: {Recovery: &accessv1.Recovery{Number: 2, Patient: d.carol, Account: "phrd1somebody"}},
	}
}

func (d *door) populateRecord(alice *person) {
	n, t := d.node, d.t
	d.record = newID(t)
	d.object = blobtest.NewObject(7, append(blobtest.Sizes(2<<20+5000), 4096)...)
	if err := d.object.Put(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	leaves, err := blob.Leaves(t.Context(), d.object, d.object.Root, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		d.content = append(d.content, d.object.Blocks[l.CID]...)
	}
	d.dataLeaf = leaves[1].CID
	envelope, envelopeBytes := rawBlock("envelope")
	d.envelope = envelope
	d.fetcher.blocks[envelope] = envelopeBytes
	n.records[d.record] = &recordsv1.Record{
		Id: d.record, OwnerKind: recordsv1.OwnerKind_OWNER_KIND_PATIENT, Patient: d.alice, Custodian: 1, Versions: 1,
	}
	n.versions[d.record] = []*recordsv1.Version{{
		Record: d.record, Version: 1, Envelope: envelope.String(), Object: d.object.Root.String(), Size: 2<<20 + 5000,
		Header: &recordsv1.Header{OwnerKind: recordsv1.OwnerKind_OWNER_KIND_PATIENT, Patient: d.alice, Custodian: 1},
	}}
	n.objects[d.object.Root.String()] = &storagev1.Object{Cid: d.object.Root.String(), Size: 2<<20 + 5000}
	rk, rkBytes := rawBlock("request key")
	capsule, capsuleBytes := rawBlock("capsule")
	d.rk, d.capsule = rk, capsule
	d.fetcher.blocks[rk], d.fetcher.blocks[capsule] = rkBytes, capsuleBytes
	d.unlock, d.pending = hexOf(0x11), hexOf(0x22)
	unlock := func(id string, s accessv1.UnlockStatus) *accessv1.QueryUnlockResponse {
		return &accessv1.QueryUnlockResponse{Status: s, Unlock: &accessv1.Unlock{
			Id: id, Requester: d.people["er"].address(), Hospital: 4, Patient: d.alice, Custodian: 1, RequestKey: rk.String(),
			Versions: []*accessv1.UnlockVersion{{Record: d.record, Version: 1}}, ExpiresAt: d.clock.now().Add(time.Hour).Unix(),
			Approval: &accessv1.Approval{By: alice.address(), Capsule: capsule.String()},
		}}
	}
	n.unlocks = []*accessv1.QueryUnlockResponse{
		unlock(d.pending, accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED),
		unlock(d.unlock, accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED),
	}
	n.emergencies = map[string]*accessv1.Emergency{
		hexOf(0x55): {Id: hexOf(0x55), Patient: d.alice, Requester: d.people["er"].address(), Hospital: 4, Custodian: 1},
	}
	n.terms = map[string]*accessv1.EmergencyTerms{}
	n.consents = map[uint64]*accessv1.Consent{
		1: {Number: 1, Patient: d.alice, Hospital: 4, Staff: d.people["er"].address()},
		2: {Number: 2, Patient: d.alice, Hospital: 1, Ward: 7},
		3: {Number: 3, Patient: d.alice, Hospital: 1, Ward: 8},
		4: {Number: 4, Patient: d.alice, Hospital: 1},
	}
	n.principals[d.people["doctor1"].address()].Wards = []uint32{7}
	n.entries[1] = &auditv1.Entry{Sequence: 1, Actor: d.people["clerk1"].address(), Hospital: 1, Patient: d.alice}
	n.invitations[hexOf(0x33)] = &consortiumv1.Invitation{Hospital: 1}
}

// writeCertificate makes a self-signed certificate.
func writeCertificate(t *testing.T, folder string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: loopback,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(folder, "gateway.crt"), filepath.Join(folder, "gateway.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// reply is an answer of the gateway with its whole body.
type reply struct {
	*http.Response
	body []byte
}

func (r reply) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
}

// headers are pairs of names and values.
type headers map[string]string

// do sends a request, as a person unless who is empty.
func (d *door) do(who, method, path string, h headers, body []byte) reply {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for name, value := range h {
		request.Header.Set(name, value)
	}
	if who != "" {
		request.Header.Set("Authorization", "Bearer "+d.token(who))
	}
	return d.send(request)
}

func (d *door) send(request *http.Request) reply {
	d.t.Helper()
	response, err := d.client.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		d.t.Fatal(err)
	}
	return reply{response, body}
}

// want fails unless the answer has the status; errors must be problem documents.
func (d *door) want(r reply, status int) reply {
	d.t.Helper()
	if r.StatusCode != status {
		d.t.Fatalf("%s %s: status %d, want %d: %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	if status >= 400 && r.Request.Method != http.MethodHead {
		var p struct {
			Status int    `json:"status"`
			Title  string `json:"title"`
			Type   string `json:"type"`
		}
		r.json(d.t, &p)
		if p.Status != status || p.Title == "" || p.Type == "" || r.Header.Get("Content-Type") != "application/problem+json" {
			d.t.Fatalf("%s %s: not a problem document: %s %s", r.Request.Method, r.Request.URL.Path, r.Header.Get("Content-Type"), r.body)
		}
	}
	return r
}

// token logs a person in where that was not done.
func (d *door) token(who string) string {
	d.t.Helper()
	p := d.people[who]
	if p == nil {
		d.t.Fatalf("nobody is %q", who)
	}
	if p.token == "" {
		r := d.want(d.login(p.key, d.challenge(p.address())), http.StatusOK)
		var body struct{ Token string }
		r.json(d.t, &body)
		p.token = body.Token
	}
	return p.token
}

type challenge struct {
	Nonce, Text string
	ExpiresAt   time.Time `json:"expires_at"`
}

func (d *door) challenge(address string) challenge {
	d.t.Helper()
	var c challenge
	d.want(d.postJSON("/login/challenge", headers{"address": address}), http.StatusOK).json(d.t, &c)
	return c
}

func (d *door) postJSON(path string, fields headers) reply {
	d.t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.do("", http.MethodPost, path, headers{"Content-Type": "application/json"}, body)
}

func loginFields(k *wallet.Key, c challenge) headers {
	return headers{
		"address": k.Address(), "public_key": base64.StdEncoding.EncodeToString(k.PublicKey()), "nonce": c.Nonce,
		"signature": base64.StdEncoding.EncodeToString(k.SignArbitrary([]byte(c.Text))),
	}
}

func (d *door) login(k *wallet.Key, c challenge) reply {
	d.t.Helper()
	return d.postJSON("/login", loginFields(k, c))
}

// reports waits until the chain has so many reports, and returns all.
func (d *door) reports(count int) []*recordsv1.AccessReport {
	d.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		if got := d.node.taken(); len(got) >= count {
			return got
		}
		// Reads end when the gateway's clock has moved on.
		d.clock.move(time.Second)
		select {
		case <-d.node.submitted:
		case <-time.After(5 * time.Millisecond):
		case <-timeout:
			d.t.Fatalf("the chain has %d reports, want %d", len(d.node.taken()), count)
		}
	}
}
