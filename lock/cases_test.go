package lock_test

import (
	"crypto/sha256"
	"encoding/binary"
	"io"

	"github.com/phrd/phrd/lock"
)

// What the cases of the files give, and how it becomes what the package takes. Each conversion returns what the package refuses.

// stream is SHA-256(seed ‖ counter): chance that is the same in every run.
type stream struct {
	seed    uint64
	counter uint64
	rest    []byte
}

func chance(seed uint64) io.Reader { return &stream{seed: seed} }

func (s *stream) Read(p []byte) (int, error) {
	for len(s.rest) < len(p) {
		block := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.seed), s.counter))
		s.counter++
		s.rest = append(s.rest, block[:]...)
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

type generationCase struct {
	Net        octets
	Kind       number `json:"key_kind"`
	Generation number
	X          octets `json:"x_pub"`
	Gen        octets
}

func (c generationCase) generation() (lock.Generation, error) {
	net, err := lock.NetworkFromBytes(c.Net)
	if err != nil {
		return lock.Generation{}, err
	}
	x, err := lock.ParsePoint(c.X)
	return lock.Generation{Network: net, Kind: lock.KeyKind(c.Kind), Number: uint64(c.Generation), X: x}, err
}

type contextCase struct {
	Net       octets
	Suite     number
	Lock      number
	Record    octets `json:"record_id"`
	Version   number
	OwnerKind number `json:"owner_kind"`
	OwnerID   octets `json:"owner_id"`
	Custodian number `json:"custodian_no"`
	Gen       octets
	Ctx       octets
}

func (c contextCase) context() (lock.Context, error) {
	net, err := lock.NetworkFromBytes(c.Net)
	if err != nil {
		return lock.Context{}, err
	}
	record, err := lock.IDFromBytes(c.Record)
	if err != nil {
		return lock.Context{}, err
	}
	owner, err := lock.ParseOwner(lock.OwnerKind(c.OwnerKind), c.OwnerID)
	if err != nil {
		return lock.Context{}, err
	}
	gen, err := array[[64]byte](c.Gen)
	return lock.Context{Network: net, Suite: lock.Suite(c.Suite), Lock: lock.Lock(c.Lock), Record: record, Version: uint64(c.Version),
		Owner: owner, Custodian: uint64(c.Custodian), Generation: gen}, err
}

type encapCase struct {
	R, Nonce    octets
	Ctx, Gen    octets
	C, Pc, Dc   octets
	EnvelopeCID octets   `json:"envelope_cid"`
	ObjectCID   octets   `json:"object_cid"`
	OwnKeys     []octets `json:"own_key_hashes"`
	Signer      octets
	U           octets
	UBar        octets `json:"u_bar"`
	GBar        octets `json:"g_bar"`
	Label       octets
	Proof       octets
}

func (c encapCase) version() (v lock.LockedVersion, err error) {
	v.Pc = c.Pc
	if v.Context, err = array[[64]byte](c.Ctx); err != nil {
		return v, err
	}
	if v.Generation, err = array[[64]byte](c.Gen); err != nil {
		return v, err
	}
	if v.C, err = array[[32]byte](c.C); err != nil {
		return v, err
	}
	if v.Dc, err = array[[32]byte](c.Dc); err != nil {
		return v, err
	}
	if v.Signer, err = array[[20]byte](c.Signer); err != nil {
		return v, err
	}
	if v.Envelope, err = lock.CIDFromBytes(c.EnvelopeCID); err != nil {
		return v, err
	}
	if v.Object, err = lock.CIDFromBytes(c.ObjectCID); err != nil {
		return v, err
	}
	for _, h := range c.OwnKeys {
		hash, err := array[[32]byte](h)
		if err != nil {
			return v, err
		}
		v.OwnKeys = append(v.OwnKeys, hash)
	}
	if v.U, err = lock.ParseEncapsulation(c.U); err != nil {
		return v, err
	}
	v.UBar, err = lock.ParsePoint(c.UBar)
	return v, err
}

