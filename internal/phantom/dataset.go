package phantom

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// dataset encodes DICOM data elements in ascending order of their tags, Explicit VR Little Endian (DICOM PS3.5, 7.1.2).
type dataset []byte

func tag(group, element uint16) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, group), element)
}

// short appends an element whose length has 16 bits.
func (d *dataset) short(group, element uint16, vr string, value []byte) {
	*d = append(*d, tag(group, element)...)
	*d = append(*d, vr...)
	*d = binary.LittleEndian.AppendUint16(*d, uint16(len(value)))
	*d = append(*d, value...)
}

// long appends the head of an element whose length has 32 bits.
func (d *dataset) long(group, element uint16, vr string, length int) {
	*d = append(*d, tag(group, element)...)
	*d = append(*d, vr...)
	*d = append(*d, 0, 0)
	*d = binary.LittleEndian.AppendUint32(*d, uint32(length))
}

// text appends one or more values of a character VR; UIDs are padded with NUL, the rest with a space (PS3.5, 6.2).
func (d *dataset) text(group, element uint16, vr string, values ...string) {
	joined := strings.Join(values, `\`)
	if len(joined)%2 == 1 {
		if vr == "UI" {
			joined += "\x00"
		} else {
			joined += " "
		}
	}
	d.short(group, element, vr, []byte(joined))
}

// decimals appends DS values.
func (d *dataset) decimals(group, element uint16, values ...float64) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatFloat(v, 'f', -1, 64)
	}
	d.text(group, element, "DS", texts...)
}

// words appends US values.
func (d *dataset) words(group, element uint16, values ...uint16) {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	d.short(group, element, "US", b)
}

// longs appends UL values.
func (d *dataset) longs(group, element uint16, values ...uint32) {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	d.short(group, element, "UL", b)
}

// tags appends AT values, each a group and an element.
func (d *dataset) tags(group, element uint16, values ...[2]uint16) {
	var b []byte
	for _, v := range values {
		b = append(b, tag(v[0], v[1])...)
	}
	d.short(group, element, "AT", b)
}

// sequence appends a sequence of items with explicit lengths (PS3.5, 7.5).
func (d *dataset) sequence(group, element uint16, items ...dataset) {
	var body []byte
	for _, item := range items {
		body = append(body, tag(0xfffe, 0xe000)...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(item)))
		body = append(body, item...)
	}
	d.long(group, element, "SQ", len(body))
	*d = append(*d, body...)
}

// code is a sequence with one code of a coding scheme (PS3.3, 8.8).
func (d *dataset) code(group, element uint16, value, scheme, meaning string) {
	var item dataset
	item.text(0x0008, 0x0100, "SH", value)
	item.text(0x0008, 0x0102, "SH", scheme)
	item.text(0x0008, 0x0104, "LO", meaning)
	d.sequence(group, element, item)
}

// uid is a UID below the root 2.25 that ITU-T X.667 keeps for UUIDs; the numbers are made up for this phantom.
func uid(n int) string { return fmt.Sprintf("2.25.30441857316250929118054772381%03d", n) }
