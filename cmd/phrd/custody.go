package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/phr"
)

func custodyCommand() *cobra.Command {
	return group("custody", "the network's keys: who holds shares, and what is being made", custodyStatusCommand())
}

// keyView is where one of the network's keys stands.
type keyView struct {
	Kind       string       `json:"kind"`
	Generation uint64       `json:"generation"`
	Epoch      uint64       `json:"epoch"` // of the shares in force, 0 as long as there are none
	Origin     string       `json:"origin"`
	Threshold  uint64       `json:"threshold"`
	Since      int64        `json:"since"` // unix seconds
	Holders    []holderView `json:"holders"`
	Round      *roundView   `json:"round,omitempty"`
	// Versions that are not erased and that it locks, of a records key.
	Versions uint64 `json:"versions"`
	// Missing is how many hospitals it takes more before its shares can be renewed.
	Missing uint64 `json:"missing"`
}

type holderView struct {
	Hospital  uint64 `json:"hospital"`
	Confirmed bool   `json:"confirmed"`
	BadShares uint64 `json:"bad_shares"`
}

// roundView is a round that runs.
type roundView struct {
	Epoch    uint64 `json:"epoch"`
	Attempt  uint64 `json:"attempt"`
	Phase    string `json:"phase"`
	Received uint64 `json:"received"`
	Awaited  uint64 `json:"awaited"`
	EndsAt   int64  `json:"ends_at"` // unix seconds, 0 as long as the phase has no end
}

func keyViewOf(k phr.NetworkKey) keyView {
	v := keyView{
		Generation: k.Key.GetGeneration(), Epoch: k.Key.GetShareEpoch(), Origin: "making", Threshold: k.Key.GetThreshold(), Since: k.Key.GetSince(),
		Holders: make([]holderView, len(k.Holders)), Missing: k.Missing,
	}
	kind := k.Key.GetKind()
	if k.Key == nil {
		kind, v.Generation, v.Threshold = k.Round.GetKind(), k.Round.GetGeneration(), k.Round.GetThreshold()
	} else {
		v.Origin = strings.ToLower(strings.TrimPrefix(k.Key.GetOrigin().String(), "ORIGIN_"))
	}
	v.Kind = strings.ToLower(strings.TrimPrefix(kind.String(), "KEY_KIND_"))
	for i, h := range k.Holders {
		v.Holders[i] = holderView{h.GetIndex(), h.GetConfirmed(), h.GetBadShares()}
	}
	if r := k.Round; r != nil && r.GetPhase() != custodyv1.RoundPhase_ROUND_PHASE_DONE {
		v.Round = &roundView{
			Epoch: r.GetShareEpoch(), Attempt: r.GetAttempt(), Phase: strings.ToLower(strings.TrimPrefix(r.GetPhase().String(), "ROUND_PHASE_")),
			Received: r.GetReceived(), Awaited: r.GetAwaited(), EndsAt: r.GetEndsAt(),
		}
	}
	return v
}

// confirmed counts the holders that proved that they have their share.
func (v keyView) confirmed() int {
	n := 0
	for _, h := range v.Holders {
		if h.Confirmed {
			n++
		}
	}
	return n
}

func (v keyView) row() []string {
	round := "-"
	if r := v.Round; r != nil {
		round = fmt.Sprintf("epoch %d, attempt %d: %d of %d %s", r.Epoch, r.Attempt, r.Received, r.Awaited, r.Phase)
	}
	if v.Missing > 0 {
		round = fmt.Sprintf("none: %d hospitals too few", v.Missing)
	}
	return []string{
		v.Kind, strconv.FormatUint(v.Generation, 10), strconv.FormatUint(v.Epoch, 10), v.Origin, fmt.Sprintf("%d of %d", v.confirmed(), len(v.Holders)),
		strconv.FormatUint(v.Threshold, 10), strconv.FormatUint(v.Versions, 10), timeText(v.Since), round,
	}
}

var keyHeader = []string{"KEY", "GENERATION", "EPOCH", "ORIGIN", "SHARES", "OPEN", "LOCKS", "SINCE (UTC)", "ROUND"}

func custodyStatusCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "status", Short: "show the network's keys, who holds their shares, and the round that runs",
		Long: "Show each of the network's keys: its generation, the epoch of its shares, how it came to be, how many hospitals have proved that\n" +
			"they hold a share, how many of them open, how many versions of records it locks, and the round in which a key is made or shares are\n" +
			"renewed. Versions that a former generation locks move to the newest one as their owners lock them anew (`phrd vault relock`).\n\n" +
			"A key of origin dkg was made by the hospitals together and never known to anybody; whoever dealt one of origin dealt could have kept it.",
		Example: "  phrd custody status\n  phrd custody status --wait 10m --json", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				keys, err := keysWithin(ctx, u.client, wait)
				if err != nil {
					return err
				}
				locks, err := u.client.LockCounts(ctx)
				if err != nil {
					return err
				}
				views, rows := make([]keyView, len(keys)), make([][]string, len(keys))
				for i, k := range keys {
					views[i] = keyViewOf(k)
					if views[i].Kind == recordsKey {
						views[i].Versions = locks[views[i].Generation]
					}
					rows[i] = views[i].row()
				}
				return o.print(views, keyHeader, rows)
			})
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for every share to be confirmed and every round to be over")
	userFlags(cmd)
	return cmd
}

// keyPoll is how often the keys are asked for while one waits for them.
const keyPoll = 500 * time.Millisecond

// keysWithin are the network's keys, as soon as all are whole where wait is not 0. The error is errKeys where they are not within that time.
func keysWithin(ctx context.Context, c *phr.Client, wait time.Duration) ([]phr.NetworkKey, error) {
	until := time.Now().Add(wait)
	for {
		keys, err := c.NetworkKeys(ctx)
		if err != nil || wait == 0 {
			return keys, err
		}
		whole := len(keys) > 0
		for _, k := range keys {
			whole = whole && k.IsWhole()
		}
		if whole {
			return keys, nil
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%w after %s: %s", errKeys, wait, strings.Join(keyViewOf(keys[len(keys)-1]).row(), ", "))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(keyPoll):
		}
	}
}

// recordsKey is the word for the key that locks records.
const recordsKey = "records"

// kindFlag gives a command the flag that says which of the network's keys is meant.
func kindFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "kind", recordsKey, "what the key is for: records, emergency or guardians")
}

// kindOf is the kind of key that a word names.
func kindOf(word string) (custodyv1.KeyKind, error) {
	kind, known := phr.KeyKinds[word]
	if !known {
		return 0, usage("there is no key for %q: give records, emergency or guardians", word)
	}
	return kind, nil
}

func proposeReshareCommand() *cobra.Command {
	var generation uint64
	var word string
	cmd := &cobra.Command{
		Use: "reshare", Short: "ask to renew the hospitals' shares of a key at once", Args: exactArgs(), Example: "  phrd hospital propose reshare",
		Long: "Ask to renew the hospitals' shares of a key at once. They are renewed every month, and when a hospital comes or goes, by\n" +
			"themselves; do it when a share may have been stolen. The key stays, and so does all that is locked.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			kind, err := kindOf(word)
			if err != nil {
				return err
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) {
				return u.client.ProposeReshare(ctx, kind, generation)
			})
		},
	}
	cmd.Flags().Uint64Var(&generation, "generation", 1, "generation of the key")
	kindFlag(cmd, &word)
	userFlags(cmd)
	return cmd
}

func proposeKeyCommand() *cobra.Command {
	var word string
	cmd := &cobra.Command{
		Use: "key", Short: "ask to make a new key, for all that is stored from then on", Args: exactArgs(),
		Example: "  phrd hospital propose key\n  phrd hospital propose key --kind emergency",
		Long: "Ask to make a new records key, under which all is locked that is stored from then on. What was stored before stays locked under the\n" +
			"old one, whose shares the hospitals go on keeping, until its owners lock it anew (`phrd vault relock`). A network whose key was dealt\n" +
			"gets one that nobody ever knew.\n\n" +
			"A network begins without a key for emergencies, which takes five hospitals, and without one for guardians: ask for them with --kind\n" +
			"once the hospitals want to offer these to their patients.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			kind, err := kindOf(word)
			if err != nil {
				return err
			}
			return proposes(cmd, func(ctx context.Context, u *user) (uint64, error) { return u.client.ProposeGeneration(ctx, kind) })
		},
	}
	kindFlag(cmd, &word)
	userFlags(cmd)
	return cmd
}
