package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

func unlockCommand() *cobra.Command {
	return group("unlock", "ask for records, and sign or refuse what others ask for",
		unlockProposeCommand(), unlockListCommand(), unlockShowCommand(), unlockEndorseCommand(), unlockApproveCommand(), unlockDenyCommand(), unlockWithdrawCommand())
}

// idLength is how many hex digits an unlock's id has; leastPrefix how many of them name it on the command line.
const (
	idLength    = 64
	leastPrefix = 6
)

// unlockView is an unlock as the commands print it.
type unlockView struct {
	ID          string          `json:"id"`
	Status      string          `json:"status"`
	Requester   string          `json:"requester"`
	Hospital    uint64          `json:"hospital"`
	Purpose     string          `json:"purpose"`
	Versions    []string        `json:"versions"`
	Patient     string          `json:"patient"`
	Custodian   uint64          `json:"custodian"`
	Endorsed    int             `json:"endorsed"`
	Endorsement uint32          `json:"endorsements_needed"`
	Proposed    time.Time       `json:"proposed_at"`
	Expires     time.Time       `json:"expires_at"`
	Raw         json.RawMessage `json:"unlock,omitempty"`
}

func statusText(s accessv1.UnlockStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "UNLOCK_STATUS_"))
}

func viewUnlock(u phr.Unlock) unlockView {
	v := unlockView{
		ID: u.GetId(), Status: statusText(u.Status), Requester: u.GetRequester(), Hospital: u.GetHospital(), Purpose: u.GetPurpose(),
		Patient: u.GetPatient(), Custodian: u.GetCustodian(), Endorsed: len(u.GetEndorsements()), Endorsement: u.GetEndorsementsNeeded(),
		Proposed: time.Unix(u.GetProposedAt(), 0).UTC(), Expires: time.Unix(u.GetExpiresAt(), 0).UTC(),
	}
	for _, version := range u.GetVersions() {
		v.Versions = append(v.Versions, fmt.Sprintf("%s/%d", version.GetRecord(), version.GetVersion()))
	}
	return v
}

// unlockFilter is whose unlocks an account sees: a patient's own, those that a clinician asked for, those that a hospital's
// officers endorse.
func unlockFilter(ctx context.Context, c *phr.Client) (phr.UnlockFilter, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return phr.UnlockFilter{}, err
	}
	switch who.Role {
	case "patient":
		return phr.UnlockFilter{Patient: who.Patient}, nil
	case "clinician":
		return phr.UnlockFilter{Requester: who.Address}, nil
	}
	return phr.UnlockFilter{Custodian: who.Hospital}, nil
}

// resolveUnlock completes the first digits of an unlock's id from the unlocks that the account sees.
func resolveUnlock(ctx context.Context, c *phr.Client, text string) (string, error) {
	if len(text) == idLength {
		return text, nil
	}
	if len(text) < leastPrefix || strings.Trim(text, "0123456789abcdef") != "" {
		return "", usage("%q is no unlock: want its id, %d lower-case hex digits, or the first %d or more of them", text, idLength, leastPrefix)
	}
	filter, err := unlockFilter(ctx, c)
	if err != nil {
		return "", err
	}
	var found string
	for u, err := range c.Unlocks(ctx, filter) {
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(u.GetId(), text) {
			continue
		}
		if found != "" {
			return "", usage("%q begins the ids of several unlocks", text)
		}
		found = u.GetId()
	}
	if found == "" {
		return "", fmt.Errorf("no unlock of yours begins with %q: %w", text, phr.ErrNotFound)
	}
	return found, nil
}

func unlockListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "list unlocks: a patient's inbox, a clinician's requests, a hospital's endorsements",
		Long: "List unlocks, newest first: for a patient those of own records that the hospital has endorsed, for a clinician\n" +
			"those that were asked for, for others those of records that their hospital keeps. Without --all, unlocks that\n" +
			"have ended are left out.",
		Example: "  phrd unlock list\n  phrd unlock list --all --json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				if err := u.tidy(ctx); err != nil {
					return err
				}
				views, err := listUnlocks(ctx, u.client, all)
				if err != nil {
					return err
				}
				rows := make([][]string, len(views))
				for i, v := range views {
					rows[i] = []string{
						v.ID[:12], v.Status, fmt.Sprintf("%d of %d", v.Endorsed, v.Endorsement), v.Purpose, requesterText(v), strings.Join(v.Versions, " "), timeText(v.Expires.Unix()),
					}
				}
				return o.print(views, []string{"UNLOCK", "STATUS", "ENDORSED", "PURPOSE", "REQUESTER", "VERSIONS", "UNTIL (UTC)"}, rows)
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also those that have ended, and for patients those that were not endorsed")
	return cmd
}

