package inbox

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/phrd/phrd/lock"
)

// ErrPatients says that a table of patients is malformed.
var ErrPatients = errors.New("malformed table of patients")

// Patients is the hospital's table of local patient ids: a CSV file (RFC 4180) with two columns, the local id and the patient's
// number in the network. Lines that begin with # are comments. The file is read again when it changes. It never leaves the machine.
type Patients struct {
	path   string
	seen   time.Time
	size   int64
	number map[string]string
}

// OpenPatients reads a table. The error is ErrPatients or that of the file.
func OpenPatients(path string) (*Patients, error) {
	p := &Patients{path: path}
	return p, p.Refresh()
}

// Refresh reads the file again where it has changed; on an error the table stays as it was.
func (p *Patients) Refresh() error {
	stat, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	if stat.ModTime().Equal(p.seen) && stat.Size() == p.size {
		return nil
	}
	f, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer f.Close()
	number, err := readPatients(f)
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	p.number, p.seen, p.size = number, stat.ModTime(), stat.Size()
	return nil
}

// Number is the network's number of a patient.
func (p *Patients) Number(local string) (string, bool) {
	number, ok := p.number[local]
	return number, ok
}

func readPatients(r io.Reader) (map[string]string, error) {
	lines := csv.NewReader(r)
	lines.Comment, lines.FieldsPerRecord, lines.TrimLeadingSpace = '#', 2, true
	number := map[string]string{}
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return number, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPatients, err)
		}
		line, _ := lines.FieldPos(0)
		local := fields[0]
		id, err := lock.ParseID(fields[1])
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPatients, line, err)
		}
		if _, twice := number[local]; twice || local == "" {
			return nil, fmt.Errorf("%w: line %d: local id %q is empty or there already", ErrPatients, line, local)
		}
		number[local] = id.String()
	}
}
