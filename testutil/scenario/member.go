package scenario

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
)

// copyTries is how many files are stored at most until one is placed on a certain hospital.
const copyTries = 20

// NewHospital makes the home of a further hospital, which knows the network's first state and is no member yet.
func (n *Network) NewHospital(name string) *Hospital {
	n.t.Helper()
	offsets, err := freePorts(1)
	if err != nil {
		n.t.Fatalf("a hospital %s: %v", name, err)
	}
	made, err := newHospital(n.network, name, offsets[0], n.hospitals[0].limits)
	if err != nil {
		n.t.Fatalf("a hospital: %v", err)
	}
	genesis, err := os.ReadFile(n.genesis)
	if err == nil {
		err = os.WriteFile(made.home.Genesis(), genesis, 0o600)
	}
	if err != nil {
		n.t.Fatalf("a hospital %s: %v", name, err)
	}
	h := &Hospital{n.t, made}
	n.t.Cleanup(func() {
		if n.t.Failed() {
			n.t.Logf("the end of the log of %s:\n%s", name, made.log.tail())
		}
		if made.server != nil {
			h.Stop()
		}
	})
	return h
}

// Launch starts the hospital's server and does not wait: nobody may admit it yet.
func (h *Hospital) Launch() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	if err := h.start(ctx); err != nil {
		h.t.Fatalf("start %s: %v", h.name, err)
	}
}

// IsReady waits until the hospital says that it can take part.
func (h *Hospital) IsReady() {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	if err := h.ready(ctx); err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
}

// GetsCopies has another hospital store files of a patient until a copy is placed on this one, and waits until it is held.
func (h *Hospital) GetsCopies(from *Hospital, patient *Patient) Version {
	h.t.Helper()
	net := &Network{h.t, h.network}
	for range copyTries {
		v := from.Store(patient, "for-"+h.name+".dcm")
		if slices.ContainsFunc(net.Copying(v), func(other *Hospital) bool { return other.number == h.number }) {
			return v
		}
	}
	h.t.Fatalf("none of %d files is placed on %s", copyTries, h.name)
	return Version{}
}

// Validate waits until the chain has so many validators.
func (n *Network) Validate(want int) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for got := n.Validators(); got != want; got = n.Validators() {
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%d validators, want %d", got, want)
		}
	}
}

// Declared is the hospital's member.json.
func (h *Hospital) Declared() *consortiumv1.SignedDeclaration {
	h.t.Helper()
	signed, _, err := home.ReadMember(h.home.Member())
	if err != nil {
		h.t.Fatalf("member.json of %s: %v", h.name, err)
	}
	return home.Declared(signed)
}

// Admit has the hospitals admit another one, and waits until the chain names it as a member.
func (n *Network) Admit(h *Hospital) {
	n.t.Helper()
	n.Decide(&consortiumv1.MsgAdmitMember{Authority: phr.Authority(), Hospital: h.Declared()})
	ctx, cancel := step(n.t)
	defer cancel()
	members, err := n.hospitals[0].staff.known[home.AccountAdmin].client.Members(ctx)
	if err != nil {
		n.t.Fatalf("list the members: %v", err)
	}
	for _, m := range members {
		if m.GetName() == h.name {
			h.number = m.GetNumber()
		}
	}
	if h.number == 0 {
		n.t.Fatalf("%s is no member: %v", h.name, members)
	}
	n.hospitals = append(n.hospitals, h.hospital)
}

// Decide has all hospitals that run vote for messages, and waits until the chain has carried them out.
func (n *Network) Decide(messages ...proto.Message) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	var proposal uint64
	var first Staff
	for _, h := range n.Hospitals() {
		if h.server == nil {
			continue
		}
		admin := h.Admin()
		if proposal == 0 {
			var err error
			first = admin
			if proposal, err = admin.client.ProposeToMembers(ctx, messages...); err != nil {
				n.t.Fatalf("%s proposes: %v", h.name, err)
			}
		}
		// The last votes may come after the decision.
		if err := admin.client.Vote(ctx, proposal, true); err != nil && Reason(err) == "" {
			n.t.Fatalf("%s votes: %v", h.name, err)
		}
	}
	for {
		p, _, err := first.client.Proposal(ctx, proposal)
		if err == nil && p.GetStatus() == consortiumv1.ProposalStatus_PROPOSAL_STATUS_EXECUTED {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("proposal %d is not carried out: %v, %v", proposal, p.GetStatus(), err)
		}
	}
}

