package custody_test

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"
	"testing/cryptotest"
	"time"
)

// exchange is one kind of thing that both implementations make and take.
type exchange struct {
	name string
	// gives makes one here for the partner to take.
	gives func(c *chance) gift
	// asks says of what the partner is to make one, and how it is taken here.
	asks func(c *chance) wish
}

// gift is something made here.
type gift struct {
	kind  string
	in    fields
	opens fields   // what the partner finds in it; nil where it only checks
	bound []string // fields that nobody may change in a single bit
}

// wish is something that the partner is to make.
type wish struct {
	kind  string
	in    fields
	takes func(out fields) error
	bound []string // fields of the answer that nobody may change in a single bit
}

var exchanges = []exchange{
	{name: "encapsulation and its proof", gives: givesEncapsulation, asks: asksEncapsulation},
	{name: "version: envelope, owner halves, wrapped key", gives: givesVersion, asks: asksVersion},
	{name: "emergency part", gives: givesEmergency, asks: asksEmergency},
	{name: "proposal and its proof", gives: givesProposal, asks: asksProposal},
	{name: "share", gives: givesShare, asks: asksShare},
	{name: "capsule", gives: givesCapsule, asks: asksCapsule},
	{name: "deal and proof of knowledge", gives: givesDeal, asks: asksDeal},
	{name: "proof of possession", gives: givesPossession, asks: asksPossession},
	{name: "slot", gives: givesSlot, asks: asksSlot},
	{name: "vault", gives: givesVault, asks: asksVault},
	{name: "guardians' shares", gives: givesGuardians, asks: asksGuardians},
	{name: "object", gives: givesObject, asks: asksObject},
}

// comparisons are what both sides work out of the same things; there is nothing to hand over.
var comparisons = map[string]func(c *chance) (wish, fields){
	"session":            comparesSession,
	"round and its sums": comparesRound,
	"combined shares":    comparesCombined,
	"padding":            comparesPadding,
	"layout":             comparesLayout,
	"words":              comparesWords,
	"wallet's document":  comparesDocument,
}

// cases is how many of each kind are exchanged: PHRD_CASES, or few.
func cases(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("PHRD_CASES"))
	if err != nil {
		return 10
	}
	return n
}

// seeded draws a seed, or takes PHRD_SEED, and makes all chance follow it.
func seeded(t *testing.T) *chance {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("PHRD_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano()) // #nosec G115 -- a seed, not a time
	}
	t.Logf("PHRD_SEED=%d", seed)
	cryptotest.SetGlobalRandom(t, seed)
	return newChance(seed)
}

func TestTheOtherImplementationTakesWhatThisOneMakes(t *testing.T) {
	c, p := seeded(t), newPartner(t)
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			for range cases(t) {
				gift := e.gives(c)
				out, ok := p.take(t, gift.kind, gift.in)
				if !ok {
					t.Fatalf("refused: %s", gift.in)
				}
				if gift.opens != nil && !same(out, gift.opens) {
					t.Fatalf("it holds %s, the other side found %s", gift.opens, out)
				}
				changed := gift.in.flipped(c, gift.bound...)
				if _, ok := p.take(t, gift.kind, changed); ok {
					t.Fatalf("accepted with a bit changed: %s\nwas %s", changed, gift.in)
				}
			}
		})
	}
}

func TestThisImplementationTakesWhatTheOtherOneMakes(t *testing.T) {
	c, p := seeded(t), newPartner(t)
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			for range cases(t) {
				wish := e.asks(c)
				out := p.make(t, wish.kind, wish.in)
				if err := wish.takes(out); err != nil {
					t.Fatalf("%v: %s of %s", err, out, wish.in)
				}
				changed := out.flipped(c, wish.bound...)
				if wish.takes(changed) == nil {
					t.Fatalf("accepted with a bit changed: %s\nwas %s", changed, out)
				}
			}
		})
	}
}

func TestBothImplementationsWorkOutTheSame(t *testing.T) {
	c, p := seeded(t), newPartner(t)
	for name, compares := range comparisons {
		t.Run(name, func(t *testing.T) {
			for range cases(t) {
				wish, want := compares(c)
				if got := p.make(t, wish.kind, wish.in); !same(got, want) {
					t.Fatalf("here %s, there %s, of %s", want, got, wish.in)
				}
			}
		})
	}
}

// same compares by what JSON makes of both; fields that are not wanted are left out.
func same(got, want fields) bool {
	for name, value := range want {
		if !reflect.DeepEqual(plain(got[name]), plain(value)) {
			return false
		}
	}
	return true
}

func plain(v any) string { return fmt.Sprint(fields{"": v}) }