func requesterText(v unlockView) string {
	if v.Hospital == 0 {
		return phr.OwnReading
	}
	return fmt.Sprintf("hospital %d", v.Hospital)
}

func listUnlocks(ctx context.Context, c *phr.Client, all bool) ([]unlockView, error) {
	filter, err := unlockFilter(ctx, c)
	if err != nil {
		return nil, err
	}
	views := []unlockView{}
	for u, err := range c.Unlocks(ctx, filter) {
		if err != nil {
			return nil, err
		}
		unseen := filter.Patient != "" && u.Status == accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED
		if all || u.IsOpen() && !unseen {
			views = append(views, viewUnlock(u))
		}
	}
	return views, nil
}

// tidy deletes the sessions that this home keeps of unlocks that have ended. Other accounts' are left to them.
func (u *user) tidy(ctx context.Context) error {
	names, err := u.store.Names(keys.SessionPrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, err := u.client.Tidy(ctx, []string{strings.TrimPrefix(name, keys.SessionPrefix)})
		if err != nil && !errors.Is(err, phr.ErrNotFound) && !errors.Is(err, phr.ErrForbidden) {
			return err
		}
	}
	return nil
}

func unlockShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show UNLOCK", Short: "show an unlock, and whose signatures are missing", Args: exactArgs("an unlock"),
		Example: "  phrd unlock show 5f3a9c…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				id, err := resolveUnlock(ctx, u.client, args[0])
				if err != nil {
					return err
				}
				return showUnlock(ctx, u.client, o, id)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func showUnlock(ctx context.Context, c *phr.Client, o *output, id string) error {
	u, err := c.Unlock(ctx, id)
	if err != nil {
		return err
	}
	v := viewUnlock(u)
	v.Raw = protoJSON(u.Unlock)
	rows := [][]string{
		{"unlock", v.ID}, {"status", v.Status}, {"requester", v.Requester + ", " + requesterText(v)}, {"purpose", v.Purpose},
		{"owner", ownerText(v.Patient, v.Custodian)}, {"custodian", fmt.Sprintf("hospital %d", v.Custodian)},
	}
	for _, version := range v.Versions {
		rows = append(rows, []string{"version", version})
	}
	rows = append(rows, []string{"proposed", timeText(u.GetProposedAt())}, []string{"ends", timeText(u.GetExpiresAt())}, []string{"endorsements", fmt.Sprintf("%d of %d", v.Endorsed, v.Endorsement)})
	for _, e := range u.GetEndorsements() {
		rows = append(rows, []string{"endorsed", timeText(e.GetAt()) + " by " + e.GetOfficer()})
	}
	if a := u.GetApproval(); a != nil {
		by := a.GetBy()
		if a.GetConsent() != 0 {
			by = fmt.Sprintf("consent %d of %s", a.GetConsent(), by)
		}
		rows = append(rows, []string{"approved", timeText(a.GetAt()) + " by " + by})
	}
	for _, end := range [][2]string{{"released", ""}, {"denied by", u.GetDeniedBy()}, {"withdrawn by", u.GetWithdrawnBy()}} {
		if end[0] == "released" && u.GetReleasedAt() != 0 {
			end[1] = timeText(u.GetReleasedAt())
		}
		if end[1] != "" {
			rows = append(rows, end[:])
		}
	}
	if next := nextStep(u); next != "" {
		rows = append(rows, []string{"next", next})
	}
	return o.print(v, nil, rows)
}

// nextStep says what an unlock waits for.
func nextStep(u phr.Unlock) string {
	switch u.Status {
	case accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED:
		return fmt.Sprintf("an officer of hospital %d: phrd unlock endorse %s", u.GetCustodian(), u.GetId()[:12])
	case accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED:
		return fmt.Sprintf("the owner: phrd unlock approve %s", u.GetId()[:12])
	case accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED:
		return "the hospitals' shares, which come by themselves"
	case accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED:
		return "the requester: phrd record open"
	}
	return ""
}
