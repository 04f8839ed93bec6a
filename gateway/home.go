package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"time"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
)

const (
	// homeAge is how long the gateway goes on with what it read about its own hospital.
	homeAge = 10 * time.Second
	// failureAge is how long a failure to read it stands, so that requests do not queue up
	// behind a node that hangs.
	failureAge = time.Second
)

// home is what the chain says about this hospital and its network.
type home struct {
	chainID string
	network lock.Network
	number  uint64
	name    string
	// host is what people sign at login.
	host string
	// active is false where the hospital may not write, and so not report a read.
	active bool
	// gateways are the host:port of all active members' gateways.
	gateways []string
}

// networkName is how the network is named to a person: part of its id, and its chain id.
func (h home) networkName() string { return hex.EncodeToString(h.network[:4]) + " " + h.chainID }

// homes keeps the last home that was read, or why none could be.
type homes struct {
	mu   sync.Mutex
	last home
	err  error
	at   time.Time
}

// home returns what the chain says about this hospital, at most homeAge old. Errors are
// faults.
func (g *Gateway) home(ctx context.Context) (home, error) {
	h := &g.homes
	h.mu.Lock()
	defer h.mu.Unlock()
	age := g.config.Now().Sub(h.at)
	if !h.at.IsZero() && (age < failureAge || h.err == nil && age < homeAge) {
		return h.last, h.err
	}
	query, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	last, err := g.readHome(query)
	if ctx.Err() != nil {
		// The caller has gone; that says nothing about the node.
		return home{}, ctx.Err()
	}
	if status.Code(err) == codes.NotFound {
		err = unavailable(err, "this hospital is not a member of the network yet")
	} else if err != nil {
		err = unavailable(err, "the node does not answer")
	}
	h.last, h.err, h.at = last, err, g.config.Now()
	return h.last, h.err
}

func (g *Gateway) readHome(ctx context.Context) (home, error) {
	var h home
	consortium := consortiumv1.NewQueryClient(g.config.Chain)
	params, err := consortium.Params(ctx, &consortiumv1.QueryParamsRequest{})
	if err != nil {
		return h, fmt.Errorf("read the network's id: %w", err)
	}
	if copy(h.network[:], params.GetNetworkId()) != len(h.network) {
		return h, fmt.Errorf("the network's id has %d bytes", len(params.GetNetworkId()))
	}
	principal, err := consortium.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: g.config.Chain.Account()})
	if err != nil {
		return h, fmt.Errorf("find the node's account: %w", err)
	}
	h.number, h.active = principal.GetPrincipal().GetHospital(), principal.GetPrincipal().GetActive()
	member, err := consortium.Member(ctx, &consortiumv1.QueryMemberRequest{Number: h.number})
	if err != nil {
		return h, fmt.Errorf("find the node's hospital: %w", err)
	}
	h.name, h.host = member.GetMember().GetName(), g.config.Host
	if h.host == "" {
		if h.host = hostOf(member.GetMember().GetGatewayUrl()); h.host == "" {
			return h, fmt.Errorf("gateway URL %q on the chain is not an https URL", member.GetMember().GetGatewayUrl())
		}
	}
	members, err := g.members(ctx)
	if err != nil {
		return h, err
	}
	h.gateways = gatewaysOf(members)
	latest, err := g.latest(ctx)
	if err != nil {
		return h, err
	}
	h.chainID = latest.chainID
	return h, nil
}

// gatewaysOf are the host:port of the gateways of members that take part in the network.
func gatewaysOf(members []*consortiumv1.Member) []string {
	var gateways []string
	for _, m := range members {
		host := hostOf(m.GetGatewayUrl())
		if s := m.GetStatus(); host != "" && (s == consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE || s == consortiumv1.MemberStatus_MEMBER_STATUS_LEAVING) {
			gateways = append(gateways, host)
		}
	}
	return gateways
}

// block is the newest block of the node, whatever its age.
type block struct {
	chainID    string
	height     int64
	time       time.Time
	catchingUp bool
}

func (g *Gateway) latest(ctx context.Context) (block, error) {
	blocks := cmtservice.NewServiceClient(g.config.Chain)
	syncing, err := blocks.GetSyncing(ctx, &cmtservice.GetSyncingRequest{})
	if err != nil {
		return block{}, fmt.Errorf("ask whether the node is catching up: %w", err)
	}
	got, err := blocks.GetLatestBlock(ctx, &cmtservice.GetLatestBlockRequest{})
	if err != nil {
		return block{}, fmt.Errorf("ask for the newest block: %w", err)
	}
	header := got.GetSdkBlock().GetHeader()
	return block{
		chainID: header.GetChainId(), height: header.GetHeight(), time: header.GetTime().AsTime(), catchingUp: syncing.GetSyncing(),
	}, nil
}

// committed is the newest height at which queries answer. The newest block may be one further
// for a moment, while the node still carries it out.
func (g *Gateway) committed(ctx context.Context) (int64, error) {
	var header metadata.MD
	_, err := consortiumv1.NewQueryClient(g.config.Chain).Params(ctx, &consortiumv1.QueryParamsRequest{}, grpc.Header(&header))
	if err != nil {
		return 0, fmt.Errorf("ask for the height of queries: %w", err)
	}
	values := header.Get(heightHeader)
	if len(values) != 1 {
		return 0, fmt.Errorf("the node answers without a height")
	}
	height, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the node answers with height %q", values[0])
	}
	return height, nil
}
