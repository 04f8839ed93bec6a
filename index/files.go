package index

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"os"
	"path/filepath"

	"github.com/phrd/phrd/x/audit"
)

const (
	entriesFile = "entries"
	endsFile    = "ends"
	nodesFile   = "nodes"
	fileMode    = 0o600

	sumSize  = crc32.Size
	endSize  = 8
	nodeSize = sha256.Size + sumSize
	// maxFrame is longer than an entry with all that it may have.
	maxFrame = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// files hold what is read by its place in the log. They only grow, in the order of the log, so each read is one of a known place:
//
//	entries   each entry in its canonical form ‖ its CRC32C
//	ends      where each entry ends in entries
//	nodes     the roots of the perfect subtrees of two leaves and more, as they come to be ‖ CRC32C of level, position and root
//
// Numbers are big-endian, places of eight bytes and CRCs of four. One may append while others read what was there before.
type files struct {
	entries, ends, nodes *os.File
	// size is how many entries there are, length their bytes; only the one who appends looks at them.
	size   uint64
	length int64
}

// openFiles opens the files of a folder, which are then to be cut.
func openFiles(dir string) (*files, error) {
	f := &files{}
	for _, file := range []struct {
		name string
		into **os.File
	}{{entriesFile, &f.entries}, {endsFile, &f.ends}, {nodesFile, &f.nodes}} {
		opened, err := os.OpenFile(filepath.Join(dir, file.name), os.O_RDWR|os.O_CREATE, fileMode)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		*file.into = opened
	}
	return f, nil
}

// cut cuts off what is behind so many entries. The error is one of the disk, or says that a file has fewer.
func (f *files) cut(size uint64) error {
	f.size, f.length = size, 0
	if err := cutTo(f.ends, int64(size)*endSize); err != nil {
		return err
	}
	if size > 0 {
		ends, err := f.endsOf(size, size)
		if err != nil {
			return err
		}
		f.length = ends[1]
	}
	return errors.Join(cutTo(f.entries, f.length), cutTo(f.nodes, nodesOf(size)*nodeSize))
}

func cutTo(file *os.File, length int64) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < length {
		return fmt.Errorf("%s has %d bytes, want %d", filepath.Base(file.Name()), info.Size(), length)
	}
	return file.Truncate(length)
}

func (f *files) close() error {
	var err error
	for _, file := range []*os.File{f.entries, f.ends, f.nodes} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

// sync makes durable what was appended.
func (f *files) sync() error { return errors.Join(f.entries.Sync(), f.ends.Sync(), f.nodes.Sync()) }

// growth is what the next entries add to the files; size and length are those with them.
type growth struct {
	size                 uint64
	length               int64
	entries, ends, nodes []byte
}

func (f *files) growth() *growth { return &growth{size: f.size, length: f.length} }

// add adds the next entry in its canonical form, and the roots of the subtrees of two leaves and more that it completes.
func (g *growth) add(entry []byte, roots [][sha256.Size]byte) error {
	if len(entry) > maxFrame-sumSize {
		return fmt.Errorf("entry %d has %d bytes", g.size+1, len(entry))
	}
	g.entries = append(g.entries, entry...)
	g.entries = binary.BigEndian.AppendUint32(g.entries, crc32.Checksum(entry, castagnoli))
	g.length += int64(len(entry)) + sumSize
	g.ends = binary.BigEndian.AppendUint64(g.ends, uint64(g.length))
	for i, root := range roots {
		level := uint8(i + 1)
		g.nodes = append(g.nodes, root[:]...)
		g.nodes = binary.BigEndian.AppendUint32(g.nodes, nodeSum(level, g.size>>level, root[:]))
	}
	g.size++
	return nil
}

// write writes what the next entries add. It is there when it is kept, and written over otherwise.
func (f *files) write(g *growth) error {
	if _, err := f.entries.WriteAt(g.entries, f.length); err != nil {
		return err
	}
	if _, err := f.ends.WriteAt(g.ends, int64(f.size)*endSize); err != nil {
		return err
	}
	_, err := f.nodes.WriteAt(g.nodes, nodesOf(f.size)*nodeSize)
	return err
}

func (f *files) keep(g *growth) { f.size, f.length = g.size, g.length }

// endsOf are the ends of the entry before first, and of those from first to last.
func (f *files) endsOf(first, last uint64) ([]int64, error) {
	places := make([]byte, (last-first+2)*endSize)
	read, at := places, (int64(first)-2)*endSize
	if first == 1 { // before which is nothing
		read, at = places[endSize:], 0
	}
	if _, err := f.ends.ReadAt(read, at); err != nil {
		return nil, fmt.Errorf("ends of entries %d to %d: %w", first, last, err)
	}
	ends := make([]int64, last-first+2)
	for i := range ends {
		ends[i] = int64(binary.BigEndian.Uint64(places[i*endSize:]))
		if i > 0 && (ends[i]-ends[i-1] < sumSize || ends[i]-ends[i-1] > maxFrame) {
			return nil, fmt.Errorf("entry %d begins at %d and ends at %d", first+uint64(i)-1, ends[i-1], ends[i])
		}
	}
	return ends, nil
}

// read answers the entries from first to last in their canonical form.
func (f *files) read(first, last uint64) ([][]byte, error) {
	ends, err := f.endsOf(first, last)
	if err != nil {
		return nil, err
	}
	begin := ends[0]
	all := make([]byte, ends[len(ends)-1]-begin)
	if _, err := f.entries.ReadAt(all, begin); err != nil {
		return nil, fmt.Errorf("entries %d to %d: %w", first, last, err)
	}
	list := make([][]byte, len(ends)-1)
	for i := range list {
		frame := all[ends[i]-begin : ends[i+1]-begin]
		entry, sum := frame[:len(frame)-sumSize], frame[len(frame)-sumSize:]
		if crc32.Checksum(entry, castagnoli) != binary.BigEndian.Uint32(sum) {
			return nil, fmt.Errorf("entry %d has another checksum", first+uint64(i))
		}
		list[i] = entry
	}
	return list, nil
}

// entry reads an entry.
func (f *files) entry(sequence uint64) (audit.Entry, error) {
	values, err := f.read(sequence, sequence)
	if err != nil {
		return audit.Entry{}, err
	}
	return decode(values[0], sequence)
}

// node reads the root of the perfect subtree of 2^level leaves that begins with leaf position·2^level; level is 1 at least.
func (f *files) node(level uint8, position uint64) ([]byte, error) {
	before := (position+1)<<level - 1 // leaves before the last one of the subtree
	node := make([]byte, nodeSize)
	if _, err := f.nodes.ReadAt(node, (nodesOf(before)+int64(level)-1)*nodeSize); err != nil {
		return nil, fmt.Errorf("node %d of level %d: %w", position, level, err)
	}
	root, sum := node[:sha256.Size], node[sha256.Size:]
	if nodeSum(level, position, root) != binary.BigEndian.Uint32(sum) {
		return nil, fmt.Errorf("node %d of level %d has another checksum", position, level)
	}
	return root, nil
}

// nodesOf is how many perfect subtrees of two leaves and more a tree has.
func nodesOf(leaves uint64) int64 { return int64(leaves) - int64(bits.OnesCount64(leaves)) }

func nodeSum(level uint8, position uint64, root []byte) uint32 {
	place := binary.BigEndian.AppendUint64([]byte{level}, position)
	return crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, root)
}
