package doctor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/phr"
)

const (
	// loopbackTime bounds what the server on this machine is asked.
	loopbackTime = 10 * time.Second
	// maxAnswer bounds an answer of it.
	maxAnswer = 16 << 20
	// pageSize is how many rows a query returns at most.
	pageSize = 200
	// maxReach is how many hospitals are asked whether they reach this one.
	maxReach = 3
)

// facts are what was gathered.
type facts struct {
	Doctor
	now time.Time
	// files are the configuration, or filesErr says why there is none.
	files    home.Config
	filesErr error
	// genesis is nil where the home belongs to no network.
	genesis *home.Genesis
	// server is nil where serverErr says why it does not answer.
	server    *serverFacts
	serverErr error
	// others are the gateways of the other hospitals.
	others []otherFacts
	// reach is what other hospitals found.
	reach    []phr.Reach
	reachErr error
}

// serverFacts are what the running server tells on loopback.
type serverFacts struct {
	height     int64
	blockTime  time.Time
	catchingUp bool
	members    []*consortiumv1.Member
	nodes      []*consortiumv1.StorageNode
	// node is this machine's storage node, nil before it is registered, and own the member whose it is.
	node *consortiumv1.StorageNode
	own  *consortiumv1.Member
	// staff of the own hospital.
	staff []*consortiumv1.Staff
	// keys are the network's, and holders those of each.
	keys    []*custodyv1.Key
	holders map[*custodyv1.Key][]*custodyv1.Holder
	// placed is how many bytes of blobs the network has placed here.
	placed uint64
	// peers are the ids of CometBFT's peers.
	peers map[string]bool
	// metrics are the server's single values by name.
	metrics map[string]float64
}

// otherFacts are what the gateway of another hospital tells.
type otherFacts struct {
	name string
	told node.Told
	err  error
}

// gather asks everybody. Nothing of it fails: what is not had is left out.
func (d Doctor) gather(ctx context.Context) *facts {
	f := &facts{Doctor: d, now: d.Now()}
	if f.files, f.filesErr = d.Home.Config(); f.filesErr != nil {
		f.serverErr = errors.New("its configuration can't be read")
		return f
	}
	if genesis, err := home.ReadGenesis(d.Home.Genesis()); err == nil {
		f.genesis = genesis
	}
	f.server, f.serverErr = d.askServer(ctx, f.files)
	f.others = f.askOthers(ctx)
	if d.Reach != nil && f.server != nil && f.server.own != nil {
		f.reach, f.reachErr = d.Reach(ctx, f.server.own.GetNumber())
	}
	return f
}

// askServer asks the server on this machine.
func (d Doctor) askServer(ctx context.Context, files home.Config) (*serverFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, loopbackTime)
	defer cancel()
	conn, err := grpc.NewClient(files.App.GRPC.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	s := &serverFacts{}
	id, err := s.askBlocks(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := s.askConsortium(ctx, conn, id); err != nil {
		return nil, err
	}
	if s.own != nil {
		if err := s.askCustody(ctx, conn); err != nil {
			return nil, err
		}
		if err := s.askStorage(ctx, conn); err != nil {
			return nil, err
		}
	}
	if err := s.askPeers(ctx, "http://"+strings.TrimPrefix(files.Comet.RPC.ListenAddress, "tcp://")); err != nil {
		return nil, err
	}
	s.metrics, err = askMetrics(ctx, "http://"+strings.TrimPrefix(files.App.API.Address, "tcp://"))
	return s, err
}

// askBlocks asks for the newest block, and returns the id of CometBFT's node.
func (s *serverFacts) askBlocks(ctx context.Context, conn grpc.ClientConnInterface) (id string, err error) {
	blocks := cmtservice.NewServiceClient(conn)
	info, err := blocks.GetNodeInfo(ctx, &cmtservice.GetNodeInfoRequest{})
	if err != nil {
		return "", err
	}
	syncing, err := blocks.GetSyncing(ctx, &cmtservice.GetSyncingRequest{})
	if err != nil {
		return "", err
	}
	latest, err := blocks.GetLatestBlock(ctx, &cmtservice.GetLatestBlockRequest{})
	if err != nil {
		return "", err
	}
	header := latest.GetSdkBlock().GetHeader()
	s.height, s.blockTime, s.catchingUp = header.GetHeight(), header.GetTime().AsTime(), syncing.GetSyncing()
	return info.GetDefaultNodeInfo().GetDefaultNodeId(), nil
}

// askConsortium asks who the members are, and which of them this is.
func (s *serverFacts) askConsortium(ctx context.Context, conn grpc.ClientConnInterface, cometID string) error {
	query := consortiumv1.NewQueryClient(conn)
	err := pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		s.members = append(s.members, got.GetMembers()...)
		return got.GetPagination(), err
	})
	if err != nil {
		return err
	}
	err = pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Pagination: page})
		s.nodes = append(s.nodes, got.GetStorageNodes()...)
		return got.GetPagination(), err
	})
	if err != nil {
		return err
	}
	for _, n := range s.nodes {
		if n.GetCometId() == cometID {
			s.node = n
		}
	}
	for _, m := range s.members {
		if m.GetCometId() == cometID || s.node != nil && m.GetNumber() == s.node.GetMember() {
			s.own = m
		}
	}
	if s.own == nil {
		return nil
	}
	return pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.Staff(ctx, &consortiumv1.QueryStaffRequest{Hospital: s.own.GetNumber(), Pagination: page})
		s.staff = append(s.staff, got.GetStaff()...)
		return got.GetPagination(), err
	})
}

