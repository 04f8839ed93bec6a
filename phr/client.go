package phr

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

const (
	// attemptTime bounds one question to one gateway.
	attemptTime = 15 * time.Second
	// pollFirst and pollLast are the pauses between questions while something is awaited: the first, and the longest.
	pollFirst, pollLast = 50 * time.Millisecond, 500 * time.Millisecond
)

// Wallet signs for an account. [wallet.Key] is one; a program may put a hardware wallet behind it.
type Wallet interface {
	// Address is the account's bech32 address.
	Address() string
	// PublicKey is the compressed public key, 33 bytes.
	PublicKey() []byte
	// SignArbitrary signs data by ADR-36 and returns r‖s with low s.
	SignArbitrary(data []byte) []byte
	// SignDirect signs messages in SIGN_MODE_DIRECT and returns the encoded transaction.
	SignDirect(a wallet.Account, gas uint64, messages ...proto.Message) ([]byte, error)
	// SignAmino signs one message in SIGN_MODE_LEGACY_AMINO_JSON and returns the encoded transaction and the document
	// that was signed.
	SignAmino(a wallet.Account, gas uint64, message proto.Message) (tx, document []byte, err error)
}

// Door is the gateway of one hospital.
type Door struct {
	// Hospital is the member's number; 0 where it is not known yet.
	Hospital uint64 `json:"hospital,omitempty"`
	// Name of the hospital.
	Name string `json:"name,omitempty"`
	// Gateway is its https URL.
	Gateway string `json:"gateway"`
	// Fingerprint is the SHA-256 of the certificate's public key (SPKI) in hex. Without one the certificate must be valid
	// for the host by the system's roots.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Config says how to reach the network, and as whom.
type Config struct {
	// Gateway and Fingerprint are those of [Door]: the hospital that the program talks to first.
	Gateway, Fingerprint string
	// Others are gateways of other hospitals, known from a source that is not the first one. Approvals are checked there.
	Others []Door
	// ChainID and Network, where they are given, must be those that the gateways name.
	ChainID string
	Network lock.Network
	// Key is the account. Without it only what needs no login works.
	Key Wallet
	// Secrets keeps the seeds of sessions and approved capsules that were not handed over yet. Without it they live as
	// long as the client.
	Secrets Secrets
}

// Secrets keeps small secrets, encrypted at rest. Names are lower-case words, hex digits and slashes.
type Secrets interface {
	// Put stores a new secret under a name, durably. A name that has one already is an error.
	Put(name string, secret []byte) error
	// Get returns the secret of a name; the error is fs.ErrNotExist where there is none.
	Get(name string) ([]byte, error)
	// Delete removes the secret of a name for good; the error is fs.ErrNotExist where there is none.
	Delete(name string) error
}

// Principal says who the account is.
type Principal struct {
	// Address of the account.
	Address string `json:"address"`
	// Role is the text of the role: clerk, clinician, officer, patient and so on.
	Role string `json:"role"`
	// Hospital is the member's number; 0 for patients, and for auditors whom the members appointed.
	Hospital uint64 `json:"hospital"`
	// Patient is the patient number; empty for others, and for a patient who is not registered yet.
	Patient string `json:"patient"`
	// Audits is what of the log an auditor sees; nil for others.
	Audits *AuditScope `json:"audits"`
}

// AuditScope is what of the log an auditor sees: all of it, or what concerns some hospitals.
type AuditScope struct {
	All bool `json:"all"`
	// Hospitals are the members' numbers, ascending; none where it is all.
	Hospitals []uint64 `json:"hospitals"`
}

// Client talks to the network for one account. Its methods may be called at the same time.
type Client struct {
	chainID string
	network lock.Network
	key     Wallet
	secrets Secrets

	mu      sync.Mutex
	doors   []*door // the configured one first
	current int     // index of the door that answered last
	seen    int64   // height that the client has seen committed
	learned bool

	sending  sync.Mutex // one transaction is handed in at a time: they are in sequence
	sequence uint64     // that follows the last one handed in, while some wait for their blocks
	waiting  int        // transactions that were handed in and whose fate is not known yet

	segment  int           // bytes of an upload in one request
	patience time.Duration // with uploads that do not move on, and with a chain that lets the account send no more for now
}

var _ grpc.ClientConnInterface = (*Client)(nil)

// Dial prepares a client and asks one gateway, the configured one if it answers, which network it belongs to. It logs in
// when that is first needed. The error is ErrUnreachable, ErrCertificate or ErrNetwork.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c := &Client{chainID: cfg.ChainID, network: cfg.Network, key: cfg.Key, secrets: cfg.Secrets, segment: defaultSegment, patience: patience}
	if c.secrets == nil {
		c.secrets = newMemory()
	}
	for i, d := range append([]Door{{Gateway: cfg.Gateway, Fingerprint: cfg.Fingerprint}}, cfg.Others...) {
		if i > 0 && c.doorAt(d.Gateway) != nil {
			c.adopt(d)
			continue
		}
		opened, err := c.newDoor(d, true)
		if err != nil {
			return nil, errors.Join(err, c.closeDoors())
		}
		c.doors = append(c.doors, opened)
	}
	if _, err := c.Chain(ctx); err != nil {
		return nil, errors.Join(err, c.closeDoors())
	}
	return c, nil
}

