package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/grpc"

	"github.com/phrd/phrd/wallet"
)

// ClientConfig says how a [Client] reaches the chain.
type ClientConfig struct {
	// Conn leads to the node's own gRPC service.
	Conn grpc.ClientConnInterface
	// Key signs transactions.
	Key *wallet.Key
	// Bell rings when a block was committed. Without one the client looks every
	// PollInterval.
	Bell *Bell
	// Commits shows the signatures under blocks. Without it Ready does not check them, and
	// no Head is Signed.
	Commits Commits
	// StartHeight is the chain's height when the node started; nil takes the height at which
	// the client first sees the chain.
	StartHeight *int64
	// PollInterval is how often the client looks for what a ring may not tell;
	// DefaultPollInterval if 0.
	PollInterval time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Log is told why a transaction is tried again; slog.Default() if nil.
	Log *slog.Logger
}

// DefaultPollInterval is how often a client looks for what a ring may not tell.
const DefaultPollInterval = time.Second

// Client is the [Chain] of a running node, over gRPC.
type Client struct {
	grpc.ClientConnInterface

	config   ClientConfig
	address  string
	blocks   cmtservice.ServiceClient
	txs      txv1.ServiceClient
	accounts authv1.QueryClient

	mu     sync.Mutex
	first  int64          // height at which the chain was first seen; 0 before that
	signed int64          // height of the last block whose signatures were verified
	number *uint64        // of the account; nil before it was asked for
	used   map[int64]bool // timeouts of transactions, in unix nanoseconds
}

var _ Chain = (*Client)(nil)

// NewClient returns the chain as the account of a key sees it.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Conn == nil || config.Key == nil {
		return nil, errors.New("chain client needs a connection and a key")
	}
	if config.PollInterval == 0 {
		config.PollInterval = DefaultPollInterval
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Client{
		ClientConnInterface: config.Conn,
		config:              config,
		address:             config.Key.Address(),
		blocks:              cmtservice.NewServiceClient(config.Conn),
		txs:                 txv1.NewServiceClient(config.Conn),
		accounts:            authv1.NewQueryClient(config.Conn),
		used:                map[int64]bool{},
	}, nil
}

// Account implements [Chain].
func (c *Client) Account() string { return c.address }

// Committed implements [Chain].
func (c *Client) Committed() <-chan struct{} {
	if c.config.Bell != nil {
		return c.config.Bell.Rung()
	}
	tick := make(chan struct{})
	time.AfterFunc(c.config.PollInterval, func() { close(tick) })
	return tick
}

// pause is sleep, and the error of ctx.
func (c *Client) pause(ctx context.Context, until <-chan struct{}, longest time.Duration) error {
	sleep(ctx, until, longest)
	return ctx.Err()
}

// accountNumber returns the number of the client's account, which never changes.
func (c *Client) accountNumber(ctx context.Context) (uint64, error) {
	c.mu.Lock()
	known := c.number
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	got, err := c.accounts.AccountInfo(ctx, &authv1.QueryAccountInfoRequest{Address: c.address})
	if err != nil {
		return 0, fmt.Errorf("ask for account %s: %w", c.address, err)
	}
	number := got.GetInfo().GetAccountNumber()
	c.mu.Lock()
	c.number = &number
	c.mu.Unlock()
	return number, nil
}
