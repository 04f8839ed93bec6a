package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A span is part of the content.
type span struct{ start, length uint64 }

// parseRanges reads a Range header (RFC 9110, section 14) for content of a size. It returns
// nothing where there is no header, or one of another unit, which does not count; and an
// error where no range lies within the content, the form is wrong, or there are more than
// most.
func parseRanges(header string, size uint64, most int) ([]span, error) {
	list, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil, nil
	}
	parts := strings.Split(list, ",")
	if len(parts) > most {
		return nil, fmt.Errorf("%d ranges, at most %d are served", len(parts), most)
	}
	var spans []span
	named := 0
	for _, part := range parts {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue
		}
		named++
		s, err := parseRange(part, size)
		if err != nil {
			return nil, err
		}
		if s.length > 0 {
			spans = append(spans, s)
		}
	}
	if named == 0 || len(spans) == 0 {
		return nil, errors.New("no range lies within the content")
	}
	return spans, nil
}

// parseRange reads first-last, first- or -suffix. A range past the end has no length.
func parseRange(text string, size uint64) (span, error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return span{}, fmt.Errorf("%.40q is not a range", text)
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return span{}, fmt.Errorf("%.40q is not a range", text)
		}
		n = min(n, size)
		return span{size - n, n}, nil
	}
	start, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return span{}, fmt.Errorf("%.40q is not a range", text)
	}
	end := size
	if last != "" {
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil || n < start {
			return span{}, fmt.Errorf("%.40q is not a range", text)
		}
		end = min(n+1, size)
	}
	if start >= size {
		return span{}, nil
	}
	return span{start, end - start}, nil
}
