package blob

import (
	"bytes"
	"fmt"
	"math"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// LinksPerNode is the width of an object's tree: every inner node but the last of each
// level has this many links.
const LinksPerNode = 174

// unixFSFile is the type of a UnixFS file, the only one that is accepted.
const unixFSFile = 2

// A Link leads from an inner node to a node or a leaf.
type Link struct {
	// CID is the block that the link leads to.
	CID lock.CID
	// Tree is the Tsize: the bytes of all blocks from there on.
	Tree uint64
	// Size is the bytes of the UnixFS file from there on.
	Size uint64
}

// ParseNode reads an inner node of an object: a dag-pb node of a UnixFS file with 1 to
// [LinksPerNode] links and no bytes of its own, exactly as docs/custody.md, appendix A,
// DAG, encodes it. Any other bytes are an error that is [ErrShape].
func ParseNode(block []byte) ([]Link, error) {
	links, err := parseNode(block)
	if err != nil {
		return nil, fmt.Errorf("inner node: %w: %w", err, ErrShape)
	}
	return links, nil
}

func parseNode(block []byte) ([]Link, error) {
	var links []Link
	rest := block
	for {
		number, wire, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		body, m := protowire.ConsumeBytes(rest[n:])
		if wire != protowire.BytesType || m < 0 {
			return nil, fmt.Errorf("field %d is malformed", number)
		}
		rest = rest[n+m:]
		if number == 1 {
			if err := parseSizes(body, links); err != nil {
				return nil, err
			}
			break
		}
		if number != 2 || len(links) == LinksPerNode {
			return nil, fmt.Errorf("field %d after %d links", number, len(links))
		}
		l, err := parseLink(body)
		if err != nil {
			return nil, fmt.Errorf("link %d: %w", len(links), err)
		}
		links = append(links, l)
	}
	// Whatever was not read exactly, such as trailing bytes, a name, a long varint or a
	// wrong sum, shows here.
	if len(links) == 0 || !bytes.Equal(AppendNode(nil, links), block) {
		return nil, fmt.Errorf("%d links in another encoding", len(links))
	}
	return links, nil
}

func parseLink(b []byte) (Link, error) {
	number, wire, n := protowire.ConsumeTag(b)
	if n < 0 || number != 1 || wire != protowire.BytesType {
		return Link{}, fmt.Errorf("no hash")
	}
	id, m := protowire.ConsumeBytes(b[n:])
	c, err := lock.CIDFromBytes(id)
	if m < 0 || err != nil {
		return Link{}, fmt.Errorf("hash of %d bytes: %w", len(id), lock.ErrCID)
	}
	b = b[n+m:]
	if len(b) < 3 {
		return Link{}, fmt.Errorf("no size")
	}
	tree, m := protowire.ConsumeVarint(b[3:]) // behind the empty name and the tag
	if m < 0 {
		return Link{}, protowire.ParseError(m)
	}
	return Link{CID: c, Tree: tree}, nil
}

// parseSizes reads the sizes of the links from the UnixFS part of a node.
func parseSizes(b []byte, links []Link) error {
	seen := 0
	var total, sum uint64
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 || wire != protowire.VarintType {
			return fmt.Errorf("UnixFS field %d is malformed", number)
		}
		value, m := protowire.ConsumeVarint(b[n:])
		if m < 0 {
			return protowire.ParseError(m)
		}
		b = b[n+m:]
		switch number {
		case 3:
			total = value
		case 4:
			if seen == len(links) || value == 0 || value > math.MaxInt64-sum {
				return fmt.Errorf("block size %d of link %d", value, seen)
			}
			links[seen].Size = value
			sum += value
			seen++
		}
	}
	if seen != len(links) || sum != total {
		return fmt.Errorf("%d sizes with sum %d for %d links of %d bytes", seen, sum, len(links), total)
	}
	return nil
}

// AppendNode appends the dag-pb encoding of the inner node with these links.
func AppendNode(b []byte, links []Link) []byte {
	var total uint64
	data := protowire.AppendTag(make([]byte, 0, 16+4*len(links)), 1, protowire.VarintType)
	data = protowire.AppendVarint(data, unixFSFile)
	for _, l := range links {
		total += l.Size
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(2+len(l.CID)+2+1+protowire.SizeVarint(l.Tree)))
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendBytes(b, l.CID[:])
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendBytes(b, nil) // the name, present and empty
		b = protowire.AppendTag(b, 3, protowire.VarintType)
		b = protowire.AppendVarint(b, l.Tree)
	}
	data = protowire.AppendTag(data, 3, protowire.VarintType)
	data = protowire.AppendVarint(data, total)
	for _, l := range links {
		data = protowire.AppendTag(data, 4, protowire.VarintType)
		data = protowire.AppendVarint(data, l.Size)
	}
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	return protowire.AppendBytes(b, data)
}
