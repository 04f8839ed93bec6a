package inbox

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

var (
	// ErrNotDICOM says that a file does not begin as DICOM PS3.10, section 7.1 wants.
	ErrNotDICOM = errors.New("not a DICOM file")
	// ErrDICOM says that a DICOM file is malformed before its patient id.
	ErrDICOM = errors.New("malformed DICOM file")
	// ErrNoPatientID says that a DICOM file names no patient.
	ErrNoPatientID = errors.New("DICOM file without a patient id")
)

const (
	// maxDepth is how deep sequences may lie in each other, maxHeader how many bytes may stand before the patient id, and
	// maxPatientID how long it may be: 64 characters (PS3.5, 6.2, LO) of at most four bytes.
	maxDepth     = 32
	maxHeader    = 16 << 20
	maxPatientID = 256

	undefined = 0xffffffff
)

// Tags, group and element.
const (
	tagTransferSyntax = 0x00020010
	tagPatientID      = 0x00100020
	tagItem           = 0xfffee000
	tagItemEnd        = 0xfffee00d
	tagSequenceEnd    = 0xfffee0dd
)

// PatientID reads the local patient id, element (0010,0020), from a DICOM file of any transfer syntax. It reads no further than
// there. The id is trimmed of padding and has only printable characters. Errors are ErrNotDICOM, ErrDICOM, ErrNoPatientID and those
// of the reader.
func PatientID(r io.Reader) (string, error) {
	in := bufio.NewReader(io.LimitReader(r, maxHeader))
	head := make([]byte, 132)
	if _, err := io.ReadFull(in, head); err != nil {
		return "", notDICOM(err)
	}
	if string(head[128:]) != "DICM" {
		return "", ErrNotDICOM
	}
	syntax, err := transferSyntax(in)
	if err != nil {
		return "", malformed(err)
	}
	d := dataset{in: in, order: binary.LittleEndian, explicit: true}
	switch syntax {
	case "1.2.840.10008.1.2":
		d.explicit = false
	case "1.2.840.10008.1.2.2":
		d.order = binary.BigEndian
	case "1.2.840.10008.1.2.1.99":
		d.in = bufio.NewReader(io.LimitReader(flate.NewReader(in), maxHeader))
	}
	id, err := d.patientID()
	if err != nil {
		return "", malformed(err)
	}
	return id, nil
}

// notDICOM is the error of a file that is too short to be one.
func notDICOM(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrNotDICOM
	}
	return err
}

// malformed says so of a file that ends too early or does not inflate.
func malformed(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		return fmt.Errorf("%w: %w", ErrDICOM, err)
	}
	return err
}

// transferSyntax reads the file meta information, which is always Explicit VR Little Endian (PS3.10, 7.1).
func transferSyntax(in *bufio.Reader) (string, error) {
	meta := dataset{in: in, order: binary.LittleEndian, explicit: true}
	syntax := ""
	for {
		group, err := in.Peek(2)
		if errors.Is(err, io.EOF) || err == nil && binary.LittleEndian.Uint16(group) != 2 {
			break
		}
		if err != nil {
			return "", err
		}
		e, err := meta.next()
		if err != nil {
			return "", err
		}
		if e.tag != tagTransferSyntax {
			if err := meta.skip(e, 0); err != nil {
				return "", err
			}
			continue
		}
		if syntax, err = meta.text(e); err != nil {
			return "", err
		}
	}
	if syntax == "" {
		return "", fmt.Errorf("no transfer syntax: %w", ErrDICOM)
	}
	return syntax, nil
}

// dataset reads data elements (PS3.5, section 7).
type dataset struct {
	in       *bufio.Reader
	order    binary.ByteOrder
	explicit bool
}

// element is the head of a data element.
type element struct {
	tag    uint32
	vr     string // empty for implicit ones and items
	length uint32
}

