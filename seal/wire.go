package seal

import (
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a strictly encoded protobuf message.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint
	data  []byte // of a length-delimited field; shares memory with the message
}

var (
	errTruncated  = errors.New("truncated")
	errNotMinimal = errors.New("varint not minimal")
	// errNotCanonical is the last guard: encoding what was decoded gives other bytes.
	errNotCanonical = errors.New("not in canonical form")
)

// fields is the set of the field numbers, below 64, that a message has.
type fields uint64

// need returns an error unless all of these fields are there.
func (s fields) need(numbers ...protowire.Number) error {
	for _, n := range numbers {
		if s&(1<<n) == 0 {
			return fmt.Errorf("field %d is missing", n)
		}
	}
	return nil
}

// walk calls visit for each field of a message in the strict form of
// docs/custody.md, appendix A, protobuf: fields ascending, only the repeated one
// more than once, defaults omitted, varints minimal, no wire types but varint and
// bytes. It returns which fields are there. What it accepts, the encoders of this
// package give back byte for byte.
func walk(message []byte, repeated protowire.Number, visit func(field) error) (seen fields, err error) {
	var last protowire.Number
	for len(message) > 0 {
		tag, rest, err := consumeVarint(message)
		if err != nil {
			return 0, err
		}
		if tag>>3 < 1 || tag>>3 > uint64(protowire.MaxValidNumber) {
			return 0, errors.New("field number out of range")
		}
		f := field{num: protowire.Number(tag >> 3), typ: protowire.Type(tag & 7)}
		if f.num < last || (f.num == last && f.num != repeated) {
			return 0, fmt.Errorf("field %d out of order or repeated", f.num)
		}
		switch f.typ {
		case protowire.VarintType:
			if f.value, rest, err = consumeVarint(rest); err != nil {
				return 0, err
			}
			if f.value == 0 {
				return 0, fmt.Errorf("field %d holds its default", f.num)
			}
		case protowire.BytesType:
			length, after, err := consumeVarint(rest)
			if err != nil {
				return 0, err
			}
			if length == 0 {
				return 0, fmt.Errorf("field %d is empty", f.num)
			}
			if length > uint64(len(after)) {
				return 0, errTruncated
			}
			f.data, rest = after[:length:length], after[length:]
		default:
			return 0, fmt.Errorf("field %d has wire type %d", f.num, f.typ)
		}
		if err := visit(f); err != nil {
			return 0, err
		}
		message, last = rest, f.num
		if f.num < 64 {
			seen |= 1 << f.num
		}
	}
	return seen, nil
}

func consumeVarint(b []byte) (value uint64, rest []byte, err error) {
	value, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, nil, errTruncated
	}
	if n != protowire.SizeVarint(value) {
		return 0, nil, errNotMinimal
	}
	return value, b[n:], nil
}

// uint reads the field as a varint into to.
func (f field) uint(to *uint64) error {
	if f.typ != protowire.VarintType {
		return fmt.Errorf("field %d is not a varint", f.num)
	}
	*to = f.value
	return nil
}

// fixed copies the field into to, whose length it must have.
func (f field) fixed(to []byte) error {
	if f.typ != protowire.BytesType || len(f.data) != len(to) {
		return fmt.Errorf("field %d is not %d bytes", f.num, len(to))
	}
	copy(to, f.data)
	return nil
}

// bytes returns the field's bytes, which share memory with the message.
func (f field) bytes() ([]byte, error) {
	if f.typ != protowire.BytesType {
		return nil, fmt.Errorf("field %d is not bytes", f.num)
	}
	return f.data, nil
}

func (f field) unknown() error { return fmt.Errorf("unknown field %d", f.num) }

// appendUint appends a varint field, or nothing for 0.
func appendUint(b []byte, num protowire.Number, value uint64) []byte {
	if value == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, value)
}

// appendBytes appends a length-delimited field, or nothing when it is empty.
func appendBytes(b []byte, num protowire.Number, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

// appendMessage appends an embedded message, also an empty one.
func appendMessage(b []byte, num protowire.Number, message []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, message)
}

// text reads the field as a string into to. The caller checks its characters.
func (f field) text(to *string) error {
	data, err := f.bytes()
	*to = string(data)
	return err
}

// cid reads the field as a raw CID into to.
func (f field) cid(to *lock.CID) error {
	data, err := f.bytes()
	if err != nil {
		return err
	}
	c, err := lock.CIDFromBytes(data)
	if err != nil {
		return fmt.Errorf("field %d: %w", f.num, err)
	}
	if !c.IsRaw() {
		return fmt.Errorf("field %d: CID is not raw", f.num)
	}
	*to = c
	return nil
}

// point reads the field as a point into to.
func (f field) point(to *lock.Point, parse func([]byte) (lock.Point, error)) error {
	data, err := f.bytes()
	if err != nil {
		return err
	}
	if *to, err = parse(data); err != nil {
		return fmt.Errorf("field %d: %w", f.num, err)
	}
	return nil
}
