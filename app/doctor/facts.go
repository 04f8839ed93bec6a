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
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/phr"
)

const (
	// loopbackTime bounds what the server on this machine is asked.
	loopbackTime = 10 * time.Second
	// maxAnswer bounds an answer of it.
	maxAnswer = 16 << 20
)

// facts are what was gathered.
type facts struct {
	Doctor
	At time.Time
	// Files are the configuration, or FilesErr says why there is none.
	Files    home.Config
	FilesErr error
	// Genesis is nil where the home belongs to no network.
	Genesis *home.Genesis
	// Server is nil where ServerErr says why it does not answer.
	Server    *serverFacts
	ServerErr error
	// Others are the gateways of the other hospitals.
	Others []otherFacts
	// Reaches is what other hospitals found.
	Reaches  []phr.Reach
	ReachErr error
}

// serverFacts are what the running server tells on loopback.
type serverFacts struct {
	Height     int64
	BlockTime  time.Time
	CatchingUp bool
	Members    []*consortiumv1.Member
	Nodes      []*consortiumv1.StorageNode
	// Node is this machine's storage node, nil before it is registered, and Own the member whose it is.
	Node *consortiumv1.StorageNode
	Own  *consortiumv1.Member
	// Staff of the own hospital.
	Staff []*consortiumv1.Staff
	// Keys are the network's, and Holders those of each.
	Keys    []*custodyv1.Key
	Holders map[*custodyv1.Key][]*custodyv1.Holder
	// Peers are the ids of CometBFT's peers.
	Peers map[string]bool
	// Metrics are what the server measures.
	Metrics Metrics
}

// otherFacts are what the gateway of another hospital tells.
type otherFacts struct {
	Name string
	Told node.Told
	Err  error
}

// gather asks everybody. Nothing of it fails: what is not had is left out.
func (d Doctor) gather(ctx context.Context) *facts {
	f := &facts{Doctor: d, At: d.Now()}
	if f.Files, f.FilesErr = d.Home.Config(); f.FilesErr != nil {
		f.ServerErr = errors.New("its configuration can't be read")
		return f
	}
	if genesis, err := home.ReadGenesis(d.Home.Genesis()); err == nil {
		f.Genesis = genesis
	}
	f.Server, f.ServerErr = d.askServer(ctx, f.Files)
	f.Others = f.askOthers(ctx)
	if d.Reach != nil && f.Server != nil && f.Server.Own != nil {
		f.Reaches, f.ReachErr = d.Reach(ctx, f.Server.Own.GetNumber())
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
	if s.Own != nil {
		if err := s.askCustody(ctx, conn); err != nil {
			return nil, err
		}
	}
	if err := s.askPeers(ctx, "http://"+strings.TrimPrefix(files.Comet.RPC.ListenAddress, "tcp://")); err != nil {
		return nil, err
	}
	s.Metrics, err = AskMetrics(ctx, files)
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
	s.Height, s.BlockTime, s.CatchingUp = header.GetHeight(), header.GetTime().AsTime(), syncing.GetSyncing()
	return info.GetDefaultNodeInfo().GetDefaultNodeId(), nil
}

// askConsortium asks who the members are, and which of them this is.
func (s *serverFacts) askConsortium(ctx context.Context, conn grpc.ClientConnInterface, cometID string) error {
	query := consortiumv1.NewQueryClient(conn)
	err := node.Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		s.Members = append(s.Members, got.GetMembers()...)
		return got.GetPagination(), err
	})
	if err != nil {
		return err
	}
	err = node.Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Pagination: page})
		s.Nodes = append(s.Nodes, got.GetStorageNodes()...)
		return got.GetPagination(), err
	})
	if err != nil {
		return err
	}
	for _, n := range s.Nodes {
		if n.GetCometId() == cometID {
			s.Node = n
		}
	}
	for _, m := range s.Members {
		if m.GetCometId() == cometID || s.Node != nil && m.GetNumber() == s.Node.GetMember() {
			s.Own = m
		}
	}
	if s.Own == nil {
		return nil
	}
	return node.Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.Staff(ctx, &consortiumv1.QueryStaffRequest{Hospital: s.Own.GetNumber(), Pagination: page})
		s.Staff = append(s.Staff, got.GetStaff()...)
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
	s.Keys, s.Holders = got.GetKeys(), map[*custodyv1.Key][]*custodyv1.Holder{}
	for _, k := range s.Keys {
		got, err := query.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: k.GetKind(), Generation: k.GetGeneration(), ShareEpoch: k.GetShareEpoch()})
		if err != nil {
			return err
		}
		s.Holders[k] = got.GetHolders()
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
	s.Peers = map[string]bool{}
	for _, p := range answer.Result.Peers {
		s.Peers[p.NodeInfo.ID] = true
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

// doors lists the gateways of the other active members, for a storage node also of its own: as the server knows them, or else as they
// were in the genesis.
func (f *facts) doors() []door {
	var all []door
	if f.Server != nil {
		for _, m := range f.Server.Members {
			if node.TakesPart(m) && !f.isOwnServer(m) {
				all = append(all, door{m.GetName(), m.GetGatewayUrl(), m.GetGatewayFingerprint()})
			}
		}
		return all
	}
	if f.Genesis == nil {
		return nil
	}
	_, own, err := home.ReadMember(f.Home.Member())
	for _, m := range f.Genesis.Consortium.Members {
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
			all[i].Name = d.name
			all[i].Told, all[i].Err = node.AskGateway(ctx, d.url, d.fingerprint)
		})
	}
	group.Wait()
	return all
}

// answered are the hospitals that answered, and away the names of the others.
func (f *facts) answered() (answered []otherFacts, away []string) {
	for _, o := range f.Others {
		if o.Err == nil {
			answered = append(answered, o)
		} else {
			away = append(away, o.Name)
		}
	}
	return answered, away
}

// fingerprintText is a fingerprint as people compare it.
func fingerprintText(b []byte) string { return hex.EncodeToString(b) }
