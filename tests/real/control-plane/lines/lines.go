// Package lines is how the programs here converse: a line of JSON in, a line of JSON out.
package lines

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// Answer writes what answer says to each line of in, in their order, until in ends.
func Answer[T any](in io.Reader, out io.Writer, answer func(line []byte) T) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriterSize(out, 1<<20)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	for {
		line, readErr := reader.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answer(line)); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return writer.Flush()
		}
		if readErr != nil {
			return readErr
		}
		// Whoever asks one question at a time must not wait for the buffer to fill.
		if reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
	}
}
