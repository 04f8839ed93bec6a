package doctor

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// enoughAdmins is how many admins a hospital should have: with one it is one lost key away from needing the vote of the others.
const enoughAdmins = 2

// running: the server answers on loopback.
func (f *facts) running() Result {
	if f.Server == nil {
		return fail("`phrd start`; its log says why it does not run", "the server on this machine does not answer: %v", f.ServerErr)
	}
	if f.Server.Own == nil {
		return fail("a hospital is admitted by vote, a storage node with `phrd hospital add-node`", "the server runs, and the network does not know it")
	}
	return ok("the server of %s runs", f.Server.Own.GetName())
}

// chainMoves: blocks come.
func (f *facts) chainMoves() Result {
	s := f.Server
	if s == nil {
		return f.stopped()
	}
	age := f.At.Sub(s.BlockTime).Round(time.Second)
	switch {
	case s.CatchingUp:
		return warn("wait; it takes a while in an old network", "catching up, at block %d", s.Height)
	case age > node.MaxHeadAge:
		return fail("see peers and reach: more than two thirds of the hospitals must run and reach each other", "the last block, %d, is %s old", s.Height, age)
	}
	return ok("block %d, %s old", s.Height, max(age, 0))
}

// connected: CometBFT's node has a connection to every other hospital.
func (f *facts) connected() Result {
	const remedy = "is the hospital up, and does the firewall let 26656 through both ways?"
	if f.Server == nil {
		return f.stopped()
	}
	var missing []string
	others := 0
	for _, m := range f.Server.Members {
		if !node.TakesPart(m) || f.isOwnServer(m) {
			continue
		}
		others++
		if !f.Server.Peers[m.GetCometId()] {
			missing = append(missing, m.GetName())
		}
	}
	switch {
	case others == 0:
		return ok("there is no other hospital")
	case len(missing) == others:
		return fail(remedy, "no other hospital is connected")
	case len(missing) > 0:
		return warn(remedy, "not connected: %s", strings.Join(missing, ", "))
	}
	return ok("all %d other hospitals are connected", others)
}

// isOwnServer tells whether a member's server is the one that is examined.
func (f *facts) isOwnServer(m *consortiumv1.Member) bool {
	return f.Server.Own == m && !f.Home.StorageOnly()
}

// addresses: those that stand on the chain are those of the configuration.
func (f *facts) addresses() Result {
	const remedy = "where a router or proxy translates ports this is as it should be, else correct the configuration or have the entry changed: `phrd hospital update`"
	s := f.Server
	if s == nil {
		return f.stopped()
	}
	if s.Own == nil || s.Node == nil {
		return unknown("", "nothing stands on the chain about this server")
	}
	var wrong []string
	differ := func(what, listen, chain string) {
		if listen != chain {
			wrong = append(wrong, what+": port "+listen+" here, "+chain+" on the chain")
		}
	}
	differ("libp2p_listen", lastPart(f.Files.Services.Libp2pListen, "/"), lastPart(s.Node.GetAddress(), "/"))
	if !f.Home.StorageOnly() {
		if told := f.Files.Comet.P2P.ExternalAddress; told != "" && told != s.Own.GetCometAddress() {
			wrong = append(wrong, "external_address: "+told+" here, "+s.Own.GetCometAddress()+" on the chain")
		}
		differ("[p2p] laddr", lastPart(f.Files.Comet.P2P.ListenAddress, ":"), lastPart(s.Own.GetCometAddress(), ":"))
		differ("gateway_listen", lastPart(f.Files.Services.GatewayListen, ":"), gatewayPort(s.Own.GetGatewayUrl()))
	}
	if len(wrong) > 0 {
		return warn(remedy, "%s", strings.Join(wrong, "; "))
	}
	return ok("addresses on the chain and in the configuration agree")
}

func lastPart(text, after string) string { return text[strings.LastIndex(text, after)+1:] }

func gatewayPort(url string) string {
	_, port, err := net.SplitHostPort(strings.Trim(strings.TrimPrefix(url, "https://"), "/"))
	if err != nil {
		return "443"
	}
	return port
}

// admins: more than one person can act for the hospital.
func (f *facts) admins() Result {
	const remedy = "`phrd staff add deputy --role admin`, with the key on another machine"
	if f.Server == nil {
		return f.stopped()
	}
	n := 0
	for _, s := range f.Server.Staff {
		if s.GetRole() == consortiumv1.Role_ROLE_ADMIN && !s.GetRevoked() {
			n++
		}
	}
	switch {
	case n == 0:
		return fail("the other hospitals vote a new admin in", "the hospital has no admin")
	case n < enoughAdmins:
		return warn(remedy, "the hospital has one admin; if the key is lost the others must vote a new one in")
	}
	return ok("the hospital has %d admins", n)
}

// renewShares is how a hospital gets a share that is of use.
const renewShares = "the server asks for a new share by itself; `phrd hospital propose reshare` asks the hospitals to vote for it at once"

// share: the hospital can give its share of each of the network's keys.
func (f *facts) share() Result {
	if f.Server == nil {
		return f.stopped()
	}
	if f.Server.Own == nil {
		return unknown("", "the network does not know this hospital")
	}
	if f.Keys == nil {
		return unknown("name the passphrase: --passphrase-file", "without the passphrase no share can be read")
	}
	held, late := false, false
	for _, k := range f.Server.Keys {
		i := slices.IndexFunc(f.Server.Holders[k], func(h *holder) bool { return h.GetIndex() == f.Server.Own.GetNumber() })
		if i < 0 {
			continue
		}
		if !f.Server.Holders[k][i].GetConfirmed() {
			late = true
			continue
		}
		share, err := f.Keys.Share(lock.KeyKind(k.GetKind()), k.GetGeneration(), k.GetShareEpoch())
		if err != nil {
			return fail(renewShares,
				"the share of key %s, generation %d, epoch %d is missing: %v", k.GetKind(), k.GetGeneration(), k.GetShareEpoch(), err)
		}
		if !bytes.Equal(share.Scalar.Public().Bytes(), f.Server.Holders[k][i].GetPublicShare()) {
			return fail(renewShares, "the share of key %s, generation %d, epoch %d is not the one that the chain expects",
				k.GetKind(), k.GetGeneration(), k.GetShareEpoch())
		}
		held = true
	}
	switch {
	case len(f.Server.Keys) == 0:
		return warn("`phrd custody status` shows how far it is", "the hospitals have not made the network's key yet")
	case late:
		return warn(renewShares, "the hospital has not proved that it has its share of a key")
	case !held:
		return warn(renewShares, "the hospital holds no share of the network's key")
	}
	return ok("all shares are here, and are those that the chain expects")
}
