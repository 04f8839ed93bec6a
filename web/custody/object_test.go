package custody_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

var errAbsent = errors.New("no such block")

// shelf holds blocks in memory.
type shelf map[lock.CID][]byte

func (s shelf) Put(_ context.Context, c lock.CID, block []byte) error {
	s[c] = bytes.Clone(block)
	return nil
}

func (s shelf) Get(_ context.Context, c lock.CID) ([]byte, error) {
	block, held := s[c]
	if !held {
		return nil, errAbsent
	}
	return block, nil
}

// leaves are the blocks without the inner nodes, which a reader works out itself.
func (s shelf) leaves() []string {
	var all []string
	for c, block := range s {
		if c.IsRaw() {
			all = append(all, text(block))
		}
	}
	return all
}

// draft is a file: mostly a few kilobytes, at times of several leaves.
func draft(c *chance) (seal.Draft, []byte) {
	size := c.below(9000)
	if c.below(25) == 0 {
		size = seal.ChunkSize - 1 + c.below(3)
	}
	names := []string{"", "chest.dcm", "Bericht ä.pdf", "心电图.edf", "a/b\\c"}
	d := seal.Draft{Name: names[c.below(len(names))], MediaType: "application/dicom", Created: c.Uint64() >> 2, Modified: c.Uint64N(3), Size: uint64(size)} // #nosec G115 -- small and positive
	return d, c.octets(size)
}

func draftFields(d seal.Draft) fields {
	return fields{"name": d.Name, "media_type": d.MediaType, "created": whole(d.Created), "modified": whole(d.Modified), "size": whole(d.Size)}
}

func givesObject(c *chance) gift {
	d, file := draft(c)
	blocks := shelf{}
	sealed := must(seal.Seal(context.Background(), blocks, bytes.NewReader(file), d))
	digest := sha256.Sum256(file)
	in := fields{
		"object_cid": text(sealed.Ref.Object.Bytes()), "manifest_cid": text(sealed.Ref.Manifest.Bytes()), "padded_size": whole(sealed.Ref.PaddedSize),
		"dek": text(sealed.DEK.Bytes()), "blocks": blocks.leaves(),
	}
	return gift{kind: "object", in: in, opens: draftFields(d).with(fields{"plain_sha256": text(digest[:])}), bound: []string{"object_cid", "manifest_cid", "dek", "blocks"}}
}

func asksObject(c *chance) wish {
	d, file := draft(c)
	layout := must(seal.LayoutOf(d.Size))
	keys := []string{}
	for range layout.Leaves {
		keys = append(keys, c.text(32))
	}
	dek := must(seal.DEKFromBytes(c.octets(32)))
	in := draftFields(d).with(fields{"plain": text(file), "chunk_keys": keys, "dek": text(dek.Bytes())})
	return wish{kind: "object_seal", in: in, bound: []string{"blocks", "manifest_cid", "object_cid"}, takes: func(out fields) error {
		blocks := shelf{}
		for _, block := range out.list("blocks") {
			blocks[lock.RawCID(sha256.Sum256(block))] = block
		}
		ref, err := refOf(out)
		if err != nil {
			return err
		}
		object, err := seal.OpenObject(context.Background(), blocks, ref, dek)
		if err != nil {
			return err
		}
		var got bytes.Buffer
		if _, err := object.WriteTo(context.Background(), &got); err != nil {
			return err
		}
		m := object.Manifest()
		if !bytes.Equal(got.Bytes(), file) || m.Name != d.Name || m.MediaType != d.MediaType || m.Created != d.Created || m.Modified != d.Modified {
			return errOther
		}
		return nil
	}}
}

func refOf(out fields) (ref seal.Ref, err error) {
	ref.PaddedSize = out.number("padded_size")
	if ref.Object, err = lock.CIDFromBytes(out.octets("object_cid")); err != nil {
		return ref, err
	}
	ref.Manifest, err = lock.CIDFromBytes(out.octets("manifest_cid"))
	return ref, err
}

func comparesPadding(c *chance) (wish, fields) {
	length := c.Uint64() >> (1 + c.below(63))
	return wish{kind: "padme", in: fields{"length": whole(length)}}, fields{"padme": whole(seal.Padme(length))}
}

func comparesLayout(c *chance) (wish, fields) {
	size := c.Uint64N(seal.MaxSize) >> c.below(48)
	layout := must(seal.LayoutOf(size))
	want := fields{"ciphertext_total": whole(layout.Padded), "leaf_count": whole(layout.Leaves), "last_leaf_size": layout.LeafSize(layout.Leaves - 1)}
	return wish{kind: "object_layout", in: fields{"length": whole(size)}}, want
}
