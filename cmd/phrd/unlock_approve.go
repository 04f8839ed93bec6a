package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// errNotConfirmed says that the owner did not say yes.
var errNotConfirmed = errors.New("not approved: you did not say yes")

// errNotErased says that the owner did not say yes to an erasure.
var errNotErased = errors.New("not erased: you did not say yes")

// approval is what was approved.
type approval struct {
	Unlock      string    `json:"unlock"`
	Requester   string    `json:"requester"`
	Hospital    string    `json:"hospital"`
	Purpose     string    `json:"purpose"`
	Versions    []phr.Ref `json:"versions"`
	Until       time.Time `json:"until"`
	CheckedAt   []string  `json:"checked_at"`
	Independent bool      `json:"independent"`
	Height      int64     `json:"height"`
}

func viewReview(r *phr.Review) approval {
	a := approval{
		Unlock: r.Unlock, Requester: r.Requester, Hospital: r.Hospital, Purpose: r.Purpose, Versions: r.Versions, Until: r.Until, Independent: r.Independent,
	}
	for _, d := range r.Witnesses {
		a.CheckedAt = append(a.CheckedAt, d.Name)
	}
	return a
}

func (a approval) rows() [][]string {
	rows := [][]string{{"hospital", a.Hospital}, {"requester", a.Requester}, {"purpose", a.Purpose}}
	for _, ref := range a.Versions {
		rows = append(rows, []string{"record", ref.String()})
	}
	checked := strings.Join(a.CheckedAt, " and ")
	if !a.Independent {
		checked += ", of which one is the requester's"
	}
	return append(rows, []string{"until", a.Until.Format(time.RFC3339)}, []string{"checked at", checked}, []string{"unlock", a.Unlock})
}

// approveUnlock reviews an unlock at two hospitals, asks, and approves it. ask is shown what will be signed; its error
// ends it.
func approveUnlock(ctx context.Context, c *phr.Client, vault *phr.Vault, id string, ask func(approval) error) (approval, error) {
	r, err := c.Review(ctx, id)
	if err != nil {
		return approval{}, err
	}
	a := viewReview(r)
	if ask != nil {
		if err := ask(a); err != nil {
			return a, err
		}
	}
	receipt, err := r.Approve(ctx, vault)
	a.Height = receipt.Height
	return a, err
}

// vault is the vault of the account: a patient's, or for an officer that of the hospital whose home this is.
func (u *user) vault(ctx context.Context) (*phr.Vault, error) {
	who, err := u.client.Principal(ctx)
	if err != nil {
		return nil, err
	}
	if who.Hospital == 0 {
		file, err := u.vaultFile(ctx)
		if err != nil {
			return nil, err
		}
		return u.client.OpenVault(file)
	}
	names, err := u.store.Names(keys.HospitalVaultPrefix)
	if err != nil {
		return nil, err
	}
	seeds := make(map[uint64][]byte, len(names))
	for _, name := range names {
		epoch, err := strconv.ParseUint(strings.TrimPrefix(name, keys.HospitalVaultPrefix), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", name, keys.ErrDamaged)
		}
		if seeds[epoch], err = u.store.Get(name); err != nil {
			return nil, err
		}
	}
	if len(seeds) == 0 {
		return nil, fmt.Errorf("this home has no vault of hospital %d: %w", who.Hospital, phr.ErrVault)
	}
	return phr.HospitalVault(who.Hospital, seeds)
}

func unlockApproveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "approve UNLOCK", Short: "let the requester open your records",
		Long: "Approve an unlock as the owner of the records: a patient, or for a hospital's own records an officer of it who did\n" +
			"not endorse. The unlock is read from two hospitals, neither of them the requester's where possible, and everything\n" +
			"that is shown is checked against its id. Then you are asked, and what you see is what is signed.",
		Example: "  phrd unlock approve 5f3a9c…\n  phrd unlock approve 5f3a9c… --yes --json",
		Args:    exactArgs("an unlock"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				id, err := resolveUnlock(ctx, u.client, args[0])
				if err != nil {
					return err
				}
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				ask := func(a approval) error { return askOwner(ctx, cmd.InOrStdin(), o, a) }
				if yes {
					ask = nil
				}
				a, err := approveUnlock(ctx, u.client, vault, id, ask)
				if err != nil {
					return err
				}
				return o.print(a, nil, append([][]string{{"approved", "block " + strconv.FormatInt(a.Height, 10)}}, a.rows()...))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; for programs that showed it themselves")
	return cmd
}

// askOwner shows what will be signed and waits for a yes on the terminal.
func askOwner(ctx context.Context, in io.Reader, o *output, a approval) error {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: look at it with `phrd unlock show`, then approve with --yes")
	}
	if err := o.print(nil, nil, a.rows()); err != nil {
		return err
	}
	return askYes(ctx, in, o, "Let them open this? Type yes: ", errNotConfirmed)
}

// askYes waits for a yes on the terminal; refused is the error of anything else.
func askYes(ctx context.Context, in io.Reader, o *output, question string, refused error) error {
	fmt.Fprint(o.err, question)
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil {
			line = ""
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		if line != "yes" {
			return refused
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
