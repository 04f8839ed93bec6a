package seal

import (
	"crypto/sha256"
	"errors"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// linksPerNode is the width of a balanced UnixFS tree as kubo and boxo write it.
const linksPerNode = 174

// DAG computes the UnixFS tree over an object's leaves: raw leaves, balanced, 174
// links a node (docs/custody.md, appendix A, DAG). It holds at most one open node for
// each level, whatever the number of leaves. The zero DAG is ready; one goroutine
// uses it at a time.
type DAG struct {
	// Put, when set, receives each inner node as soon as it is complete. The node is
	// valid only during the call.
	Put func(c lock.CID, node []byte) error

	levels [][]link
	buffer []byte
}

type link struct {
	cid  lock.CID
	tree uint64 // Tsize: bytes of all blocks below and of the block itself
	size uint64 // bytes of the UnixFS file below
}

// Add appends the leaf c of size bytes. Its error is that of Put.
func (d *DAG) Add(c lock.CID, size int) error {
	return d.add(0, link{cid: c, tree: uint64(size), size: uint64(size)})
}

func (d *DAG) add(level int, l link) error {
	if level == len(d.levels) {
		d.levels = append(d.levels, make([]link, 0, linksPerNode))
	}
	d.levels[level] = append(d.levels[level], l)
	if len(d.levels[level]) == linksPerNode {
		return d.close(level)
	}
	return nil
}

// close turns the open node of a level into a link of the level above.
func (d *DAG) close(level int) error {
	links := d.levels[level]
	node, total := appendNode(d.buffer[:0], links)
	d.buffer = node
	c := lock.DagCID(sha256.Sum256(node))
	if d.Put != nil {
		if err := d.Put(c, node); err != nil {
			return err
		}
	}
	up := link{cid: c, tree: uint64(len(node)), size: total}
	for _, l := range links {
		up.tree += l.tree
	}
	d.levels[level] = links[:0]
	return d.add(level+1, up)
}

// Root closes all open nodes and returns the CID of the root, which is a dag-pb node
// however few leaves there are. The DAG takes no more leaves afterwards.
func (d *DAG) Root() (lock.CID, error) {
	for level := 0; level < len(d.levels); level++ {
		links := d.levels[level]
		if level > 0 && level == len(d.levels)-1 && len(links) == 1 {
			return links[0].cid, nil
		}
		if len(links) == 0 {
			continue
		}
		if err := d.close(level); err != nil {
			return lock.CID{}, err
		}
	}
	return lock.CID{}, errors.New("object without leaves")
}

// appendNode appends the dag-pb encoding of a UnixFS file node, links before data,
// and returns it with the bytes of file below.
func appendNode(b []byte, links []link) ([]byte, uint64) {
	var total uint64
	data := make([]byte, 0, 16+len(links)*4)
	for _, l := range links {
		total += l.size
		size := 2 + len(l.cid) + 2 + 1 + protowire.SizeVarint(l.tree)
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(size))
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendBytes(b, l.cid[:])
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendVarint(b, 0) // the name, present and empty
		b = protowire.AppendTag(b, 3, protowire.VarintType)
		b = protowire.AppendVarint(b, l.tree)
	}
	data = appendUint(data, 1, 2) // type: file
	data = appendUint(data, 3, total)
	for _, l := range links {
		data = protowire.AppendTag(data, 4, protowire.VarintType)
		data = protowire.AppendVarint(data, l.size)
	}
	return appendMessage(b, 1, data), total
}