// Close ends all connections. Logins end by themselves.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeDoors()
}

func (c *Client) closeDoors() error {
	var faults []error
	for _, d := range c.doors {
		d.http.CloseIdleConnections()
		faults = append(faults, d.conn.Close())
	}
	return errors.Join(faults...)
}

// Address is the account's bech32 address; empty without a key.
func (c *Client) Address() string {
	if c.key == nil {
		return ""
	}
	return c.key.Address()
}

// ChainID is the network's chain id.
func (c *Client) ChainID() string { return c.chainID }

// Network is the network id.
func (c *Client) Network() lock.Network { return c.network }

// Principal logs in where that was not done yet and says who the account is. Whether a patient is registered may have
// changed since.
func (c *Client) Principal(ctx context.Context) (Principal, error) {
	var p Principal
	err := c.try(ctx, func(ctx context.Context, d *door) error {
		var err error
		p, err = d.login(ctx, false)
		return err
	})
	return p, err
}

// Chain is what a gateway says about its network.
type Chain struct {
	// ChainID of the network.
	ChainID string `json:"chain_id"`
	// NetworkID in hex.
	NetworkID string `json:"network_id"`
	// Hospital that the gateway belongs to.
	Hospital struct {
		Number uint64 `json:"number"`
		Name   string `json:"name"`
	} `json:"hospital"`
	// Height of the newest block there.
	Height int64 `json:"height"`
	// BlockTime of that block.
	BlockTime time.Time `json:"block_time"`
	// Version of the program.
	Version string `json:"version"`
	// Pages is the SHA-256 of the pages that the gateway serves to browsers, in hex; empty where it serves none.
	Pages string `json:"pages"`
}

// Chain asks the first gateway that answers about the network.
func (c *Client) Chain(ctx context.Context) (Chain, error) {
	var answer Chain
	err := c.try(ctx, func(ctx context.Context, d *door) error {
		var err error
		answer, err = d.chain(ctx)
		return err
	})
	return answer, err
}

// Doors are the gateways that the client knows, the configured one first, after it has asked the network for all of
// them. Those that were configured keep the fingerprint that they were configured with: a program that keeps the answer
// for next time notices when a gateway is replaced.
func (c *Client) Doors(ctx context.Context) ([]Door, error) {
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Door, len(c.doors))
	for i, d := range c.doors {
		all[i] = d.Door
	}
	return all, nil
}

// learn asks once for the gateways of all members.
func (c *Client) learn(ctx context.Context) error {
	c.mu.Lock()
	done := c.learned
	c.mu.Unlock()
	if done {
		return nil
	}
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range members {
		if m.GatewayUrl == "" || m.Status != consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE && m.Status != consortiumv1.MemberStatus_MEMBER_STATUS_LEAVING {
			continue
		}
		known := Door{Hospital: m.Number, Name: m.Name, Gateway: m.GatewayUrl, Fingerprint: hex.EncodeToString(m.GatewayFingerprint)}
		if c.doorAt(m.GatewayUrl) != nil {
			c.adopt(known)
			continue
		}
		d, err := c.newDoor(known, false)
		if err != nil {
			continue // a member with an address that is none cannot be asked
		}
		c.doors = append(c.doors, d)
	}
	c.learned = true
	return nil
}

