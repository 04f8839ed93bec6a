package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"google.golang.org/protobuf/proto"
)

// ErrJournalLocked says that another process writes the journals of the gateway.
var ErrJournalLocked = errors.New("journal is in use by another process")

const (
	readsJournal    = "reads.journal"
	sessionsJournal = "sessions.journal"
	lockName        = "LOCK"
	// compactSize is the size in bytes from which the journal is written anew without what
	// the chain has taken and sessions that have ended, once it is twice what that left the last time.
	compactSize = 1 << 20
	// maxFrame is the length of a frame's body; a report has some 250 bytes.
	maxFrame = 4096
)

// A frame is: four bytes magic, the length of the body and its CRC32C in four bytes each,
// big-endian, and the body: one byte for its kind, then a report as protobuf, a mark before it where it has one, or the number
// up to which the chain has taken reports.
const (
	frameMagic  = "\xf1rd1"
	frameHeader = 12

	frameReport byte = 1
	frameTaken  byte = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A report says what happened at the gateway. Its number counts those of its kind.
type report interface {
	proto.Message
	GetNumber() uint64
}

// journal is the file in which what happens at the gateway is written down before it is answered: reads, and sessions. A report's
// last frame counts. All methods may be called at the same time.
type journal[R report] struct {
	path  string
	log   *slog.Logger
	fresh func() R // makes an empty report

	mu      sync.Mutex
	file    *os.File
	size    int64 // in bytes
	least   int64 // size when it was written anew
	pending map[uint64]R
	open    map[sessionKey]string // accounts of the sessions that have begun and not ended
	highest uint64                // number ever written
	written uint64                // frames, counted to know which are durable
	err     error                 // what ended all writing

	syncing sync.Mutex // held during an fsync, so that who waits finds the work done
	synced  uint64
}

// openJournal opens the journal in a folder and reads what the chain may not have taken. A
// torn end is what a crash leaves and is cut off; damage before whole frames is skipped, told
// and kept in a file beside it.
func openJournal[R report](folder, name string, fresh func() R, log *slog.Logger) (*journal[R], error) {
	j := &journal[R]{path: filepath.Join(folder, name), log: log, fresh: fresh, pending: map[uint64]R{}, open: map[sessionKey]string{}}
	if err := j.recover(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

// lockFolder makes sure that one process alone writes in a folder, until the file is closed.
func lockFolder(folder string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(folder, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrJournalLocked
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
	}
	return file, nil
}

// recover reads the file and writes it anew, so that it ends in a whole frame and holds
// nothing that is done.
func (j *journal[R]) recover() error {
	all, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	torn, damaged := 0, 0
	for rest := all; len(rest) > 0; {
		body, n := cutFrame(rest)
		if n > 0 {
			damaged += torn
			torn = 0
			if err := j.replay(body); err != nil {
				return err
			}
			rest = rest[n:]
			continue
		}
		torn++
		rest = rest[1:]
		if next := bytes.Index(rest, []byte(frameMagic)); next >= 0 {
			torn += next
			rest = rest[next:]
		} else {
			torn += len(rest)
			rest = nil
		}
	}
	if damaged > 0 {
		j.log.Error("a journal is damaged; what could be read will be reported", "file", j.path, "bytes", damaged)
		if err := os.WriteFile(j.path+".damaged", all, 0o600); err != nil {
			return err
		}
	}
	return j.rewrite()
}

// cutFrame returns the body of the frame at the start of b and how many bytes it takes, 0
// when there is no whole one.
func cutFrame(b []byte) ([]byte, int) {
	if len(b) < frameHeader || string(b[:4]) != frameMagic {
		return nil, 0
	}
	length := int(binary.BigEndian.Uint32(b[4:]))
	if length < 1 || length > maxFrame || len(b) < frameHeader+length {
		return nil, 0
	}
	body := b[frameHeader : frameHeader+length]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[8:]) {
		return nil, 0
	}
	return body, frameHeader + length
}

func appendFrame(b []byte, kind byte, body []byte) []byte {
	b = append(b, frameMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(body)))
	sum := crc32.Update(crc32.Checksum([]byte{kind}, castagnoli), castagnoli, body)
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(append(b, kind), body...)
}

// replay takes a frame that was read back.
func (j *journal[R]) replay(body []byte) error {
	switch body[0] {
	case frameReport:
		return j.replayReport(body[1:])
	case frameBegan, frameEnded:
		m, rest, err := cutMark(body[0], body[1:])
		if err != nil {
			return err
		}
		m.follow(j.open)
		if len(rest) > 0 {
			return j.replayReport(rest)
		}
	case frameTaken:
		if len(body) != 9 {
			return fmt.Errorf("frame of kind %d has %d bytes", body[0], len(body))
		}
		number := binary.BigEndian.Uint64(body[1:])
		j.drop(number)
		j.highest = max(j.highest, number)
	default:
		return fmt.Errorf("frame of kind %d was written by a newer program", body[0])
	}
	return nil
}

func (j *journal[R]) replayReport(body []byte) error {
	r := j.fresh()
	if err := proto.Unmarshal(body, r); err != nil {
		return err
	}
	j.pending[r.GetNumber()] = r
	j.highest = max(j.highest, r.GetNumber())
	return nil
}

func (j *journal[R]) drop(number uint64) {
	for n := range j.pending {
		if n <= number {
			delete(j.pending, n)
		}
	}
}

// reports returns what the chain may not have taken, by number. The caller owns them.
func (j *journal[R]) reports() []R {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]R, 0, len(j.pending))
	for _, r := range j.pending {
		list = append(list, proto.CloneOf(r))
	}
	slices.SortFunc(list, func(a, b R) int {
		if a.GetNumber() < b.GetNumber() {
			return -1
		}
		return 1
	})
	return list
}

