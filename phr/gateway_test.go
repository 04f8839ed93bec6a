package phr_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// A node that is a block behind does not know yet what was proposed or stored at another hospital. Who signs it or waits for its copies
// waits; what is nowhere is not found in bounded time.
func TestWhatArrivesLate(t *testing.T) {
	c := newCast(t)
	unlock := c.propose(c.store(content(100)).Ref)
	c.late.Store(2)
	_, err := c.officer.Endorse(t.Context(), unlock)
	require.NoError(t, err)
	c.late.Store(2)
	_, err = c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)

	stored := c.store(content(200))
	c.late.Store(2)
	_, err = c.clerk.WaitForCopies(t.Context(), stored.Ref, 0, nil)
	require.NoError(t, err)
	_, err = c.clerk.WaitForCopies(t.Context(), phr.Ref{Record: stored.Record, Version: 9}, 0, nil)
	require.ErrorIs(t, err, phr.ErrNotFound)

	for _, id := range []string{strings.Repeat("ab", 32), "no id"} {
		_, err = c.officer.Endorse(t.Context(), id)
		require.ErrorIs(t, err, phr.ErrNotFound)
	}
}

// A gateway whose node has not come as far as the client has seen elsewhere is waited for.
func TestGatewayThatIsBehind(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(100))
	c.gates[1].behind.Store(3)
	v, err := c.clerk.Version(t.Context(), stored.Ref)
	require.NoError(t, err)
	require.EqualValues(t, 1, v.GetVersion())
	require.Negative(t, c.gates[1].behind.Load(), "its height was asked for until it was there")
	_, err = c.clerk.Version(t.Context(), phr.Ref{Record: stored.Record, Version: 9})
	require.ErrorIs(t, err, phr.ErrNotFound)
}

// Opening goes on at other hospitals when one is down, before it and in the middle.
func TestFailover(t *testing.T) {
	c := newCast(t)
	b := content(2 << 20)
	stored := c.store(b)
	unlock := c.approved(stored.Ref)
	f, err := c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	r := f.Range(t.Context(), 0, f.Size)
	defer r.Close()
	head := make([]byte, 10)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)
	c.gates[4].down()
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, slices.Concat(head, rest)))

	f, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, c.reads(f)))

	for number := uint64(1); number <= 3; number++ {
		c.gates[number].down()
	}
	_, err = c.doctor.Open(t.Context(), unlock, stored.Ref)
	require.ErrorIs(t, err, phr.ErrUnreachable)
}

// What was handed in is awaited also while no gateway answers; who can't wait any longer learns that it may still be carried out.
func TestTransactionIsAwaitedWhileServersStart(t *testing.T) {
	c := newCast(t)
	c.away.Store(3 * hospitals)
	_, err := c.clerk.Invite(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Negative(t, c.away.Load())

	c.away.Store(math.MaxInt32)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = c.clerk.Invite(ctx, time.Hour)
	require.ErrorIs(t, err, phr.ErrNotCommitted)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "the node starts")
}

// With only one other hospital up, an approval is checked there and at the requester's, and says so; with one it is not.
func TestWitnesses(t *testing.T) {
	c := newCast(t)
	stored := c.store(content(10))
	unlock := c.endorsed(stored.Ref)
	c.gates[2].down()
	c.gates[3].down()
	r, err := c.alice.Review(t.Context(), unlock)
	require.NoError(t, err)
	require.False(t, r.Independent)
	require.EqualValues(t, 4, r.Witnesses[1].Hospital)
	c.gates[4].down()
	_, err = c.alice.Review(t.Context(), unlock)
	require.ErrorIs(t, err, phr.ErrUnreachable)
}

func TestGatewayThatIsAnother(t *testing.T) {
	n := newNetwork(t)
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_CLERK, Hospital: 1, Active: true})
	door := n.gates[1].door()
	pin := []byte(door.Fingerprint)
	pin[0] ^= 1
	_, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: string(pin), Key: key})
	require.ErrorIs(t, err, phr.ErrCertificate)
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Key: key})
	require.ErrorIs(t, err, phr.ErrUnreachable, "nobody vouches for its certificate")
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, ChainID: "phrd-2"})
	require.ErrorIs(t, err, phr.ErrNetwork)
	_, err = phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: door.Fingerprint, Network: lock.Network{1}})
	require.ErrorIs(t, err, phr.ErrNetwork)
	for _, gateway := range []string{"", "http://a", "https://", "https://a/b", "https://u@a", "a:1", "https://a?b"} {
		_, err := phr.Dial(t.Context(), phr.Config{Gateway: gateway})
		require.Error(t, err, gateway)
	}
	c, err := phr.Dial(t.Context(), phr.Config{Gateway: door.Gateway, Fingerprint: strings.ToUpper(door.Fingerprint), Key: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.Equal(t, chainID, c.ChainID())
	require.Equal(t, hex.EncodeToString(n.id[:]), hex.EncodeToString(func() []byte { id := c.Network(); return id[:] }()))
	doors, err := c.Doors(t.Context())
	require.NoError(t, err)
	require.Len(t, doors, hospitals)
	require.Equal(t, "Hospital 1", doors[0].Name)
	require.NoError(t, c.Logout(t.Context()))
	_, err = c.Members(t.Context())
	require.NoError(t, err, "it logs in again")
}

// A gateway that asks to sign something else than a login there gets no signature.
func TestLoginText(t *testing.T) {
	n := newNetwork(t)
	clerk := n.staff(consortiumv1.Role_ROLE_CLERK, 1)
	g := n.gates[1]
	for _, change := range []func(string) string{
		func(s string) string { return s + "\n" },
		func(s string) string { return strings.Replace(s, "phrd login", "phrd vault key", 1) },
		func(s string) string { return strings.Replace(s, "host: 127", "host: 128", 1) },
		func(s string) string { return strings.Replace(s, "network: ", "network: 0", 1) },
		func(string) string { return "" },
	} {
		g.text = change
		_, err := clerk.Principal(t.Context())
		require.ErrorIs(t, err, phr.ErrLogin)
	}
	g.text = nil
	p, err := clerk.Principal(t.Context())
	require.NoError(t, err)
	require.Equal(t, phr.Principal{Address: clerk.Address(), Role: "clerk", Hospital: 1}, p)
}
