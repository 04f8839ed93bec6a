package phr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/phrd/phrd/lock"
)

const (
	// maxAnswer bounds what is read of an answer that is no block.
	maxAnswer = 1 << 20
	// maxBlock is the largest block, one full leaf.
	maxBlock = 1 << 20
	// maxSmallBlock is the largest block that travels alone: a key, a capsule, a vault blob, an envelope.
	maxSmallBlock = 64 << 10
)

// door is a connection to one gateway.
type door struct {
	Door
	client     *Client
	pinned     bool   // configured, not learnt from another gateway
	base       string // URL without a slash at its end
	host       string // host:port
	serverName string
	pin        []byte // SHA-256 of the SPKI; nil without a fingerprint
	http       *http.Client
	conn       *grpc.ClientConn

	mu      sync.Mutex
	token   string
	ends    time.Time
	who     Principal
	checked bool  // the gateway said that it is of our network
	height  int64 // newest height it has shown
}

// newDoor prepares a connection; nothing is sent yet.
func (c *Client) newDoor(known Door, pinned bool) (*door, error) {
	host, err := hostOf(known.Gateway)
	if err != nil {
		return nil, err
	}
	d := &door{Door: known, client: c, pinned: pinned, base: strings.TrimRight(known.Gateway, "/"), host: host}
	d.serverName, _, err = net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("gateway %q: %w", known.Gateway, err)
	}
	if known.Fingerprint != "" {
		if d.pin, err = ParseFingerprint(known.Fingerprint); err != nil {
			return nil, fmt.Errorf("gateway %q: %w", known.Gateway, err)
		}
	}
	d.http = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: d.tlsConfig(), ForceAttemptHTTP2: true, TLSHandshakeTimeout: attemptTime, IdleConnTimeout: time.Minute,
			HTTP2: &http.HTTP2Config{SendPingTimeout: attemptTime, PingTimeout: attemptTime}, DialContext: (&net.Dialer{Timeout: attemptTime}).DialContext,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	d.conn, err = grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(credentials.NewTLS(d.tlsConfig())))
	if err != nil {
		return nil, fmt.Errorf("gateway %q: %w", known.Gateway, err)
	}
	return d, nil
}

// hostOf is the host:port of a gateway's URL.
func hostOf(gateway string) (string, error) {
	u, err := url.Parse(gateway)
	if err != nil {
		return "", fmt.Errorf("gateway %q: not a URL", gateway)
	}
	if u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", fmt.Errorf("gateway %q: want https://host:port", gateway)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// hospital is the member that the gateway belongs to; 0 where that is not known yet.
func (d *door) hospital() uint64 {
	d.client.mu.Lock()
	defer d.client.mu.Unlock()
	return d.Hospital
}

// chain asks the gateway about its network and refuses another network's.
func (d *door) chain(ctx context.Context) (Chain, error) {
	var answer Chain
	if err := d.call(ctx, http.MethodGet, "/chain", nil, &answer); err != nil {
		return Chain{}, err
	}
	id, err := hex.DecodeString(answer.NetworkID)
	if err != nil || len(id) != len(lock.Network{}) || answer.ChainID == "" {
		return Chain{}, fmt.Errorf("gateway %s: names no network: %w", d.base, ErrNetwork)
	}
	c := d.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chainID == "" {
		c.chainID = answer.ChainID
	}
	if c.network == (lock.Network{}) {
		c.network = lock.Network(id)
	}
	if answer.ChainID != c.chainID || lock.Network(id) != c.network {
		return Chain{}, fmt.Errorf("gateway %s: chain %q of network %s, want %q of %x: %w", d.base, answer.ChainID, answer.NetworkID, c.chainID, c.network, ErrNetwork)
	}
	if d.Hospital == 0 {
		d.Hospital, d.Name = answer.Hospital.Number, answer.Hospital.Name
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checked, d.height = true, max(d.height, answer.Height)
	return answer, nil
}

// isBehind tells whether the gateway's node is not known to have that height.
func (d *door) isBehind(height int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.checked || d.height < height
}

// catchUp waits until the gateway's node has a height that the client has seen elsewhere.
func (d *door) catchUp(ctx context.Context, height int64) error {
	if !d.isBehind(height) {
		return nil
	}
	return poll(ctx, func(ctx context.Context) (bool, error) {
		answer, err := d.chain(ctx)
		return err == nil && answer.Height >= height, err
	})
}

// call sends a small request and reads its JSON answer into out, which may be nil. It does not log in.
func (d *door) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, body)
	if err != nil {
		return fmt.Errorf("gateway %s: %w", d.base, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := d.send(req)
	if err != nil {
		return err
	}
	return d.read(resp, path, out)
}

// read reads the JSON of an answer, if somebody wants it, and closes it.
func (d *door) read(resp *http.Response, path string, out any) error {
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("gateway %s: %s answers no JSON: %w: %w", d.base, path, err, ErrUnreachable)
	}
	return nil
}

// send sends a request and turns an answer that is not 2xx into an error.
func (d *door) send(req *http.Request) (*http.Response, error) {
	resp, err := d.http.Do(req)
	if err != nil {
		return nil, d.unreachable(req.Context(), err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	p := &Problem{}
	if encoded, err := io.ReadAll(io.LimitReader(resp.Body, maxSmallBlock)); err == nil && json.Unmarshal(encoded, p) != nil {
		p = &Problem{}
	}
	p.Gateway, p.Status = d.base, resp.StatusCode
	return nil, p
}

// unreachable says that the gateway did not answer. A certificate that was refused says so itself.
func (d *door) unreachable(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, ErrCertificate) {
		return err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("gateway %s: %w: %w", d.base, err, ErrUnreachable)
}

// request sends a request as the account, and once more after a new login when the old one has ended. body gives the
// body anew each time; nil for none.
func (d *door) request(ctx context.Context, method, path string, header http.Header, body func() io.Reader) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := d.bearer(ctx, again)
		if err != nil {
			return nil, err
		}
		var content io.Reader
		if body != nil {
			content = body()
		}
		req, err := http.NewRequestWithContext(ctx, method, d.base+path, content)
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", d.base, err)
		}
		if sized, ok := content.(interface{ Len() int }); ok {
			req.ContentLength = int64(sized.Len())
		}
		for name, values := range header {
			req.Header[name] = values
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := d.send(req)
		if again || !errors.Is(err, ErrLogin) {
			return resp, err
		}
	}
}

// Invoke is a gRPC call as the account; without a key it is one that needs no login.
func (d *door) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	for again := false; ; again = true {
		call := ctx
		var shut error // why there is no login
		if d.client.key != nil {
			var token string
			token, shut = d.bearer(ctx, again)
			if errors.Is(shut, ErrUnreachable) {
				return shut
			}
			// Who has no account yet, or none any more, may still ask what everybody may.
			if shut == nil {
				call = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
			}
		}
		err := d.conn.Invoke(call, method, args, reply, opts...)
		if err == nil {
			return nil
		}
		if again && shut != nil && status.Code(err) == codes.Unauthenticated {
			return shut
		}
		if again || status.Code(err) != codes.Unauthenticated || d.client.key == nil {
			return d.queryError(ctx, method, err)
		}
	}
}

