package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/phr"
)

// erasureSays is what a person is told who erases.
const erasureSays = "Erasing is for good: from its block on nobody can ask for these versions, unlocks that name them are withdrawn, and every hospital\n" +
	"deletes the ciphertext and says so in the log. Nothing brings them back, also no hospital and no support.\n" +
	"It takes nothing from whom has seen them. Backups of hospitals end when their time is over; the certificate names it. The log keeps\n" +
	"that they existed and who did what with them."

// erasedView is what `record erase` says.
type erasedView struct {
	Versions []phr.Ref `json:"versions"`
	Height   int64     `json:"height"`
	Request  uint64    `json:"request,omitempty"`
}

func recordEraseCommand() *cobra.Command {
	var yes, certificate bool
	cmd := &cobra.Command{
		Use: "erase RECORD/VERSION...", Short: "erase versions for good, or show who has attested that they are gone",
		Long: "Erase versions as the owner: the patient, or an officer of the hospital that owns the records. All of them have one owner and are\n" +
			"kept by one hospital, at most " + strconv.Itoa(phr.MaxErased) + " at once.\n\n" + erasureSays + "\n\n" +
			"With --certificate nothing is erased: it shows who has attested an erasure, for how long backups may still hold the ciphertext,\n" +
			"and what remains for ever. The exit code is 3 while somebody has not attested.",
		Example: "  phrd record erase 3ZQK…/2 3ZQK…/3\n  phrd record erase --certificate 3ZQK…/2",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which version?")
			}
			refs, err := parseVersions(args)
			if err != nil {
				return err
			}
			if certificate && len(refs) > 1 {
				return usage("a certificate is of one version")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if certificate {
					return showCertificate(ctx, u.client, o, refs[0])
				}
				if !yes {
					if err := askToErase(ctx, cmd.InOrStdin(), o, refs); err != nil {
						return err
					}
				}
				return eraseVersions(ctx, u.client, o, refs)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&certificate, "certificate", false, "show who has attested the erasure of a version")
	return cmd
}

func eraseVersions(ctx context.Context, c *phr.Client, o *output, refs []phr.Ref) error {
	erased, err := c.Erase(ctx, refs)
	if err != nil {
		return err
	}
	view := erasedView{Versions: erased.Versions, Height: erased.Height, Request: erased.Request}
	if erased.Request != 0 {
		return o.print(view, nil, [][]string{
			{fmt.Sprintf("asked for in block %d: an officer of the hospital that keeps them approves it with `phrd record approve-erasure %d`", erased.Height, erased.Request)},
		})
	}
	rows := make([][]string, len(erased.Versions))
	for i, ref := range erased.Versions {
		rows[i] = []string{"erased " + ref.String()}
	}
	return o.print(view, nil, rows)
}

// askToErase says what erasing does and waits for a yes on the terminal.
func askToErase(ctx context.Context, in io.Reader, o *output, refs []phr.Ref) error {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: erase with --yes")
	}
	o.note("%s", "")
	for _, line := range strings.Split(erasureSays, "\n") {
		o.note("%s", line)
	}
	for _, ref := range refs {
		o.note("  %s", ref)
	}
	return askYes(ctx, in, o, "Erase them for good? Type yes: ", errNotErased)
}

// certificateView is what `record erase --certificate` says.
type certificateView struct {
	Certificate json.RawMessage `json:"certificate"`
}

func showCertificate(ctx context.Context, c *phr.Client, o *output, ref phr.Ref) error {
	certificate, err := c.Certificate(ctx, ref)
	if err != nil {
		return err
	}
	names := map[uint64]string{}
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		names[m.GetNumber()] = m.GetName()
	}
	if err := o.print(certificateView{protoJSON(certificate)}, nil, certificateRows(certificate, names)); err != nil {
		return err
	}
	if certificate.GetMissing() > 0 {
		return fmt.Errorf("%d of %d: %w", certificate.GetMissing(), len(certificate.GetNodes()), phr.ErrNotAttested)
	}
	return nil
}

func certificateRows(c *recordsv1.ErasureCertificate, names map[uint64]string) [][]string {
	v := c.GetVersion()
	rows := [][]string{
		{"version", fmt.Sprintf("%s/%d", v.GetRecord(), v.GetVersion())},
		{"erased", erasedText(v.GetTombstone()) + " UTC"},
		{"", "since then refused to everybody; deleted where it says so below"},
	}
	for _, n := range c.GetNodes() {
		rows = append(rows, []string{fmt.Sprintf("node %d of %s", n.GetNode(), names[n.GetMember()]), attestationText(n)})
	}
	for _, code := range c.GetRemains() {
		rows = append(rows, []string{"remains", remainsText(code)})
	}
	return append(rows, []string{"", "keys of the past are not changed by this: who kept a copy outside the network and its keys may still have it"})
}

func attestationText(n *storagev1.NodeErasure) string {
	a := n.GetAttestation()
	switch {
	case a == nil && n.GetLeft():
		return "has left the network, or was retired, and has not attested"
	case a == nil:
		return "has not attested yet"
	case a.GetBackupDays() == 0:
		return "deleted, attested " + timeText(a.GetAt()) + "; it keeps no backups"
	default:
		const day = 24 * 60 * 60
		return fmt.Sprintf("deleted, attested %s; backups may hold it until %s", timeText(a.GetAt()), timeText(a.GetAt()+day*int64(a.GetBackupDays())))
	}
}

func remainsText(code string) string {
	switch code {
	case "tombstone":
		return "who erased it, and when"
	case "lock_header":
		return "the public lock header, which opens nothing"
	case "log_entries":
		return "the log of who did what with it"
	case "shared_leaves":
		return "what other versions of the record, which are not erased, have in common with it"
	}
	return code
}

// erasedText says when a version was erased and by whom.
func erasedText(t *recordsv1.Tombstone) string {
	text := timeText(t.GetAt()) + " by " + t.GetBy()
	if t.GetApprovedBy() != "" {
		text += ", approved by " + t.GetApprovedBy()
	}
	return text
}

func recordApproveErasureCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve-erasure [REQUEST]", Short: "erase what an owner asked to have erased, or list what waits for it",
		Long: "Approve an erasure as an officer of the hospital that keeps the records, where the network asks for that. Without a number it lists\n" +
			"what waits for an officer of your hospital.\n\n" + erasureSays,
		Example: "  phrd record approve-erasure --from officer\n  phrd record approve-erasure 12 --from officer",
		Args:    atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if len(args) == 0 {
					return listErasureRequests(ctx, u.client, o)
				}
				number, err := strconv.ParseUint(args[0], 10, 64)
				if err != nil || number == 0 {
					return usage("%q is no number of a request", args[0])
				}
				receipt, err := u.client.ApproveErasure(ctx, number)
				if err != nil {
					return err
				}
				return o.print(erasedView{Height: receipt.Height, Request: number}, nil, [][]string{{fmt.Sprintf("erased what request %d names", number)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func listErasureRequests(ctx context.Context, c *phr.Client, o *output) error {
	who, err := c.Principal(ctx)
	if err != nil {
		return err
	}
	waiting, err := collect(c.ErasureRequests(ctx, who.Hospital))
	if err != nil {
		return err
	}
	rows := make([][]string, len(waiting))
	for i, r := range waiting {
		rows[i] = []string{strconv.FormatUint(r.GetNumber(), 10), timeText(r.GetAt()), ownerText(r.GetPatient(), r.GetCustodian()), strings.Join(r.GetVersions(), " ")}
	}
	return o.print(protosJSON(waiting), []string{"REQUEST", "ASKED (UTC)", "OWNER", "VERSIONS"}, rows)
}
