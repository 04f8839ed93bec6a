package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/phr"
)

func storageCommand() *cobra.Command {
	return group("storage", "copies: how many there are, where, and what is being repaired", storageStatusCommand())
}

func storageStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [RECORD[/VERSION]]", Short: "show how safe the network's objects are, or those of one record",
		Long: "Without a record: count what the network keeps and what of it is not whole, and show where each storage node stands.\n" +
			"With one: show the copies of its newest version, or of the one named.\n\n" +
			"An object is whole when its target of places holds it; placing while its first copies are made; repairing below the target;\n" +
			"endangered below the minimum; unrecoverable as long as no node that holds it is there. Repair needs nobody: it goes on by itself.\n" +
			"A strike is a challenge to prove a copy that a node failed.\n" +
			"The exit code is 3 while anything is endangered or unrecoverable.",
		Example: "  phrd storage status\n  phrd storage status 7ABC…/2 --json",
		Args:    atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return showHealth(ctx, u.client, o) })
			}
			ref, err := parseRef(args[0])
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error { return showCopies(ctx, u.client, o, ref) })
		},
	}
	userFlags(cmd)
	return cmd
}

// showHealth shows the network's objects and nodes.
func showHealth(ctx context.Context, c *phr.Client, o *output) error {
	h, err := c.Health(ctx)
	if err != nil {
		return err
	}
	if o.json {
		err = o.value(protoJSON(h))
	} else {
		err = printHealth(o, h)
	}
	if err != nil {
		return err
	}
	if n := h.GetEndangered() + h.GetUnrecoverable(); n > 0 {
		return fmt.Errorf("%d of %d objects: %w", n, h.GetObjects(), errEndangered)
	}
	return nil
}

func printHealth(o *output, h *storagev1.QueryHealthResponse) error {
	more := ""
	if h.GetMore() {
		more = " or more"
	}
	if err := o.line("%d objects, %d of %d copies held; placing %d, repairing %d, endangered %d, unrecoverable %d%s",
		h.GetObjects(), h.GetHeld(), h.GetCopies(), h.GetPlacing(), h.GetRepairing(), h.GetEndangered(), h.GetUnrecoverable(), more); err != nil {
		return err
	}
	rows := make([][]string, len(h.GetNodes()))
	for i, n := range h.GetNodes() {
		rows[i] = []string{
			strconv.FormatUint(n.GetNode(), 10), strconv.FormatUint(n.GetMember(), 10), strconv.FormatUint(n.GetSite(), 10), nodeStatusText(n.GetStatus()),
			timeText(n.GetBeatAt()), strconv.FormatUint(n.GetUsage().GetObjects(), 10), byteText(n.GetUsage().GetBytes()),
			byteText(n.GetCapacity()), byteText(n.GetFree()), strconv.FormatUint(n.GetStrikes(), 10),
		}
	}
	return o.print(nil, []string{"NODE", "HOSPITAL", "SITE", "STATUS", "LAST HEARD OF (UTC)", "OBJECTS", "PLACED", "CAPACITY", "DISK FREE", "STRIKES"}, rows)
}

// copiesReport is where the copies of a version are.
type copiesReport struct {
	Ref      phr.Ref    `json:"ref"`
	Standing string     `json:"standing"`
	Held     uint32     `json:"held"`
	Target   uint32     `json:"target"`
	Minimum  uint32     `json:"minimum"`
	Copies   []copyView `json:"copies"`
}

// copyView is one copy and where its node stands.
type copyView struct {
	Node   uint64 `json:"node"`
	Copy   string `json:"copy"`
	Status string `json:"status"`
	Since  int64  `json:"since"`
}

// showCopies shows where the copies of a version are.
func showCopies(ctx context.Context, c *phr.Client, o *output, ref phr.Ref) error {
	v, err := c.Version(ctx, ref)
	if err != nil {
		return err
	}
	ref.Version = v.GetVersion()
	copies, err := c.Copies(ctx, ref)
	if err != nil {
		return err
	}
	r := copiesReport{Ref: ref, Standing: standingText(copies.Standing), Held: copies.Held, Target: copies.Target, Minimum: copies.Minimum}
	var rows [][]string
	for i, n := range copies.Nodes {
		view := copyView{Node: n.GetNode(), Copy: copyText(n.GetStatus()), Since: n.GetSince()}
		if i < len(copies.Statuses) {
			view.Status = nodeStatusText(copies.Statuses[i])
		}
		r.Copies = append(r.Copies, view)
		rows = append(rows, []string{strconv.FormatUint(view.Node, 10), view.Status, view.Copy, timeText(view.Since)})
	}
	if err := o.line("%s is %s: held at %d of %d places, %d at least", ref, r.Standing, r.Held, r.Target, r.Minimum); err != nil {
		return err
	}
	if err := o.print(r, []string{"NODE", "STATUS", "COPY", "SINCE (UTC)"}, rows); err != nil {
		return err
	}
	switch copies.Standing {
	case storagev1.Standing_STANDING_ENDANGERED, storagev1.Standing_STANDING_UNRECOVERABLE:
		return fmt.Errorf("%s: %w", ref, errEndangered)
	}
	return nil
}

func nodeStatusText(s storagev1.NodeStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "NODE_STATUS_"))
}

func standingText(s storagev1.Standing) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STANDING_"))
}

func copyText(s storagev1.CopyStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "COPY_STATUS_"))
}