// adopt completes what is known of a door without changing how it is recognised. The caller holds mu, or is alone.
func (c *Client) adopt(known Door) {
	d := c.doorAt(known.Gateway)
	if d.Hospital == 0 {
		d.Hospital, d.Name = known.Hospital, known.Name
	}
}

// doorAt returns the door of a URL, or nil. The caller holds mu, or is alone.
func (c *Client) doorAt(gateway string) *door {
	host, err := hostOf(gateway)
	if err != nil {
		return nil
	}
	for _, d := range c.doors {
		if d.host == host {
			return d
		}
	}
	return nil
}

// configured is the door that the client was made with.
func (c *Client) configured() *door {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doors[0]
}

// order returns the doors in the order in which they are tried, from the one that answered last.
func (c *Client) order() []*door {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.doors[c.current:], c.doors[:c.current])
}

// prefer makes a door the first to be tried.
func (c *Client) prefer(chosen *door) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.doors, chosen); i >= 0 {
		c.current = i
	}
}

// try calls ask with one door after another until one answers. Only an error that is ErrUnreachable moves on to the next.
func (c *Client) try(ctx context.Context, ask func(context.Context, *door) error) error {
	return c.tryWhile(ctx, func(err error) bool { return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrCertificate) }, ask)
}

// tryWhile is try that moves on for every error of which onward says so. When all doors gave one it returns the first of
// a door that answered, else the first.
func (c *Client) tryWhile(ctx context.Context, onward func(error) bool, ask func(context.Context, *door) error) error {
	var first error
	away := true // all before did not answer
	for i, d := range c.order() {
		err := c.attempt(ctx, d, i > 0, ask)
		if err == nil {
			if away {
				c.prefer(d)
			}
			return nil
		}
		away = away && errors.Is(err, ErrUnreachable)
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if !onward(err) {
			return err
		}
		if first == nil || errors.Is(first, ErrUnreachable) && !errors.Is(err, ErrUnreachable) {
			first = err
		}
	}
	return first
}

func (c *Client) attempt(ctx context.Context, d *door, other bool, ask func(context.Context, *door) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if other {
		if err := d.catchUp(ctx, c.height()); err != nil {
			return err
		}
	}
	err := ask(ctx, d)
	if other || !errors.Is(err, ErrNotFound) || !d.isBehind(c.height()) {
		return err
	}
	// The client saw at another gateway what this one's node has not carried out yet.
	if late := d.catchUp(ctx, c.height()); late != nil {
		return errors.Join(err, late)
	}
	return ask(ctx, d)
}

func (c *Client) height() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

func (c *Client) saw(height int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, height)
}

// Invoke makes the client a connection for the generated query clients of api/: a call goes to the first gateway that
// answers. Errors are ErrNotFound, ErrForbidden, ErrUnreachable and so on, wrapped with what the gateway said.
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.try(ctx, func(ctx context.Context, d *door) error { return d.Invoke(ctx, method, args, reply, opts...) })
}

// NewStream implements grpc.ClientConnInterface. The network's queries have no streams.
func (c *Client) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("the network's queries have no streams")
}

// atHeight asks for the state of one block.
func atHeight(ctx context.Context, height int64) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-cosmos-block-height", fmt.Sprint(height))
}

// poll calls done until it answers true or an error, with growing pauses, or the context ends.
func poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	for pause := pollFirst; ; pause = min(pause*3/2, pollLast) {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tlsConfig recognises a gateway by its fingerprint, or by the system's roots where there is none.
func (d *door) tlsConfig() *tls.Config {
	if d.pin == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.serverName}
	}
	cfg := Pinned(d.pin)
	cfg.ServerName = d.serverName
	return cfg
}
