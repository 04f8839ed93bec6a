package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// The environment variables that say where a passphrase is. The second is set by systemd's LoadCredential=.
const (
	PassphraseFileVariable = "PHRD_PASSPHRASE_FILE"
	credentialsVariable    = "CREDENTIALS_DIRECTORY"
	credentialName         = "phrd-passphrase"
)

// maxPassphrase bounds what is read from an open file.
const maxPassphrase = 64 << 10

// ErrNoPassphrase says that there is no place to take a passphrase from: no file and no terminal.
var ErrNoPassphrase = errors.New("no passphrase: name a file with --passphrase-file or $" + PassphraseFileVariable + ", an open one with --passphrase-fd, or run in a terminal")

// Passphrase reads a passphrase from file; where that is empty from the file that $PHRD_PASSPHRASE_FILE names, else from systemd's
// credential phrd-passphrase, else it asks for it on the terminal, twice where confirm is set. Errors are ErrLoose where others may
// read the file, and ErrNoPassphrase.
func Passphrase(file string, confirm bool) ([]byte, error) {
	if file == "" {
		file = os.Getenv(PassphraseFileVariable)
	}
	if file != "" {
		if err := tight(file); err != nil {
			return nil, fmt.Errorf("passphrase file: %w", err)
		}
		return readPassphrase(file)
	}
	if dir := os.Getenv(credentialsVariable); dir != "" {
		path := filepath.Join(dir, credentialName)
		if _, err := os.Stat(path); err == nil {
			return readPassphrase(path) // in memory of systemd's, which keeps others out
		}
	}
	return promptPassphrase(confirm)
}

// PassphraseFrom reads a passphrase from a file that is open already, a pipe for instance, up to its end, and closes it. So that
// whoever starts the program hands the passphrase over without a file on a disk. The error is ErrNoPassphrase where the first line is
// empty, and that of the file.
func PassphraseFrom(f *os.File) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, maxPassphrase))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return firstLine(content, f.Name())
}

// readPassphrase reads the first line of a file.
func readPassphrase(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("passphrase file: %w", err)
	}
	return firstLine(content, path)
}

func firstLine(content []byte, path string) ([]byte, error) {
	line, _, _ := bytes.Cut(content, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) == 0 {
		return nil, fmt.Errorf("passphrase file %s: %w: its first line is empty", path, ErrNoPassphrase)
	}
	return line, nil
}

// promptPassphrase asks on the terminal itself, since standard input and output may be in use for data.
func promptPassphrase(confirm bool) (passphrase []byte, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, ErrNoPassphrase // a process without a terminal
	}
	defer func() { err = errors.Join(err, tty.Close()) }()
	if passphrase, err = ask(tty, "Passphrase: "); err != nil || !confirm {
		return passphrase, err
	}
	again, err := ask(tty, "Passphrase again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(passphrase, again) {
		return nil, fmt.Errorf("%w: the two are not the same", ErrPassphrase)
	}
	return passphrase, nil
}

func ask(tty *os.File, prompt string) ([]byte, error) {
	if _, err := io.WriteString(tty, prompt); err != nil {
		return nil, err
	}
	line, err := term.ReadPassword(int(tty.Fd()))
	if _, lineErr := io.WriteString(tty, "\n"); err == nil {
		err = lineErr
	}
	return line, err
}