// patientID looks for the id. Elements stand in the order of their tags, so it stops behind its place.
func (d dataset) patientID() (string, error) {
	last := uint32(0)
	for {
		e, err := d.next()
		if errors.Is(err, io.EOF) {
			return "", ErrNoPatientID
		}
		if err != nil {
			return "", err
		}
		switch {
		case e.tag <= last:
			return "", fmt.Errorf("element %08x after %08x: %w", e.tag, last, ErrDICOM)
		case e.tag > tagPatientID:
			return "", ErrNoPatientID
		case e.tag == tagPatientID:
			id, err := d.text(e)
			if err == nil && id == "" {
				err = ErrNoPatientID
			}
			return id, err
		}
		last = e.tag
		if err := d.skip(e, 0); err != nil {
			return "", err
		}
	}
}

// next reads the head of an element; io.EOF where there is none.
func (d dataset) next() (element, error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(d.in, b[:4]); err != nil {
		return element{}, err
	}
	e := element{tag: uint32(d.order.Uint16(b))<<16 | uint32(d.order.Uint16(b[2:]))}
	if _, err := io.ReadFull(d.in, b[4:]); err != nil {
		return e, unexpected(err)
	}
	if !d.explicit || e.tag>>16 == tagItem>>16 {
		e.length = d.order.Uint32(b[4:])
		return e, nil
	}
	e.vr = string(b[4:6])
	switch e.vr {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		if _, err := io.ReadFull(d.in, b[:4]); err != nil {
			return e, unexpected(err)
		}
		e.length = d.order.Uint32(b)
	default:
		if e.vr[0] < 'A' || e.vr[0] > 'Z' || e.vr[1] < 'A' || e.vr[1] > 'Z' {
			return e, fmt.Errorf("element %08x: value representation %q: %w", e.tag, e.vr, ErrDICOM)
		}
		e.length = uint32(d.order.Uint16(b[6:]))
	}
	return e, nil
}

// unexpected is the error of an element that is cut.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skip passes over the value of an element.
func (d dataset) skip(e element, depth int) error {
	if e.length != undefined {
		_, err := d.in.Discard(int(e.length))
		return unexpected(err)
	}
	switch {
	case depth == maxDepth:
		return fmt.Errorf("element %08x: sequences deeper than %d: %w", e.tag, maxDepth, ErrDICOM)
	case e.vr == "UN": // a sequence in Implicit VR Little Endian (PS3.5, 6.2.2)
		d.explicit, d.order = false, binary.LittleEndian
	case e.vr != "SQ" && e.vr != "":
		return fmt.Errorf("element %08x: %s of undefined length: %w", e.tag, e.vr, ErrDICOM)
	}
	for {
		item, err := d.next()
		if err != nil {
			return unexpected(err)
		}
		switch {
		case item.tag == tagSequenceEnd:
			return nil
		case item.tag != tagItem:
			return fmt.Errorf("element %08x: %08x in place of an item: %w", e.tag, item.tag, ErrDICOM)
		case item.length != undefined:
			err = d.skip(item, depth)
		default:
			err = d.skipItem(depth + 1)
		}
		if err != nil {
			return err
		}
	}
}

// skipItem passes over an item of undefined length.
func (d dataset) skipItem(depth int) error {
	for {
		e, err := d.next()
		if err != nil {
			return unexpected(err)
		}
		if e.tag == tagItemEnd {
			return nil
		}
		if err := d.skip(e, depth); err != nil {
			return err
		}
	}
}

// text reads a short value of characters without its padding.
func (d dataset) text(e element) (string, error) {
	if e.length > maxPatientID {
		return "", fmt.Errorf("element %08x: %d bytes: %w", e.tag, e.length, ErrDICOM)
	}
	b := make([]byte, e.length)
	if _, err := io.ReadFull(d.in, b); err != nil {
		return "", unexpected(err)
	}
	text := strings.Trim(string(b), " \x00")
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return "", fmt.Errorf("element %08x: %q: %w", e.tag, text, ErrDICOM)
	}
	return text, nil
}
