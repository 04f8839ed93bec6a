package scenario

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// newDoor makes a client that knows the hospital's gateway by the fingerprint of its certificate.
func (h *hospital) newDoor() *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, //nolint:gosec // the public key itself is checked
			VerifyConnection: func(s tls.ConnectionState) error {
				sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
				if hex.EncodeToString(sum[:]) != h.pin {
					return errors.New("another certificate")
				}
				return nil
			},
		},
	}}
}

// call asks the gateway for something, with a token where it is not empty.
func (h *hospital) call(ctx context.Context, token, method, path string, content []byte) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, h.url+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := h.door.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// get asks the gateway for something without a login.
func (h *hospital) get(ctx context.Context, path string) (status int, body []byte, err error) {
	return h.call(ctx, "", http.MethodGet, path, nil)
}

// Get asks the hospital's gateway for something without a login.
func (h *Hospital) Get(path string) (status int, body []byte) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	status, body, err := h.get(ctx, path)
	if err != nil {
		h.t.Fatalf("GET %s at %s: %v", path, h.name, err)
	}
	return status, body
}

// login logs in as a program that is not ours would, once.
func (p *person) login(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" {
		return p.token, nil
	}
	status, body, err := Person{nil, p}.signIn(ctx, p.key)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("POST /login: %d %s", status, body)
	}
	var session struct{ Token string }
	err = json.Unmarshal(body, &session)
	p.token = session.Token
	return session.Token, err
}

// signIn asks for a challenge and answers it with a key.
func (p Person) signIn(ctx context.Context, key *wallet.Key) (status int, body []byte, err error) {
	post := func(path string, in map[string]any) (int, []byte, error) {
		content, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		return p.at.call(ctx, "", http.MethodPost, path, content)
	}
	status, body, err = post("/login/challenge", map[string]any{"address": p.key.Address()})
	if err != nil || status != http.StatusOK {
		return status, body, err
	}
	var challenge struct{ Nonce, Text string }
	if err := json.Unmarshal(body, &challenge); err != nil {
		return 0, nil, err
	}
	return post("/login", map[string]any{
		"address": p.key.Address(), "public_key": p.key.PublicKey(), "nonce": challenge.Nonce, "signature": key.SignArbitrary([]byte(challenge.Text)),
	})
}

// Call asks the gateway of the person's hospital for something as the account.
func (p Person) Call(method, path string, content []byte) (status int, body []byte) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	status, body, err := p.call(ctx, method, path, content)
	if err != nil {
		p.t.Fatalf("%s %s at %s: %v", method, path, p.at.name, err)
	}
	return status, body
}

func (p Person) call(ctx context.Context, method, path string, content []byte) (status int, body []byte, err error) {
	token, err := p.login(ctx)
	if err != nil {
		return 0, nil, err
	}
	return p.at.call(ctx, token, method, path, content)
}

// contentPath is where a gateway serves the ciphertext of a version, under an unlock where one is given.
func contentPath(v Version, u Unlock) string {
	path := fmt.Sprintf("/records/%s/versions/%d/content", v.Record, v.Ref.Version)
	if u.ID != "" {
		path += "?unlock=" + u.ID
	}
	return path
}

// Reads has the gateway serve a version's ciphertext to the person.
func (p Person) Reads(v Version, u Unlock) {
	p.t.Helper()
	if status, body := p.Call(http.MethodGet, contentPath(v, u), nil); status != http.StatusOK || uint64(len(body)) < v.Padded {
		p.t.Fatalf("read %s: %d, %d bytes", v.Name, status, len(body))
	}
}

// CannotRead has the gateway refuse to serve a version's ciphertext to the person.
func (p Person) CannotRead(v Version, u Unlock) {
	p.t.Helper()
	if status, body := p.Call(http.MethodGet, contentPath(v, u), nil); status != http.StatusNotFound && status != http.StatusForbidden {
		p.t.Fatalf("read %s: %d, %d bytes", v.Name, status, len(body))
	}
}

// blocks are the blocks of a version, as the custodian's clerk reads them through the gateway.
type blocks struct {
	clerk   Staff
	version Version
}

// Get implements blob.Getter.
func (b blocks) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	path := fmt.Sprintf("/records/%s/versions/%d/blocks/%s", b.version.Record, b.version.Ref.Version, c)
	status, body, err := b.clerk.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if status == http.StatusNotFound {
		return nil, blob.ErrNotFound
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %d %s", path, status, body)
	}
	return body, nil
}

// Leaves are the blocks that a version's ciphertext is made of.
func (h *Hospital) Leaves(v Version) []lock.CID {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	leaves, err := blob.Leaves(ctx, blocks{h.Clerk(), v}, v.Object, blob.Budget(v.Padded))
	if err != nil {
		h.t.Fatalf("leaves of %s: %v", v.Name, err)
	}
	cids := make([]lock.CID, len(leaves))
	for i, l := range leaves {
		cids[i] = l.CID
	}
	return cids
}

// Has tells whether a block is one of a version's.
func (h *Hospital) Has(v Version, c lock.CID) bool {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	_, err := blocks{h.Clerk(), v}.Get(ctx, c)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		h.t.Fatalf("block %s: %v", c, err)
	}
	return err == nil
}

// CallAt asks the gateway of the person's hospital for something at a height.
func (p Person) CallAt(height, path string) (status int, body []byte) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	token, err := p.login(ctx)
	if err != nil {
		p.t.Fatalf("log in at %s: %v", p.at.name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at.url+path, nil)
	if err != nil {
		p.t.Fatalf("GET %s: %v", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Cosmos-Block-Height", height)
	resp, err := p.at.door.Do(req)
	if err != nil {
		p.t.Fatalf("GET %s at %s: %v", path, p.at.name, err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		p.t.Fatalf("GET %s at %s: %v", path, p.at.name, err)
	}
	return resp.StatusCode, body
}

// GetLocal asks the node's own REST server on loopback.
func (h *Hospital) GetLocal(path string) (status int, body []byte) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.port(home.PortREST)+path, nil)
	if err != nil {
		h.t.Fatalf("GET %s: %v", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatalf("GET %s at %s: %v", path, h.name, err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		h.t.Fatalf("GET %s at %s: %v", path, h.name, err)
	}
	return resp.StatusCode, body
}

// Serves checks that the node's own gRPC server on loopback is healthy and names these services when it is asked.
func (h *Hospital) Serves(services ...string) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	conn, err := grpc.NewClient(h.port(home.PortGRPC), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		h.t.Fatalf("gRPC of %s: %v", h.name, err)
	}
	defer conn.Close()
	health, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		h.t.Fatalf("health of %s: %v, %v", h.name, health, err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err == nil {
		err = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	}
	if err != nil {
		h.t.Fatalf("reflection of %s: %v", h.name, err)
	}
	answer, err := stream.Recv()
	if err != nil {
		h.t.Fatalf("reflection of %s: %v", h.name, err)
	}
	named := map[string]bool{}
	for _, s := range answer.GetListServicesResponse().GetService() {
		named[s.GetName()] = true
	}
	for _, s := range services {
		if !named[s] {
			h.t.Errorf("%s does not name service %s among %d", h.name, s, len(named))
		}
	}
}
