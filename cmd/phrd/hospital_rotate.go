package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/cometbft/cometbft/p2p"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/consortium"
)

// errOtherServer says that a home is not that of the own server of a hospital.
var errOtherServer = errors.New("this home is not that of the hospital's own server")

// rotated is what `hospital rotate-keys` says of the new keys.
type rotated struct {
	Hospital  uint64 `json:"hospital"`
	Consensus string `json:"consensus_key"`
	Comet     string `json:"comet_id"`
	Peer      string `json:"peer_id"`
	Account   string `json:"node_account"`
	Admin     string `json:"admin,omitempty"`
	File      string `json:"file,omitempty"`
}

func rotatedOf(hospital uint64, m *consortium.MsgRotateMemberKeys) rotated {
	r := rotated{
		Hospital: hospital, Consensus: hex.EncodeToString(m.ConsensusKey), Comet: consortium.CometID(m.CometKey), Peer: consortium.PeerID(m.Libp2PKey),
		Account: consortium.AccountOf(m.NodeKey).String(),
	}
	if len(m.AdminKey) > 0 {
		r.Admin = consortium.AccountOf(m.AdminKey).String()
	}
	return r
}

func (r rotated) rows(next string) [][]string {
	rows := [][]string{
		{"hospital", strconv.FormatUint(r.Hospital, 10)}, {"consensus key", r.Consensus}, {"comet id", r.Comet}, {"peer id", r.Peer}, {"node account", r.Account},
	}
	if r.Admin != "" {
		rows = append(rows, []string{"admin", r.Admin})
	}
	return append(rows, []string{"next", next})
}

// rotation are the flags of `hospital rotate-keys`.
type rotation struct{ admin, out string }

func hospitalRotateCommand() *cobra.Command {
	var r rotation
	cmd := &cobra.Command{
		Use: "rotate-keys [FILE]", Short: "give your hospital's server new keys", Args: atMostOne,
		Long: "Make new keys beside the old ones in the home of your hospital's own server - consensus key, CometBFT node key, blob node's key and\n" +
			"node account - and tell the network of them. The server notices, signs one more block with its old key, and starts again by itself\n" +
			"with the new ones; a server that is stopped takes them when it starts. The old keys are worth nothing from then on, and nobody can\n" +
			"ever use them again: make a backup at once. Do this at one hospital at a time, at most once an hour.\n\n" +
			"Where the admin's key is not in that home, write the new keys' public side with --out there, as its node account\n" +
			"(--from node), and give the FILE to the admin, who sends it from the own home. --admin NAME gives the admin who sends it a new key,\n" +
			"too: that of an account that `phrd keys add NAME` has made; use --from NAME afterwards.\n\n" +
			"The gateway's certificate changes with `phrd hospital update --gateway-fingerprint`, and the vault's key with\n" +
			"`phrd hospital rotate-vault`.",
		Example: "  phrd hospital rotate-keys\n  phrd hospital rotate-keys --from node --out new-keys.json\n  phrd hospital rotate-keys new-keys.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && r != (rotation{}) {
				return usage("--admin and --out are for the home of the server, where the file is made")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if len(args) == 1 {
					return sendRotation(ctx, u, o, args[0])
				}
				return r.run(ctx, u, o)
			})
		},
	}
	cmd.Flags().StringVar(&r.admin, "admin", "", "account of the key store that takes the place of the admin who asks")
	cmd.Flags().StringVar(&r.out, "out", "", "write the public side of the new keys to a file for the admin, and send nothing")
	userFlags(cmd)
	return cmd
}

