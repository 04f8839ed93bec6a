package phantom

import (
	"encoding/binary"
	"fmt"
	"io"
)

// UIDs of the classes of this file (DICOM PS3.4, B.5 and PS3.5, A.2).
const (
	enhancedCT      = "1.2.840.10008.5.1.4.1.1.2.1"
	explicitLittle  = "1.2.840.10008.1.2.1"
	implementation  = "PHRD_PHANTOM"
	bytesPerVoxel   = 2
	pixelDataLength = Columns * Rows * Frames * bytesPerVoxel
)

// The study's own UIDs.
const (
	implementationNumber = iota + 1
	studyNumber
	seriesNumber
	instanceNumber
	frameOfReferenceNumber
	dimensionNumber
	irradiationNumber
)

// Name is the file name of the study.
const Name = "shepp-logan-ct.dcm"

// Length is the length of the study in bytes.
func Length() int64 { return int64(len(header())) + pixelDataLength }

// Write writes the study, the same bytes at each call: Enhanced CT Image Storage, Explicit VR Little Endian, 16 bits a voxel.
func Write(w io.Writer) error {
	if _, err := w.Write(header()); err != nil {
		return fmt.Errorf("write phantom: %w", err)
	}
	line := make([]byte, 0, Columns*Rows*bytesPerVoxel)
	for z := range Frames {
		line = line[:0]
		for _, v := range frame(z) {
			line = binary.LittleEndian.AppendUint16(line, uint16(v))
		}
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write phantom: %w", err)
		}
	}
	return nil
}

// header is everything before the first voxel: preamble, file meta information (PS3.10, 7.1) and the data set.
func header() []byte {
	var meta dataset
	meta.long(0x0002, 0x0001, "OB", 2)
	meta = append(meta, 0, 1)
	meta.text(0x0002, 0x0002, "UI", enhancedCT)
	meta.text(0x0002, 0x0003, "UI", uid(instanceNumber))
	meta.text(0x0002, 0x0010, "UI", explicitLittle)
	meta.text(0x0002, 0x0012, "UI", uid(implementationNumber))
	meta.text(0x0002, 0x0013, "SH", implementation)

	out := make(dataset, 128, 8<<10)
	out = append(out, "DICM"...)
	out.longs(0x0002, 0x0000, uint32(len(meta)))
	out = append(out, meta...)
	out = append(out, body()...)
	out.long(0x7fe0, 0x0010, "OW", pixelDataLength)
	return out
}

// body holds the mandatory modules of the Enhanced CT Image IOD (PS3.3, A.38.1.3) without the pixels.
func body() dataset {
	var d dataset
	d.text(0x0008, 0x0005, "CS", "ISO_IR 192")
	d.text(0x0008, 0x0008, "CS", "DERIVED", "PRIMARY", "VOLUME", "NONE")
	d.text(0x0008, 0x0016, "UI", enhancedCT)
	d.text(0x0008, 0x0018, "UI", uid(instanceNumber))
	d.text(0x0008, 0x0020, "DA", "20260101")
	d.text(0x0008, 0x0021, "DA", "20260101")
	d.text(0x0008, 0x0023, "DA", "20260101")
	d.text(0x0008, 0x0030, "TM", "080000")
	d.text(0x0008, 0x0031, "TM", "080000")
	d.text(0x0008, 0x0033, "TM", "080000")
	d.text(0x0008, 0x0050, "SH")
	d.text(0x0008, 0x0060, "CS", "CT")
	d.text(0x0008, 0x0070, "LO", "phrd")
	d.text(0x0008, 0x0090, "PN")
	d.text(0x0008, 0x1030, "LO", "Shepp-Logan phantom")
	d.text(0x0008, 0x103e, "LO", "Head, computed")
	d.text(0x0008, 0x1090, "LO", "phantom")
	d.text(0x0008, 0x9205, "CS", "MONOCHROME")
	d.text(0x0008, 0x9206, "CS", "VOLUME")
	d.text(0x0008, 0x9207, "CS", "NONE")

	d.text(0x0010, 0x0010, "PN", "PHANTOM^SHEPP-LOGAN")
	d.text(0x0010, 0x0020, "LO", "PHANTOM")
	d.text(0x0010, 0x0030, "DA")
	d.text(0x0010, 0x0040, "CS", "O")

	d.text(0x0018, 0x1000, "LO", "1")
	d.text(0x0018, 0x1020, "LO", "1")
	d.text(0x0018, 0x5100, "CS", "HFS")
	d.text(0x0018, 0x9004, "CS", "RESEARCH")

	d.text(0x0020, 0x000d, "UI", uid(studyNumber))
	d.text(0x0020, 0x000e, "UI", uid(seriesNumber))
	d.text(0x0020, 0x0010, "SH", "1")
	d.text(0x0020, 0x0011, "IS", "1")
	d.text(0x0020, 0x0013, "IS", "1")
	d.text(0x0020, 0x0052, "UI", uid(frameOfReferenceNumber))
	d.text(0x0020, 0x1040, "LO")

	var organisation dataset
	organisation.text(0x0020, 0x9164, "UI", uid(dimensionNumber))
	d.sequence(0x0020, 0x9221, organisation)
	var dimension dataset
	dimension.text(0x0020, 0x9164, "UI", uid(dimensionNumber))
	dimension.tags(0x0020, 0x9165, [2]uint16{0x0020, 0x9057})
	dimension.tags(0x0020, 0x9167, [2]uint16{0x0020, 0x9111})
	d.sequence(0x0020, 0x9222, dimension)
	d.text(0x0020, 0x9311, "CS", "3D")

	d.words(0x0028, 0x0002, 1)
	d.text(0x0028, 0x0004, "CS", "MONOCHROME2")
	d.text(0x0028, 0x0008, "IS", fmt.Sprint(Frames))
	d.words(0x0028, 0x0010, Rows)
	d.words(0x0028, 0x0011, Columns)
	d.words(0x0028, 0x0100, 16)
	d.words(0x0028, 0x0101, 16)
	d.words(0x0028, 0x0102, 15)
	d.words(0x0028, 0x0103, 1)
	d.text(0x0028, 0x0301, "CS", "NO")
	d.text(0x0028, 0x2110, "CS", "00")

	d.sequence(0x0040, 0x0555)
	d.text(0x2050, 0x0020, "CS", "IDENTITY")
	d.sequence(0x5200, 0x9229, shared())
	frames := make([]dataset, Frames)
	for z := range frames {
		frames[z] = perFrame(z)
	}
	d.sequence(0x5200, 0x9230, frames...)
	return d
}