// NewStream implements grpc.ClientConnInterface. The network's queries have no streams.
func (d *door) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return d.client.NewStream(ctx, desc, method, opts...)
}

// queryError gives a gRPC status the sentinel that stands for it.
func (d *door) queryError(ctx context.Context, method string, err error) error {
	s := status.Convert(err)
	var kind error
	switch s.Code() {
	case codes.NotFound:
		kind = ErrNotFound
	case codes.PermissionDenied:
		kind = ErrForbidden
	case codes.Unauthenticated:
		kind = ErrLogin
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted:
		kind = ErrUnreachable
		// The handshake's own error does not survive gRPC; HTTP has it.
		if _, reached := d.chain(ctx); errors.Is(reached, ErrCertificate) || errors.Is(reached, ErrNetwork) {
			return reached
		}
	default:
		return fmt.Errorf("gateway %s: %s: %s", d.base, strings.TrimPrefix(method, "/"), s.Message())
	}
	return fmt.Errorf("gateway %s: %s: %s: %w", d.base, strings.TrimPrefix(method, "/"), s.Message(), kind)
}

// block reads a block from a path and checks it against its CID.
func (d *door) block(ctx context.Context, path string, c lock.CID, limit int64) ([]byte, error) {
	resp, err := d.request(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	size := max(resp.ContentLength, 0)
	if size > limit {
		return nil, fmt.Errorf("gateway %s: block %s: %d bytes, at most %d: %w", d.base, c, size, limit, ErrBlock)
	}
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return nil, d.unreachable(ctx, err)
	}
	if !matches(c, b.Bytes()) {
		return nil, fmt.Errorf("gateway %s: block %s: another block came: %w", d.base, c, ErrBlock)
	}
	return b.Bytes(), nil
}

func matches(c lock.CID, block []byte) bool { return c.Digest() == sha256.Sum256(block) }

// capsule has the hospital's server open the owner's halves of an unlock that a consent to the hospital approved.
func (d *door) capsule(ctx context.Context, unlock string) ([]byte, error) {
	resp, err := d.request(ctx, http.MethodPost, "/unlocks/"+unlock+"/capsule", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	capsule, err := io.ReadAll(io.LimitReader(resp.Body, maxSmallBlock))
	if err != nil {
		return nil, d.unreachable(ctx, err)
	}
	return capsule, nil
}