// waiting is how many reports the chain may not have taken.
func (j *journal[R]) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.pending)
}

// last is the highest number ever written.
func (j *journal[R]) last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.highest
}

// failed is what ended all writing, nil while the journal works.
func (j *journal[R]) failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// opened is a copy of which sessions have begun and not ended, by their accounts.
func (j *journal[R]) opened() map[sessionKey]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.open)
}

// put writes a report with its mark, which are durable only after sync of the place that put returns.
func (j *journal[R]) put(r R, m mark) (place uint64, err error) {
	body, err := proto.Marshal(r)
	if err != nil {
		return 0, err
	}
	kind, head := m.frame()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(appendFrame(nil, kind, append(head, body...))); err != nil {
		return 0, err
	}
	m.follow(j.open)
	j.pending[r.GetNumber()] = proto.CloneOf(r)
	j.highest = max(j.highest, r.GetNumber())
	return j.written, nil
}

// taken notes that the chain has every report up to a number.
func (j *journal[R]) taken(number uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(appendFrame(nil, frameTaken, binary.BigEndian.AppendUint64(nil, number))); err != nil {
		return err
	}
	j.drop(number)
	j.highest = max(j.highest, number)
	if j.size < max(compactSize, 2*j.least) {
		return nil
	}
	return j.fail(j.rewrite())
}

// write appends. After an error nobody knows what stands in the file, so it is the last.
func (j *journal[R]) write(frame []byte) error {
	if j.err != nil {
		return j.err
	}
	if _, err := j.file.Write(frame); err != nil {
		return j.fail(err)
	}
	j.size += int64(len(frame))
	j.written++
	return nil
}

func (j *journal[R]) fail(err error) error {
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("%s: %w", filepath.Base(j.path), err)
	}
	return j.err
}

// sync returns when everything up to a place is durable. One fsync serves all who wait.
func (j *journal[R]) sync(place uint64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= place {
		return nil
	}
	j.mu.Lock()
	file, written, err := j.file, j.written, j.err
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		// A file that was replaced meanwhile is synced as a whole.
		if j.file == file {
			return j.fail(err)
		}
		return j.err
	}
	j.synced = written
	return nil
}

// rewrite replaces the file by one with what is pending. It is durable when it returns nil.
func (j *journal[R]) rewrite() error {
	content := appendFrame(nil, frameTaken, binary.BigEndian.AppendUint64(nil, j.floor()))
	for key, account := range j.open {
		kind, head := began(key, account).frame()
		content = appendFrame(content, kind, head)
	}
	numbers := make([]uint64, 0, len(j.pending))
	for n := range j.pending {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		body, err := proto.Marshal(j.pending[n])
		if err != nil {
			return err
		}
		content = appendFrame(content, frameReport, body)
	}
	temp := j.path + ".new"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(temp, j.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(j.path))
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	old := j.file
	j.file, j.size, j.least = file, int64(len(content)), int64(len(content))
	if old == nil {
		return nil
	}
	return old.Close()
}

// floor is the number below which nothing is pending.
func (j *journal[R]) floor() uint64 {
	lowest := j.highest + 1
	for n := range j.pending {
		lowest = min(lowest, n)
	}
	return lowest - 1
}

func (j *journal[R]) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.err == nil {
		err = j.file.Sync()
		j.err = errors.New("the journal is closed")
	}
	return errors.Join(err, j.file.Close())
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
