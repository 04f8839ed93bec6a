package home

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/consortium"
)

// signers are the keys of a declaration that can sign.
type signers struct {
	consensus, comet, libp2p ed25519.PrivateKey
	node, admin              *wallet.Key
}

// sign makes a member.json of a declaration: every key that can sign signs it.
func (s signers) sign(d consortium.Declaration) (consortium.SignedDeclaration, error) {
	encoded, err := d.Marshal()
	if err != nil {
		return consortium.SignedDeclaration{}, fmt.Errorf("sign declaration: %w", err)
	}
	digest := consortium.DeclarationDigest(encoded)
	signed := consortium.SignedDeclaration{
		Declaration:        encoded,
		ConsensusSignature: ed25519.Sign(s.consensus, digest),
		CometSignature:     ed25519.Sign(s.comet, digest),
		Libp2PSignature:    ed25519.Sign(s.libp2p, digest),
		NodeSignature:      s.node.Sign(digest),
		AdminSignature:     s.admin.Sign(digest),
	}
	if _, err := signed.Open(); err != nil {
		return consortium.SignedDeclaration{}, err
	}
	return signed, nil
}

// Declared is a member.json as the SDK sends it.
func Declared(s consortium.SignedDeclaration) *consortiumv1.SignedDeclaration {
	return &consortiumv1.SignedDeclaration{
		Declaration: s.Declaration, ConsensusSignature: s.ConsensusSignature, CometSignature: s.CometSignature,
		Libp2PSignature: s.Libp2PSignature, NodeSignature: s.NodeSignature, AdminSignature: s.AdminSignature,
	}
}

// encodeMember is the text of member.json.
func encodeMember(s consortium.SignedDeclaration) ([]byte, error) {
	compact, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(Declared(s))
	if err != nil {
		return nil, fmt.Errorf("encode member.json: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("encode member.json: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// maxDeclaration is how many bytes a member.json or node.json has at most.
const maxDeclaration = 64 << 10

// readDeclaration reads a file that others sent; ErrDamaged where it is too large.
func readDeclaration(path string) ([]byte, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat.Size() > maxDeclaration {
		return nil, fmt.Errorf("%s: %w: %d bytes, at most %d", path, ErrDamaged, stat.Size(), maxDeclaration)
	}
	return os.ReadFile(path)
}

// ReadMember reads a member.json and checks every signature in it. The error is ErrDamaged for what is none, else that of
// consortium.SignedDeclaration.Open.
func ReadMember(path string) (consortium.SignedDeclaration, consortium.Declaration, error) {
	var signed consortium.SignedDeclaration
	var declaration consortium.Declaration
	content, err := readDeclaration(path)
	if err != nil {
		return signed, declaration, err
	}
	if signed, declaration, err = ParseMember(content); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return signed, declaration, err
}

// ParseMember is ReadMember of a text.
func ParseMember(text []byte) (consortium.SignedDeclaration, consortium.Declaration, error) {
	var read consortiumv1.SignedDeclaration
	if err := protojson.Unmarshal(text, &read); err != nil {
		return consortium.SignedDeclaration{}, consortium.Declaration{}, fmt.Errorf("%w: not a member.json: %w", ErrDamaged, err)
	}
	signed := consortium.SignedDeclaration{
		Declaration: read.Declaration, ConsensusSignature: read.ConsensusSignature, CometSignature: read.CometSignature,
		Libp2PSignature: read.Libp2PSignature, NodeSignature: read.NodeSignature, AdminSignature: read.AdminSignature,
	}
	declaration, err := signed.Open()
	if err != nil {
		return consortium.SignedDeclaration{}, consortium.Declaration{}, err
	}
	return signed, declaration, nil
}