type requestCase struct {
	Net           octets
	Requester     octets
	Hospital      number `json:"hospital_no"`
	Purpose       string
	PolicyVersion number `json:"policy_version"`
	Expiry        number
	RKCID         octets `json:"rk_cid"`
	B, Nonce      octets
	Versions      []struct {
		Record  octets `json:"record_id"`
		Version number
		Ctx     octets
		U, C    octets
	}
	BPub     octets   `json:"b_pub"`
	M        []octets `json:"m"`
	Hash     octets   `json:"request_hash"`
	UnlockID octets   `json:"unlock_id"`
	Proof    octets
}

func (c requestCase) proposal() (p lock.Proposal, err error) {
	p.Hospital, p.Purpose, p.PolicyVersion, p.Expiry = uint64(c.Hospital), c.Purpose, uint64(c.PolicyVersion), uint64(c.Expiry)
	if p.Network, err = lock.NetworkFromBytes(c.Net); err != nil {
		return p, err
	}
	if p.Requester, err = array[[20]byte](c.Requester); err != nil {
		return p, err
	}
	if p.RequestKeyCID, err = lock.CIDFromBytes(c.RKCID); err != nil {
		return p, err
	}
	if p.B, err = lock.ParseEncapsulation(c.BPub); err != nil {
		return p, err
	}
	if len(c.M) != len(c.Versions) {
		return p, errWidth
	}
	for i, v := range c.Versions {
		asked := lock.ProposedVersion{Number: uint64(v.Version), C: v.C}
		if asked.Record, err = lock.IDFromBytes(v.Record); err != nil {
			return p, err
		}
		if asked.Context, err = array[[64]byte](v.Ctx); err != nil {
			return p, err
		}
		if asked.U, err = lock.ParseEncapsulation(v.U); err != nil {
			return p, err
		}
		if asked.M, err = lock.ParsePoint(c.M[i]); err != nil {
			return p, err
		}
		p.Versions = append(p.Versions, asked)
	}
	return p, nil
}

type shareCase struct {
	Net      octets
	UnlockID octets `json:"unlock_id"`
	Gen      octets
	Epoch    number `json:"share_epoch"`
	Index    number
	Secret   octets `json:"x_i"`
	Nonce    octets
	M        []octets `json:"m"`
	Holder   octets   `json:"x_i_pub"`
	D        []octets `json:"d"`
	Label    octets
	Proof    octets
}

func (c shareCase) release() (r lock.Release, err error) {
	if r.Network, err = lock.NetworkFromBytes(c.Net); err != nil {
		return r, err
	}
	if r.Unlock, err = array[[32]byte](c.UnlockID); err != nil {
		return r, err
	}
	if r.Generation, err = array[[64]byte](c.Gen); err != nil {
		return r, err
	}
	r.M, err = points(c.M)
	return r, err
}

func (c shareCase) share() (s lock.Share, err error) {
	s = lock.Share{Epoch: uint64(c.Epoch), Index: uint64(c.Index), Proof: c.Proof}
	s.D, err = points(c.D)
	return s, err
}

type combineCase struct {
	B         octets
	Threshold number
	Net       octets
	UnlockID  octets `json:"unlock_id"`
	Gen       octets
	M         []octets `json:"m"`
	Shares    []shareCase
	Epoch     number `json:"share_epoch"`
	Indexes   []number
	Lambda    []octets
	K         []octets
}