// askCustody asks for the network's keys and their holders.
func (s *serverFacts) askCustody(ctx context.Context, conn grpc.ClientConnInterface) error {
	query := custodyv1.NewQueryClient(conn)
	got, err := query.Keys(ctx, &custodyv1.QueryKeysRequest{})
	if err != nil {
		return err
	}
	s.keys, s.holders = got.GetKeys(), map[*custodyv1.Key][]*custodyv1.Holder{}
	for _, k := range s.keys {
		got, err := query.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: k.GetKind(), Generation: k.GetGeneration(), ShareEpoch: k.GetShareEpoch()})
		if err != nil {
			return err
		}
		s.holders[k] = got.GetHolders()
	}
	return nil
}

// askStorage asks what the network has placed here.
func (s *serverFacts) askStorage(ctx context.Context, conn grpc.ClientConnInterface) error {
	usage, err := storagev1.NewQueryClient(conn).Usage(ctx, &storagev1.QueryUsageRequest{})
	if err != nil {
		return err
	}
	for _, u := range usage.GetNodes() {
		if s.node != nil && u.GetNode() == s.node.GetNumber() {
			s.placed = u.GetBytes()
		}
	}
	return nil
}

// askPeers asks CometBFT for its peers.
func (s *serverFacts) askPeers(ctx context.Context, rpc string) error {
	body, err := get(ctx, rpc+"/net_info")
	if err != nil {
		return err
	}
	var answer struct {
		Result struct {
			Peers []struct {
				NodeInfo struct {
					ID string `json:"id"`
				} `json:"node_info"`
			} `json:"peers"`
		} `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("net_info: %w", err)
	}
	s.peers = map[string]bool{}
	for _, p := range answer.Result.Peers {
		s.peers[p.NodeInfo.ID] = true
	}
	return nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxAnswer))
}

// door is the gateway of a member.
type door struct {
	name, url   string
	fingerprint []byte
}

// doors lists the gateways of the other members that have not left: as the server knows them, or else as they were in the genesis.
func (f *facts) doors() []door {
	var all []door
	if f.server != nil {
		for _, m := range f.server.members {
			if m.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE && m != f.server.own {
				all = append(all, door{m.GetName(), m.GetGatewayUrl(), m.GetGatewayFingerprint()})
			}
		}
		return all
	}
	if f.genesis == nil {
		return nil
	}
	_, own, err := home.ReadMember(f.Home.Member())
	for _, m := range f.genesis.Consortium.Members {
		if err != nil || m.GatewayUrl != own.GatewayUrl {
			all = append(all, door{m.Name, m.GatewayUrl, m.GatewayFingerprint})
		}
	}
	return all
}

// askOthers asks the gateways of the other hospitals, all at once.
func (f *facts) askOthers(ctx context.Context) []otherFacts {
	doors := f.doors()
	all := make([]otherFacts, len(doors))
	var group sync.WaitGroup
	for i, d := range doors {
		group.Go(func() {
			all[i].name = d.name
			all[i].told, all[i].err = node.AskGateway(ctx, d.url, d.fingerprint)
		})
	}
	group.Wait()
	return all
}

// answered are the hospitals that answered, and away the names of the others.
func (f *facts) answered() (answered []otherFacts, away []string) {
	for _, o := range f.others {
		if o.err == nil {
			answered = append(answered, o)
		} else {
			away = append(away, o.name)
		}
	}
	return answered, away
}

// fingerprintText is a fingerprint as people compare it.
func fingerprintText(b []byte) string { return hex.EncodeToString(b) }

// pages calls a query until it has returned the last page.
func pages(query func(*queryv1.PageRequest) (*queryv1.PageResponse, error)) error {
	page := &queryv1.PageRequest{Limit: pageSize}
	for {
		got, err := query(page)
		if err != nil {
			return err
		}
		if len(got.GetNextKey()) == 0 {
			return nil
		}
		page = &queryv1.PageRequest{Limit: pageSize, Key: got.GetNextKey()}
	}
}
