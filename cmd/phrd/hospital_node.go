package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
)

// numbered is what a command that adds something with a number says.
type numbered struct {
	Number uint64 `json:"number"`
}

// addedNode is what `hospital add-node` says.
type addedNode struct {
	Number uint64 `json:"number,omitempty"` // none with --show
	nodePrints
}

func hospitalAddNodeCommand() *cobra.Command {
	var site uint64
	var show bool
	cmd := &cobra.Command{
		Use: "add-node NODE.JSON", Short: "register a further storage node of your hospital", Args: exactArgs("the node.json"),
		Long: "Register a further server or workstation of your hospital that stores blobs, by the node.json that `phrd init --storage-only` made\n" +
			"there. Whoever can replace the file on its way to you can have another machine registered: look at it with --show first, and\n" +
			"compare what it prints with what was printed there.",
		Example: "  phrd hospital add-node node.json --show\n  phrd hospital add-node node.json --site 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := home.ReadNode(args[0])
			if err != nil {
				return err
			}
			if site != 0 && site != d.Site {
				return usage("%s says that the node stands at site %d, not %d", args[0], d.Site, site)
			}
			added := addedNode{nodePrints: nodePrintsOf(d)}
			if show {
				return newOutput(cmd).print(added, nil, added.rows())
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if added.Number, err = u.client.RegisterStorageNode(ctx, &consortiumv1.MsgRegisterStorageNode{
					Site: d.Site, Account: added.Account, PeerId: added.Peer, Address: d.Address, Capacity: d.Capacity, CometKey: d.CometKey,
					NodeKey: d.NodeKey, CometSignature: d.CometSignature, Libp2PSignature: d.Libp2PSignature, NodeSignature: d.NodeSignature,
				}); err != nil {
					return err
				}
				if err := o.print(added, nil, append([][]string{{"storage node", strconv.FormatUint(added.Number, 10)}}, added.rows()...)); err != nil {
					return err
				}
				o.note("Next: `phrd start` on that machine, if it does not run already; `phrd hospital nodes` shows when it is alive.")
				return nil
			})
		},
	}
	cmd.Flags().Uint64Var(&site, "site", 0, "the site at which the node must say that it stands (default: whichever it says)")
	cmd.Flags().BoolVar(&show, "show", false, "show what the file says and register nothing")
	userFlags(cmd)
	return cmd
}

// nodeView is a storage node and where it stands.
type nodeView struct {
	Number   uint64 `json:"number"`
	Hospital uint64 `json:"hospital"`
	Site     uint64 `json:"site"`
	Status   string `json:"status"`
	Retired  bool   `json:"retired"`
	Account  string `json:"account"`
	Comet    string `json:"comet_id"`
	Peer     string `json:"peer_id"`
	Address  string `json:"address"`
	Capacity uint64 `json:"capacity"`
	Used     uint64 `json:"used"`
	Objects  uint64 `json:"objects"`
}

func (n nodeView) row() []string {
	return []string{
		strconv.FormatUint(n.Number, 10), strconv.FormatUint(n.Hospital, 10), strconv.FormatUint(n.Site, 10), n.Status,
		byteText(n.Used), byteText(n.Capacity), n.Account, n.Peer, n.Address,
	}
}

func hospitalNodesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "nodes [HOSPITAL]", Short: "list the storage nodes of all hospitals, or of one", Args: atMostOne,
		Long: "List the servers that store blobs: each hospital's own and further ones. A node is new until it is first heard of, then alive,\n" +
			"suspect or lost. A retired one is draining until it has nothing left to do; when it is shown as retired, switch it off.",
		Example: "  phrd hospital nodes\n  phrd hospital nodes 2 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			var hospital uint64
			if len(args) == 1 {
				var err error
				if hospital, err = parseNumber("a hospital", args[0]); err != nil {
					return err
				}
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				views, err := storageNodes(ctx, u.client, hospital)
				if err != nil {
					return err
				}
				rows := make([][]string, len(views))
				for i, n := range views {
					rows[i] = n.row()
				}
				return o.print(views, []string{"NODE", "HOSPITAL", "SITE", "STATUS", "PLACED", "CAPACITY", "ACCOUNT", "PEER ID", "ADDRESS"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// storageNodes are the storage nodes of a hospital, or of all where number is 0, and where they stand.
func storageNodes(ctx context.Context, c *phr.Client, number uint64) ([]nodeView, error) {
	nodes, err := c.StorageNodes(ctx, number)
	if err != nil {
		return nil, err
	}
	health, err := c.Health(ctx)
	if err != nil {
		return nil, err
	}
	standing := map[uint64]*storagev1.NodeHealth{}
	for _, h := range health.GetNodes() {
		standing[h.GetNode()] = h
	}
	views := make([]nodeView, len(nodes))
	for i, n := range nodes {
		h := standing[n.GetNumber()] // what is missing was registered between the two queries
		views[i] = nodeView{
			Number: n.GetNumber(), Hospital: n.GetMember(), Site: n.GetSite(), Status: nodeStatusText(h.GetStatus()), Retired: n.GetRetired(),
			Account: n.GetAccount(), Comet: n.GetCometId(), Peer: n.GetPeerId(), Address: n.GetAddress(), Capacity: n.GetCapacity(),
			Used: h.GetUsage().GetBytes(), Objects: h.GetUsage().GetObjects(),
		}
	}
	return views, nil
}

func hospitalRetireNodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "retire-node NUMBER", Short: "have what a storage node of your hospital holds kept elsewhere, for good", Args: exactArgs("the storage node's number"),
		Long: "Retire a storage node of your hospital. It gets nothing new, and others take over what it holds; keep it running until\n" +
			"`phrd hospital nodes` shows it as retired: then nobody talks to it any more. It can't be taken back: its keys are used up.\n" +
			"What it held lies on its disk still, encrypted: wipe it.",
		Example: "  phrd hospital retire-node 5",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber("a storage node", args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.client.RetireStorageNode(ctx, number); err != nil {
					return err
				}
				return o.print(numbered{number}, nil, [][]string{{"storage node", strconv.FormatUint(number, 10), "is being drained; `phrd hospital nodes` shows when it is retired"}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