// combine checks the shares' proofs where the case has them.
func (c combineCase) combine() (lock.Combined, error) {
	b, err := lock.ParseSecretScalar(c.B)
	if err != nil {
		return lock.Combined{}, err
	}
	committee := lock.Committee{Epoch: 1, Threshold: uint64(c.Threshold)}
	var shares []lock.Share
	for _, given := range c.Shares {
		s, err := given.share()
		if err != nil {
			return lock.Combined{}, err
		}
		shares = append(shares, s)
		if given.Holder != nil {
			x, err := lock.ParsePoint(given.Holder)
			if err != nil {
				return lock.Combined{}, err
			}
			committee.Holders = append(committee.Holders, lock.Holder{Index: s.Index, X: x})
		}
	}
	if c.M == nil {
		return lock.CombineVerified(b, uint64(c.Threshold), len(shares[len(shares)-1].D), shares)
	}
	r, err := shareCase{Net: c.Net, UnlockID: c.UnlockID, Gen: c.Gen, M: c.M}.release()
	if err != nil {
		return lock.Combined{}, err
	}
	return lock.CombineWith(b, r, []lock.Committee{committee}, shares)
}

type roundCase struct {
	Net        octets
	Kind       number `json:"key_kind"`
	Generation number
	Epoch      number `json:"share_epoch"`
	Attempt    number
	TOld       number `json:"t_old"`
	TNew       number `json:"t_new"`
	Dealers    []number
	Receivers  []struct {
		No  number
		Key octets `json:"round_key"`
	}
	Rho octets
}

func (c roundCase) round() (lock.Round, error) {
	net, err := lock.NetworkFromBytes(c.Net)
	if err != nil {
		return lock.Round{}, err
	}
	r := lock.Round{Network: net, Kind: lock.KeyKind(c.Kind), Generation: uint64(c.Generation), Epoch: uint64(c.Epoch),
		Attempt: uint64(c.Attempt), OldThreshold: uint64(c.TOld), Threshold: uint64(c.TNew)}
	for _, d := range c.Dealers {
		r.Dealers = append(r.Dealers, uint64(d))
	}
	for _, to := range c.Receivers {
		key, err := lock.ParsePublicKey(to.Key)
		if err != nil {
			return lock.Round{}, err
		}
		r.Receivers = append(r.Receivers, lock.Receiver{Number: uint64(to.No), Key: key})
	}
	return r, nil
}

type guardianCase struct {
	Net        octets
	Vault      octets `json:"vault_id"`
	Slot       octets `json:"slot_id"`
	Revision   number
	Gen3       octets `json:"gen_3"`
	X3         octets `json:"x_pub_3"`
	Signer     octets
	Polynomial []octets
	R          octets `json:"r_g"`
	Nonce      octets
	Guardians  []struct {
		Index           number
		RecipientSeed   octets `json:"recipient_seed"`
		EncapRandomness octets `json:"encap_randomness"`
	}
	Commitments []octets
	Shares      []struct {
		Index       number
		Share, Info octets
		Sealed      octets `json:"guardian_ct"`
	}
	A0      octets `json:"a_0_pub"`
	U       octets `json:"u_g"`
	GBar3   octets `json:"g_bar_3"`
	UBar    octets `json:"u_bar_g"`
	K       octets `json:"k_g"`
	Context octets `json:"guardian_ctx"`
	Label   octets
	Proof   octets
}

func (c guardianCase) slot() (s lock.GuardianSlot, err error) {
	net, err := lock.NetworkFromBytes(c.Net)
	if err != nil {
		return s, err
	}
	vault, err := lock.IDFromBytes(c.Vault)
	if err != nil {
		return s, err
	}
	slot, err := lock.IDFromBytes(c.Slot)
	if err != nil {
		return s, err
	}
	if s.Generation, err = array[[64]byte](c.Gen3); err != nil {
		return s, err
	}
	if s.Context, err = lock.GuardianContext(net, vault, slot, uint64(c.Revision), s.Generation); err != nil {
		return s, err
	}
	if s.Signer, err = array[[20]byte](c.Signer); err != nil {
		return s, err
	}
	if s.U, err = lock.ParseEncapsulation(c.U); err != nil {
		return s, err
	}
	if s.UBar, err = lock.ParsePoint(c.UBar); err != nil {
		return s, err
	}
	s.A0, err = lock.ParsePoint(c.A0)
	return s, err
}