// shared are the functional groups that hold for all frames (PS3.3, A.38.1.4).
func shared() dataset {
	var anatomy dataset
	anatomy.code(0x0008, 0x2218, "69536005", "SCT", "Head")
	anatomy.text(0x0020, 0x9072, "CS", "U")

	// Required of measured frames only, but checkers ask for it in all.
	var irradiation dataset
	irradiation.text(0x0008, 0x3010, "UI", uid(irradiationNumber))

	var frameType dataset
	frameType.text(0x0008, 0x9007, "CS", "DERIVED", "PRIMARY", "VOLUME", "NONE")
	frameType.text(0x0008, 0x9205, "CS", "MONOCHROME")
	frameType.text(0x0008, 0x9206, "CS", "VOLUME")
	frameType.text(0x0008, 0x9207, "CS", "NONE")

	var orientation dataset
	orientation.decimals(0x0020, 0x0037, 1, 0, 0, 0, 1, 0)

	var measures dataset
	measures.decimals(0x0018, 0x0050, frameSpacing)
	measures.decimals(0x0018, 0x0088, frameSpacing)
	measures.decimals(0x0028, 0x0030, pixelSpacing, pixelSpacing)

	var window dataset
	window.decimals(0x0028, 0x1050, 30)
	window.decimals(0x0028, 0x1051, 120)

	var transformation dataset
	transformation.decimals(0x0028, 0x1052, 0)
	transformation.decimals(0x0028, 0x1053, 1)
	transformation.text(0x0028, 0x1054, "LO", "HU")

	var d dataset
	d.sequence(0x0018, 0x9329, frameType)
	d.sequence(0x0018, 0x9477, irradiation)
	d.sequence(0x0020, 0x9071, anatomy)
	d.sequence(0x0020, 0x9116, orientation)
	d.sequence(0x0028, 0x9110, measures)
	d.sequence(0x0028, 0x9132, window)
	d.sequence(0x0028, 0x9145, transformation)
	return d
}

// perFrame are the functional groups of frame z, counted from 0.
func perFrame(z int) dataset {
	var content dataset
	content.text(0x0020, 0x9056, "SH", "1")
	content.longs(0x0020, 0x9057, uint32(z+1))
	content.longs(0x0020, 0x9157, uint32(z+1))

	var position dataset
	position.decimals(0x0020, 0x0032, -Columns*pixelSpacing/2, -Rows*pixelSpacing/2, (float64(z)-Frames/2)*frameSpacing)

	var d dataset
	d.sequence(0x0020, 0x9111, content)
	d.sequence(0x0020, 0x9113, position)
	return d
}
