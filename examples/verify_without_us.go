// Command verify_without_us checks entries of an evidence file with the code of Go's checksum database, golang.org/x/mod/sumdb:
// that the log signed the checkpoint of each proof, and that the entry stands in that log at its index.
//
//	verify_without_us LOG-KEY evidence/entries/*
//
// LOG-KEY is `log_key` of the trust file; each folder holds `token` and `proof`. It prints a line for each entry and exits 0, else it
// names the first thing that does not hold and exits 1. docs/verify-without-us.md says what else there is to check.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verify_without_us LOG-KEY FOLDER...")
		os.Exit(2)
	}
	key, err := note.NewVerifier(os.Args[1])
	for _, folder := range os.Args[2:] {
		if err == nil {
			err = check(folder, key)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", folder, err)
			os.Exit(1)
		}
	}
}

func check(folder string, key note.Verifier) error {
	token, err := os.ReadFile(filepath.Join(folder, "token"))
	if err != nil {
		return err
	}
	proof, err := os.ReadFile(filepath.Join(folder, "proof"))
	if err != nil {
		return err
	}
	// 1. The proof file: a first line, the index, the hashes of the path, an empty line, the checkpoint.
	head, checkpoint, found := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a proof file")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	if fmt.Sprintf("%012d", index) != filepath.Base(folder) {
		return fmt.Errorf("the proof is for entry %d", index)
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		path = append(path, hash)
	}
	// 2. The checkpoint: signed by the log's key; three lines, of which the first is the key's name.
	signed, err := note.Open([]byte(checkpoint), note.VerifierList(key))
	if err != nil {
		return err
	}
	text := strings.Split(signed.Text, "\n")
	if len(text) != 4 || text[0] != key.Name() {
		return fmt.Errorf("not a checkpoint of %s", key.Name())
	}
	size, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := tlog.ParseHash(text[2])
	if err != nil {
		return err
	}
	// 3. Inclusion: the path leads from the hash of the token to the root that was signed.
	if err := tlog.CheckRecord(path, size, root, index, tlog.RecordHash(token)); err != nil {
		return err
	}
	fmt.Printf("entry %d stands in %s, of size %d\n", index, key.Name(), size)
	return nil
}