// BecomesMember waits until the chain shows the hospital with a status, and answers what it says of it.
func (h *Hospital) BecomesMember(want consortiumv1.MemberStatus, as Staff) *consortiumv1.Member {
	h.t.Helper()
	ctx, cancel := as.step()
	defer cancel()
	for {
		m, err := as.client.Member(ctx, h.number)
		if err == nil && m.GetStatus() == want {
			return m
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s is %v, not %v: %v", h.name, m.GetStatus(), want, err)
		}
	}
}

// RequestLeave has the hospital's admin ask to leave.
func (h *Hospital) RequestLeave() error {
	h.t.Helper()
	admin := h.Admin()
	ctx, cancel := admin.step()
	defer cancel()
	_, err := admin.client.RequestLeave(ctx)
	return err
}

// BeginsToLeave has the hospital's admin ask to leave.
func (h *Hospital) BeginsToLeave() {
	h.t.Helper()
	if err := h.RequestLeave(); err != nil {
		h.t.Fatalf("%s leaves: %v", h.name, err)
	}
}

// Remove has the hospitals that run remove another one for good, which is suspended.
func (n *Network) Remove(other *Hospital) {
	n.t.Helper()
	n.Decide(&consortiumv1.MsgRemoveMember{Authority: phr.Authority(), Member: other.number})
}

// Moves stops the hospital's server, has its admin tell the network new addresses by way of another hospital, and starts it there.
func (h *Hospital) Moves(by *Hospital) {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	h.Stop()
	offsets, err := freePorts(1)
	if err == nil {
		err = h.setPorts(offsets[0])
	}
	if err != nil {
		h.t.Fatalf("%s moves: %v", h.name, err)
	}
	key, err := h.keys.Account(home.AccountAdmin)
	if err != nil {
		h.t.Fatalf("%s moves: %v", h.name, err)
	}
	admin, err := by.dial(ctx, key)
	if err != nil {
		h.t.Fatalf("%s moves: %v", h.name, err)
	}
	if err := admin.client.UpdateMember(ctx, &consortiumv1.MsgUpdateMember{CometAddress: h.port(home.PortComet), GatewayUrl: h.url}); err != nil {
		h.t.Fatalf("%s tells where it is: %v", h.name, err)
	}
	address := fmt.Sprintf("/ip4/%s/tcp/%d", loopback, home.PortLibp2p+h.offset)
	if err := admin.client.UpdateStorageNode(ctx, h.number, address, 0); err != nil {
		h.t.Fatalf("%s tells where its blobs are: %v", h.name, err)
	}
	h.Start()
	h.staff.mu.Lock()
	defer h.staff.mu.Unlock()
	for id, p := range h.staff.known {
		if h.staff.known[id], err = h.callAgain(ctx, p); err != nil {
			h.t.Fatalf("%s calls %s where it is now: %v", id, h.name, err)
		}
	}
}

// callAgain gives a person a program that talks to the hospital where it is now. The gateway goes by its old address for some seconds.
func (h *hospital) callAgain(ctx context.Context, p *person) (*person, error) {
	again, err := h.dial(ctx, p.key)
	if err != nil {
		return nil, err
	}
	for {
		_, err := again.client.StorageNodes(ctx, h.number) // needs a login
		if err == nil || ctx.Err() != nil {
			return again, err
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
		}
	}
}

// setPorts writes other ports into a home's configuration, as an administrator would.
func (h *hospital) setPorts(offset int) error {
	for _, path := range []string{h.home.CometConfig(), h.home.AppConfig()} {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(content)
		for _, base := range []int{home.PortComet, home.PortLibp2p, home.PortGateway, home.PortRPC, home.PortGRPC, home.PortREST} {
			text = strings.ReplaceAll(text, strconv.Itoa(base+h.offset), strconv.Itoa(base+offset))
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	h.offset = offset
	h.url = "https://" + h.port(home.PortGateway)
	return nil
}