// run makes new keys in the home of a server and tells the network.
func (r rotation) run(ctx context.Context, u *user, o *output) error {
	h, err := home.Open(u.home)
	if err != nil {
		return err
	}
	who, err := u.client.Principal(ctx)
	if err != nil {
		return err
	}
	known, err := isKnownServer(ctx, u, h, who.Hospital)
	if err != nil {
		return err
	}
	var admin *wallet.Key
	if r.admin != "" {
		if admin, err = u.store.Account(r.admin); err != nil {
			return err
		}
	}
	if known {
		return takeKnown(u, o, h, who.Hospital)
	}
	m, err := h.PrepareKeys(u.store, u.client.Network(), who.Hospital, admin)
	if err != nil {
		return err
	}
	said := rotatedOf(who.Hospital, m)
	if r.out != "" {
		text, err := home.EncodeRotation(m)
		if err != nil {
			return err
		}
		if err := os.WriteFile(r.out, text, 0o600); err != nil {
			return err
		}
		said.File = r.out
		return o.print(said, nil, said.rows("an admin sends them: phrd hospital rotate-keys "+r.out))
	}
	err = u.client.RotateMemberKeys(ctx, home.Rotated(m))
	if r.admin != "" && errors.Is(err, phr.ErrForbidden) {
		// With its key replaced, the account may not ask any more what became of that.
		err = r.isAdmin(ctx, u, who.Hospital, err)
	}
	if err != nil {
		return err
	}
	return o.print(said, nil, said.rows("the server starts again with these keys by itself; then make a backup"))
}

// isAdmin returns nil if the admin's next account is one of the hospital, else the error of what was asked.
func (r rotation) isAdmin(ctx context.Context, u *user, hospital uint64, asked error) (err error) {
	next, err := u.as(ctx, r.admin)
	if err != nil {
		return errors.Join(asked, err)
	}
	defer func() { err = errors.Join(err, next.close()) }()
	who, err := next.client.Principal(ctx)
	if err != nil || who.Hospital != hospital {
		return errors.Join(asked, err)
	}
	return nil
}

// takeKnown is for new keys that the network knows already. A server that was stopped for long takes them by this: the others have hung up on
// the old ones before it could learn that.
func takeKnown(u *user, o *output, h home.Home, hospital uint64) error {
	next, err := h.NextKeys()
	if err != nil {
		return err
	}
	said := rotatedOf(hospital, next)
	held, err := server.LockHome(h)
	if errors.Is(err, server.ErrRunning) {
		return o.print(said, nil, said.rows("the network knows these keys already, and the server takes them when it starts again"))
	}
	if err != nil {
		return err
	}
	// The consensus key waits for what the server's own chain says.
	if err := errors.Join(h.TakeKeys(u.store, false), held.Close()); err != nil {
		return err
	}
	return o.print(said, nil, said.rows("the network knows these keys already: start the server, then make a backup"))
}

// isKnownServer tells whether the network knows the home's new keys already; errOtherServer where it knows neither those nor the old ones as
// those of the hospital.
func isKnownServer(ctx context.Context, u *user, h home.Home, hospital uint64) (bool, error) {
	if h.StorageOnly() {
		return false, usage("%s is the home of a storage node; retire the node and make a new one", h.Dir())
	}
	m, err := u.client.Member(ctx, hospital)
	if err != nil {
		return false, err
	}
	next, err := h.NextKeys()
	if err != nil {
		return false, err
	}
	if next != nil && m.GetCometId() == consortium.CometID(next.CometKey) {
		return true, nil
	}
	own, err := p2p.LoadNodeKey(h.NodeKey())
	if err != nil {
		return false, fmt.Errorf("%s: %w: %w", h.NodeKey(), home.ErrDamaged, err)
	}
	if m.GetCometId() != string(own.ID()) {
		return false, fmt.Errorf("%s: %w: hospital %d has comet id %s", h.Dir(), errOtherServer, hospital, m.GetCometId())
	}
	return false, nil
}

// sendRotation tells the network of keys that were made elsewhere.
func sendRotation(ctx context.Context, u *user, o *output, file string) error {
	m, err := home.ReadRotation(file)
	if err != nil {
		return err
	}
	who, err := u.client.Principal(ctx)
	if err != nil {
		return err
	}
	if err := u.client.RotateMemberKeys(ctx, home.Rotated(m)); err != nil {
		return err
	}
	said := rotatedOf(who.Hospital, m)
	return o.print(said, nil, said.rows("the server starts again with these keys by itself; then make a backup"))
}
